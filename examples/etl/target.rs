//! The target database.

use std::path::PathBuf;

use rusqlite::{Connection, params_from_iter, types::Value};
use serde::{Deserialize, Serialize};

use super::source::{COLUMNS, Row};

/// Number of species in a summary.
const TOP_SPECIES: u64 = 8;

/// Summary of the loaded data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) cost: u64,
    pub(crate) first_day: String,
    pub(crate) last_day: String,
    /// Species by number of reports, the most frequent first.
    pub(crate) species: Vec<Species>,
    /// Years in order, including those without reports.
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

/// SQLite file with the table `bird_strikes`, whose key is the line number in the source.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
}

impl Target {
    /// Opens the database. It is as durable as the store, so that the data of finished steps survives a power failure.
    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    }

    /// Checks that the database can be opened or created.
    pub(crate) fn check(&self) -> Result<(), String> {
        let opened = self.open();
        opened.map(drop).map_err(|error| {
            let path = self.path.display();
            format!("cannot use {path} as the target database: {error}")
        })
    }

    /// Creates an empty table, and drops an existing one.
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

    /// Writes `rows` in one transaction. Existing rows are replaced, so that a batch can be loaded again if its end was
    /// not recorded.
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

    /// Summarizes the table.
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

/// Adds the years without reports, unless the range is too long for a chart.
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
