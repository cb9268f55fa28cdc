//! Messages: accepted once, in order, and marked by the checkpoint that receives them.

use std::sync::Arc;

use super::fixture::{
    TTL, at, checkpoint_ack, empty_batch, ending, id, json, new, start_and_claim, step,
};
use super::{Defect, Outcome, Store, expect_eq, expect_error};
use crate::ExecutionId;
use crate::model::record::{Kind, Record, Status};
use crate::store::{
    Batch, Change, ExecutionStatus, ExecutionUpdate, Message, NewMessage, Rewind, Started,
    StoreError,
};

async fn send(store: &Store, to: &ExecutionId, message: &str) -> Result<(), StoreError> {
    let new = NewMessage::new(message, "line", json(format!("\"{message}\"")))?;
    store.send(to, new, at(1)).await
}

fn ids(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.id.clone()).collect()
}

/// Returns the record of a `receive!` that concerns this message.
fn receive(seq: u64, number: u64, status: Status) -> Record {
    let mut record = step(seq, "\"a\"");
    record.kind = Kind::Receive;
    record.status = status;
    record.handle = Some(number.to_string());
    record
}

/// Returns a batch with these records that asks for the messages after `after`.
fn asking(id: u64, records: Vec<Record>, seen: u64, after: u64) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records,
        seen,
        messages_after: Some(after),
        ..Batch::default()
    })
}

pub(super) async fn a_store_without_messages_says_so(store: Store) -> Outcome {
    if store.capabilities().messages {
        return Ok(());
    }
    store.start(new("a")?).await?;
    expect_error!(send(&store, &id("a")?, "m").await, Unsupported, "send");
    Ok(())
}

pub(super) async fn messages_are_kept_in_order_and_once(store: Store) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let a = id("a")?;
    expect_error!(send(&store, &a, "m").await, NotFound, "send to nobody");
    store.start(new("a")?).await?;
    for message in ["z", "y", "z", "x"] {
        send(&store, &a, message).await?;
    }
    let messages = store.messages(&a).await?;
    expect_eq!(ids(&messages), ["z", "y", "x"], "messages");
    expect_eq!(messages[0].payload, json("\"z\""), "payload");
    expect_eq!(messages[0].to, a, "addressee");
    expect_eq!(store.get(&a).await?.changes, 3, "changes");
    expect_error!(
        store.messages(&id("b")?).await,
        NotFound,
        "messages of nobody"
    );
    Ok(())
}

pub(super) async fn a_checkpoint_answers_with_waiting_messages_if_asked(store: Store) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a) = (start_and_claim(&store, "a").await?.fence, id("a")?);
    for message in ["m1", "m2"] {
        send(&store, &a, message).await?;
    }
    let (fence, ack) = checkpoint_ack(&store, &fence, empty_batch(1, 0)).await?;
    expect_eq!((ack.changes, ack.messages), (2, Vec::new()), "not asked");
    let (fence, ack) = checkpoint_ack(&store, &fence, asking(2, Vec::new(), 2, 0)).await?;
    expect_eq!(ids(&ack.messages), ["m1", "m2"], "asked");
    let first = ack.messages[0].number;
    let (_, ack) = checkpoint_ack(&store, &fence, asking(3, Vec::new(), 2, first)).await?;
    expect_eq!(ids(&ack.messages), ["m2"], "asked for later ones");
    Ok(())
}

pub(super) async fn a_received_message_waits_again_once_its_record_is_cancelled(
    store: Store,
) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a) = (start_and_claim(&store, "a").await?.fence, id("a")?);
    send(&store, &a, "m1").await?;
    let number = store.messages(&a).await?[0].number;
    let received = vec![receive(1, number, Status::Succeeded)];
    let (fence, ack) = checkpoint_ack(&store, &fence, asking(1, received, 1, 0)).await?;
    expect_eq!(ack.messages, Vec::new(), "received");
    expect_eq!(
        store.messages(&a).await?[0].received_by,
        Some(1),
        "received by"
    );
    let cancelled = vec![receive(1, number, Status::Cancelled)];
    let (_, ack) = checkpoint_ack(&store, &fence, asking(2, cancelled, 1, 0)).await?;
    expect_eq!(ids(&ack.messages), ["m1"], "waits again");
    Ok(())
}

pub(super) async fn a_rewind_lets_the_messages_of_removed_records_wait_again(
    store: Store,
) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a) = (start_and_claim(&store, "a").await?.fence, id("a")?);
    let mut received = Vec::new();
    for (seq, message) in [(1, "m1"), (2, "m2")] {
        send(&store, &a, message).await?;
        received.push(receive(seq, seq, Status::Succeeded));
    }
    let fail = ExecutionUpdate::Block {
        report: "no".to_owned(),
    };
    let batch = Batch {
        id: 1,
        records: received,
        seen: 2,
        execution: Some(fail),
        ..Batch::default()
    };
    store.checkpoint(&fence, Arc::new(batch)).await?;
    let rewind = Rewind {
        seen: 2,
        remove_from: Some(2),
        records: Vec::new(),
    };
    store.change(&a, Change::Rewind(rewind), at(2)).await?;
    let messages = store.messages(&a).await?;
    let received: Vec<_> = messages.iter().map(|message| message.received_by).collect();
    expect_eq!(received, [Some(1), None], "received by");
    Ok(())
}

pub(super) async fn a_message_makes_a_suspended_execution_due(store: Store) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a) = (start_and_claim(&store, "a").await?.fence, id("a")?);
    let update = ExecutionUpdate::Suspend { wake_at: None };
    store.checkpoint(&fence, ending(1, update)).await?;
    send(&store, &a, "m1").await?;
    let execution = store.get(&a).await?;
    expect_eq!(execution.status, ExecutionStatus::Suspended, "status");
    expect_eq!(execution.wake_at, Some(at(1)), "due at");
    Ok(())
}

pub(super) async fn an_ended_execution_takes_no_new_message(store: Store) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a) = (start_and_claim(&store, "a").await?.fence, id("a")?);
    send(&store, &a, "m1").await?;
    let update = ExecutionUpdate::Succeed { output: json("1") };
    store.checkpoint(&fence, ending(1, update)).await?;
    send(&store, &a, "m1").await?;
    expect_error!(send(&store, &a, "m2").await, Conflict, "a new one");
    expect_eq!(
        ids(&store.messages(&a).await?),
        ["m1"],
        "kept with the history"
    );
    Ok(())
}

pub(super) async fn waiting_messages_move_to_the_next_execution_of_a_chain(
    store: Store,
) -> Outcome {
    if !store.capabilities().messages {
        return Ok(());
    }
    let (fence, a, b) = (
        start_and_claim(&store, "a").await?.fence,
        id("a")?,
        id("b")?,
    );
    for message in ["m1", "m2"] {
        send(&store, &a, message).await?;
    }
    let number = store.messages(&a).await?[0].number;
    let batch = Batch {
        id: 1,
        records: vec![receive(1, number, Status::Succeeded)],
        seen: 2,
        execution: Some(ExecutionUpdate::Continue { next: new("b")? }),
        ..Batch::default()
    };
    store.checkpoint(&fence, Arc::new(batch)).await?;
    expect_eq!(
        ids(&store.messages(&a).await?),
        ["m1"],
        "left with the first"
    );
    let moved = store.messages(&b).await?;
    expect_eq!(ids(&moved), ["m2"], "moved");
    expect_eq!(moved[0].to, a, "addressee of the moved one");
    send(&store, &b, "m3").await?;
    expect_eq!(
        ids(&store.messages(&b).await?),
        ["m2", "m3"],
        "numbered after it"
    );
    Ok(())
}

pub(super) async fn a_start_keeps_its_message_or_changes_nothing(store: Store) -> Outcome {
    let message = || NewMessage::new("m1", "line", json("\"hello\""));
    if !store.capabilities().messages {
        let refused = store.start_with_message(new("a")?, message()?).await;
        expect_error!(refused, Unsupported, "start with a message");
        expect_error!(store.get(&id("a")?).await, NotFound, "nothing is started");
        return Ok(());
    }
    let a = id("a")?;
    let started = store.start_with_message(new("a")?, message()?).await?;
    let Started::Created(execution) = started else {
        return Err(Defect::new("a new execution is not `Created`".to_owned()));
    };
    expect_eq!(execution, store.get(&a).await?, "the started execution");
    expect_eq!(execution.changes, 1, "changes");
    let messages = store.messages(&a).await?;
    expect_eq!(ids(&messages), ["m1"], "messages");
    expect_eq!(messages[0].to, a, "addressee");
    expect_eq!(messages[0].sent_at, execution.created_at, "sent at");
    // Known from the start.
    send(&store, &a, "m1").await?;
    let other = NewMessage::new("m2", "line", json("2"))?;
    let again = store.start_with_message(new("a")?, other).await?;
    let Started::Existing(existing) = again else {
        return Err(Defect::new("an existing execution is `Created`".to_owned()));
    };
    expect_eq!(existing, execution, "the existing execution");
    expect_eq!(ids(&store.messages(&a).await?), ["m1"], "nothing is sent");
    let lease = store.claim(&a, at(1), TTL).await?;
    let (_, ack) = checkpoint_ack(&store, &lease.fence, asking(1, Vec::new(), 1, 0)).await?;
    expect_eq!(ids(&ack.messages), ["m1"], "waiting in the first run");
    Ok(())
}
