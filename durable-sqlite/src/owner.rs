//! Who is alive: a locked file for every opened store.
//!
//! A lease names the owner that holds it. The owner keeps `<database>-owner-<token>` locked, and
//! the operating system lets go of the lock when the process ends, however it ends. So whoever can
//! lock the file, or finds none, knows that the owner is dead and need not wait for its leases to
//! expire.
//!
//! All calls but the drop are made within a write transaction. SQLite admits one at a time, so
//! nobody takes an owner for dead between the creation and the locking of its file.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const INFIX: &str = "-owner-";

/// This opened store, as others see it. Dead once dropped.
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
        let file = beside(path, &token);
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

    /// What leases name the owner by.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether the owner called `token` may still be running. In doubt it is.
    pub(crate) fn is_alive(&self, path: &Path, token: &str) -> bool {
        token == self.token || holds_lock(&beside(path, token))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // One that stays behind is not locked, and is removed by whoever opens the store next.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Removes the files of dead owners. Whether there were any: an earlier process did not end well.
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

fn beside(path: &Path, token: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(INFIX);
    name.push(token);
    name.into()
}

/// A shared lock, so that two who look at once do not take each other for the owner.
fn holds_lock(file: &Path) -> bool {
    match File::open(file) {
        Ok(file) => matches!(
            file.try_lock_shared(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_))
        ),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
