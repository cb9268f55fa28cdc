//! `TestRun`: scripted answers by name, skipped time, one invocation at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use durable::testing::{End, TestClock, TestRun};
use durable::{Client, Clock as _, Retry, Status};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[derive(Default)]
struct App {
    noted: Mutex<Vec<String>>,
}

impl App {
    fn note(&self, what: impl Into<String>) -> Result<u32, BoxError> {
        let mut noted = self.noted.lock().unwrap();
        noted.push(what.into());
        Ok(noted.len().try_into().unwrap())
    }

    fn noted(&self) -> Vec<String> {
        self.noted.lock().unwrap().clone()
    }
}

#[durable]
async fn import(app: &App, batches: u32) -> Result<u32, BoxError> {
    step!("read", app.note("read")).await?;
    for n in 0..batches {
        step!("load", key = n, app.note(format!("load {n}"))).await?;
        wait!("breathe", YEAR).await;
    }
    Ok(step!("publish", app.note("publish")).await?)
}

#[tokio::test]
async fn years_of_waiting_take_no_time() {
    let app = App::default();
    let run = TestRun::new(import).state(&app).run("a", 3).await;
    assert_eq!(run.output().unwrap(), &5);
    assert_eq!(run.invocations(), 4);
    assert_eq!(
        app.noted(),
        ["read", "load 0", "load 1", "load 2", "publish"]
    );
    run.assert_names([
        "read",
        "load[0]",
        "breathe[0]",
        "load[1]",
        "breathe[1]",
        "load[2]",
        "breathe[2]",
        "publish",
    ]);
    run.assert_value("load[1]", 3);
    let first = run.history().get("read").unwrap().record().started_at;
    let last = run.history().get("publish").unwrap().record().started_at;
    assert_eq!(last.since(first), 3 * YEAR);
}

#[tokio::test]
async fn scripted_failures_replace_bodies_by_name() {
    let app = App::default();
    let run = TestRun::new(import)
        .state(&app)
        .fail_step("load[1]", "disk full", 2)
        .time_out_step("publish", 1)
        .run("a", 2)
        .await;
    assert_eq!(run.output().unwrap(), &4);
    assert_eq!(run.attempts("load[1]"), 3);
    assert_eq!(run.attempts("load[0]"), 1);
    assert_eq!(run.attempts("publish"), 2);
    assert_eq!(run.ran("load"), 4);
    assert_eq!(app.noted(), ["read", "load 0", "load 1", "publish"]);
}

#[tokio::test]
async fn a_missing_output_error_shows_the_history() {
    let app = App::default();
    let run = TestRun::new(import)
        .state(&app)
        .fail_step("load[0]", "disk full", 99)
        .run("a", 2)
        .await;
    let error = run.error().unwrap();
    assert_eq!(error.message(), "disk full");
    let text = run.output().unwrap_err().to_string();
    assert_eq!(
        text,
        "execution `a` of `import`: it failed: `import` failed: `load[0]` failed after 6 attempts: disk full\n  \
         its history:\n    \
         read  step succeeded: 1\n    \
         load[0]  step failed after 6 attempts: disk full\n"
    );
}

#[tokio::test]
async fn a_failed_assertion_shows_a_diff() {
    let app = App::default();
    let run = TestRun::new(import).state(&app).run("a", 1).await;
    let asserted = std::panic::AssertUnwindSafe(|| {
        run.assert_names(["read", "load[0]", "publish"]);
    });
    let panic = std::panic::catch_unwind(asserted).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "the history of `a` differs (- expected, + recorded):\n    \
         read\n    load[0]\n  + breathe[0]\n    publish\nit succeeded"
    );
    let asserted = std::panic::AssertUnwindSafe(|| {
        run.assert_value("load[0]", 7);
    });
    let panic = std::panic::catch_unwind(asserted).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("`load[0]` was expected to end with 7, but is recorded as\n    load[0]  step succeeded: 2"), "{text}");
}

#[durable]
async fn charge(app: &App, amount: u32) -> Result<String, BoxError> {
    step!("charge", app.note(format!("charged {amount}"))).await?;
    Ok("receipt".to_owned())
}

#[durable]
async fn order(app: &App, amount: u32) -> Result<String, BoxError> {
    let approved = race!("approval", {
        "answered" => answer = callback!("manager", submit = |_id| app.note("asked").map(drop)) => answer,
        "late" => wait!("deadline", Duration::from_secs(7 * 86_400)) => Ok(false),
    })
    .await?;
    if !approved {
        return Ok("not approved".to_owned());
    }
    Ok(invoke!("pay", charge(amount)).await?)
}

#[tokio::test]
async fn callbacks_are_answered_by_name() {
    let app = App::default();
    let test = || TestRun::new(order).state(&app);
    let run = test().callback("manager", true).run("a", 5).await;
    assert_eq!(run.output().unwrap(), "receipt");
    assert_eq!(run.others().len(), 1);
    let run = test().callback("manager", false).run("b", 5).await;
    assert_eq!(run.output().unwrap(), "not approved");
    let run = test()
        .fail_callback("manager", "on holiday")
        .run("c", 5)
        .await;
    assert!(
        run.error().unwrap().message().contains("on holiday"),
        "{run}"
    );
    let day = Duration::from_secs(86_400);
    let run = test()
        .callback_after("manager", 6 * day, true)
        .run("d", 5)
        .await;
    assert_eq!(run.output().unwrap(), "receipt");
    let run = test()
        .callback_after("manager", 8 * day, true)
        .run("e", 5)
        .await;
    assert_eq!(run.output().unwrap(), "not approved");
}

#[tokio::test]
async fn invocations_are_answered_by_operation_or_function_name() {
    for name in ["pay", "charge"] {
        let app = App::default();
        let run = TestRun::new(order)
            .state(&app)
            .callback("manager", true)
            .invoke(name, |amount: u32| {
                Ok::<_, BoxError>(format!("{amount} paid"))
            })
            .run("a", 5)
            .await;
        assert_eq!(run.output().unwrap(), "5 paid");
        assert_eq!(app.noted(), ["asked"]);
        let run = TestRun::new(order)
            .state(&app)
            .callback("manager", true)
            .invoke(name, |_: u32| Err::<String, _>("declined"))
            .run("a", 5)
            .await;
        let error = run.history().get("pay").unwrap().error().unwrap();
        assert_eq!(error.message(), "declined");
    }
}

#[durable]
async fn waits_for_approval() -> Result<bool, BoxError> {
    Ok(callback!("approval").await?)
}

#[tokio::test]
async fn a_callback_without_an_answer_is_named() {
    let run = TestRun::new(waits_for_approval).run("a", ()).await;
    assert!(matches!(run.end(), End::Waits(_)), "{run}");
    let text = run.output().unwrap_err().to_string();
    assert!(
        text.contains("it waits for callback `approval`, and nothing in the test completes that"),
        "{text}"
    );
    assert!(text.contains(".callback(\"name\", value)"), "{text}");
}

#[tokio::test]
async fn the_test_completes_a_callback_through_a_client() {
    let test = TestRun::new(waits_for_approval);
    let client = test.world().client();
    let mut steps = test.start("a", ()).await;
    assert!(steps.invocation().await);
    let history = steps.history().await;
    let handle = history.get("approval").unwrap().record().handle.as_deref();
    client.complete(handle.unwrap(), &true).await.unwrap();
    assert!(!steps.invocation().await);
    assert_eq!(steps.finish().await.output().unwrap(), &true);
}

/// An external party that answers from its own task.
struct Shop {
    client: Client,
}

impl Shop {
    async fn request(&self, id: String) -> Result<(), BoxError> {
        let client = self.client.clone();
        tokio::spawn(async move { client.complete(&id, &"yes").await });
        Ok(())
    }
}

#[durable]
async fn waits_a_year(shop: &Shop) -> Result<String, BoxError> {
    Ok(race!("answer", {
        "answered" => answer = callback!("manager", submit = |id| shop.request(id.to_string()).await) => answer,
        "late" => wait!("deadline", YEAR) => Ok("late".to_owned()),
    })
    .await?)
}

#[tokio::test]
async fn time_is_not_skipped_over_a_task_that_is_about_to_answer() {
    let test = TestRun::new(waits_a_year);
    let shop = Shop {
        client: test.world().client(),
    };
    let run = test.state(&shop).run("a", ()).await;
    assert_eq!(run.output().unwrap(), "yes");
}

#[tokio::test]
async fn the_number_of_invocations_can_be_limited() {
    let app = App::default();
    let run = TestRun::new(import)
        .state(&app)
        .invocations(2)
        .run("a", 3)
        .await;
    assert!(matches!(run.end(), End::Suspended(Some(_))), "{run}");
    assert_eq!(app.noted(), ["read", "load 0", "load 1"]);
    let mut steps = TestRun::new(import).state(&app).start("b", 1).await;
    assert_eq!(steps.count(), 0);
    assert!(steps.invocation().await);
    assert!(!steps.invocation().await);
    assert!(!steps.invocation().await);
    assert_eq!(steps.count(), 2);
}

#[durable]
async fn long(app: &App, rows: u32) -> Result<u32, BoxError> {
    for n in 0..rows {
        step!("load", key = n, app.note("row")).await?;
    }
    Ok(rows)
}

#[tokio::test]
async fn scripted_durations_use_up_the_budget() {
    let app = App::default();
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let run = TestRun::new(long)
        .state(&app)
        .takes("load", minutes(4))
        .budget(minutes(15))
        .run("a", 10)
        .await;
    assert_eq!(run.output().unwrap(), &10);
    assert_eq!(run.invocations(), 4);
    assert_eq!(run.ran("load"), 10);
    let record = run.history().get("load[3]").unwrap().record().clone();
    assert_eq!(
        record.ended_at.unwrap().since(record.started_at),
        minutes(4)
    );
}

#[durable]
async fn hangs(_app: &App) -> Result<(), BoxError> {
    let minute = Duration::from_secs(60);
    step!(
        "hang",
        retry = Retry::none(),
        timeout = minute,
        std::future::pending::<Result<(), String>>().await
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_hangs_is_timed_out() {
    let run = TestRun::new(hangs)
        .state(&App::default())
        .run("a", ())
        .await;
    let error = run.history().get("hang").unwrap().error().unwrap();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

struct Slow {
    clock: TestClock,
    steps: AtomicU32,
}

impl Slow {
    async fn work(&self, seconds: u64) -> Result<(), BoxError> {
        self.clock.sleep(Duration::from_secs(seconds)).await;
        self.steps.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[durable]
async fn races(slow: &Slow) -> Result<String, BoxError> {
    Ok(race!("first", {
        "work" => step!("work", slow.work(3600).await) => "work".to_owned(),
        "late" => wait!("late", Duration::from_secs(1800)) => "late".to_owned(),
    })
    .await)
}

#[tokio::test]
async fn a_body_can_sleep_on_the_test_clock() {
    let test = TestRun::new(races);
    let slow = Slow {
        clock: test.world().clock(),
        steps: AtomicU32::new(0),
    };
    let run = test.state(&slow).run("a", ()).await;
    assert_eq!(run.output().unwrap(), "late");
    assert_eq!(slow.steps.load(Ordering::SeqCst), 0);
}

#[durable]
async fn loses_with_an_outcome(app: &App) -> Result<String, BoxError> {
    Ok(race!("first", {
        "work" => step!("work", app.note("worked")) => "work".to_owned(),
        "late" => wait!("late", Duration::from_secs(30)) => "late".to_owned(),
    })
    .await)
}

#[tokio::test]
async fn the_outcome_of_a_losing_arm_is_not_recorded() {
    let app = App::default();
    let run = TestRun::new(loses_with_an_outcome)
        .state(&app)
        .takes("work", Duration::from_secs(60))
        .run("a", ())
        .await;
    assert_eq!(run.output().unwrap(), "late");
    assert_eq!(app.noted(), ["worked"]);
    let work = run.history().get("work").map(|work| work.status());
    assert!(work.is_none_or(|status| !status.is_terminal()), "{run}");
}

#[tokio::test]
async fn the_same_id_is_the_same_execution() {
    let app = App::default();
    let first = TestRun::new(import).state(&app);
    let world = first.world();
    let first = first.run("a", 1).await;
    let second = TestRun::new(import)
        .state(&app)
        .within(&world)
        .run("a", 1)
        .await;
    first.assert_same_history(&second);
    assert_eq!(second.invocations(), 0);
    assert_eq!(second.output().unwrap(), &3);
    assert_eq!(app.noted().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_threads_in_a_handler_are_awaited() {
    #[durable]
    async fn threads() -> Result<u32, BoxError> {
        async fn work(n: u32) -> Result<u32, BoxError> {
            Ok(tokio::task::spawn_blocking(move || n * n).await?)
        }
        let minute = Duration::from_secs(60);
        let (a, b) = tokio::join!(
            step!("a", timeout = minute, work(3).await),
            step!("b", timeout = minute, work(4).await),
        );
        Ok(a? + b?)
    }
    let run = TestRun::new(threads).run("a", ()).await;
    assert_eq!(run.output().unwrap(), &25);
    assert_eq!(run.history().get("a").unwrap().status(), Status::Succeeded);
}
