//! A fake with an execution whose first invocation is taken.

use durable_lambda_tests::{
    Action, Answer, Client, Config, Fake, Kind, Started, StepOptions, Taken, Update, WaitOptions,
};
use serde_json::{Value, json};

pub(crate) struct Bench {
    pub(crate) fake: Fake,
    pub(crate) client: Client,
    pub(crate) started: Started,
    pub(crate) taken: Taken,
    pub(crate) token: String,
    calls: u32,
}

impl Bench {
    pub(crate) async fn new(config: Config) -> Self {
        let fake = Fake::start(config).await;
        let client = Client::new(fake.address(), fake.credentials());
        let started = fake.execute("order-1", &json!({ "id": 42 }));
        let taken = client.next().await;
        Self {
            token: taken.token().to_owned(),
            fake,
            client,
            started,
            taken,
            calls: 0,
        }
    }

    /// Makes a checkpoint call as a good client does, and keeps the new token.
    pub(crate) async fn write(&mut self, updates: &[Update]) -> (u16, Value) {
        self.calls += 1;
        let client_token = format!("c{}", self.calls);
        let answer = self.write_as(&client_token, updates).await;
        answer.expect("an answer")
    }

    pub(crate) async fn write_as(&mut self, client_token: &str, updates: &[Update]) -> Answer {
        let arn = self.started.arn();
        let answer = self
            .client
            .checkpoint(arn, &self.token, client_token, updates)
            .await?;
        if let Some(token) = answer.1["CheckpointToken"].as_str() {
            self.token = token.to_owned();
        }
        Some(answer)
    }

    /// Ends the invocation and takes the next one.
    pub(crate) async fn suspend(&mut self) {
        self.client
            .respond(&self.taken, json!({ "Status": "PENDING" }))
            .await;
        self.taken = self.client.next().await;
        self.token = self.taken.token().to_owned();
    }

    pub(crate) async fn finish(&self, output: Value) -> durable_lambda_tests::Ended {
        self.client.respond(&self.taken, output).await;
        self.started.ended().await
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

/// The operation `id` in a checkpoint's answer.
pub(crate) fn operation<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let operations = answer["NewExecutionState"]["Operations"].as_array();
    let operations = operations.map_or(&[][..], |all| all);
    operations
        .iter()
        .find(|operation| operation["Id"] == id)
        .unwrap_or(&Value::Null)
}
