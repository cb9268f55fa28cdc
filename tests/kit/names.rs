//! `names!` and `durable check`: the committed list of names against the code.

use std::path::Path;

use durable::lock::{Lock, Verdict, check};
use durable::prelude::*;
use durable::testing::{Names, TestRun, names};

async fn work<T>(value: T) -> Result<T, BoxError> {
    Ok(value)
}

#[durable]
async fn helper(n: u32) -> Result<u32, BoxError> {
    Ok(step!("deep", work(n).await).await?)
}

/// Declares a handler with the same name and a different body.
macro_rules! version {
    ($module:ident, $body:block) => {
        mod $module {
            use super::*;

            #[durable]
            pub(super) async fn import(_n: u32) -> Result<u32, BoxError> $body
        }
    };
}

version!(first, {
    let read = step!("read", work(vec![1_u32, 2]).await).await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
    }
    let files = map!("files", read, key = |n| n, |n| {
        Ok(step!("parse", work(n).await).await?)
    });
    files.await.into_values()?;
    call!("called", helper(1)).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(step!("publish", work(7_u32).await).await?)
});

version!(with_more, {
    step!("greet", work(1).await).await?;
    let read = step!("read", work(vec![1_u32, 2]).await).await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
    }
    let files = map!("files", read, key = |n| n, |n| {
        step!("check", work(n).await).await?;
        Ok(step!("parse", work(n).await).await?)
    });
    files.await.into_values()?;
    call!("called", helper(1)).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(step!("publish", work(7_u32).await).await?)
});

version!(renamed, {
    let read = step!("read_all", work(vec![1_u32, 2]).await).await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
    }
    let files = map!("documents", read, key = |n| n, |n| {
        Ok(step!("parse", work(n).await).await?)
    });
    files.await.into_values()?;
    call!("called", helper(1)).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(step!("publish", work(7_u32).await).await?)
});

version!(declared, {
    let read = step!("read_all", was = "read", work(vec![1_u32, 2]).await).await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
    }
    let files = map!("documents", read, was = "files", key = |n| n, |n| {
        Ok(step!("parse", work(n).await).await?)
    });
    files.await.into_values()?;
    call!("called", helper(1)).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(step!("publish", work(7_u32).await).await?)
});

// Everything has moved: the first step into a scope, the map into a loop, the called function inline.
version!(moved, {
    let read = scope!("input", {
        Ok(step!("read", work(vec![1_u32, 2]).await).await?)
    });
    let read = read.await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
        step!("parse", key = n, work(*n).await).await?;
    }
    step!("deep", work(1).await).await?;
    call!("paused", pauses(1)).await?;
    Ok(step!("publish", work(7_u32).await).await?)
});

version!(moved_and_declared, {
    let read = scope!("input", {
        Ok(step!("read", was = "/read", work(vec![1_u32, 2]).await).await?)
    });
    let read = read.await?;
    for n in &read {
        step!("load", key = n, work(*n).await).await?;
        step!(
            "parse",
            key = n,
            was = "/files/item[*]/parse",
            work(*n).await
        )
        .await?;
    }
    step!("deep", was = "called/deep", work(1).await).await?;
    call!("paused", pauses_as_declared(1)).await?;
    Ok(step!("publish", work(7_u32).await).await?)
});

#[durable(name = "pauses")]
async fn pauses(n: u32) -> Result<u32, BoxError> {
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(n)
}

#[durable(name = "pauses")]
async fn pauses_as_declared(n: u32) -> Result<u32, BoxError> {
    wait!("breathe", was = "../breathe", Duration::from_secs(60)).await;
    Ok(n)
}

// Nothing resembles the first version.
version!(rewritten, {
    let total = step!("count", work(2_u32).await).await?;
    for n in 0..total {
        step!("store", key = n, work(n).await).await?;
    }
    Ok(total)
});

#[durable(name = "helper")]
async fn emptied(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

version!(broken, {
    let read = step!("read", work("all".to_owned()).await).await?;
    for n in read.chars() {
        step!("load", ordered, work(n).await).await?;
    }
    step!("files", work(1).await).await?;
    wait!("breathe", Duration::from_secs(60)).await;
    Ok(step!("publish", work(7_u32).await).await?)
});

/// Writes the lock file of the first version, with the types of its values.
async fn locked(path: &Path) -> String {
    let run = TestRun::new(first::import).run("a", 1).await;
    Names::new()
        .handler(first::import)
        .handler(helper)
        .observed(&run)
        .check_as(path, "update")
        .unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn the_file_is_sorted_typed_and_stable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    let missing = Names::new()
        .handler(helper)
        .check_as(&path, "")
        .unwrap_err();
    assert!(
        missing.contains("create it with `DURABLE_LOCK=update cargo test`"),
        "{missing}"
    );
    let text = locked(&path).await;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "format 1",
            "",
            "handler \"helper\": u32 -> u32",
            "  step \"deep\": u32",
            "",
            "handler \"import\": u32 -> u32",
            "  step \"read\": alloc::vec::Vec<u32>",
            "  step \"load\"[key]: u32",
            "  map \"files\"",
            "    branch \"item\"[key]: u32",
            "      step \"parse\": u32",
            "  call \"called\": u32",
            "  wait \"breathe\"",
            "  step \"publish\": u32",
        ]
    );
    assert_eq!(locked(&path).await, text);
    // Types that are not observed in this run stay.
    Names::new()
        .handler(helper)
        .handler(first::import)
        .check_as(&path, "update")
        .unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn additions_are_allowed_and_written_on_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    let before = locked(&path).await;
    let now = || Names::new().handler(helper).handler(with_more::import);
    now().check_as(&path, "").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let strict = now().check_as(&path, "strict").unwrap_err();
    assert!(strict.contains("  +   step \"greet\"\n"), "{strict}");
    now().check_as(&path, "update").unwrap();
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("      step \"check\"\n")
    );
    now().check_as(&path, "strict").unwrap();
    let other = now().check_as(&path, "upadte").unwrap_err();
    assert!(
        other.contains("unset it, or use `update` or `strict`"),
        "{other}"
    );
}

#[tokio::test]
async fn a_rename_fails_with_the_line_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    locked(&path).await;
    let failed = Names::new()
        .handler(helper)
        .handler(renamed::import)
        .check_as(&path, "")
        .unwrap_err();
    println!("{failed}");
    for part in [
        "the step `import/read` is gone: executions in flight have recorded it",
        "write was = \"read\" at the step `read_all` (tests/kit/names.rs:",
        "the map `import/files` is gone",
        "write was = \"files\" at the map `documents`",
        "  -   step \"read\": alloc::vec::Vec<u32>\n",
        "  +   step \"read_all\"\n",
    ] {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
    Names::new()
        .handler(helper)
        .handler(declared::import)
        .check_as(&path, "")
        .unwrap();
}

#[tokio::test]
async fn removals_and_changes_of_kind_type_and_repetition_fail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    locked(&path).await;
    let run = TestRun::new(broken::import).run("a", 1).await;
    let names = Names::new().handler(broken::import).observed(&run);
    let failed = names.check_as(&path, "").unwrap_err();
    println!("{failed}");
    for part in [
        "the handler `helper` is gone: its executions in flight have no code that runs them",
        "`import/read` is recorded as `alloc::vec::Vec<u32>`, the code now wants `alloc::string::String`",
        "write another name for it, such as \"read_v2\"",
        "`import/load` was repeated by key, now it is repeated by number",
        "`import/files` was a map, the code now has a step",
        "the call `import/called` is gone",
    ] {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
}

#[test]
fn a_renamed_handler_needs_was() {
    mod old {
        use super::*;

        #[durable]
        pub(super) async fn load(n: u32) -> Result<u32, BoxError> {
            Ok(step!("read", work(n).await).await?)
        }
    }
    mod new {
        use super::*;

        #[durable(was = "load")]
        pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
            Ok(step!("read", work(n).await).await?)
        }
    }
    mod silent {
        use super::*;

        #[durable]
        pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
            Ok(step!("read", work(n).await).await?)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    Names::new()
        .handler(old::load)
        .check_as(&path, "update")
        .unwrap();
    Names::new()
        .handler(new::import)
        .check_as(&path, "")
        .unwrap();
    let failed = Names::new()
        .handler(silent::import)
        .check_as(&path, "")
        .unwrap_err();
    assert!(
        failed.contains("#[durable(was = \"load\")] above `import`, if that is its new name"),
        "{failed}"
    );
}

/// Returns what `check` finds for an execution of the first version after `invocations` invocations.
async fn checked(names: Names, invocations: u64) -> Vec<(Verdict, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    names.check_as(&path, "update").unwrap();
    let lock: Lock = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let run = TestRun::new(first::import)
        .invocations(invocations)
        .run("a", 1)
        .await;
    let records: Vec<_> = run
        .history()
        .operations()
        .iter()
        .map(|one| one.record().clone())
        .collect();
    let found = check(&lock, run.history().execution(), &records);
    found
        .into_iter()
        .map(|finding| (finding.verdict, finding.text))
        .collect()
}

#[tokio::test]
async fn an_execution_in_flight_is_checked_against_the_names() {
    let now = |names: Names| checked(names.handler(helper), 1);
    let same = Names::new().handler(first::import);
    assert_eq!(now(same).await, []);
    let more = Names::new().handler(with_more::import);
    assert_eq!(now(more).await, []);
    let declared = Names::new().handler(declared::import);
    assert_eq!(now(declared).await, []);
    let found = now(Names::new().handler(renamed::import)).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, Verdict::Reruns);
    assert!(
        found[0].1.contains("will re-run step `read_all`"),
        "{found:?}"
    );
    assert!(
        found[1].1.contains("will re-run map `documents`"),
        "{found:?}"
    );
    let run = TestRun::new(broken::import).run("b", 1).await;
    let found = now(Names::new().handler(broken::import).observed(&run)).await;
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert!(texts.contains(&"cannot decode `read`: recorded as `alloc::vec::Vec<u32>`, the code now wants `alloc::string::String`"), "{texts:#?}");
    assert!(
        texts.contains(&"blocks at `files`: recorded as a map, the code has a step"),
        "{texts:#?}"
    );
    assert!(
        texts.contains(&"call `called` is recorded, but no call site matches it any more"),
        "{texts:#?}"
    );
    assert!(
        texts.iter().any(|text| text.contains("`load[1]`")),
        "{texts:#?}"
    );
    let found = checked(Names::new().handler(helper), 1).await;
    assert_eq!(found[0].0, Verdict::Blocked);
}

/// These tests have their own lock file.
#[tokio::test]
async fn the_macro_reads_a_file_of_the_package() {
    let run = TestRun::new(first::import).run("a", 1).await;
    names!(
        "kit/durable.lock",
        [first::import, helper],
        observed = [&run]
    );
}

/// A poll that carries a state, in builds with another type of it or of the input.
mod carried {
    use super::*;

    pub(super) mod before {
        use super::*;

        #[durable]
        pub(crate) async fn import(n: u32) -> Result<u32, BoxError> {
            let ready = poll!("ready", every = 1.hours(), state = 0_u32, |turn| {
                Ok::<_, String>(match turn {
                    0 => ControlFlow::Continue(1),
                    _ => ControlFlow::Break(n),
                })
            });
            Ok(ready.await?)
        }
    }

    pub(super) mod after {
        use super::*;

        #[durable]
        pub(crate) async fn import(n: String) -> Result<u32, BoxError> {
            let ready = poll!("ready", every = 1.hours(), state = String::new(), |turn| {
                Ok::<_, String>(match turn.is_empty() {
                    true => ControlFlow::Continue("1".to_owned()),
                    false => ControlFlow::Break(n.len() as u32),
                })
            });
            Ok(ready.await?)
        }
    }
}

#[tokio::test]
async fn changed_types_of_inputs_and_poll_states_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    let before = TestRun::new(carried::before::import);
    let ended = before.run("a", 7).await;
    let names = Names::new()
        .handler(carried::before::import)
        .observed(&ended);
    names.check_as(&path, "update").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("  poll \"ready\" state \"u32\": u32\n"),
        "{text}"
    );

    let run = TestRun::new(carried::after::import)
        .run("b", "7".to_owned())
        .await;
    let names = || Names::new().handler(carried::after::import).observed(&run);
    let failed = names().check_as(&path, "").unwrap_err();
    for part in [
        "the input of `import` is recorded as `u32`, the code now wants `alloc::string::String`",
        "the state of `import/ready` is recorded as `u32`, the code now wants `alloc::string::String`",
    ] {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
    // A lock file from before states were recorded.
    std::fs::write(&path, text.replace(" state \"u32\"", "")).unwrap();
    let failed = names().check_as(&path, "").unwrap_err();
    assert!(!failed.contains("the state of"), "{failed}");

    names().check_as(&path, "update").unwrap();
    let lock: Lock = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let verdicts = |run: &durable::testing::TestOutcome<u32>| {
        let history = run.history();
        let operations = history.operations().iter();
        let records: Vec<_> = operations.map(|one| one.record().clone()).collect();
        let found = check(&lock, history.execution(), &records).into_iter();
        let texts = found.map(|one| (one.verdict, one.text));
        texts.collect::<Vec<_>>()
    };
    let waiting = TestRun::new(carried::before::import)
        .invocations(1)
        .run("c", 7)
        .await;
    let input = "cannot decode the input of `import`: recorded as `u32`, the code now wants `alloc::string::String`";
    let state = "cannot decode the state of `ready`: recorded as `u32`, the code now wants `alloc::string::String`";
    assert_eq!(
        verdicts(&waiting),
        [input, state].map(|text| (Verdict::Undecodable, text.to_owned()))
    );
    // A poll that has ended carries no state on.
    assert_eq!(verdicts(&ended), [(Verdict::Undecodable, input.to_owned())]);
}

#[tokio::test]
async fn a_move_fails_until_was_declares_the_old_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    locked(&path).await;
    let failed = Names::new()
        .handler(emptied)
        .handler(pauses)
        .handler(moved::import)
        .check_as(&path, "")
        .unwrap_err();
    println!("{failed}");
    for part in [
        "the step `import/read` is gone",
        "write was = \"/read\" at the step `import/input/read` (tests/kit/names.rs:",
        "if it moved there",
        "the map `import/files` is gone",
        "the call `import/called` is gone",
        "the wait `import/breathe` is gone",
        "the step `helper/deep` is gone",
    ] {
        assert!(failed.contains(part), "{part:?} is not in\n{failed}");
    }
    Names::new()
        .handler(emptied)
        .handler(pauses_as_declared)
        .handler(moved_and_declared::import)
        .check_as(&path, "update")
        .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(r#"step "parse"[key] was "/files/item[*]/parse""#),
        "{text}"
    );
    locked(&path).await;
    let failed = Names::new()
        .handler(emptied)
        .handler(pauses_as_declared)
        .handler(moved_and_declared::import)
        .check_as(&path, "");
    // The call is gone, but its contents are declared elsewhere, so nothing is missing.
    assert_eq!(failed, Ok(()));
}

#[tokio::test]
async fn unrelated_code_gets_no_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    locked(&path).await;
    let failed = Names::new()
        .handler(helper)
        .handler(rewritten::import)
        .check_as(&path, "")
        .unwrap_err();
    assert!(
        failed.contains("the step `import/read` is gone"),
        "{failed}"
    );
    assert!(!failed.contains("write was"), "{failed}");
    let found = checked(Names::new().handler(helper).handler(rewritten::import), 1).await;
    assert!(!found.is_empty());
    for (verdict, text) in found {
        assert_eq!(verdict, Verdict::Orphaned, "{text}");
    }
}

#[tokio::test]
async fn an_execution_in_flight_is_checked_against_moves() {
    let found = checked(
        Names::new()
            .handler(emptied)
            .handler(pauses)
            .handler(moved::import),
        1,
    )
    .await;
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    let read = "will re-run step `input/read`, if `read`, which is recorded, moved there: then write `was = \"/read\"`";
    assert!(texts.contains(&read), "{texts:#?}");
    let declared = Names::new()
        .handler(emptied)
        .handler(pauses_as_declared)
        .handler(moved_and_declared::import);
    assert_eq!(checked(declared, 1).await, []);
}

mod publishing {
    use super::*;

    #[durable(name = "publishing")]
    pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
        publish!("stage", "one")?;
        let n = step!("read", Ok::<_, String>(n)).await?;
        publish!("stage", "two")?;
        wait!(Duration::from_secs(3600)).await;
        Ok(n)
    }
}

#[tokio::test]
async fn published_values_are_no_operations_that_need_a_call_site() {
    let run = TestRun::new(publishing::import).invocations(1);
    let world = run.world();
    let run = run.run("a", 1).await;
    let client = world.client();
    let records = client.history(&"a".parse().unwrap()).await.unwrap();
    assert!(
        records
            .iter()
            .any(|record| record.published_name().is_some())
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.lock");
    let names = Names::new().handler(publishing::import);
    names.check_as(&path, "update").unwrap();
    let lock: Lock = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(check(&lock, run.history().execution(), &records), []);
}
