//! Program for `bench/instructions`: `instructions STEPS REPLAYS` runs STEPS steps in memory and replays them REPLAYS times.

#[path = "../row.rs"]
mod row;
#[path = "../steps.rs"]
mod steps;

use durable::prelude::BoxError;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<u32> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let [steps, replays] = arguments[..] else {
        return Err("usage: instructions STEPS REPLAYS".into());
    };
    steps::run(steps, replays)
}
