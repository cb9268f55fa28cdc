//! Columns of a row, decoded to values of `durable-core`.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use durable_core::error::OperationError;
use durable_core::store::ForkedFrom;
use durable_core::{ExecutionId, Fingerprint, Labels, Occurrence, OperationId, Payload, Timestamp};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// Column whose value cannot be decoded or does not match its checksum.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) column: &'static str,
    pub(crate) why: String,
    /// Whether the value can be decoded, but does not match its checksum.
    pub(crate) only_checksum_differs: bool,
}

pub(crate) type Decoded<T> = Result<T, Damage>;

/// Number of columns of the widest row.
const MAX_COLUMNS: usize = 33;

/// Columns of a row, each fetched from SQLite once.
pub(crate) struct Cells<'r>([ValueRef<'r>; MAX_COLUMNS]);

impl<'r> Cells<'r> {
    /// Fetches the first `count` columns of a row.
    pub(crate) fn of(row: &'r Row<'_>, count: usize) -> Decoded<Self> {
        let mut values = [ValueRef::Null; MAX_COLUMNS];
        for (index, value) in values.iter_mut().enumerate().take(count) {
            *value = row.get_ref(index).map_err(|error| damage("?", error))?;
        }
        Ok(Self(values))
    }

    /// Returns the value of a column.
    pub(crate) fn get(&self, index: usize) -> ValueRef<'r> {
        self.0[index]
    }

    /// Returns the values of the first `count` columns.
    pub(crate) fn first(&self, count: usize) -> impl Iterator<Item = ValueRef<'r>> {
        self.0.iter().copied().take(count)
    }
}

pub(crate) fn damage(column: &'static str, why: impl std::fmt::Display) -> Damage {
    Damage {
        column,
        why: why.to_string(),
        only_checksum_differs: false,
    }
}

pub(crate) fn optional<'r, T>(
    row: &Cells<'r>,
    index: usize,
    column: &'static str,
    read: impl FnOnce(&Cells<'r>, usize, &'static str) -> Decoded<T>,
) -> Decoded<Option<T>> {
    match row.get(index) {
        ValueRef::Null => Ok(None),
        _ => read(row, index, column).map(Some),
    }
}

pub(crate) fn integer(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<i64> {
    let value = row.get(index);
    value.as_i64().map_err(|error| damage(column, error))
}

pub(crate) fn count(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<u32> {
    let number = integer(row, index, column)?;
    u32::try_from(number).map_err(|error| damage(column, error))
}

pub(crate) fn duration(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<Duration> {
    let nanoseconds = integer(row, index, column)?;
    let nanoseconds = u64::try_from(nanoseconds).map_err(|error| damage(column, error))?;
    Ok(Duration::from_nanos(nanoseconds))
}

pub(crate) fn execution_id(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<ExecutionId> {
    word(row, index, column, |id| id.parse().ok())
}

pub(crate) fn timestamp(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<Timestamp> {
    integer(row, index, column).map(Timestamp::from_millis)
}

pub(crate) fn borrowed<'r>(
    row: &Cells<'r>,
    index: usize,
    column: &'static str,
) -> Decoded<&'r str> {
    let value = row.get(index);
    value.as_str().map_err(|error| damage(column, error))
}

pub(crate) fn text(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<String> {
    borrowed(row, index, column).map(str::to_owned)
}

pub(crate) fn word<T>(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Decoded<T> {
    let word = borrowed(row, index, column)?;
    parse(word).ok_or_else(|| damage(column, format_args!("{word:?} is not a valid {column}")))
}

pub(crate) fn bytes<'r>(row: &Cells<'r>, index: usize, column: &'static str) -> Decoded<&'r [u8]> {
    let value = row.get(index);
    value.as_blob().map_err(|error| damage(column, error))
}

pub(crate) fn fingerprint(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<Fingerprint> {
    let bytes = bytes(row, index, column)?;
    let bytes = bytes.try_into().map_err(|error| damage(column, error))?;
    Ok(Fingerprint::from_bytes(bytes))
}

pub(crate) fn operation_id(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<OperationId> {
    let bytes = bytes(row, index, column)?;
    let bytes = bytes.try_into().map_err(|error| damage(column, error))?;
    Ok(OperationId::from_bytes(bytes))
}

pub(crate) fn occurrence(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<Occurrence> {
    match row.get(index) {
        ValueRef::Null => Ok(Occurrence::Once),
        ValueRef::Integer(index) => Ok(Occurrence::Ordered(index.cast_unsigned())),
        _ => text(row, index, column).map(Occurrence::Keyed),
    }
}

pub(crate) fn recorded_error(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<OperationError> {
    serde_json::from_str(borrowed(row, index, column)?).map_err(|error| damage(column, error))
}

pub(crate) fn labels(row: &Cells<'_>, index: usize, column: &'static str) -> Decoded<Labels> {
    Labels::decode(borrowed(row, index, column)?).map_err(|error| damage(column, error))
}

pub(crate) fn forked_from(
    row: &Cells<'_>,
    index: usize,
    column: &'static str,
) -> Decoded<ForkedFrom> {
    ForkedFrom::decode(borrowed(row, index, column)?).map_err(|error| damage(column, error))
}

pub(crate) fn optional_payload(
    row: &Cells<'_>,
    indexes: [usize; 2],
    column: &'static str,
) -> Decoded<Option<Payload>> {
    match row.get(indexes[0]) {
        ValueRef::Null => Ok(None),
        _ => payload(row, indexes, column).map(Some),
    }
}

pub(crate) fn payload(
    row: &Cells<'_>,
    [codec, data]: [usize; 2],
    column: &'static str,
) -> Decoded<Payload> {
    let codec = match borrowed(row, codec, column)? {
        "json" => Cow::Borrowed("json"),
        other => Cow::Owned(other.to_owned()),
    };
    let data = Bytes::copy_from_slice(bytes(row, data, column)?);
    Ok(Payload { codec, data })
}
