//! Messages to executions.

use std::collections::BTreeSet;

use durable_core::store::Message as Stored;
use durable_core::{Kind, Record};
use serde::Serialize;

use super::{FORMAT, Value};
use crate::view::Secrets;

/// Messages to an execution.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Messages {
    /// Number of the output format: [`FORMAT`].
    pub format: u32,
    /// Messages in the order in which they were accepted, received ones included.
    pub messages: Vec<Message>,
}

/// Message that an execution was sent.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Message {
    /// Position among the messages to the execution.
    pub number: u64,
    /// Id given by the sender. An execution takes each id once.
    pub id: String,
    /// Name under which it is received.
    pub name: String,
    /// Execution it was sent to: in a chain perhaps an earlier one.
    pub to: String,
    /// Time at which it was accepted.
    pub sent_at: String,
    /// `seq` of the operation that received it; `null` while it waits.
    pub received_by: Option<u64>,
    /// Value.
    pub value: Value,
}

impl Messages {
    /// Builds the listing; `records` tell what is secret. Long values are included only if `full`.
    pub fn new(messages: &[Stored], records: &[Record], full: bool) -> Self {
        let secrets = Secrets::of(records);
        let is_secret = |record: &&Record| record.kind == Kind::Receive && record.secret;
        let names: BTreeSet<&str> = records
            .iter()
            .filter(is_secret)
            .map(|record| &*record.name)
            .collect();
        let message = |message: &Stored| Message {
            number: message.number,
            id: message.id.clone(),
            name: message.name.clone(),
            to: message.to.to_string(),
            sent_at: message.sent_at.to_string(),
            received_by: message.received_by,
            value: Value::new(
                &message.payload,
                names.contains(message.name.as_str()),
                &secrets,
                full,
            ),
        };
        Self {
            format: FORMAT,
            messages: messages.iter().map(message).collect(),
        }
    }
}
