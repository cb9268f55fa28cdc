//! `replay`: recorded histories against changed code.

use std::path::PathBuf;

use durable::prelude::*;
use durable::store::{AdminStore, Execution, ExecutionStore as _, MemoryStore};
use durable::testing::{Finding, Replayed, TestRun, replay};
use durable::{Durable, Handler, IntoHandler, Record};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

async fn work(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

mod before {
    use super::*;

    #[durable]
    pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
        let read = step!("read", work(n).await).await?;
        let mut sum = 0;
        for n in 0..read {
            sum += step!("load", key = n, work(n).await).await?;
        }
        wait!("breathe", Duration::from_secs(60)).await;
        step!("publish", work(sum).await).await?;
        step!("notify", work(1).await).await?;
        Ok(sum)
    }
}

/// Returns a folder with the history of an execution after `invocations` invocations.
async fn exported<F>(handler: F, input: <F::Handler as Durable>::Input, invocations: u64) -> TempDir
where
    F: IntoHandler,
    F::Handler: Handler<()>,
{
    let test = TestRun::new(handler).invocations(invocations);
    let store = test.world().store();
    let _ = test.run("a", input).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file(&folder), export(&store).await).unwrap();
    folder
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("a.json")
}

async fn export(store: &MemoryStore) -> String {
    let id = "a".parse().unwrap();
    let (execution, records) = (
        store.get(&id).await.unwrap(),
        store.history(&id).await.unwrap(),
    );
    to_cli_json(&execution, &records)
}

fn to_cli_json(execution: &Execution, records: &[Record]) -> String {
    serde_json::to_string_pretty(&durable_cli::json::History::new(execution, records, true))
        .unwrap()
}

#[track_caller]
fn assert_finding(result: Result<Replayed, Finding>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    println!("{text}\n");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn the_same_code_replays_its_own_history() {
    for invocations in [1, 2] {
        let folder = exported(before::import, 3, invocations).await;
        let replayed = replay(before::import, folder.path()).await.unwrap();
        assert_eq!(replayed.count(), 1);
        assert!(replayed.notes().is_empty(), "{replayed}");
    }
}

/// Declares a handler with the same name and a different body.
macro_rules! edited {
    ($module:ident, $n:ident, $body:block) => {
        mod $module {
            use super::*;

            #[durable]
            pub(super) async fn import($n: u32) -> Result<u32, BoxError> $body
        }
    };
}

edited!(renamed, n, {
    let read = step!("read_all", work(n).await).await?;
    Ok(read)
});
edited!(declared, n, {
    let read = step!("read_all", was = "read", work(n).await).await?;
    let mut sum = 0;
    for n in 0..read {
        sum += step!("load", key = n, work(n).await).await?;
    }
    wait!("breathe", Duration::from_secs(60)).await;
    step!("publish", work(sum).await).await?;
    step!("notify", work(1).await).await?;
    Ok(sum)
});
edited!(inserted_at_the_end, n, {
    let read = step!("read", work(n).await).await?;
    let mut sum = 0;
    for n in 0..read {
        sum += step!("load", key = n, work(n).await).await?;
    }
    wait!("breathe", Duration::from_secs(60)).await;
    step!("audit", work(sum).await).await?;
    step!("publish", work(sum).await).await?;
    step!("notify", work(1).await).await?;
    Ok(sum)
});
edited!(swapped, n, {
    let read = step!("read", work(n).await).await?;
    let mut sum = 0;
    for n in 0..read {
        sum += step!("load", key = n, work(n).await).await?;
    }
    wait!("breathe", Duration::from_secs(60)).await;
    step!("notify", work(1).await).await?;
    step!("publish", work(sum).await).await?;
    Ok(sum)
});
edited!(other_type, n, {
    let read: Vec<String> = step!("read", Ok::<_, BoxError>(vec![n.to_string()])).await?;
    Ok(read.len().try_into()?)
});
edited!(other_kind, n, {
    wait!("read", Duration::from_secs(1)).await;
    Ok(n)
});
edited!(removed, n, {
    let read = step!("read", work(n).await).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    step!("publish", work(3).await).await?;
    step!("notify", work(1).await).await?;
    Ok(read)
});

edited!(moved, n, {
    let read = scope!("input", { Ok(step!("read", work(n).await).await?) }).await?;
    Ok(read)
});
edited!(moved_and_declared, n, {
    let read = scope!("input", {
        Ok(step!("read", was = "/read", work(n).await).await?)
    })
    .await?;
    let mut sum = 0;
    for n in 0..read {
        sum += step!("load", key = n, work(n).await).await?;
    }
    wait!("breathe", Duration::from_secs(60)).await;
    step!("publish", work(sum).await).await?;
    step!("notify", work(1).await).await?;
    Ok(sum)
});

#[tokio::test]
async fn a_moved_step() {
    for invocations in [1, 2] {
        let folder = exported(before::import, 3, invocations).await;
        let found = replay(moved::import, file(&folder)).await;
        assert_finding(
            found,
            &[
                "`input/read` would run: it is not recorded",
                "`read` is recorded, but the code has not reached it, while step `read` (tests/kit/replay.rs:",
                "if it moved to `input/read`, write `was = \"/read\"` there",
                "`load[0]` is recorded, but the code has not reached it\n",
            ],
        );
        replay(moved_and_declared::import, file(&folder))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_renamed_step() {
    let folder = exported(before::import, 3, 1).await;
    let found = replay(renamed::import, file(&folder)).await;
    assert_finding(
        found,
        &[
            "`read_all` would run: it is not recorded",
            "`read` is recorded, but the code has not reached it",
            "if that is its new name, write `was = \"read\"` there",
        ],
    );
    replay(declared::import, file(&folder)).await.unwrap();
}

#[tokio::test]
async fn a_step_beyond_what_is_recorded() {
    let folder = exported(before::import, 3, 1).await;
    replay(inserted_at_the_end::import, file(&folder))
        .await
        .unwrap();
    let folder = exported(before::import, 3, 2).await;
    let found = replay(inserted_at_the_end::import, file(&folder)).await;
    assert_finding(found, &["`audit` would run", "`publish` is recorded"]);
}

#[tokio::test]
async fn swapped_neighbours() {
    let folder = exported(before::import, 3, 2).await;
    let found = replay(swapped::import, file(&folder)).await;
    assert_finding(
        found,
        &["`publish` ran in another order than it was recorded in"],
    );
}

#[tokio::test]
async fn a_value_of_another_type() {
    let folder = exported(before::import, 3, 1).await;
    let found = replay(other_type::import, file(&folder)).await;
    assert_finding(
        found,
        &[
            "the recorded value of `read`:",
            "type `alloc::vec::Vec<alloc::string::String>`, codec `json`",
            "type `u32`, 1 bytes of codec `json`",
        ],
    );
}

#[tokio::test]
async fn another_kind() {
    let folder = exported(before::import, 3, 1).await;
    let found = replay(other_kind::import, file(&folder)).await;
    assert_finding(
        found,
        &[
            "code and history disagree about `read`",
            "A wait cannot be answered by the record of a step",
        ],
    );
}

#[tokio::test]
async fn removed_steps() {
    let folder = exported(before::import, 3, 2).await;
    let found = replay(removed::import, file(&folder)).await;
    assert_finding(
        found,
        &["`load[0]` is recorded, but the code did not reach it"],
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    number: String,
}

impl Card {
    fn numbered(number: &str) -> Result<Self, BoxError> {
        let number = number.to_owned();
        Ok(Self { number })
    }
}

#[durable]
async fn with_secrets() -> Result<usize, BoxError> {
    let number = "4111 1111 1111 1111";
    let card = step!("card", secret, Card::numbered(number)).await?;
    wait!("later", Duration::from_secs(1)).await;
    Ok(step!("charge", Ok::<_, BoxError>(card.number.len())).await?)
}

#[tokio::test]
async fn secrets_are_not_exported_and_cannot_be_checked() {
    let folder = exported(with_secrets, (), 2).await;
    let text = std::fs::read_to_string(file(&folder)).unwrap();
    assert!(!text.contains("4111"), "{text}");
    let replayed = replay(with_secrets, file(&folder)).await.unwrap();
    let notes = replayed.notes().join("\n");
    assert!(
        notes.contains("nothing after `card` can be checked: it is secret"),
        "{notes}"
    );
}

#[durable]
async fn numbers() -> Result<Vec<f64>, BoxError> {
    let large = step!("large", Ok::<_, BoxError>(u128::MAX)).await?;
    let fractions = step!(
        "fractions",
        Ok::<_, BoxError>(vec![0.1, 1e300, f64::MIN_POSITIVE])
    )
    .await?;
    step!("check", key = large, Ok::<_, BoxError>(())).await?;
    Ok(fractions)
}

#[tokio::test]
async fn numbers_are_exported_exactly() {
    let folder = exported(numbers, (), 9).await;
    replay(numbers, file(&folder)).await.unwrap();
}

#[tokio::test]
async fn an_invalid_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = replay(before::import, file(&folder)).await;
    assert_finding(missing, &["a.json", "No such file"]);
    assert_finding(
        replay(before::import, folder.path()).await,
        &["there are no histories (`.json`)"],
    );
    std::fs::write(file(&folder), "{}").unwrap();
    let other = replay(before::import, file(&folder)).await;
    assert_finding(
        other,
        &["it is not a history: write one with `durable show ID --json --full`"],
    );
    let folder = exported(numbers, (), 9).await;
    let other = replay(before::import, file(&folder)).await;
    assert_finding(
        other,
        &["it belongs to the handler `numbers`, not to `import`"],
    );
}

/// Values that a conversion through another representation would change.
#[durable]
async fn fragile_values(n: u32) -> Result<u32, BoxError> {
    const ORDERED: &str = r#"{"b":1,"a":[2,{"d":3,"c":4}]}"#;
    const WIDE: &str = r#"{"b":340282366920938463463374607431768211455,"a":1.10}"#;
    let ordered = step!("ordered", raw(ORDERED)).await?;
    let wide = step!("wide", raw(WIDE)).await?;
    let packed = step!(
        "packed",
        codec = durable::MessagePack,
        Ok::<_, String>(49_u8)
    )
    .await?;
    let bytes = step!(
        "bytes",
        codec = durable::Raw,
        Ok::<_, String>(b"1 2".to_vec())
    )
    .await?;
    wait!("breathe", Duration::from_secs(60)).await;
    assert_eq!((ordered.get(), wide.get()), (ORDERED, WIDE));
    assert_eq!((packed, &bytes[..]), (49, &b"1 2"[..]));
    Ok(n)
}

fn raw(text: &str) -> Result<Box<serde_json::value::RawValue>, serde_json::Error> {
    serde_json::value::RawValue::from_string(text.to_owned())
}

#[tokio::test]
async fn values_survive_the_export_byte_for_byte() {
    let folder = exported(fragile_values, 3, 2).await;
    let replayed = replay(fragile_values, folder.path()).await.unwrap();
    assert_eq!(replayed.count(), 1);
    assert!(replayed.notes().is_empty(), "{replayed}");
}

#[durable]
async fn widens(n: u32) -> Result<u128, BoxError> {
    Ok(step!("wide", Ok::<_, String>((1 << 100) + u128::from(n))).await?)
}

#[tokio::test]
async fn wide_numbers_are_compared_exactly() {
    let run = TestRun::new(widens).run("a", 1).await;
    run.assert_value("wide", (1_u128 << 100) + 1);
    let other =
        std::panic::AssertUnwindSafe(|| run.assert_value("wide", 1_u128 << 100).attempts("wide"));
    assert!(std::panic::catch_unwind(other).is_err());
}
