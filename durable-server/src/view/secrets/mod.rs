//! Hides secret values wherever they appear.

mod leaves;

use std::collections::BTreeSet;

use durable_core::json::Exact;
use durable_core::store::Execution;
use durable_core::{Codec as _, MessagePack, OperationError, Payload, Record};

use leaves::Leaves;

/// Minimum length of a secret, in bytes. Shorter texts match too much and reveal nothing.
const MIN_LENGTH: usize = 4;

/// Texts of the secret operations of one execution.
///
/// Only the operation is marked as secret, but its value may be part of a scope's value and its error
/// part of the execution's error. Everything that contains one of these texts is hidden as well.
#[derive(Debug, Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Collects the texts of the secret operations in a history.
    pub fn of(records: &[Record]) -> Self {
        let mut secrets = Self::default();
        for record in records.iter().filter(|record| record.secret) {
            // Sealed values are unreadable and do not appear elsewhere.
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

    /// Whether the error contains a secret.
    pub fn hide_error(&self, error: &OperationError) -> bool {
        self.hide_text(error.message()) || error.chain().iter().any(|cause| self.hide_text(cause))
    }

    /// Whether the encoded value contains a secret.
    pub fn hide_bytes(&self, bytes: &[u8]) -> bool {
        !self.0.is_empty() && self.hide_text(&String::from_utf8_lossy(bytes))
    }

    /// Whether the text contains a secret.
    pub fn hide_text(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret))
    }

    /// Whether the report of a blocked execution contains a secret.
    pub fn hide_report(&self, execution: &Execution) -> bool {
        let report = execution.report.as_deref();
        report.is_some_and(|report| self.hide_text(report))
    }

    fn add_payload(&mut self, payload: &Payload) {
        if payload.codec == "msgpack"
            && let Ok(Leaves(leaves)) = MessagePack.decode(&payload.data)
        {
            return leaves.iter().for_each(|leaf| self.add(leaf));
        }
        match super::nesting::parse(&payload.data) {
            Some(value) => self.add_leaves(&value),
            None => self.add(&String::from_utf8_lossy(&payload.data)),
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

    /// Adds the text, as it is and escaped as in JSON.
    fn add(&mut self, text: &str) {
        if text.len() < MIN_LENGTH {
            return;
        }
        let quoted = Exact::Text(text.to_owned()).to_string();
        self.0.insert(text.to_owned());
        self.0.insert(quoted[1..quoted.len() - 1].to_owned());
    }
}
