//! Small file systems that tests fill up.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Small file system in memory, unmounted on drop.
pub struct Disk(PathBuf);

impl Disk {
    /// Creates the folder and mounts a file system of this many megabytes on it, owned by the owner of the folder around it.
    /// Returns `None` if this process may not mount one.
    pub fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(folder).ok()?;
        let owner = std::fs::metadata(folder.parent()?).ok()?;
        let (uid, gid) = (owner.uid(), owner.gid());
        let options = format!("size={megabytes}m,mode=0700,uid={uid},gid={gid}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        let done = mount.arg(folder).output().ok()?.status.success();
        done.then(|| Self(folder.to_owned()))
    }

    /// Fills the file system until the result is dropped.
    pub fn fill(&self) -> Ballast {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
        Ballast(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// File that leaves no space on a [`Disk`].
pub struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
