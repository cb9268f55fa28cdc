//! Parses histories written by `durable show ID --json`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::error::{ErrorKind, OperationError};
use crate::model::json::Exact;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::store::{Execution, ExecutionStatus, NewExecution};
use crate::{ExecutionId, Fingerprint, Occurrence, OperationId, Timestamp};

/// Codec of a value that the file leaves out. No codec has this name.
const HIDDEN: &str = "hidden";

/// An exported execution.
pub(super) struct Export {
    pub(super) execution: Execution,
    pub(super) records: Vec<Record>,
    /// Operations whose value is left out, with the reason.
    pub(super) hidden: BTreeMap<OperationId, String>,
    /// Reason why the input is left out, if it is.
    pub(super) input_hidden: Option<String>,
}

impl Export {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file = Exact::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        if file["format"].as_u64() != Some(1) {
            return Err(
                "it is not a history: write one with `durable show ID --json --full`".into(),
            );
        }
        let fields = &file["execution"];
        let (input, input_hidden) = match payload(&fields["input"])? {
            Ok(input) => (input, None),
            Err(why) => (Payload::json("null"), Some(why)),
        };
        let mut execution = Execution::queued(NewExecution::new(
            parsed::<ExecutionId>(fields, "id")?,
            text_of(fields, "handler")?,
            input,
            time(fields, "created_at")?.ok_or("`created_at` is missing")?,
        ));
        let input_type = fields["input_type"].as_str();
        execution.input_type = input_type.map(|name| name.to_owned().into());
        let status = text_of(fields, "status")?;
        execution.status = ExecutionStatus::from_word(status)
            .ok_or_else(|| format!("unknown status `{status}`"))?;
        execution.updated_at = time(fields, "updated_at")?.unwrap_or(execution.created_at);
        execution.output = payload_if_any(&fields["output"])?.and_then(Result::ok);
        execution.error = failure(&fields["error"])?;
        execution.next = match fields["next"].as_str() {
            Some(_) => Some(parsed(fields, "next")?),
            None => None,
        };
        let operations = file["operations"]
            .as_list()
            .ok_or("`operations` is missing")?;
        let (mut records, mut hidden) = (Vec::new(), BTreeMap::new());
        for operation in operations {
            let path = operation["path"].as_str().unwrap_or("?");
            let (record, why) = record(operation).map_err(|error| format!("`{path}`: {error}"))?;
            hidden.extend(why.map(|why| (record.id, why)));
            records.push(record);
        }
        Ok(Self {
            execution,
            records,
            hidden,
            input_hidden,
        })
    }
}

fn record(of: &Exact) -> Result<(Record, Option<String>), String> {
    let kind = text_of(of, "kind")?;
    let kind = Kind::from_word(kind).ok_or_else(|| format!("unknown kind `{kind}`"))?;
    let status = text_of(of, "status")?;
    let occurrence = match (of["key"].as_str(), of["turn"].as_u64()) {
        (Some(key), _) => Occurrence::Keyed(key.to_owned()),
        (None, Some(turn)) => Occurrence::Ordered(turn),
        (None, None) => Occurrence::Once,
    };
    let parent = match of["parent"].as_str() {
        Some(parent) => id(parent)?,
        None => OperationId::ROOT,
    };
    let seq = of["seq"].as_u64().ok_or("`seq` is missing")?;
    let mut record = Record::started(
        seq,
        id(text_of(of, "id")?)?,
        parent,
        kind,
        text_of(of, "name")?.to_owned(),
        occurrence,
        time(of, "started_at")?.ok_or("`started_at` is missing")?,
    );
    record.status =
        Status::from_word(status).ok_or_else(|| format!("unknown status `{status}`"))?;
    // Files from before `order` was exported list the records in order.
    record.order = of["order"].as_u64().unwrap_or(seq);
    record.label = of["label"].as_str().map(str::to_owned);
    record.attempt = count(of, "attempts");
    record.interruptions = count(of, "interruptions");
    record.ended_at = time(of, "ended_at")?;
    record.due_at = time(of, "due_at")?;
    record.deadline = time(of, "deadline")?;
    record.heartbeat = of["heartbeat_ms"].as_u64().map(Duration::from_millis);
    record.handle = of["handle"].as_str().map(str::to_owned);
    record.extent = of["extent"].as_u64();
    if let Some(print) = of["fingerprint"].as_str() {
        let print = bytes_of(print).and_then(|bytes| bytes.try_into().ok());
        let print = print.ok_or("invalid `fingerprint`: expected 64 hexadecimal digits")?;
        record.fingerprint = Some(Fingerprint::from_bytes(print));
    }
    record.value_type = of["value_type"].as_str().map(|name| name.to_owned().into());
    record.state_type = of["state_type"].as_str().map(|name| name.to_owned().into());
    record.secret = of["secret"].as_bool().unwrap_or_default();
    record.source = of["source"].as_str().unwrap_or_default().to_owned().into();
    record.error = failure(&of["error"])?;
    let hidden = match payload_if_any(&of["value"])? {
        None => None,
        Some(Ok(payload)) => {
            record.payload = Some(payload);
            None
        }
        Some(Err(why)) => {
            record.payload = Some(Payload {
                codec: HIDDEN.into(),
                data: bytes::Bytes::new(),
            });
            Some(why)
        }
    };
    Ok((record, hidden))
}

fn payload_if_any(of: &Exact) -> Result<Option<Result<Payload, String>>, String> {
    if of.is_null() {
        return Ok(None);
    }
    payload(of).map(Some)
}

/// Returns the value, or the reason why the file leaves it out.
fn payload(of: &Exact) -> Result<Result<Payload, String>, String> {
    let codec = text_of(of, "codec")?.to_owned();
    let data = match (
        of["text"].as_str(),
        of["hex"].as_str(),
        of["hidden"].as_str(),
    ) {
        (Some(text), ..) => text.as_bytes().to_vec(),
        (None, Some(hex), _) => {
            bytes_of(hex).ok_or("invalid value: expected pairs of hexadecimal digits")?
        }
        (None, None, None) => of["json"].to_string().into_bytes(),
        (None, None, Some("long")) => {
            return Ok(Err("it is too long to be exported without `--full`".into()));
        }
        (None, None, Some(why)) => return Ok(Err(format!("it is {why}"))),
    };
    Ok(Ok(Payload {
        codec: codec.into(),
        data: data.into(),
    }))
}

fn failure(of: &Exact) -> Result<Option<OperationError>, String> {
    if of.is_null() {
        return Ok(None);
    }
    let word = text_of(of, "kind")?;
    let kind =
        ErrorKind::from_word(word).ok_or_else(|| format!("unknown kind of error `{word}`"))?;
    let message = of["message"].as_str().unwrap_or("(secret)");
    let mut error = OperationError::new(text_of(of, "operation")?, kind, message);
    error.attempts = count(of, "attempts");
    error.type_name = of["type_name"].as_str().unwrap_or_default().to_owned();
    let chain = of["chain"].as_list().into_iter().flatten();
    error.chain = chain.filter_map(Exact::as_str).map(str::to_owned).collect();
    Ok(Some(error))
}

fn text_of<'a>(of: &'a Exact, field: &str) -> Result<&'a str, String> {
    of[field]
        .as_str()
        .ok_or_else(|| format!("`{field}` is missing"))
}

fn parsed<T: std::str::FromStr>(of: &Exact, field: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text_of(of, field)?
        .parse()
        .map_err(|error: T::Err| error.to_string())
}

fn count(of: &Exact, field: &str) -> u32 {
    let count = of[field].as_u64().unwrap_or_default();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn time(of: &Exact, field: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = of[field].as_str() else {
        return Ok(None);
    };
    match Timestamp::parse(text) {
        Some(time) => Ok(Some(time)),
        None => Err(format!("invalid `{field}`: {text:?} is not a timestamp")),
    }
}

fn id(text: &str) -> Result<OperationId, String> {
    let bytes = bytes_of(text).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(OperationId::from_bytes)
        .ok_or_else(|| format!("invalid operation id {text:?}: expected 32 hexadecimal digits"))
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
