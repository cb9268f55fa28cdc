//! Errors of operations as the service keeps them.
//!
//! Message and type are the service's own fields; all else that is recorded about an error travels as JSON in
//! `ErrorData`. An error that others made, such as a callback's, has no such JSON.

use durable_core::{ErrorKind, OperationError};
use serde_json::{Map, Value};

use super::ErrorObject;

/// The error as it is sent.
pub(crate) fn to_object(error: &OperationError) -> ErrorObject {
    let mut fields = match serde_json::to_value(error) {
        Ok(Value::Object(fields)) => fields,
        // It has nothing in it that JSON does not have.
        _ => Map::new(),
    };
    fields.remove("message");
    ErrorObject {
        error_message: Some(error.message().to_owned()),
        error_type: Some(type_of(error)),
        error_data: Some(Value::Object(fields).to_string()),
        stack_trace: None,
    }
}

/// The error that was sent, or the words of whoever made it, for the operation that is written `operation`.
pub(crate) fn from_object(object: ErrorObject, kind: ErrorKind, operation: &str) -> OperationError {
    let message = object.error_message.unwrap_or_default();
    if let Some(error) = object
        .error_data
        .as_deref()
        .and_then(|data| ours(data, &message))
    {
        return error;
    }
    OperationError::new(operation, kind, message)
        .with_type_name(object.error_type.unwrap_or_default())
}

fn ours(data: &str, message: &str) -> Option<OperationError> {
    let mut fields: Map<String, Value> = serde_json::from_str(data).ok()?;
    if !fields.contains_key("operation") {
        return None;
    }
    fields.insert("message".to_owned(), message.into());
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The type of the user's error, or the word for what the engine found.
fn type_of(error: &OperationError) -> String {
    let name = match error.kind() {
        _ if !error.type_name().is_empty() => error.type_name(),
        ErrorKind::Interrupted => "StepInterruptedError",
        ErrorKind::TimedOut => "TimeoutError",
        ErrorKind::TooLarge => "TooLargeError",
        ErrorKind::Codec => "SerdesError",
        ErrorKind::Cancelled => "CancelledError",
        _ => "Error",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_ours_comes_back_whole() {
        let error = OperationError::new("load[3]", ErrorKind::TimedOut, "too slow \"today\"")
            .with_type_name("app::Slow");
        let object = to_object(&error);
        assert_eq!(object.error_type.as_deref(), Some("app::Slow"));
        assert_eq!(object.error_message.as_deref(), Some("too slow \"today\""));
        assert_eq!(from_object(object, ErrorKind::Failed, "elsewhere"), error);
    }

    #[test]
    fn an_error_of_others_keeps_its_words() {
        for data in [None, Some("no json"), Some("{\"retry\":true}")] {
            let object = ErrorObject {
                error_message: Some("not approved".to_owned()),
                error_type: Some("RejectedError".to_owned()),
                error_data: data.map(str::to_owned),
                stack_trace: None,
            };
            let error = from_object(object, ErrorKind::Failed, "approval");
            assert_eq!(error.message(), "not approved");
            assert_eq!(error.type_name(), "RejectedError");
            assert_eq!(error.operation(), "approval");
        }
        let empty = from_object(ErrorObject::default(), ErrorKind::Failed, "approval");
        assert_eq!((empty.message(), empty.type_name()), ("", ""));
    }
}
