//! Handlers that pass samples through every place that stores a value. Shared by several test suites.

use std::fmt::Debug;

use durable::prelude::*;
use durable::{MessagePack, Raw};
use serde::{Deserialize, Serialize};

use super::World;
use super::sample::{Binary, Sample, bytes_of};

/// Tells the handler what to do with a sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Parcel {
    /// Pass it through every place.
    Carry(u64, Box<Sample>),
    /// Return it.
    Echo(Box<Sample>),
}

async fn sample(seed: u64) -> Result<Sample, BoxError> {
    Ok(Sample::of(seed))
}

/// Notes each value live and, because the handler waits in between and at the end, on replay.
#[durable]
pub(crate) async fn carry(world: &World, parcel: Parcel) -> Result<Sample, BoxError> {
    let (seed, given) = match parcel {
        Parcel::Carry(seed, given) => (seed, *given),
        Parcel::Echo(given) => return Ok(*given),
    };
    saw(world, "input", &given);
    let step = step!("step", sample(seed).await).await?;
    saw(world, "step", &step);
    let record = record!("record", Sample::of(seed)).await;
    saw(world, "record", &record);
    let scope = scope!("scope", { Ok::<_, BoxError>(Sample::of(seed)) }).await?;
    saw(world, "scope", &scope);
    let poll = poll!(
        "poll",
        every = Duration::from_secs(60),
        state = None::<Box<Sample>>,
        |state| {
            Ok::<_, String>(match state {
                None => ControlFlow::Continue(Some(Box::new(Sample::of(seed)))),
                Some(state) => ControlFlow::Break(*state),
            })
        }
    )
    .await?;
    saw(world, "poll", &poll);
    let map = map!("map", [seed], |seed| { Ok(Sample::of(seed)) }).await;
    saw(world, "map", &map.into_values()?[0]);
    let seeds = vec![seed];
    let batches = batches!("batches", seeds, |batch| Ok::<_, String>(Sample::of(
        batch[0]
    )))
    .await?;
    saw(world, "batches", &batches[0]);
    let call = call!("call", carry(Parcel::Echo(Box::new(Sample::of(seed))))).await?;
    saw(world, "call", &call);
    let echo = Parcel::Echo(Box::new(Sample::of(seed)));
    let invoke = invoke!("invoke", carry(echo)).await?;
    saw(world, "invoke", &invoke);
    let callback: Sample = callback!(
        "callback",
        submit = |id| world.answer(id.to_string(), &Sample::of(seed)).await
    )
    .await?;
    saw(world, "callback", &callback);
    wait!("night", Duration::from_secs(3600)).await;
    Ok(step)
}

/// Does the same for values that JSON cannot represent.
#[durable]
pub(crate) async fn carry_binary(world: &World, seed: u64) -> Result<String, BoxError> {
    let step = step!(
        "step",
        codec = MessagePack,
        Ok::<_, String>(Binary::of(seed))
    )
    .await?;
    saw(world, "step", &step);
    let record = record!("record", codec = MessagePack, Binary::of(seed)).await;
    saw(world, "record", &record);
    let scope = scope!("scope", codec = MessagePack, {
        Ok::<_, BoxError>(Binary::of(seed))
    })
    .await?;
    saw(world, "scope", &scope);
    let poll = poll!(
        "poll",
        every = Duration::from_secs(60),
        codec = MessagePack,
        state_codec = MessagePack,
        state = None::<Box<Binary>>,
        |state| {
            Ok::<_, String>(match state {
                None => ControlFlow::Continue(Some(Box::new(Binary::of(seed)))),
                Some(state) => ControlFlow::Break(*state),
            })
        }
    )
    .await?;
    saw(world, "poll", &poll);
    let map = map!("map", [seed], codec = MessagePack, |seed| {
        Ok(Binary::of(seed))
    })
    .await;
    saw(world, "map", &map.into_values()?[0]);
    let seeds = vec![seed];
    let batches = batches!("batches", seeds, codec = MessagePack, |batch| {
        Ok::<_, String>(Binary::of(batch[0]))
    })
    .await?;
    saw(world, "batches", &batches[0]);
    let raw = step!("raw", codec = Raw, Ok::<_, String>(bytes_of(seed))).await?;
    saw(world, "raw", &raw);
    let raws = map!("raws", [seed], codec = Raw, |seed| { Ok(bytes_of(seed)) }).await;
    saw(world, "raws", &raws.into_values()?[0]);
    let answer: Vec<u8> = callback!(
        "answer",
        codec = Raw,
        submit = |id| world.answer_bytes(id.to_string(), bytes_of(seed)).await
    )
    .await?;
    saw(world, "answer", &answer);
    wait!("night", Duration::from_secs(3600)).await;
    Ok(format!("{step:?}"))
}

fn saw(world: &World, place: &str, value: &impl Debug) {
    world.saw(place, format!("{value:?}"));
}

/// Describes values that differ from the expected ones, or that were not seen again on replay.
pub(crate) fn faults(seen: &[(String, String)], expected: impl Fn(&str) -> String) -> Vec<String> {
    let counts = super::sample::count(seen);
    let once = counts.iter().filter(|(_, count)| **count < 2);
    let once = once.map(|(place, _)| format!("{place} was not replayed"));
    let other = seen.iter().filter_map(|(place, value)| {
        let expected = expected(place);
        (*value != expected).then(|| {
            let same = value.chars().zip(expected.chars());
            let same = same.take_while(|(seen, given)| seen == given).count();
            let from = same.saturating_sub(60);
            let around = |text: &str| text.chars().skip(from).take(120).collect::<String>();
            let (given, seen) = (around(&expected), around(value));
            format!("{place}:\n  given …{given}\n  seen  …{seen}")
        })
    });
    once.chain(other).collect()
}
