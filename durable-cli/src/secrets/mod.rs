//! What must not be shown.

mod leaves;

use std::collections::BTreeSet;

use durable_core::json::Exact;
use durable_core::store::Execution;
use durable_core::{Codec as _, MessagePack, OperationError, Payload, Record};

use leaves::Leaves;

/// Shorter texts are found everywhere and give nothing away.
const SHORTEST: usize = 4;

/// The texts that the secret operations of one execution hold.
///
/// The mark is on the operation, but its value may be part of a scope's value and its error of the
/// execution's error. So whatever contains one of these texts is hidden as well.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeSet<String>);

impl Secrets {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut secrets = Self::default();
        for record in records.iter().filter(|record| record.secret) {
            // What is sealed gives nothing away, and is found nowhere else.
            let error = record.error.as_ref();
            if let Some(error) = error.filter(|error| error.sealed_with().is_none()) {
                secrets.add(error.message());
                error.chain().iter().for_each(|cause| secrets.add(cause));
            }
            let payload = record.payload.as_ref();
            if let Some(payload) = payload.filter(|payload| payload.sealed_with().is_none()) {
                secrets.add_payload(payload);
            }
        }
        secrets
    }

    pub(crate) fn hide_error(&self, error: &OperationError) -> bool {
        self.hide_text(error.message()) || error.chain().iter().any(|cause| self.hide_text(cause))
    }

    pub(crate) fn hide_bytes(&self, bytes: &[u8]) -> bool {
        !self.0.is_empty() && self.hide_text(&String::from_utf8_lossy(bytes))
    }

    pub(crate) fn hide_text(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret))
    }

    /// Whether the reason why an execution is blocked is to be hidden.
    pub(crate) fn hide_report(&self, execution: &Execution) -> bool {
        let report = execution.report.as_deref();
        report.is_some_and(|report| self.hide_text(report))
    }

    fn add_payload(&mut self, payload: &Payload) {
        if payload.codec == "msgpack"
            && let Ok(Leaves(leaves)) = MessagePack.decode(&payload.data)
        {
            return leaves.iter().for_each(|leaf| self.add(leaf));
        }
        match Exact::parse(&payload.data) {
            Ok(value) => self.add_leaves(&value),
            Err(_) => self.add(&String::from_utf8_lossy(&payload.data)),
        }
    }

    fn add_leaves(&mut self, value: &Exact) {
        match value {
            Exact::Text(text) => self.add(text),
            Exact::Number(digits) => self.add(digits),
            Exact::List(items) => items.iter().for_each(|item| self.add_leaves(item)),
            Exact::Object(fields) => fields.iter().for_each(|(_, field)| self.add_leaves(field)),
            Exact::Null | Exact::Bool(_) => {}
        }
    }

    /// Adds the text as it is and as JSON writes it.
    fn add(&mut self, text: &str) {
        if text.len() < SHORTEST {
            return;
        }
        let quoted = Exact::Text(text.to_owned()).to_string();
        self.0.insert(text.to_owned());
        self.0.insert(quoted[1..quoted.len() - 1].to_owned());
    }
}
