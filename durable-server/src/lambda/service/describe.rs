//! Responses of the read operations on one execution.

use serde_json::{Value, json};

use super::execution::Execution;
use super::head::Head;
use super::operation::seconds;

impl Execution {
    /// Builds the response of `GetDurableExecution`.
    pub(crate) fn describe(&self, with_data: bool) -> Value {
        let head = &self.head;
        let mut answer = head.summary();
        answer["Version"] = json!(head.version);
        answer["ExecutionDataIncluded"] = json!(with_data);
        answer["DurableConfig"] = json!({
            "ExecutionTimeout": head.timeout_seconds,
            "RetentionPeriodInDays": head.retention_days,
        });
        if let Some(trace) = &head.trace {
            answer["TraceHeader"] = json!({ "XAmznTraceId": trace });
        }
        if let Some(deadline) = head.deadline {
            answer["ExpectedExecutionTimeoutTimestamp"] = json!(seconds(deadline));
        }
        if let Some(pause) = &head.pause {
            answer["PauseDetails"] = json!({
                "PauseRequestTimestamp": seconds(pause.requested),
                "Reason": pause.reason,
                "ExecutionTimeoutPaused": pause.timeout_paused,
            });
        }
        if with_data {
            answer["InputPayload"] = json!(self.input());
        }
        if let (Some(ending), true) = (&head.ending, with_data) {
            if let Some(result) = &ending.result {
                answer["Result"] = json!(result);
            }
            if let Some(error) = &ending.error {
                answer["Error"] = json!(error);
            }
        }
        answer
    }
}

impl Head {
    /// Builds the entry of a list of executions.
    pub(crate) fn summary(&self) -> Value {
        let mut summary = json!({
            "DurableExecutionArn": self.arn,
            "DurableExecutionName": self.name,
            "FunctionArn": self.function_arn,
            "Status": self.status().name(),
            "StartTimestamp": seconds(self.started),
        });
        if let Some(ending) = &self.ending {
            summary["EndTimestamp"] = json!(seconds(ending.at));
        }
        summary
    }
}
