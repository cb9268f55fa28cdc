//! Detects that the files of a function have changed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::lambda::options::Function;

/// Files whose change restarts a function.
#[derive(Debug, Clone)]
pub(crate) struct Watched(Vec<PathBuf>);

/// State of the watched files. Two equal ones mean that nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<Option<(u64, Option<SystemTime>)>>);

impl Watched {
    /// The program, every argument that is a file, and what the settings name.
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
    /// Whether every file is there. A build replaces files; between two versions they may be gone.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

/// The file of a program: with a slash relative to the working directory, else on the path.
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
