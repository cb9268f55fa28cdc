//! Lambda function that the tests run on the fake.
//!
//! `SUBJECT` selects the durable function. `SUBJECT_EFFECTS` is a file to which each body appends a line when it starts.

mod handlers;
mod moves;

use std::fs::OpenOptions;
use std::io::Write;

use durable::lambda::function;
use durable::{BoxError, IntoHandler};
use handlers as h;

/// Log of the bodies that have run, kept in a file across processes.
pub(crate) struct Effects {
    path: Option<String>,
}

impl Effects {
    /// Records an effect.
    pub(crate) fn record(&self, line: impl std::fmt::Display) {
        let Some(path) = &self.path else { return };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("effects file opens");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("effect is written");
    }

    /// Counts how often an effect is recorded.
    pub(crate) fn count(&self, line: &str) -> usize {
        let path = self.path.as_deref().unwrap_or_default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter(|known| *known == line).count()
    }
}

/// Runs the handler with the given name.
macro_rules! choose {
    ($name:expr, [$($handler:ident),* $(,)?]) => {
        match $name {
            $(stringify!($handler) => run(h::$handler).await,)*
            other => Err(format!("unknown subject {other:?}").into()),
        }
    };
}

async fn run<F>(handler: F) -> Result<(), BoxError>
where
    F: IntoHandler,
    F::Handler: durable::Handler<Effects>,
{
    let effects = Effects {
        path: std::env::var("SUBJECT_EFFECTS").ok(),
    };
    let mut function = function(handler).state(effects);
    if let Ok(most) = std::env::var("SUBJECT_MAX_OPERATIONS") {
        function = function.max_operations(most.parse()?);
    }
    if let Ok(millis) = std::env::var("SUBJECT_RESERVE_MILLIS") {
        function = function.reserve(std::time::Duration::from_millis(millis.parse()?));
    }
    function.run().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let name = std::env::var("SUBJECT")?;
    choose!(
        name.as_str(),
        [
            steps,
            concurrent_steps,
            waits,
            slow_steps,
            killed_once,
            never_ends,
            large_value,
            large_result,
            quoted_result,
            long_errors,
            large_scope,
            edited,
            edited_later,
            edited_retyped,
            continues_after_undoable_step,
            approval,
            invokes_echo,
            invokes_missing,
            flaky,
            breakfast,
            mapped_steps,
            charges_once,
            ignores_errors,
            itemized,
            inlined,
            paid_inside,
            paid_outside,
        ]
    )
}
