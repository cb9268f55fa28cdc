//! Execution with many sequential steps.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::durable;
use durable::prelude::*;

use crate::allocations;
use crate::floor::{self, SqliteFloor};
use crate::opened::{Counters, Opened, execution_id};
use crate::postgres::PostgresFloor;
use crate::report::{Line, Samples};
use crate::row::Row;
use crate::settings::Settings;

/// Times at which each step returned its value.
#[derive(Default)]
struct Laps(Mutex<Vec<Instant>>);

impl Laps {
    fn lap(&self) {
        if let Ok(mut laps) = self.0.lock() {
            laps.push(Instant::now());
        }
    }

    fn durations(&self) -> Vec<Duration> {
        let laps = self.0.lock().map(|laps| laps.clone()).unwrap_or_default();
        laps.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[durable]
async fn sequential(laps: &Laps, n: u32) -> Result<u64, BoxError> {
    let mut total = 0;
    laps.lap();
    for i in 0..n {
        let row = step!("load", key = i, load(i).await).await?;
        total += u64::from(row.rows);
        laps.lap();
    }
    Ok(total)
}

async fn load(n: u32) -> Result<Row, BoxError> {
    Ok(Row::new(n))
}

/// Rounds in which the store and the floors alternate.
const ROUNDS: u32 = 5;

/// Writes of an execution besides its steps: its start, its claim and its end.
const OTHER_WRITES: u64 = 3;

/// Floors that exist for a store, and their samples.
enum Floors {
    Memory(Vec<Duration>),
    Sqlite(SqliteFloor, Vec<Duration>, Vec<Duration>),
    Postgres(PostgresFloor, Vec<Duration>),
}

impl Floors {
    async fn open(opened: &Opened) -> Result<Self, BoxError> {
        Ok(match (opened.path(), opened.postgres_url()) {
            (Some(path), _) => Self::Sqlite(SqliteFloor::open(path)?, Vec::new(), Vec::new()),
            (_, Some(url)) => Self::Postgres(PostgresFloor::open(url).await?, Vec::new()),
            _ => Self::Memory(Vec::new()),
        })
    }

    async fn measure(&mut self, opened: &Opened, n: u32) -> Result<(), BoxError> {
        let size = floor::value_len()?;
        match self {
            Self::Memory(laps) => laps.extend(floor::encode_and_decode(n)?),
            Self::Sqlite(file, commits, appends) => {
                commits.extend(file.insert(size, n)?);
                if let Some(path) = opened.path() {
                    appends.extend(floor::append(path, size, n)?);
                }
            }
            Self::Postgres(table, laps) => laps.extend(table.insert(size, n).await?),
        }
        Ok(())
    }

    async fn add_to(self, line: Line<'_>) -> Result<Line<'_>, BoxError> {
        Ok(match self {
            Self::Memory(laps) => line.floor("encode_and_decode", &Samples::new(laps, 1)),
            Self::Sqlite(file, commits, appends) => {
                file.close()?;
                line.floor("append_and_fdatasync", &Samples::new(appends, 1))
                    .floor("sqlite_commit", &Samples::new(commits, 1))
            }
            Self::Postgres(table, laps) => {
                table.close().await?;
                line.floor("bare_insert", &Samples::new(laps, 1))
            }
        })
    }
}

/// Runs `n` steps on the store, alternating with the floors in the same folder or database.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    // The store is opened once, like in a real process, because closing the file checkpoints its log.
    let opened = Opened::open(&settings.store).await?;
    let mut floors = Floors::open(&opened).await?;
    let slice = settings.n.div_ceil(ROUNDS);
    let (mut laps, mut counted, mut checkpoints) = (Vec::new(), Counters::default(), 0);
    for round in 0..ROUNDS {
        let round_laps = Laps::default();
        let before = opened.counters();
        let report = durable::run(sequential, execution_id(round), slice)
            .state(&round_laps)
            .store(opened.store.clone())
            .report()
            .await;
        report.output?;
        counted = counted.plus(opened.counters().since(before));
        checkpoints += report.checkpoints - 1;
        laps.extend(round_laps.durations());
        floors.measure(&opened, slice).await?;
    }
    let samples = Samples::new(laps, 1);
    let line = Line::new("sequential", opened.name, settings, "us_per_step", &samples);
    let mut line = floors
        .add_to(line.with("checkpoints", checkpoints as f64))
        .await?;
    let others = OTHER_WRITES * u64::from(ROUNDS);
    line.commits = Some(counted.commits.saturating_sub(others));
    line.reads = Some(counted.reads);
    line.bytes = Some(counted.bytes);
    if opened.postgres_url().is_some() {
        line.statements = Some(counted.statements.saturating_sub(others));
    }
    if opened.name == "memory" {
        line.allocations_per_step = Some(allocations::live()?);
    }
    line.print()?;
    opened.close()?;
    Ok(())
}
