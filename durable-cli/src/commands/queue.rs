//! `durable queue`: lists queues and sets their limits.

use durable_core::store::Queue;

use crate::args::QueueCommand;
use crate::error::failed;
use crate::json::{Queues, print_json};
use crate::render::{self, Style};
use crate::{CliError, store};

pub(crate) async fn run(url: &str, args: QueueCommand, style: Style) -> Result<String, CliError> {
    let store = store::open(url).await?;
    let queues = store.queues().await.map_err(failed)?;
    let current = |name: &str| {
        let mut known = queues.iter().map(|state| &state.queue);
        known.find(|queue| queue.name == name).cloned()
    };
    let queue = match args {
        QueueCommand::Ls { json: true } => return print_json(&Queues::new(&queues)),
        QueueCommand::Ls { json: false } => return Ok(render::queues(&queues, style)),
        QueueCommand::Set {
            name,
            concurrency,
            per_key,
            rate,
        } => Queue {
            paused: current(&name).is_some_and(|queue| queue.paused),
            name,
            concurrency,
            concurrency_per_key: per_key,
            rate,
        },
        QueueCommand::Pause { name } => paused(current(&name), name, true),
        QueueCommand::Resume { name } => paused(current(&name), name, false),
        QueueCommand::Rm { name } => {
            store.remove_queue(&name).await.map_err(failed)?;
            return Ok(format!("queue {name} has no limits\n"));
        }
    };
    let text = format!("queue {}: {}\n", queue.name, render::limits(&queue));
    store.put_queue(queue).await.map_err(failed)?;
    Ok(text)
}

fn paused(current: Option<Queue>, name: String, paused: bool) -> Queue {
    Queue {
        paused,
        ..current.unwrap_or(Queue {
            name,
            ..Queue::default()
        })
    }
}
