//! Detects changes of a function's files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::lambda::options::Function;

/// Files whose change restarts a function.
#[derive(Debug, Clone)]
pub(crate) struct Watched(Vec<PathBuf>);

/// Sizes and modification times of the watched files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<Option<(u64, Option<SystemTime>)>>);

impl Watched {
    /// Watches the program, every argument that is a file, and the files of the settings.
    pub(crate) fn new(function: &Function) -> Self {
        let folder = function.cwd.clone().unwrap_or_default();
        let words = function.command.iter().enumerate();
        let words = words.filter_map(|(at, word)| match at {
            0 => Some(program(&folder, word)),
            _ => Some(folder.join(word)).filter(|path| path.is_file()),
        });
        Self(words.chain(function.watch.iter().cloned()).collect())
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let state = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.len(), data.modified().ok()))
        };
        Fingerprint(self.0.iter().map(state).collect())
    }
}

impl Fingerprint {
    /// Whether every file exists. A build replaces files, and they may be missing in between.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

/// Finds the file of a program: relative to the working directory if it contains a slash, otherwise
/// in `PATH`.
pub(crate) fn program(folder: &Path, word: &str) -> PathBuf {
    if word.contains('/') {
        return folder.join(word);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(word));
    found
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| word.into())
}
