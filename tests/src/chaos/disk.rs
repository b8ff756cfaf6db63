//! A disk of its own for the broker's store and one for the server's streams: an ext4 image on a
//! loop device, which can be filled to the last block and whose power can be cut. Needs root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::statvfs::statvfs;

use super::native::{is_root, run};
use crate::nats_server::poll;

/// Size that the file system believes in; the image is sparse.
const IMAGE_BYTES: u64 = 6 * 1024 * 1024 * 1024;
/// What a killed process still holds open is let go within this.
const UNMOUNT_DEADLINE: Duration = Duration::from_secs(20);
/// The file that takes all the room.
const BALLAST: &str = "ballast";

/// A mounted image. Dropping it unmounts it.
#[derive(Debug)]
pub(super) struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// Makes and mounts an image called `name` in `dir`.
    pub(super) fn new(dir: &Path, name: &str) -> Result<Self, String> {
        if !is_root() {
            return Err("only root can mount an image".to_owned());
        }
        let disk = Self { image: dir.join(format!("{name}.ext4")), mount: dir.join(name) };
        let io = |error: std::io::Error| format!("making {}: {error}", disk.image.display());
        fs::create_dir_all(&disk.mount).map_err(io)?;
        File::create(&disk.image).and_then(|image| image.set_len(IMAGE_BYTES)).map_err(io)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&disk.image))?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> &Path {
        &self.mount
    }

    /// Nothing of what was not synced will be there. Whoever uses it must be stopped before and
    /// killed after this; then [`Disk::come_back`].
    pub(super) fn cut_power(&self, power_cut: &Path) -> Result<(), String> {
        run(Command::new(power_cut).arg(&self.mount))
    }

    /// Mounted anew, as after a reboot.
    pub(super) fn come_back(&self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    /// Takes every free block.
    pub(super) fn fill(&self) -> Result<(), String> {
        let ballast = self.mount.join(BALLAST);
        let mut size = 0;
        // Each round takes what the one before left over for its own bookkeeping.
        loop {
            let free = self.free_bytes()?;
            if free == 0 {
                return Ok(());
            }
            size += free;
            let mut fallocate = Command::new("fallocate");
            fallocate.args(["-l", &size.to_string()]).arg(&ballast);
            if run(&mut fallocate).is_err() {
                // The last blocks are too few for the ballast's own index, and for any writer.
                return Ok(());
            }
        }
    }

    /// Gives the room back.
    pub(super) fn free(&self) -> Result<(), String> {
        fs::remove_file(self.mount.join(BALLAST)).map_err(|error| format!("freeing: {error}"))
    }

    pub(super) fn free_bytes(&self) -> Result<u64, String> {
        let stat = statvfs(&self.mount).map_err(|error| format!("asking for room: {error}"))?;
        Ok(stat.blocks_available() * stat.fragment_size())
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    fn unmount(&self) -> Result<(), String> {
        let mut last = String::new();
        let done = poll::until(UNMOUNT_DEADLINE, || {
            run(Command::new("umount").arg(&self.mount)).map_err(|error| last = error).ok()
        });
        done.ok_or(last)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            eprintln!("{} stays mounted: {error}", self.mount.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::chaos::native;

    /// Where the machine does not allow it there is nothing to test, and a chaos run reports it.
    fn disk(dir: &Path) -> Option<Disk> {
        Disk::new(dir, "disk").inspect_err(|why| println!("NOT PROVEN: {why}")).ok()
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let power_cut = native::power_cut(dir.path());
        let (Some(disk), Ok(power_cut)) = (disk(dir.path()), power_cut) else { return };
        let synced = disk.path().join("synced");
        File::create(&synced).and_then(|mut f| f.write_all(b"kept").and(f.sync_all())).unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        fs::write(disk.path().join("dirty"), b"lost").unwrap();
        disk.cut_power(&power_cut).unwrap();
        disk.come_back().unwrap();
        assert_eq!(fs::read(&synced).unwrap(), b"kept");
        assert!(!disk.path().join("dirty").exists());
    }

    #[test]
    fn a_full_disk_takes_nothing_until_it_is_freed() {
        let dir = tempfile::tempdir().unwrap();
        let Some(disk) = disk(dir.path()) else { return };
        disk.fill().unwrap();
        let data = vec![7; 256 * 1024];
        let full = fs::write(disk.path().join("more"), &data).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        disk.free().unwrap();
        fs::write(disk.path().join("more"), &data).unwrap();
    }
}
