//! Random nested programs of durable operations. Shared by several test suites.

use durable::StepInfo;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

use super::World;

/// A program of durable operations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Node {
    Step(u32),
    Flaky(u32),
    Recorded(u32),
    Message(u32),
    Wait(u32),
    Poll(u32),
    Callback(u32),
    Fail(u32),
    Sequence(Vec<Node>),
    Scope(Box<Node>),
    Join(Box<Node>, Box<Node>),
    Map(Vec<Node>),
    Parallel(Box<Node>, Box<Node>),
    Race(Box<Node>),
    Batches(u32),
    Invoke(Box<Node>),
    Undone(u32),
    Flat(Vec<Node>),
    OneByOne(Vec<Node>),
    Large(Box<Node>),
    Caught(Box<Node>),
}

impl Node {
    /// A program of at most this depth, chosen by the generator.
    pub(crate) fn random(random: &mut fastrand::Rng, depth: u32, fails: bool) -> Self {
        let leaf = depth == 0 || random.u32(..3) == 0;
        let n = random.u32(..100);
        let inner = |random: &mut fastrand::Rng| Box::new(Self::random(random, depth - 1, fails));
        let some = |random: &mut fastrand::Rng| {
            let count = random.usize(1..4);
            (0..count)
                .map(|_| Self::random(random, depth - 1, fails))
                .collect()
        };
        if fails && random.u32(..8) == 0 {
            return Self::Fail(n);
        }
        match random.u32(..if leaf { 8 } else { 19 }) {
            0 => Self::Step(n),
            1 => Self::Flaky(n),
            2 if World::MESSAGES && n % 2 == 1 => Self::Message(n),
            2 => Self::Recorded(n),
            3 => Self::Wait(n),
            4 => Self::Poll(n % 4),
            5 => Self::Batches(n),
            6 => Self::Callback(n),
            7 => Self::Undone(n),
            8 => Self::Sequence(some(random)),
            9 => Self::Scope(inner(random)),
            10 => Self::Join(inner(random), inner(random)),
            11 => Self::Map(some(random)),
            12 => Self::Parallel(inner(random), inner(random)),
            13 => Self::Race(inner(random)),
            14 => Self::Flat(some(random)),
            15 => Self::OneByOne(some(random)),
            16 => Self::Large(inner(random)),
            17 => Self::Caught(inner(random)),
            _ => Self::Invoke(inner(random)),
        }
    }
}

#[durable]
pub(crate) async fn run(world: &World, node: Node) -> Result<String, BoxError> {
    Ok(match node {
        Node::Fail(n) => step!("fail", retry = Retry::none(), |step| fail(world, step, n)).await?,
        Node::Callback(n) => {
            let answer: u32 = callback!(
                "callback",
                submit = |id| world.answer(id.to_string(), n).await
            )
            .await?;
            format!("c{answer}")
        }
        Node::Step(n) => {
            publish!("last", n)?;
            let done = step!("step", |step| {
                publish!("inside", n)?;
                note(world, step, n).await
            })
            .await?;
            publish!("last", n + 1)?;
            done
        }
        Node::Message(n) => {
            // All messages of one name are equal, so it does not matter who receives which.
            let (to, name) = (execution!().id().to_string(), format!("m{n}"));
            send!(to, "to_self", message = &name, n).await?;
            let received: u32 = receive!("from_self", message = &name).await?;
            format!("m{received}")
        }
        Node::Flaky(n) => {
            let hour = Retry::fixed(Duration::from_secs(3600)).attempts(2);
            step!("flaky", retry = hour, |step| {
                if step.attempt() == 1 {
                    Err("not yet")?;
                }
                Ok(note(world, step, n).await?)
            })
            .await?
        }
        Node::Recorded(n) => format!("r{}", record!("recorded", n * 2).await),
        Node::Wait(n) => {
            wait!("wait", Duration::from_secs(u64::from(n))).await;
            format!("w{n}")
        }
        Node::Poll(n) => {
            let checks = poll!(
                "poll",
                every = Duration::from_secs(3600),
                state = 0_u32,
                |state| {
                    if state >= n {
                        Ok::<_, String>(std::ops::ControlFlow::Break(state))
                    } else {
                        Ok(std::ops::ControlFlow::Continue(state + 1))
                    }
                }
            )
            .await?;
            format!("p{checks}")
        }
        Node::Batches(n) => {
            let items: Vec<u32> = (0..n).collect();
            let sums = batches!("batches", items, |batch| Ok::<u32, String>(
                batch.iter().sum()
            ))
            .await?;
            format!("b{}", sums.iter().sum::<u32>())
        }
        Node::Sequence(nodes) => {
            let mut ends = Vec::new();
            for (n, node) in nodes.into_iter().enumerate() {
                ends.push(call!("next", key = n, run(node)).await?);
            }
            format!("({})", ends.join(" "))
        }
        Node::Scope(node) => {
            let inner = scope!("scope", { Ok(call!("inside", run(*node)).await?) }).await?;
            format!("[{inner}]")
        }
        Node::Join(left, right) => {
            let (left, right) =
                tokio::join!(call!("left", run(*left)), call!("right", run(*right)),);
            format!("{} & {}", left?, right?)
        }
        Node::Map(nodes) => {
            let ends = map!("map", nodes, |node| {
                Ok(call!("item_of_map", run(node)).await?)
            })
            .await;
            format!("m<{}>", ends.into_values()?.join(","))
        }
        Node::Parallel(left, right) => {
            let ends = parallel!("parallel", {
                "one" => { Ok(call!("branch_one", run(*left)).await?) },
                "two" => { Ok(call!("branch_two", run(*right)).await?) },
            })
            .await;
            format!("{{{}}}", ends.into_values()?.join(","))
        }
        Node::Race(node) => {
            race!("race", {
                "work" => won = call!("racer", run(*node)) => won.map(|won| format!("won {won}")),
                "late" => wait!("late", Duration::from_secs(86_400 * 365)) => Ok("late".to_owned()),
            })
            .await?
        }
        Node::Undone(n) => {
            step!("undone", undo = |value| undo(world, value), |step| note(
                world, step, n
            )
            .await)
            .await?
        }
        Node::Flat(nodes) => {
            let ends = map!("flat", nodes, flat, |node| {
                Ok(call!("item_of_flat", run(node)).await?)
            })
            .await;
            format!("f<{}>", ends.into_values()?.join(","))
        }
        Node::OneByOne(nodes) => {
            let ends = map!("one_by_one", nodes, concurrency = 1, |node| {
                Ok(call!("item_of_one_by_one", run(node)).await?)
            })
            .await;
            format!("o<{}>", ends.into_values()?.join(","))
        }
        Node::Large(node) => {
            let mut inner = scope!("large", {
                let end = call!("inside_large", run(*node)).await?;
                Ok(end + &"x".repeat(World::LARGE))
            })
            .await?;
            inner.truncate(inner.len() - World::LARGE);
            format!("L[{inner}]")
        }
        Node::Caught(node) => match call!("caught", run(*node)).await {
            Ok(end) => end,
            Err(error) => format!("!{}", error.message()),
        },
        Node::Invoke(node) => format!("i{}", invoke!("child", run(*node)).await?),
    })
}

fn fail(world: &World, step: &StepInfo, n: u32) -> Result<String, String> {
    world.note(&operation(step));
    Err(format!("f{n}"))
}

async fn note(world: &World, step: &StepInfo, n: u32) -> Result<String, String> {
    world.note(&operation(step));
    tokio::task::yield_now().await;
    Ok(format!("s{n}"))
}

fn undo(world: &World, value: String) -> Result<(), String> {
    world.note(&format!("undo {value}"));
    Ok(())
}

/// The operation that a body belongs to, without its execution.
fn operation(step: &StepInfo) -> String {
    let key = step.idempotency_key();
    let (_, operation) = key.rsplit_once('/').unwrap_or_default();
    operation.to_owned()
}
