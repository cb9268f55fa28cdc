//! The source CSV file: validation, and reading in batches.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use csv::{Position, Reader, ReaderBuilder, StringRecord, Terminator};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::clean::{Kind, clean};

/// Loaded columns: header in the file, name in the database and type.
pub(crate) const COLUMNS: [(&str, &str, Kind); 14] = [
    ("Airport Name", "airport", Kind::Text),
    ("Aircraft Make Model", "aircraft", Kind::Text),
    ("Effect Amount of damage", "damage", Kind::Text),
    ("Flight Date", "flight_date", Kind::Date),
    ("Aircraft Airline Operator", "operator", Kind::Text),
    ("Origin State", "origin_state", Kind::Text),
    ("Phase of flight", "phase", Kind::Text),
    ("Wildlife Size", "wildlife_size", Kind::Text),
    ("Wildlife Species", "species", Kind::Text),
    ("Time of day", "time_of_day", Kind::Text),
    ("Cost Other", "cost_other", Kind::Cost),
    ("Cost Repair", "cost_repair", Kind::Cost),
    ("Cost Total $", "cost_total", Kind::Cost),
    ("Speed IAS in knots", "speed_knots", Kind::Number),
];

/// Normalized row: its line number and its cells in the order of [`COLUMNS`].
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) cells: Vec<Value>,
}

/// Position of a row in the file.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Offset {
    line: u64,
    byte: u64,
}

/// Error in a source file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read {file}: {error}")]
    Unreadable { file: String, error: io::Error },
    #[error("{file} is empty: expected a header line and rows")]
    Empty { file: String },
    #[error("{file} has a header but no rows")]
    NoRows { file: String },
    #[error("{file}, line 1: missing {missing}; the file has {found}")]
    MissingColumns {
        file: String,
        missing: String,
        found: String,
    },
    #[error("{file}, line {line}: invalid UTF-8{column}")]
    NotUtf8 {
        file: String,
        line: u64,
        column: String,
    },
    #[error("{file}, line {line}: {found} fields, but the header has {expected}")]
    FieldCount {
        file: String,
        line: u64,
        found: usize,
        expected: usize,
    },
    #[error("{file}, line {line}, column `{column}`: expected {expected}, found {cell:?}")]
    BadCell {
        file: String,
        line: u64,
        column: &'static str,
        cell: String,
        expected: &'static str,
    },
}

/// CSV file with reports of bird strikes.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
}

/// Content of a validated source: its hash and its number of rows.
pub(crate) struct CheckedSource {
    pub(crate) sha256: String,
    pub(crate) rows: u64,
}

impl Source {
    /// Validates the entire file, so that bad lines are found before the load starts.
    pub(crate) fn check(&self) -> Result<CheckedSource, SourceError> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        let mut hashing = Hashing {
            inner: file,
            hash: Sha256::new(),
        };
        let rows = {
            let mut reader = reader(&mut hashing);
            let columns = self.columns(&mut reader)?;
            let mut rows = 0;
            while self.next_row(&mut reader, &columns)?.is_some() {
                rows += 1;
            }
            rows
        };
        if rows == 0 {
            return Err(SourceError::NoRows { file: self.file() });
        }
        let digest = hashing.hash.finalize();
        Ok(CheckedSource {
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            rows,
        })
    }

    /// Reads up to `limit` rows from `offset` on. Returns them and the offset of the next row.
    pub(crate) fn read(
        &self,
        offset: Offset,
        limit: u64,
    ) -> Result<(Vec<Row>, Offset), SourceError> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        let mut reader = reader(file);
        let columns = self.columns(&mut reader)?;
        if offset.byte > 0 {
            let mut position = Position::new();
            position.set_byte(offset.byte).set_line(offset.line);
            reader
                .seek(position)
                .map_err(|error| self.explain(error, &[]))?;
        }
        let mut rows = Vec::new();
        while (rows.len() as u64) < limit
            && let Some(row) = self.next_row(&mut reader, &columns)?
        {
            rows.push(row);
        }
        let end = reader.position();
        let next = Offset {
            line: end.line(),
            byte: end.byte(),
        };
        Ok((rows, next))
    }

    /// Returns the index of each of [`COLUMNS`] in this file. Other columns are ignored.
    fn columns<R: Read>(&self, reader: &mut Reader<R>) -> Result<Vec<usize>, SourceError> {
        let header = reader.headers().map_err(|error| self.explain(error, &[]))?;
        if header.is_empty() {
            return Err(SourceError::Empty { file: self.file() });
        }
        let find = |column: &str| header.iter().position(|name| name.trim() == column);
        let missing: Vec<&str> = COLUMNS
            .iter()
            .map(|(name, ..)| *name)
            .filter(|name| find(name).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(COLUMNS.iter().filter_map(|(name, ..)| find(name)).collect());
        }
        let plural = if missing.len() == 1 { "" } else { "s" };
        Err(SourceError::MissingColumns {
            file: self.file(),
            missing: format!("column{plural} {}", quoted(missing)),
            found: quoted(header.iter()),
        })
    }

    fn next_row<R: Read>(
        &self,
        reader: &mut Reader<R>,
        columns: &[usize],
    ) -> Result<Option<Row>, SourceError> {
        let mut record = StringRecord::new();
        while record.is_empty() || is_blank(&record) {
            let found = reader.read_record(&mut record);
            if !found.map_err(|error| self.explain(error, columns))? {
                return Ok(None);
            }
        }
        let line = record.position().map_or(0, Position::line);
        let expected = reader.headers().map_or(0, StringRecord::len);
        if record.len() != expected {
            return Err(SourceError::FieldCount {
                file: self.file(),
                line,
                found: record.len(),
                expected,
            });
        }
        let cells = columns
            .iter()
            .zip(COLUMNS)
            .map(|(&at, (column, _, kind))| {
                let cell = record.get(at).unwrap_or_default();
                clean(kind, cell).map_err(|expected| SourceError::BadCell {
                    file: self.file(),
                    line,
                    column,
                    cell: cell.to_owned(),
                    expected,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Some(Row { line, cells }))
    }

    /// Converts an error of the CSV reader, with its line and column.
    fn explain(&self, error: csv::Error, columns: &[usize]) -> SourceError {
        let file = self.file();
        let line = error.position().map_or(1, Position::line);
        match error.into_kind() {
            csv::ErrorKind::Utf8 { err, .. } => SourceError::NotUtf8 {
                file,
                line,
                column: columns
                    .iter()
                    .position(|at| *at == err.field())
                    .map(|known| format!(" in column `{}`", COLUMNS[known].0))
                    .unwrap_or_default(),
            },
            csv::ErrorKind::Io(error) => self.unreadable(error),
            other => self.unreadable(io::Error::other(format!("{other:?}"))),
        }
    }

    fn unreadable(&self, error: io::Error) -> SourceError {
        SourceError::Unreadable {
            file: self.file(),
            error,
        }
    }

    fn file(&self) -> String {
        self.path.display().to_string()
    }
}

/// Creates a reader with `\n` as the only line terminator. By default the reader counts the line of a row after `\r\n`
/// one too low. Cleaning removes the `\r`.
fn reader<R: Read>(input: R) -> Reader<R> {
    ReaderBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .flexible(true)
        .from_reader(input)
}

fn is_blank(record: &StringRecord) -> bool {
    record.len() == 1 && record[0].trim().is_empty()
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Reader that hashes the bytes it reads.
struct Hashing {
    inner: File,
    hash: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
