//! Validation and normalization of cells.

use rusqlite::types::Value;

/// Type of a column.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Date,
    /// Whole dollars.
    Cost,
    Number,
}

impl Kind {
    /// Returns the column's type in the database.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Text | Self::Date => "TEXT",
            Self::Cost | Self::Number => "INTEGER",
        }
    }
}

/// Normalizes a cell: collapsed spaces, dates as `1990-01-08`, costs as integers, `NULL` for empty cells. The error
/// describes the expected value.
pub(crate) fn clean(kind: Kind, cell: &str) -> Result<Value, &'static str> {
    let cell = cell.trim();
    match kind {
        Kind::Date => date(cell).map(Value::Text),
        _ if cell.is_empty() => Ok(Value::Null),
        Kind::Text => Ok(Value::Text(
            cell.split_whitespace().collect::<Vec<_>>().join(" "),
        )),
        Kind::Cost => cost(cell).map(Value::Integer),
        Kind::Number => cell
            .parse()
            .map(Value::Integer)
            .map_err(|_| "a whole number"),
    }
}

/// Parses `1990-01-08`, `1990/01/08` or the American `1/8/1990`, and drops a time of day.
fn date(cell: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "a date such as 1990-01-08 or 1/8/1990";
    let day = cell.split([' ', 'T']).next().unwrap_or_default();
    let parts = day
        .split(['-', '/'])
        .map(str::parse::<u32>)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| EXPECTED)?;
    let (year, month, day) = match parts[..] {
        [year, month, day] if year > 999 => (year, month, day),
        [month, day, year] if year > 999 => (year, month, day),
        _ => return Err(EXPECTED),
    };
    if year <= 9999 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day) {
        Ok(format!("{year:04}-{month:02}-{day:02}"))
    } else {
        Err("a day of the calendar")
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Parses `1234`, `1,234`, `$1,234` or `1234.00`.
fn cost(cell: &str) -> Result<i64, &'static str> {
    const EXPECTED: &str = "a cost in whole dollars such as 1234 or $1,234";
    let amount = cell.strip_prefix('$').unwrap_or(cell);
    let amount = amount.strip_suffix(".00").unwrap_or(amount);
    let groups: Vec<&str> = amount.split(',').collect();
    let grouped = groups[1..].iter().all(|group| group.len() == 3);
    let digits = groups.concat();
    if grouped && !groups[0].is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().map_err(|_| EXPECTED)
    } else {
        Err(EXPECTED)
    }
}
