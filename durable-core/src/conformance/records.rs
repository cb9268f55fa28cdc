//! Records: every field and value survives a round trip.

use std::time::Duration;

use super::fixture::{NOW, at, batch, checkpoint, json, load_all, start_and_claim, step};
use super::{Outcome, Store, expect_eq};
use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::{ErrorKind, Fingerprint, Occurrence, OperationId, Timestamp};

/// Writes the records in one batch and checks that they come back unchanged.
async fn kept(store: &Store, records: Vec<Record>) -> Outcome {
    let lease = start_and_claim(store, "a").await?;
    let fence = checkpoint(store, &lease.fence, batch(1, records.clone())).await?;
    let found = load_all(store, &fence, 0).await?;
    expect_eq!(found.len(), records.len(), "number of records");
    for (found, expected) in found.iter().zip(&records) {
        expect_eq!(found, expected, "a record");
    }
    Ok(())
}

/// Numbers the records consecutively.
fn numbered(variants: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let numbers = 1..;
    let number = |(seq, mut record): (u64, Record)| {
        record.seq = seq;
        record
    };
    numbers.zip(variants).map(number).collect()
}

pub(super) async fn every_kind_and_status_is_kept(store: Store) -> Outcome {
    let mut variants = Vec::new();
    for kind in Kind::ALL {
        for status in Status::ALL {
            let mut record = step(1, "1");
            (record.kind, record.status) = (kind, status);
            variants.push(record);
        }
    }
    kept(&store, numbered(variants)).await
}

pub(super) async fn every_field_is_kept(store: Store) -> Outcome {
    let scope = OperationId::of(
        OperationId::ROOT,
        "files",
        &Occurrence::Keyed("a.csv".into()),
    );
    let id = OperationId::of(scope, "parse", &Occurrence::Once);
    let bare = Record::started(1, id, scope, Kind::Step, "parse", Occurrence::Once, NOW);
    let mut error = OperationError::new("files[a.csv]/parse", ErrorKind::Interrupted, "cut off");
    (error.attempts, error.type_name) = (3, "app::Error".to_owned());
    error.chain = vec!["disk".to_owned(), String::new()];
    let mut full = bare.clone();
    full.label = Some("parse a.csv".to_owned());
    (full.order, full.attempt, full.interruptions) = (12, 3, 2);
    full.status = Status::Pending;
    (full.ended_at, full.due_at) = (Some(at(1)), Some(at(5)));
    full.value_type = Some("alloc::vec::Vec<app::Row>".into());
    full.state_type = Some("app::Cursor".into());
    full.payload = Some(json("[]"));
    full.error = Some(error);
    (full.secret, full.source) = (true, "src/etl.rs:31".into());
    full.fingerprint = Some(Fingerprint::from_bytes([0xf7; 16]));
    full.handle = Some("a:1:of whom".to_owned());
    (full.deadline, full.extent) = (Some(at(60)), Some(u64::MAX));
    full.heartbeat = Some(Duration::new(30, 1));
    kept(&store, numbered([bare, full])).await
}

pub(super) async fn every_occurrence_is_kept(store: Store) -> Outcome {
    let occurrences = [
        Occurrence::Once,
        Occurrence::Ordered(0),
        Occurrence::Ordered(u64::MAX),
        Occurrence::Keyed(String::new()),
        Occurrence::Keyed("0".to_owned()),
        Occurrence::Keyed("schlüssel/42".to_owned()),
    ];
    let records = occurrences.map(|occurrence| {
        let mut record = step(1, "1");
        record.occurrence = occurrence;
        record
    });
    kept(&store, numbered(records)).await
}

pub(super) async fn every_form_of_payload_is_kept(store: Store) -> Outcome {
    let payloads = [
        None,
        Some(json("")),
        Some(json("\"Grüße, 世界 🎉\"")),
        Some(json((0..=255).collect::<Vec<u8>>())),
        Some(Payload {
            codec: "app/protobuf; v=2".into(),
            data: vec![0, 0].into(),
        }),
        Some(Payload {
            codec: "".into(),
            data: "x".into(),
        }),
    ];
    let records = payloads.map(|payload| {
        let mut record = step(1, "");
        record.payload = payload;
        record
    });
    kept(&store, numbered(records)).await
}

pub(super) async fn every_form_of_text_is_kept(store: Store) -> Outcome {
    let texts = [
        "",
        "naïve 世界 🎉",
        "it's; DROP TABLE \"x\" -- %s",
        "two\nlines\t",
        "before\0after",
    ];
    let records = texts.map(|text| {
        let mut record = step(1, "1");
        (record.name, record.source) = (text.into(), text.into());
        record.label = Some(text.to_owned());
        record.value_type = Some(text.into());
        record.occurrence = Occurrence::Keyed(text.to_owned());
        record.error = Some(OperationError::new(text, ErrorKind::Failed, text));
        record
    });
    kept(&store, numbered(records)).await
}

pub(super) async fn a_sealed_error_is_kept(store: Store) -> Outcome {
    let mut record = step(1, "1");
    let error = OperationError::new("load", ErrorKind::TimedOut, "took 5 s");
    record.error = Some(error.seal(Payload {
        codec: "json+aes-gcm:k1".into(),
        data: (0..=255).collect::<Vec<u8>>().into(),
    }));
    kept(&store, vec![record]).await
}

pub(super) async fn extreme_numbers_are_kept(store: Store) -> Outcome {
    let mut low = step(1, "1");
    low.started_at = Timestamp::from_millis(i64::MIN);
    (low.ended_at, low.due_at) = (Some(Timestamp::from_millis(-1)), Some(Timestamp::default()));
    low.id = OperationId::from_bytes([255; 16]);
    let mut high = step(1, "1");
    high.started_at = Timestamp::from_millis(i64::MAX);
    (high.order, high.attempt, high.interruptions) = (u64::MAX, u32::MAX, u32::MAX);
    kept(&store, numbered([low, high])).await
}
