//! Liveness of lease owners: every opened store keeps a locked file.
//!
//! A lease names its owner. The owner keeps `<database>-owner-<token>` locked, and the operating system
//! releases the lock when the process ends, however it ends. A process that can lock the file, or
//! finds none, knows that the owner is dead and does not wait for its leases to expire.
//!
//! All calls except the drop are made within a write transaction. SQLite allows one at a time, so no
//! process checks an owner between the creation and the locking of its file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const INFIX: &str = "-owner-";

/// Owner of the leases of one opened store. Counts as dead once dropped.
#[derive(Debug)]
pub(crate) struct Owner {
    token: String,
    file: PathBuf,
    _lock: File,
}

impl Owner {
    /// Creates and locks the file of a new owner of the database at `path`.
    pub(crate) fn register(path: &Path) -> io::Result<Self> {
        let token = format!("{:016x}", fastrand::u64(..));
        let file = lock_file(path, &token);
        let lock = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&file)?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self {
            token,
            file,
            _lock: lock,
        })
    }

    /// Returns the token that names this owner in leases.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether the owner `token` may still be running. True in case of doubt.
    pub(crate) fn is_alive(&self, path: &Path, token: &str) -> bool {
        token == self.token || holds_lock(&lock_file(path, token))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file that cannot be removed is no longer locked: the next process to open the store removes it.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Removes the files of dead owners. Returns whether there were any, which means that a process crashed.
pub(crate) fn sweep(path: &Path) -> io::Result<bool> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    let mut prefix = name.to_owned();
    prefix.push(INFIX);
    let mut unclean = false;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        if ours && !holds_lock(&entry.path()) {
            unclean = true;
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(unclean)
}

fn lock_file(path: &Path, token: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(INFIX);
    name.push(token);
    name.into()
}

/// Whether a process holds the lock on `file`.
///
/// Tries a shared lock, so that two processes that check at once do not take each other for the owner.
fn holds_lock(file: &Path) -> bool {
    match File::open(file) {
        Ok(file) => matches!(
            file.try_lock_shared(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_))
        ),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
