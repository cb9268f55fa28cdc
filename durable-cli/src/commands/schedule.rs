//! `durable schedule`: lists, sets, pauses, backfills and removes schedules.

use durable_core::schedule::{self, Backfilled, InvalidSchedule, Schedule};
use durable_core::{Client, Payload, RunError};

use crate::args::{Backfill, CatchUp, Overlap, ScheduleCommand, SetSchedule, values};
use crate::error::failed;
use crate::json::{BackfillResult, Schedules, print_json};
use crate::render::{self, Style};
use crate::{CliError, store};

pub(crate) async fn run(
    url: &str,
    args: ScheduleCommand,
    style: Style,
) -> Result<String, CliError> {
    let client = Client::new(store::open(url).await?);
    let (done, text) = match args {
        ScheduleCommand::Ls { json } => {
            let schedules = client.schedules().await.map_err(failed)?;
            return match json {
                true => print_json(&Schedules::new(&schedules)),
                false => Ok(render::schedules(&schedules, style)),
            };
        }
        ScheduleCommand::Backfill(args) => return backfill(&client, args).await,
        ScheduleCommand::Set(args) => return set(&client, *args).await,
        ScheduleCommand::Pause { name } => (
            client.pause_schedule(&name, true).await,
            format!("schedule {name} is paused\n"),
        ),
        ScheduleCommand::Resume { name } => (
            client.pause_schedule(&name, false).await,
            format!("schedule {name} is resumed\n"),
        ),
        ScheduleCommand::Rm { name } => (
            client.unschedule(&name).await,
            format!("schedule {name} was removed\n"),
        ),
    };
    done.map_err(refused)?;
    Ok(text)
}

async fn backfill(client: &Client, args: Backfill) -> Result<String, CliError> {
    let backfill = client.backfill(&args.name, args.from..args.to);
    let backfill = backfill.limit(args.limit);
    let done = match args.dry_run {
        true => {
            let mut done = Backfilled::default();
            done.started = backfill.ids().await.map_err(refused)?;
            done
        }
        false => backfill.await.map_err(refused)?,
    };
    if args.json {
        return print_json(&BackfillResult::new(args.dry_run, &done));
    }
    let would = if args.dry_run {
        "would start"
    } else {
        "started"
    };
    let started = done.started.iter().map(|id| format!("{would} {id}\n"));
    let existing = done.existing.iter();
    let existing = existing.map(|id| format!("{id} was started before\n"));
    let text: String = started.chain(existing).collect();
    Ok(match text.is_empty() {
        true => format!("schedule {} has no past times in this range\n", args.name),
        false => text,
    })
}

async fn set(client: &Client, args: SetSchedule) -> Result<String, CliError> {
    let (name, handler, input) = (args.name.clone(), args.handler.clone(), args.input.clone());
    let labels = values::labels(args.labels.clone()).map_err(CliError::Usage)?;
    let schedule = plan(args).map_err(|error| CliError::Usage(error.to_string()))?;
    let schedule = schedule.labels(labels);
    let input = Payload::json(serde_json::to_vec(&input)?);
    let set = client.schedule_named(&name, &handler, input, &schedule);
    set.await.map_err(refused)?;
    Ok(format!("schedule {name}: {}\n", schedule.describe()))
}

fn plan(args: SetSchedule) -> Result<Schedule, InvalidSchedule> {
    let mut schedule = match (args.cron, args.every) {
        (Some(expression), _) => Schedule::cron(expression)?.zone(args.zone)?,
        (None, every) => Schedule::every(every.unwrap_or_default())?,
    };
    schedule = schedule
        .overlap(match args.overlap {
            Overlap::Skip => schedule::Overlap::Skip,
            Overlap::Allow => schedule::Overlap::Allow,
            Overlap::CancelOther => schedule::Overlap::CancelOther,
        })
        .catch_up(match args.catch_up {
            CatchUp::Latest => schedule::CatchUp::Latest,
            CatchUp::All => schedule::CatchUp::All,
            CatchUp::Skip => schedule::CatchUp::Skip,
        });
    Ok(match args.queue.entry() {
        Some(entry) => schedule.queue(entry),
        None => schedule,
    })
}

fn refused(error: RunError) -> CliError {
    CliError::Store(error.into())
}
