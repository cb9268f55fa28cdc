//! Fixture: a fake with an execution whose first invocation has been taken.

use durable_lambda_tests::{
    Action, Client, Config, ExecutionHandle, Fake, Kind, Response, StepOptions, TakenInvocation,
    Update, WaitOptions,
};
use serde_json::{Value, json};

pub(crate) struct Fixture {
    pub(crate) fake: Fake,
    pub(crate) client: Client,
    pub(crate) execution: ExecutionHandle,
    pub(crate) invocation: TakenInvocation,
    pub(crate) token: String,
    calls: u32,
}

impl Fixture {
    pub(crate) async fn new(config: Config) -> Self {
        let fake = Fake::start(config).await;
        let client = Client::new(fake.address(), fake.credentials());
        let execution = fake.execute("order-1", &json!({ "id": 42 }));
        let invocation = client.next().await;
        Self {
            token: invocation.token().to_owned(),
            fake,
            client,
            execution,
            invocation,
            calls: 0,
        }
    }

    /// Makes a checkpoint call with a new client token, and keeps the new checkpoint token.
    pub(crate) async fn write(&mut self, updates: &[Update]) -> (u16, Value) {
        self.calls += 1;
        let client_token = format!("c{}", self.calls);
        let response = self.write_as(&client_token, updates).await;
        response.expect("a response")
    }

    pub(crate) async fn write_as(&mut self, client_token: &str, updates: &[Update]) -> Response {
        let arn = self.execution.arn();
        let response = self
            .client
            .checkpoint(arn, &self.token, client_token, updates)
            .await?;
        if let Some(token) = response.1["CheckpointToken"].as_str() {
            self.token = token.to_owned();
        }
        Some(response)
    }

    /// Ends the invocation and takes the next one.
    pub(crate) async fn suspend(&mut self) {
        self.client
            .respond(&self.invocation, json!({ "Status": "PENDING" }))
            .await;
        self.invocation = self.client.next().await;
        self.token = self.invocation.token().to_owned();
    }

    pub(crate) async fn finish(&self, output: Value) -> durable_lambda_tests::ExecutionOutcome {
        self.client.respond(&self.invocation, output).await;
        self.execution.outcome().await
    }
}

pub(crate) fn message((status, body): (u16, Value)) -> String {
    assert_eq!(status, 400, "{body}");
    let message = body.get("message").or_else(|| body.get("Message"));
    message
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn step(action: Action) -> Update {
    Update::new("s", Kind::Step, action)
}

pub(crate) fn retry(seconds: i64) -> Update {
    Update {
        step_options: Some(StepOptions {
            next_attempt_delay_seconds: Some(seconds),
        }),
        ..step(Action::Retry)
    }
}

pub(crate) fn wait(id: &str, seconds: i64) -> Update {
    Update {
        wait_options: Some(WaitOptions {
            wait_seconds: Some(seconds),
        }),
        ..Update::new(id, Kind::Wait, Action::Start)
    }
}

/// Returns the operation `id` of a checkpoint response.
pub(crate) fn operation<'a>(response: &'a Value, id: &str) -> &'a Value {
    let operations = response["NewExecutionState"]["Operations"].as_array();
    let operations = operations.map_or(&[][..], |all| all);
    operations
        .iter()
        .find(|operation| operation["Id"] == id)
        .unwrap_or(&Value::Null)
}
