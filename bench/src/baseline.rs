//! Baselines: the same work without the library.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::replay::Row;

/// Looks up and decodes `n` values in a map with text keys.
pub fn look_up(n: u32) -> Result<Duration, serde_json::Error> {
    let mut map = HashMap::new();
    for i in 0..n {
        map.insert(format!("load[{i}]"), serde_json::to_vec(&Row::new(i))?);
    }
    let start = Instant::now();
    let mut total = 0;
    for i in 0..n {
        if let Some(bytes) = map.get(&format!("load[{i}]")) {
            let row: Row = serde_json::from_slice(bytes)?;
            total += u64::from(row.rows);
        }
    }
    let took = start.elapsed();
    std::hint::black_box(total);
    Ok(took)
}

/// Appends `n` frames of `size` bytes to a file and syncs each one before the next.
pub fn append(path: &Path, size: usize, n: u32) -> io::Result<Vec<Duration>> {
    let frame = vec![b'x'; size];
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    (0..n)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&frame)?;
            file.sync_data()?;
            Ok(start.elapsed())
        })
        .collect()
}
