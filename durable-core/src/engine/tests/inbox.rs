use super::*;
use crate::store::Message;

fn receive(name: &'static str) -> &'static Site {
    site(Kind::Receive, name)
}

fn message(number: u64, name: &str) -> Message {
    Message {
        number,
        to: "a".parse().unwrap(),
        id: number.to_string(),
        name: name.to_owned(),
        payload: payload("1"),
        sent_at: Timestamp::default(),
        received_by: None,
    }
}

impl Script {
    fn inside(&mut self, scope: ScopeIndex, site: &'static Site) -> OpIndex {
        self.engine.register(scope, site, RunKey::FromSite)
    }

    /// Writes what is queued, or asks for messages, and answers with these. Returns the operations that may continue.
    fn answer(&mut self, messages: Vec<Message>) -> (Batch, Vec<OpIndex>) {
        let batch = self.engine.take_batch(None);
        let batch = batch.unwrap_or_else(|| self.engine.refresh_batch());
        let ack = Ack {
            messages,
            ..Ack::default()
        };
        (Batch::clone(&batch), self.engine.acknowledge(&ack))
    }
}

#[test]
fn the_store_is_asked_once_until_it_has_answered() {
    let mut script = Script::new();
    let op = script.register(receive("line"));
    assert!(!script.engine.requests_messages());
    assert_eq!(script.decide(op), Decision::External(None));
    assert!(script.engine.requests_messages());
    let (batch, updated) = script.answer(Vec::new());
    assert_eq!((batch.messages_after, updated), (Some(0), vec![op]));
    assert!(!script.engine.requests_messages());
    assert_eq!(script.decide(op), Decision::External(None));
    let (batch, updated) = script.answer(vec![message(7, "line")]);
    assert_eq!(
        (batch.messages_after, updated.contains(&op)),
        (Some(0), true)
    );
    assert_eq!(script.decide(op), Decision::NotDurable);
    let (batch, _) = script.answer(Vec::new());
    assert_eq!(batch.messages_after, Some(7));
    assert_eq!(batch.records[0].received_message(), Some(7));
    assert_eq!(script.decide(op), value("1"));
}

#[test]
fn a_message_that_an_ended_scope_gives_back_wakes_another_receiver() {
    let mut script = Script::new();
    let scope = script.register(site(Kind::Scope, "arm"));
    let inside = script.engine.open_scope(scope);
    let loser = script.inside(inside, receive("line"));
    assert_eq!(script.decide(loser), Decision::External(None));
    script.answer(vec![message(1, "line")]);
    assert_eq!(script.decide(loser), Decision::NotDurable);
    let other = script.register(receive("line"));
    assert_eq!(script.decide(other), Decision::External(None));
    let now = script.time();
    script.engine.close(inside, now);
    let (batch, updated) = script.answer(Vec::new());
    let given_back = batch.records.iter().find(|record| record.handle.is_some());
    assert_eq!(given_back.unwrap().status, Status::Cancelled);
    assert!(updated.contains(&other), "{updated:?}");
    assert_eq!(script.decide(loser), Decision::Stopped);
    assert_eq!(script.decide(other), Decision::NotDurable);
}

#[test]
fn an_unread_message_of_an_earlier_invocation_is_asked_for_again() {
    let mut records = history(|script| {
        let scope = script.register(site(Kind::Scope, "arm"));
        let now = script.time();
        script.engine.enter(scope, now);
        let inside = script.engine.open_scope(scope);
        let op = script.inside(inside, receive("line"));
        script.decide(op);
        script.answer(vec![message(1, "line")]);
        script.decide(op);
    });
    records
        .iter_mut()
        .for_each(|record| record.order = record.seq);
    let mut script = Script::with(records, false);
    let scope = script.register(site(Kind::Scope, "arm"));
    let inside = script.engine.open_scope(scope);
    let loser = script.inside(inside, receive("line"));
    let other = script.register(receive("line"));
    script.decide(other);
    script.answer(Vec::new());
    let now = script.time();
    script.engine.close(inside, now);
    let (batch, _) = script.answer(vec![message(1, "line")]);
    assert_eq!(batch.messages_after, Some(0));
    assert_eq!(script.decide(loser), Decision::Stopped);
    assert_eq!(script.decide(other), Decision::NotDurable);
}
