//! Tests of the approval.

use durable::testing::{TestRun, crash_everywhere, shuffled};

use super::*;

fn expense() -> Expense {
    Expense {
        purpose: "an oven".to_owned(),
        approvers: 2,
    }
}

fn approve(by: &str) -> Message {
    Message::Approve { by: by.to_owned() }
}

#[tokio::test]
async fn it_is_paid_once_two_people_have_approved() {
    let comment = Message::Comment {
        by: "Bob".to_owned(),
        text: "?".to_owned(),
    };
    let run = TestRun::new(approval)
        .message("message", approve("Ada"))
        .message("message", approve("Ada"))
        .message_after("message", 3.days(), comment)
        .message_after("message", 4.days(), approve("Bob"))
        .run("expense", expense())
        .await;
    assert_eq!(
        run.output().unwrap(),
        "an oven is paid, approved by Ada and Bob"
    );
    let status: Option<String> = run.history().published("status");
    assert_eq!(status.unwrap(), "0 approvals are missing");
    assert_eq!(
        run.history().published::<String>("comment").unwrap(),
        "Bob: ?"
    );
}

#[tokio::test]
async fn it_ends_when_it_is_withdrawn_or_forgotten() {
    let test = TestRun::new(approval).message("message", approve("Ada"));
    let test = test.message("message", Message::Withdraw);
    let run = test.run("expense", expense()).await;
    assert_eq!(run.output().unwrap(), "an oven was withdrawn");
    let run = TestRun::new(approval).run("expense", expense()).await;
    let error = run.error().unwrap().to_string();
    assert!(error.contains("no message came in time"), "{error}");
}

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    let crashes = crash_everywhere(approval, |_| (), expense()).given(|run| {
        let run = run.message("message", approve("Ada"));
        run.message_after("message", 1.hours(), approve("Bob"))
    });
    assert!(crashes.await.unwrap().count() >= 8);
    let orders = shuffled(approval, |_| (), expense()).given(|run| {
        let run = run.message("message", approve("Ada"));
        run.message("message", approve("Bob"))
    });
    orders.await.unwrap();
}

#[tokio::test]
async fn people_talk_to_a_running_worker() {
    let store = durable::store::MemoryStore::new();
    let client = Client::new(store.clone());
    let worker = Worker::new(store).register(approval);
    let mut result = Ok(String::new());
    let run = worker.run_until(async { result = talk(&client).await });
    run.await.unwrap();
    assert_eq!(
        result.unwrap(),
        "a new oven is paid, approved by Ada and Bob"
    );
}
