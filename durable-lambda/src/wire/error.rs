//! Conversion of operation errors from and to the service's error objects.
//!
//! The service has fields for message and type. Everything else recorded about an error is stored as JSON in
//! `ErrorData`. An error from another source, such as the completer of a callback, has no such JSON.

use durable_core::{ErrorKind, OperationError};
use serde_json::{Map, Value};

use super::ErrorObject;

/// Converts an error to the object that is sent.
pub(crate) fn to_object(error: &OperationError) -> ErrorObject {
    let mut fields = match serde_json::to_value(error) {
        Ok(Value::Object(fields)) => fields,
        // Unreachable: an error serializes to a JSON object.
        _ => Map::new(),
    };
    fields.remove("message");
    ErrorObject {
        error_message: Some(error.message().to_owned()),
        error_type: Some(error_type(error)),
        error_data: Some(Value::Object(fields).to_string()),
        stack_trace: None,
    }
}

/// Converts an error object to an error. One that this library did not send becomes an error of `operation`, a display
/// name, with the given kind.
pub(crate) fn from_object(object: ErrorObject, kind: ErrorKind, operation: &str) -> OperationError {
    let message = object.error_message.unwrap_or_default();
    if let Some(error) = object
        .error_data
        .as_deref()
        .and_then(|data| from_error_data(data, &message))
    {
        return error;
    }
    OperationError::new(operation, kind, message)
        .with_type_name(object.error_type.unwrap_or_default())
}

fn from_error_data(data: &str, message: &str) -> Option<OperationError> {
    let mut fields: Map<String, Value> = serde_json::from_str(data).ok()?;
    if !fields.contains_key("operation") {
        return None;
    }
    fields.insert("message".to_owned(), message.into());
    serde_json::from_value(Value::Object(fields)).ok()
}

/// Returns the type name of the user's error, or a name for the engine's error kind.
fn error_type(error: &OperationError) -> String {
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
    fn own_errors_round_trip() {
        let error = OperationError::new("load[3]", ErrorKind::TimedOut, "too slow \"today\"")
            .with_type_name("app::Slow");
        let object = to_object(&error);
        assert_eq!(object.error_type.as_deref(), Some("app::Slow"));
        assert_eq!(object.error_message.as_deref(), Some("too slow \"today\""));
        assert_eq!(from_object(object, ErrorKind::Failed, "elsewhere"), error);
    }

    #[test]
    fn foreign_errors_keep_message_and_type() {
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
