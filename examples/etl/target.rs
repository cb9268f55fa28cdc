//! The database that is loaded.

use std::path::PathBuf;

use rusqlite::{Connection, params_from_iter, types::Value};
use serde::{Deserialize, Serialize};

use super::source::{COLUMNS, Row};

/// How many species a summary names.
const TOP_SPECIES: u64 = 8;

/// What is in the target once everything is loaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) cost: u64,
    pub(crate) first_day: String,
    pub(crate) last_day: String,
    /// The most frequent first.
    pub(crate) species: Vec<Species>,
    /// In order, years without reports included.
    pub(crate) years: Vec<Year>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Species {
    pub(crate) name: String,
    pub(crate) reports: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Year {
    pub(crate) year: u32,
    pub(crate) reports: u64,
    pub(crate) cost: u64,
}

/// A SQLite file with one table, `bird_strikes`, whose key is the line in the source.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
}

impl Target {
    /// A step that is recorded as done must be found done after a power failure too, so the target
    /// is as durable as the store.
    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    }

    /// Whether there is no database yet, or one that can be used.
    pub(crate) fn check(&self) -> Result<(), String> {
        let opened = self.open();
        opened.map(drop).map_err(|error| {
            let path = self.path.display();
            format!("cannot use {path} as the target database: {error}")
        })
    }

    /// An empty table, whatever was there before.
    pub(crate) fn prepare(&self) -> rusqlite::Result<()> {
        let columns: Vec<String> = COLUMNS
            .iter()
            .map(|(_, name, kind)| format!("{name} {}", kind.sql()))
            .collect();
        self.open()?.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             DROP TABLE IF EXISTS bird_strikes;
             CREATE TABLE bird_strikes (line INTEGER PRIMARY KEY, {});
             COMMIT;",
            columns.join(", ")
        ))
    }

    /// Writes all of `rows` or none of them. A row that is there already is replaced, so that a
    /// batch whose end was not recorded can be loaded again.
    pub(crate) fn upsert(&self, rows: &[Row], before: impl Fn(usize)) -> rusqlite::Result<()> {
        let mut connection = self.open()?;
        let transaction = connection.transaction()?;
        {
            let names: Vec<&str> = COLUMNS.iter().map(|(_, name, _)| *name).collect();
            let mut insert = transaction.prepare(&format!(
                "INSERT OR REPLACE INTO bird_strikes (line, {}) VALUES (?{})",
                names.join(", "),
                ", ?".repeat(names.len())
            ))?;
            for (index, row) in rows.iter().enumerate() {
                before(index);
                let line = Value::Integer(row.line.cast_signed());
                insert.execute(params_from_iter(std::iter::once(&line).chain(&row.cells)))?;
            }
        }
        transaction.commit()
    }

    /// Counts and sums what is in the table.
    pub(crate) fn summarize(&self, file: &str) -> rusqlite::Result<Summary> {
        let connection = self.open()?;
        let (rows, cost, first_day, last_day) = connection.query_row(
            "SELECT count(*), coalesce(sum(cost_total), 0), coalesce(min(flight_date), ''),
                    coalesce(max(flight_date), '') FROM bird_strikes",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        Ok(Summary {
            file: file.to_owned(),
            rows,
            cost,
            first_day,
            last_day,
            species: top_species(&connection)?,
            years: with_gaps_filled(years(&connection)?),
        })
    }
}

fn top_species(connection: &Connection) -> rusqlite::Result<Vec<Species>> {
    let mut query = connection.prepare(
        "SELECT coalesce(species, 'not reported'), count(*) FROM bird_strikes
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?1",
    )?;
    let rows = query.query_map([TOP_SPECIES], |row| {
        let (name, reports) = (row.get(0)?, row.get(1)?);
        Ok(Species { name, reports })
    })?;
    rows.collect()
}

fn years(connection: &Connection) -> rusqlite::Result<Vec<Year>> {
    let mut query = connection.prepare(
        "SELECT CAST(substr(flight_date, 1, 4) AS INTEGER), count(*), coalesce(sum(cost_total), 0)
         FROM bird_strikes GROUP BY 1 ORDER BY 1",
    )?;
    let rows = query.query_map([], |row| {
        let (year, reports, cost) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Year {
            year,
            reports,
            cost,
        })
    })?;
    rows.collect()
}

/// Puts in the years without reports, unless there are more of them than a chart could show.
fn with_gaps_filled(years: Vec<Year>) -> Vec<Year> {
    let (Some(first), Some(last)) = (years.first(), years.last()) else {
        return years;
    };
    if last.year - first.year >= 60 {
        return years;
    }
    (first.year..=last.year)
        .map(|year| {
            let found = years.iter().find(|known| known.year == year).cloned();
            found.unwrap_or(Year {
                year,
                reports: 0,
                cost: 0,
            })
        })
        .collect()
}
