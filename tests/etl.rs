//! Tests of the example `etl` as a program: killed, resumed, given invalid files.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "etl/files.rs"]
mod files;
#[path = "etl/load.rs"]
mod load;

use std::collections::HashSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use files::{HEADER, ROW, small};
use load::{Load, Rows};
use tokio::task::JoinSet;

const KILLS: u32 = 25;
/// Loads that run at once.
const LOADS: u32 = 4;

/// Kills loads at random moments between the start and the end of the process, and resumes them until they are
/// complete. Starts new loads until there were enough kills. The loads wait for the disk, so that several run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn survives_sigkill_at_any_moment() {
    let seed = match std::env::var("ETL_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    };
    println!("ETL_SEED={seed} repeats the same moments");
    let mut random = fastrand::Rng::with_seed(seed);
    // As many at once as later, because each takes longer then.
    let undisturbed: Vec<_> = (0..LOADS).map(|_| Load::new()).collect();
    let started = Instant::now();
    thread::scope(|scope| {
        for load in &undisturbed {
            scope.spawn(|| load.finish(&[]));
        }
    });
    let duration = started.elapsed();
    let expected = Arc::new(undisturbed[0].rows());

    let mut killers = JoinSet::new();
    for _ in 0..LOADS {
        killers.spawn(kill_loads(random.fork(), duration, expected.clone()));
    }
    let (mut kills, mut loads, mut resumed) = (0, 0, 0);
    for killed in killers.join_all().await {
        kills += killed.kills;
        loads += killed.loads;
        resumed += killed.resumed;
    }
    println!("{kills} kills in {loads} loads, {resumed} of them after the first outcome");
    assert!(kills >= KILLS && resumed > 0);
}

/// Numbers of killed processes, of loads, and of processes that found outcomes of a killed one.
#[derive(Default)]
struct Killed {
    kills: u32,
    loads: u32,
    resumed: u32,
}

async fn kill_loads(mut random: fastrand::Rng, duration: Duration, expected: Arc<Rows>) -> Killed {
    let enough = KILLS.div_ceil(LOADS);
    let mut killed = Killed::default();
    while killed.kills < enough {
        killed.loads += 1;
        let load = Load::new();
        loop {
            let moment = duration.mul_f64(random.f64());
            let limit = if killed.kills < enough {
                moment
            } else {
                Duration::MAX
            };
            let settled = load.settled().await;
            killed.resumed += u32::from(!settled.is_empty());
            if run_for(&load, limit, &settled) {
                break;
            }
            killed.kills += 1;
        }
        check_complete(&load, &expected);
    }
    killed
}

/// Runs the load until it is complete or `limit` has passed, and then kills it. Returns whether it is complete. No step
/// may run whose outcome is in `settled`.
fn run_for(load: &Load, limit: Duration, settled: &HashSet<String>) -> bool {
    let before = load.effects().len();
    let mut child = load.command(&[]).stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let mut killed = false;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if !killed && started.elapsed() >= limit {
            child.kill().unwrap();
            killed = true;
        }
        thread::sleep(Duration::from_millis(1));
    };
    for step in &load.effects()[before..] {
        assert!(!settled.contains(step), "{step} ran again");
    }
    // The process may have ended just before the signal.
    assert!(status.success() || killed, "{status}");
    status.success()
}

fn check_complete(load: &Load, expected: &Rows) {
    assert_eq!(load.number("count(*)"), 10_000);
    assert_eq!(load.number("count(DISTINCT line)"), 10_000);
    assert_eq!(load.number("sum(cost_total)"), 40_545_276);
    assert!(load.rows() == *expected, "the rows differ");
    assert!(load.read("report.txt").contains("$40,545,276"));
}

#[test]
fn a_crash_in_a_batch_keeps_the_earlier_batches() {
    let load = Load::new();
    let crashed = load.run(&["--crash-after", "7"]);
    assert_eq!(crashed.status.signal(), Some(9));
    assert_eq!(load.number("count(*)"), 3_000);
    let effects = load.effects();
    assert_eq!(effects.last().unwrap(), "load[7]");

    let output = load.finish(&[]);
    assert!(
        output.contains("7 steps are already in the store"),
        "{output}"
    );
    assert!(
        output.contains("7 steps replayed from checkpoints, 16 ran"),
        "{output}"
    );
    assert_eq!(load.effects()[effects.len()], "load[7]");
    assert_eq!(load.number("count(*)"), 10_000);
}

/// Simulates a process that dies after a batch is in the target and before its outcome is in the store.
#[test]
fn batches_loaded_without_a_record_are_loaded_again() {
    let load = Load::new();
    load.run(&["--crash-after", "7"]);
    let files = ["store.db", "store.db-wal"].map(|name| load.path(name));
    let old = files.each_ref().map(|file| fs::read(file).ok());
    load.finish(&[]);
    for (file, old) in files.iter().zip(old) {
        match old {
            Some(bytes) => fs::write(file, bytes).unwrap(),
            None => drop(fs::remove_file(file)),
        }
    }
    let output = load.finish(&[]);
    assert!(
        output.contains("7 steps replayed from checkpoints, 16 ran"),
        "{output}"
    );
    check_complete(&load, &load.rows());
}

#[test]
fn a_second_run_does_nothing() {
    let load = Load::new();
    load.finish(&[]);
    let effects = load.effects();
    assert_eq!(effects.len(), 23);
    let output = load.finish(&[]);
    assert!(output.contains("Nothing to do"), "{output}");
    assert!(output.contains("--id"), "{output}");
    assert_eq!(load.effects(), effects);
}

#[test]
fn batches_can_have_any_size() {
    let load = Load::new();
    load.finish(&["--batch", "9999"]);
    assert_eq!(load.effects().len(), 5);
    check_complete(&load, &load.rows());
}

#[test]
fn a_different_input_for_the_same_id_is_an_error() {
    let load = Load::of(small());
    load.finish(&[]);
    let error = load.fail(&["--batch", "7"]);
    assert!(error.contains(r#""batch":500"#), "{error}");
    assert!(error.contains(r#""batch":7"#), "{error}");
    assert!(error.contains("another --id"), "{error}");

    fs::write(&load.source, format!("{HEADER}\n{ROW}0\n")).unwrap();
    let error = load.fail(&[]);
    assert_eq!(error.matches(r#""sha256":"#).count(), 2, "{error}");
    assert_eq!(load.number("speed_knots"), 140);
}

#[test]
fn the_report_consists_of_text_and_a_chart() {
    let load = Load::new();
    let output = load.finish(&[]);
    let text = load.read("report.txt");
    assert!(output.contains(&text), "{output}");
    for part in [
        "10,000",
        "$40,545,276",
        "Unknown bird - small",
        "3,572",
        "$7,991,378",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let chart = load.read("report.svg");
    assert!(chart.starts_with("<svg "));
    assert!(chart.ends_with("</svg>\n"));
    let labels = [
        "Bird strikes: $40.5M",
        "1990–2002",
        ">1998<",
        ">$8.0M<",
        "Rock pigeon",
        ">3,572 <",
    ];
    for label in labels {
        assert!(chart.contains(label), "{label} is not in\n{chart}");
    }
    for element in ["text", "title", "svg"] {
        let opened = chart.matches(&format!("<{element}")).count();
        assert_eq!(opened, chart.matches(&format!("</{element}>")).count());
    }
}

#[test]
fn fresh_deletes_the_default_store() {
    let load = Load::of(small());
    let name = format!("fresh-{}", std::process::id());
    let source = load.path(&format!("{name}.csv"));
    fs::rename(&load.source, &source).unwrap();
    let run = |more: &[&str]| {
        let output = load::program()
            .arg("--source")
            .arg(&source)
            .args(more)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(run(&[]).contains("0 steps replayed"));
    assert!(run(&[]).contains("Nothing to do"));
    assert!(run(&["--fresh"]).contains("0 steps replayed"));
    fs::remove_dir_all(load::workspace().join("target/etl").join(name)).unwrap();
}
