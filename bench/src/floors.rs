//! Floors of all workloads on their own.

use std::time::Instant;

use durable::prelude::BoxError;
use tokio::sync::oneshot;

use crate::floor::{self, SqliteFloor};
use crate::opened::Opened;
use crate::postgres::PostgresFloor;
use crate::report::{Line, Samples};
use crate::settings::Settings;

/// Frames that `many` writes with one sync.
const GROUP: u32 = 64;

/// Measures each floor once. Those that sync repeat their work at most 2,000 times.
pub async fn measure(settings: &Settings) -> Result<(), BoxError> {
    let n = settings.n;
    print(
        settings,
        "memory",
        "map_lookup_and_decode",
        &Samples::new([floor::look_up(n)?], n),
    )?;
    print(
        settings,
        "memory",
        "decode",
        &Samples::new([floor::decode(n)?], n),
    )?;
    let laps = floor::encode_and_decode(n)?;
    print(
        settings,
        "memory",
        "encode_and_decode",
        &Samples::new(laps, 1),
    )?;
    print(settings, "memory", "channel_wake", &wakes(n).await?)?;
    let opened = Opened::open(&settings.store).await?;
    let (size, n) = (floor::value_len()?, n.min(2_000));
    if let Some(path) = opened.path() {
        let appended = floor::append(path, size, n)?;
        print(
            settings,
            "file",
            "append_and_fdatasync",
            &Samples::new(appended, 1),
        )?;
        let appended = floor::append(path, size * GROUP as usize, n.div_ceil(GROUP))?;
        let samples = Samples::new(appended, GROUP);
        print(settings, "file", "grouped_append_and_fdatasync", &samples)?;
        let mut file = SqliteFloor::open(path)?;
        let inserted = file.insert(size, n)?;
        file.close()?;
        print(
            settings,
            "sqlite",
            "sqlite_commit",
            &Samples::new(inserted, 1),
        )?;
    }
    if let Some(url) = opened.postgres_url() {
        let mut table = PostgresFloor::open(url).await?;
        let inserted = table.insert(size, n).await?;
        print(
            settings,
            "postgres",
            "bare_insert",
            &Samples::new(inserted, 1),
        )?;
        let took = table.insert_grouped(size, n, GROUP).await?;
        print(
            settings,
            "postgres",
            "grouped_insert",
            &Samples::new([took], n),
        )?;
        table.close().await?;
    }
    opened.close()?;
    Ok(())
}

fn print(
    settings: &Settings,
    store: &str,
    name: &str,
    samples: &Samples,
) -> Result<(), serde_json::Error> {
    Line::new(name, store, settings, "us", samples).print()
}

/// Wakes a task through a channel `n` times.
async fn wakes(n: u32) -> Result<Samples, BoxError> {
    let mut took = Vec::new();
    for _ in 0..n {
        let (sender, receiver) = oneshot::channel();
        let waiting = tokio::spawn(receiver);
        tokio::task::yield_now().await;
        let _ = sender.send(Instant::now());
        let sent = waiting.await??;
        took.push(sent.elapsed());
    }
    Ok(Samples::new(took, 1))
}
