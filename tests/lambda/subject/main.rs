//! Functions that the tests run on the fake. `SUBJECT` says which one; `SUBJECT_EFFECTS` is a file
//! that gets a line whenever a body begins.

mod handlers;
mod moves;

use std::fs::OpenOptions;
use std::io::Write;

use durable::lambda::function;
use durable::{BoxError, IntoHandler};
use handlers as h;

/// What the bodies do to the world.
pub(crate) struct World {
    effects: Option<String>,
}

impl World {
    /// Leaves a trace of a body.
    pub(crate) fn effect(&self, line: impl std::fmt::Display) {
        let Some(path) = &self.effects else { return };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("a file for effects");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("an effect");
    }

    /// How often a trace is there.
    pub(crate) fn count(&self, line: &str) -> usize {
        let path = self.effects.as_deref().unwrap_or_default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter(|known| *known == line).count()
    }
}

/// Runs one of the handlers, whatever its type.
macro_rules! choose {
    ($name:expr, [$($handler:ident),* $(,)?]) => {
        match $name {
            $(stringify!($handler) => run(h::$handler).await,)*
            other => Err(format!("there is no subject {other:?}").into()),
        }
    };
}

async fn run<F>(handler: F) -> Result<(), BoxError>
where
    F: IntoHandler,
    F::Handler: durable::Handler<World>,
{
    let world = World {
        effects: std::env::var("SUBJECT_EFFECTS").ok(),
    };
    let mut function = function(handler).state(world);
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
            together,
            waits,
            slices,
            killed,
            endless,
            value,
            result,
            quotes,
            errors,
            scoped,
            edited,
            edited_later,
            edited_retyped,
            leaves,
            approval,
            echoes,
            missing,
            flaky,
            breakfast,
            fan,
            once,
            swallowed,
            itemized,
            inlined,
            paid_inside,
            paid_outside,
        ]
    )
}
