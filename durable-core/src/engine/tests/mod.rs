//! Tests of the engine: scripts of registered operations and events, and its decisions.

mod drift;
mod inbox;
mod interruption;
mod moves;
mod published;
mod quota;
mod replay;
mod service;
mod write;

use std::time::Duration;

use super::{Begin, Conditions, Decision, Engine, OpIndex, Outcome, RunKey, ScopeIndex};
use crate::Timestamp;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::model::site::Site;
use crate::store::{Ack, Batch, Capabilities, Durability};

const ONCE: Conditions = Conditions {
    at_most_once: true,
    timeout: None,
};

/// Engine under test, with a clock that the script sets.
struct Script {
    engine: Engine,
    now: i64,
}

fn payload(text: &str) -> Payload {
    Payload {
        codec: "json".into(),
        data: text.to_owned().into(),
    }
}

fn value(text: &str) -> Decision {
    Decision::Recorded(Outcome::Value(payload(text)))
}

fn site(kind: Kind, name: &'static str) -> &'static Site {
    Box::leak(Box::new(Site::new(kind, name, "script.rs", 1)))
}

fn step(name: &'static str) -> &'static Site {
    site(Kind::Step, name)
}

impl Script {
    fn new() -> Self {
        Self::with(Vec::new(), false)
    }

    fn with(history: Vec<Record>, was_interrupted: bool) -> Self {
        let limits = Capabilities::unlimited(Durability::Memory).with_max_value(100);
        Self::limited(history, was_interrupted, limits)
    }

    fn limited(history: Vec<Record>, was_interrupted: bool, limits: Capabilities) -> Self {
        Self {
            engine: Engine::new(history, was_interrupted, limits),
            now: 1_000,
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn register(&mut self, site: &'static Site) -> OpIndex {
        self.engine
            .register(ScopeIndex::ROOT, site, RunKey::FromSite)
    }

    fn register_key(&mut self, site: &'static Site, key: &str) -> OpIndex {
        self.engine
            .register(ScopeIndex::ROOT, site, RunKey::Key(key.into()))
    }

    fn decide(&mut self, id: OpIndex) -> Decision {
        let now = self.time();
        self.engine.decide(id, || now)
    }

    fn begin(&mut self, id: OpIndex) -> Begin {
        let now = self.time();
        self.engine.begin(id, Conditions::default(), now)
    }

    fn succeed(&mut self, id: OpIndex, text: &str) {
        let now = self.time();
        self.engine.succeed(id, payload(text), "T", now);
    }

    fn fail(&mut self, id: OpIndex, message: &str) {
        let now = self.time();
        let error = OperationError::new("s", ErrorKind::Failed, message);
        self.engine.fail(id, error, now);
    }

    fn retry(&mut self, id: OpIndex, millis: u64) {
        let now = self.time();
        let error = OperationError::new("s", ErrorKind::Failed, "again");
        self.engine
            .retry(id, error, Duration::from_millis(millis), now);
    }

    /// Writes and acknowledges what is queued.
    fn commit(&mut self) -> Vec<Record> {
        let Some(batch) = self.engine.take_batch(None) else {
            return Vec::new();
        };
        self.engine.acknowledge(&Ack::default());
        Batch::clone(&batch).records
    }

    /// Runs a step to its end.
    fn run(&mut self, site: &'static Site, text: &str) -> OpIndex {
        let id = self.register(site);
        assert_eq!(self.decide(id), Decision::Run);
        self.begin(id);
        self.succeed(id, text);
        id
    }
}

/// Returns the history that a script leaves.
fn history(script: impl FnOnce(&mut Script)) -> Vec<Record> {
    let mut first = Script::new();
    script(&mut first);
    let mut records: Vec<Record> = Vec::new();
    loop {
        let written = first.commit();
        if written.is_empty() {
            break;
        }
        for record in written {
            records.retain(|old| old.seq != record.seq);
            records.push(record);
        }
    }
    records.sort_by_key(|record| record.seq);
    records
}

/// Returns the record of a step whose START was written before its process was killed.
fn interrupted(name: &'static str, interruptions: u32) -> Vec<Record> {
    let mut records = history(|script| {
        let id = script.register(step(name));
        script.begin(id);
    });
    assert_eq!(records[0].status, Status::Started);
    records[0].interruptions = interruptions;
    records
}
