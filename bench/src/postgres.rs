//! Floor of the PostgreSQL store: plain inserts of the same bytes into the same database.

use std::time::{Duration, Instant};

use durable::prelude::BoxError;
use tokio_postgres::{Client, NoTls};

/// Temporary table for plain inserts.
pub struct PostgresFloor {
    client: Client,
    seq: i64,
}

impl PostgresFloor {
    /// Creates the table in the database of the URL.
    pub async fn open(url: &str) -> Result<Self, BoxError> {
        // The query contains options of the store.
        let database = url.split('?').next().unwrap_or(url);
        let (client, connection) = database
            .parse::<tokio_postgres::Config>()?
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        client
            .batch_execute(
                "DROP TABLE IF EXISTS durable_bench_floor; CREATE TABLE durable_bench_floor (execution int8, seq int8, \
                 name text, data bytea, PRIMARY KEY (execution, seq))",
            )
            .await?;
        Ok(Self { client, seq: 0 })
    }

    /// Inserts `n` rows of `size` bytes and commits each one before the next. Returns the duration of each insert.
    pub async fn insert(&mut self, size: usize, n: u32) -> Result<Vec<Duration>, BoxError> {
        let insert = "INSERT INTO durable_bench_floor VALUES (1, $1, 'load', $2)";
        let insert = self.client.prepare(insert).await?;
        let data = vec![b'x'; size];
        let mut laps = Vec::new();
        for _ in 0..n {
            self.seq += 1;
            let start = Instant::now();
            self.client.execute(&insert, &[&self.seq, &data]).await?;
            laps.push(start.elapsed());
        }
        Ok(laps)
    }

    /// Inserts `rows` rows in statements of `group` rows each. Returns the total duration.
    pub async fn insert_grouped(
        &mut self,
        size: usize,
        rows: u32,
        group: u32,
    ) -> Result<Duration, BoxError> {
        let insert = "INSERT INTO durable_bench_floor SELECT 2, seq, 'load', $2 FROM unnest($1::int8[]) AS seq";
        let insert = self.client.prepare(insert).await?;
        let data = vec![b'x'; size];
        let start = Instant::now();
        for _ in 0..rows.div_ceil(group) {
            let seqs: Vec<i64> = (0..i64::from(group)).map(|n| self.seq + n).collect();
            self.seq += i64::from(group);
            self.client.execute(&insert, &[&seqs, &data]).await?;
        }
        Ok(start.elapsed())
    }

    /// Drops the table.
    pub async fn close(self) -> Result<(), BoxError> {
        self.client
            .batch_execute("DROP TABLE durable_bench_floor")
            .await?;
        Ok(())
    }
}
