use super::*;
use crate::model::error::ErrorKind;

fn read(codec: &'static str, text: &str) -> Option<Recorded> {
    Recorded::read(named(codec, text.to_owned()))
}

fn value(codec: &'static str, text: &str) -> Option<Payload> {
    Some(named(codec, text.to_owned()))
}

#[test]
fn summaries_of_every_age_are_read() {
    let first = r#"{"reason":"all_completed","ended":[]}"#;
    let later = r#"{"abandoned":["b"],"ended":["a"],"reason":"min_successful_reached"}"#;
    for (codec, text) in [
        ("json", first),
        ("json", later),
        ("batch-summary", later),
        ("", later),
    ] {
        let Some(Recorded::Summary(summary)) = read(codec, text) else {
            unreachable!("{codec} {text}");
        };
        assert_eq!(summary.abandoned.len(), summary.ended.len());
    }
    let summary = Summary {
        reason: Reason::FailureToleranceExceeded,
        ended: ["a".to_owned()].into(),
        abandoned: HashSet::new(),
    };
    let written = summary.encode();
    assert_eq!(written.codec, "batch-summary");
    let Some(Recorded::Summary(again)) = Recorded::read(written) else {
        unreachable!();
    };
    assert_eq!((again.reason, again.ended), (summary.reason, summary.ended));
}

#[test]
fn damaged_records_are_not_read() {
    assert!(read("batch-summary", "{}").is_none());
    assert!(
        read(
            "batch",
            r#"{"all":[{"index":0}],"completionReason":"ALL_COMPLETED"}"#
        )
        .is_none()
    );
    assert!(read("batch", r#"{"all":[],"completionReason":"WHO_KNOWS"}"#).is_none());
}

#[test]
fn other_values_are_left_to_the_codec_of_the_user() {
    for (codec, text) in [("json", "[1,2]"), ("", "LINE:a"), ("line", "{}")] {
        let Some(Recorded::Encoded(payload)) = read(codec, text) else {
            unreachable!("{codec} {text}");
        };
        assert_eq!((&*payload.codec, &*payload.data), (codec, text.as_bytes()));
    }
}

#[test]
fn a_full_result_is_read_back_unchanged() {
    let error = OperationError::new("map/d", ErrorKind::TimedOut, "too \"late\"");
    let outcomes = [
        BranchOutcome::Succeeded(()),
        BranchOutcome::Succeeded(()),
        BranchOutcome::Succeeded(()),
        BranchOutcome::Failed(error.clone()),
        BranchOutcome::Abandoned,
        BranchOutcome::NotStarted,
    ];
    let values = [
        value("json", "18446744073709551616.50"),
        value("", " spaced "),
        value("text", "3"),
        None,
        None,
        None,
    ];
    let keys = ["a", "\"b\"", "c", "d", "e", "f"];
    let branches = keys.into_iter().zip(&outcomes).zip(values.clone());
    let branches = branches.map(|((key, outcome), value)| (key, outcome, value));
    let whole = FullResult::encode(Reason::AllCompleted, branches).unwrap();
    let text = std::str::from_utf8(&whole.data).unwrap();
    assert!(
        text.contains(r#""result":18446744073709551616.50}"#),
        "{text}"
    );
    assert!(text.contains(r#""codec":"text","result":"3"}"#), "{text}");
    for codec in ["batch", "", "json"] {
        let Some(Recorded::FullResult(read)) = read(codec, text) else {
            unreachable!("{codec}");
        };
        assert_eq!(read.reason, Reason::AllCompleted);
        assert_eq!(read.branches.len(), 5);
        // A value that is embedded as JSON loses the name of its codec.
        let first = Payload {
            codec: "".into(),
            ..values[0].clone().unwrap()
        };
        let expected = [
            Some(Outcome::Value(first)),
            values[1].clone().map(Outcome::Value),
            values[2].clone().map(Outcome::Value),
            Some(Outcome::Error(error.clone())),
            None,
        ];
        for (key, outcome) in keys.iter().zip(expected) {
            assert_eq!(read.branches[*key], outcome, "{key}");
        }
    }
}

#[test]
fn a_value_that_is_not_text_has_no_full_result() {
    let bytes = Payload {
        codec: "raw".into(),
        data: vec![0xff].into(),
    };
    for value in [Some(bytes), None] {
        let branches = [("a", &BranchOutcome::Succeeded(()), value)].into_iter();
        assert_eq!(FullResult::encode(Reason::AllCompleted, branches), None);
    }
}
