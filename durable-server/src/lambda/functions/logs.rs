//! Output of functions: copied to the server's output and to files, with a tail for `LogType=Tail`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::lambda::options::Output;

/// Bytes that `LogType=Tail` returns.
const TAIL_BYTES: usize = 4_096;
/// Longest line. Longer ones are split.
pub(crate) const MAX_LINE: usize = 256 * 1_024;

/// Log of one function.
pub(crate) struct Logs {
    name: String,
    output: Output,
    kept: Mutex<Kept>,
}

struct Kept {
    tail: Vec<u8>,
    file: Option<File>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Logs {
    pub(crate) fn new(name: &str, output: Output, folder: Option<&Path>) -> std::io::Result<Self> {
        let file = folder.map(|folder| {
            let path = folder.join(format!("{name}.log"));
            OpenOptions::new().create(true).append(true).open(path)
        });
        Ok(Self {
            name: name.to_owned(),
            output,
            kept: Mutex::new(Kept {
                tail: Vec::new(),
                file: file.transpose()?,
            }),
        })
    }

    /// Appends a line that the function wrote.
    pub(crate) fn line(&self, line: &str) {
        (self.output)(&format!("[{}] {line}", self.name));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut kept.file {
            // The line is on the server's output in any case.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        kept.tail.extend_from_slice(line.as_bytes());
        kept.tail.push(b'\n');
        let surplus = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..surplus);
    }

    /// Writes a line of the server about the function.
    pub(crate) fn note(&self, text: &str) {
        (self.output)(&format!("{}: {text}", self.name));
    }

    /// The last bytes that the function wrote.
    pub(crate) fn tail(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tail.clone()
    }
}
