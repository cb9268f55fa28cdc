//! `durable start`: starts an execution.

use durable_core::json::Exact;
use durable_core::store::{NewExecution, NewMessage, Started};
use durable_core::{Client, Clock, Payload, SystemClock};

use crate::args::{Start, values};
use crate::error::failed;
use crate::json::{StartResult, print_json};
use crate::{CliError, store};

pub(crate) async fn run(url: &str, args: Start) -> Result<String, CliError> {
    let client = Client::new(store::open(url).await?);
    let input = Payload::json(serde_json::to_vec(&args.input)?);
    let id = args.id.clone();
    let new = NewExecution {
        start_at: args.at,
        queue: args.queue.entry(),
        labels: values::labels(args.labels).map_err(CliError::Usage)?,
        ..NewExecution::new(args.id, args.handler, input, SystemClock.now())
    };
    let sends = args.message.is_some();
    let started = match args.message {
        None => client.start_new(new).await,
        Some((name, value)) => {
            let payload = Payload::json(serde_json::to_vec(&value)?);
            let message = match args.message_id {
                Some(id) => NewMessage::new(id, name, payload).map_err(failed)?,
                None => NewMessage::with_random_id(name, payload),
            };
            client.start_new_with_message(new, message).await
        }
    };
    let started = started.map_err(|error| CliError::Store(error.into()))?;
    let new = matches!(started, Started::Created(_));
    let output = match args.wait {
        false => None,
        true => {
            let outcome = client.outcome(&id).await;
            Some(outcome.map_err(|error| CliError::Store(error.into()))?)
        }
    };
    if args.json {
        let output = output
            .map(|output| Exact::parse(&output.data))
            .transpose()?;
        return print_json(&StartResult::new(&id, new, output));
    }
    Ok(match output {
        Some(output) => format!("{}\n", String::from_utf8_lossy(&output.data)),
        None if new => format!("started {id}\n"),
        None if sends => format!("{id} was started before, the message was sent to it\n"),
        None => format!("{id} was started before\n"),
    })
}
