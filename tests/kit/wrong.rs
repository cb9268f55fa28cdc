//! Incorrect handlers, each detected by the tool that promises to detect it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use durable::prelude::*;
use durable::testing::{Finding, crash_everywhere, shuffled};

#[derive(Default)]
struct App {
    rows: Mutex<Vec<String>>,
}

impl App {
    /// Adds a row. Not idempotent: running it twice adds two.
    fn add(&self, row: impl Into<String>) -> Result<usize, BoxError> {
        let mut rows = self.rows.lock().unwrap();
        rows.push(row.into());
        Ok(rows.len())
    }

    fn put(&self, row: impl Into<String>) -> Result<(), BoxError> {
        let mut rows = self.rows.lock().unwrap();
        let row = row.into();
        if !rows.contains(&row) {
            rows.push(row);
        }
        Ok(())
    }

    fn take(&self, row: &str) -> Result<String, BoxError> {
        self.rows.lock().unwrap().retain(|other| other != row);
        Ok(format!("receipt of {row}"))
    }

    fn rows(&self) -> Vec<String> {
        self.rows.lock().unwrap().clone()
    }
}

#[track_caller]
fn assert_finding(finding: &Finding, parts: &[&str]) {
    let text = finding.to_string();
    println!("{text}\n");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

/// Reads the clock in a helper, where the attribute cannot see it.
fn now() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos()
}

#[durable]
async fn keyed_by_the_clock(app: &App) -> Result<(), BoxError> {
    let stamp = now();
    step!("save", key = stamp, app.put("saved")).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_from_the_clock() {
    let found = shuffled(keyed_by_the_clock, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(
        &found,
        &["`keyed_by_the_clock` differs from run to run", "save["],
    );
    let found = crash_everywhere(keyed_by_the_clock, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["does not survive a crash", "save["]);
}

#[durable]
async fn ends_with_the_clock(app: &App) -> Result<String, BoxError> {
    step!("save", app.put("saved")).await?;
    Ok(now().to_string())
}

#[tokio::test]
async fn a_clock_in_the_output() {
    let found = shuffled(ends_with_the_clock, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["the replay ends differently"]);
}

/// Iterates a map whose order differs each time.
fn customers() -> Vec<String> {
    let names = ["ann", "bob", "cat", "dan", "eve"].map(str::to_owned);
    HashMap::from(names.map(|name| (name, ())))
        .into_keys()
        .collect()
}

#[durable]
async fn in_the_order_of_a_map(app: &App) -> Result<(), BoxError> {
    for customer in customers() {
        step!("bill", key = customer, app.put(&customer)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_unordered_map() {
    let found = shuffled(in_the_order_of_a_map, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["ran in another order than it was recorded in"]);
}

#[durable]
async fn ordered_by_a_map(app: &App) -> Result<(), BoxError> {
    for customer in customers() {
        step!(
            "bill",
            ordered,
            app.put(&customer).map(|()| customer.clone())
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_unordered_map_with_ordered_occurrences() {
    let found = shuffled(ordered_by_a_map, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["the recorded outcomes", "bill[0]"]);
}

fn number() -> u32 {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    COUNTER.fetch_add(1, Ordering::SeqCst)
}

#[durable]
async fn counts(app: &App) -> Result<(), BoxError> {
    let number = number();
    step!("invoice", key = number, app.put("invoice")).await?;
    Ok(())
}

#[tokio::test]
async fn a_static_counter() {
    let found = shuffled(counts, |_| App::default(), ()).await.unwrap_err();
    assert_finding(&found, &["invoice["]);
    let found = crash_everywhere(counts, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["invoice["]);
}

fn coin() -> bool {
    fastrand::bool()
}

#[durable]
async fn branches_at_random(app: &App) -> Result<(), BoxError> {
    if coin() {
        step!("heads", app.put("heads")).await?;
    } else {
        step!("tails", app.put("tails")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_random_branch() {
    let found = shuffled(branches_at_random, |_| App::default(), ())
        .rounds(40)
        .await
        .unwrap_err();
    assert_finding(&found, &["`branches_at_random` differs from run to run"]);
}

fn request_id() -> u64 {
    fastrand::u64(..)
}

#[durable]
async fn random_outside_of_the_step(app: &App) -> Result<(), BoxError> {
    let id = request_id();
    step!("charge", app.put(format!("charge {id}")).map(|()| id)).await?;
    Ok(())
}

#[tokio::test]
async fn a_random_idempotency_key_outside_of_its_step() {
    let found = shuffled(random_outside_of_the_step, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["the recorded outcomes", "charge"]);
    let found = crash_everywhere(random_outside_of_the_step, |_| App::default(), ())
        .varies("charge")
        .comparing(|app| app.rows().len())
        .await
        .unwrap_err();
    assert_finding(
        &found,
        &["after the body of `charge`", "the compared state"],
    );
}

#[durable]
async fn charges_twice(app: &App) -> Result<(), BoxError> {
    step!("charge", app.add("charge").map(drop)).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_idempotent() {
    let found = crash_everywhere(charges_twice, |_| App::default(), ())
        .comparing(App::rows)
        .await
        .unwrap_err();
    assert_finding(
        &found,
        &[
            "does not survive a crash after the body of `charge`",
            "+     \"charge\",",
        ],
    );
    let boundary = found.boundary().unwrap().to_string();
    assert_eq!(
        boundary,
        "after the body of `charge`, before its checkpoint"
    );
}

#[durable]
async fn acts_outside_of_steps(app: &App) -> Result<(), BoxError> {
    app.add("mail")?;
    step!("save", app.put("saved")).await?;
    Ok(())
}

#[tokio::test]
async fn an_effect_outside_of_steps() {
    let found = crash_everywhere(acts_outside_of_steps, |_| App::default(), ())
        .comparing(App::rows)
        .await
        .unwrap_err();
    assert_finding(&found, &["the compared state", "+     \"mail\","]);
}

/// Numbers what is left of the list: occurrence 0 of the second run is not that of the first.
#[durable]
async fn ordered_by_a_shrinking_list(app: &App) -> Result<Vec<String>, BoxError> {
    let mut receipts = Vec::new();
    for order in app.rows() {
        receipts.push(step!("pay", ordered, app.take(&order)).await?);
    }
    Ok(receipts)
}

fn with_orders() -> App {
    let app = App::default();
    for order in ["a", "b", "c"] {
        app.put(order).unwrap();
    }
    app
}

#[tokio::test]
async fn ordered_occurrences_of_a_shrinking_list() {
    let found = crash_everywhere(ordered_by_a_shrinking_list, |_| with_orders(), ())
        .comparing(App::rows)
        .await
        .unwrap_err();
    assert_finding(
        &found,
        &[
            "`ordered_by_a_shrinking_list` does not survive a crash",
            "receipt of a",
        ],
    );
}

/// Reads the application state outside of a step and branches on it.
#[durable]
async fn reads_state_outside_of_steps(app: &App) -> Result<usize, BoxError> {
    if app.rows().is_empty() {
        step!("create", app.put("row")).await?;
    }
    step!("use", app.put("used")).await?;
    Ok(app.rows().len())
}

#[tokio::test]
async fn state_that_is_read_outside_of_steps() {
    let found = crash_everywhere(reads_state_outside_of_steps, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(
        &found,
        &[
            "after the body of `create`",
            "- create: create  step succeeded",
        ],
    );
}

/// Returns the output of whichever future the scheduler completes first.
async fn first_of<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    let (a, b) = (std::pin::pin!(a), std::pin::pin!(b));
    futures::future::select(a, b).await.factor_first().0
}

async fn work(app: &App, what: &str) -> Result<String, BoxError> {
    tokio::task::yield_now().await;
    app.put(what)?;
    Ok(what.to_owned())
}

#[durable]
async fn uses_the_first_result(app: &App) -> Result<String, BoxError> {
    let first = first_of(
        step!("left", work(app, "left").await),
        step!("right", work(app, "right").await),
    );
    let first = first.await?;
    Ok(step!(
        "use",
        key = first,
        work(app, "use").await.map(|_| first.clone())
    )
    .await?)
}

#[tokio::test]
async fn a_helper_that_selects_the_first_result() {
    let found = shuffled(uses_the_first_result, |_| App::default(), ())
        .rounds(40)
        .await
        .unwrap_err();
    assert_finding(&found, &["use["]);
}

/// Each step has a key, but the output is in the order of a set.
#[durable]
async fn answers_in_the_order_of_a_set(app: &App) -> Result<Vec<String>, BoxError> {
    let names: HashSet<String> = customers().into_iter().collect();
    let mut answers = Vec::new();
    for name in sorted(&names) {
        answers.push(step!("ask", key = name, work(app, &name).await).await?);
    }
    Ok(unsorted(answers))
}

fn sorted(names: &HashSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.iter().cloned().collect();
    names.sort();
    names
}

fn unsorted(names: Vec<String>) -> Vec<String> {
    HashSet::<String>::from_iter(names).into_iter().collect()
}

#[tokio::test]
async fn an_output_in_the_order_of_a_set() {
    let found = shuffled(answers_in_the_order_of_a_set, |_| App::default(), ())
        .await
        .unwrap_err();
    assert_finding(&found, &["the replay ends differently"]);
}
