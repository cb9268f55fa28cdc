//! Random nested programs: whatever interrupts them, they end with the same result.

use std::sync::atomic::Ordering::SeqCst;

use durable::prelude::*;
use durable::store::{
    Capabilities, Durability, ExecutionStatus, ExecutionStore as _, MemoryStore, StoreErrorKind,
};
use durable::{Client, ExecutionId};
use serde::{Deserialize, Serialize};

use crate::support::{Crash, Effects, TokioClock, process};

/// What a program acts upon.
struct World {
    effects: Effects,
    client: Client,
}

/// A program of durable operations.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Node {
    Step(u32),
    Flaky(u32),
    Recorded(u32),
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
}

impl Node {
    /// A program of at most this depth, chosen by the generator.
    fn random(random: &mut fastrand::Rng, depth: u32, fails: bool) -> Self {
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
        match random.u32(..if leaf { 7 } else { 14 }) {
            0 => Self::Step(n),
            1 => Self::Flaky(n),
            2 => Self::Recorded(n),
            3 => Self::Wait(n),
            4 => Self::Poll(n % 4),
            5 => Self::Batches(n),
            6 => Self::Callback(n),
            7 => Self::Sequence(some(random)),
            8 => Self::Scope(inner(random)),
            9 => Self::Join(inner(random), inner(random)),
            10 => Self::Map(some(random)),
            11 => Self::Parallel(inner(random), inner(random)),
            12 => Self::Race(inner(random)),
            _ => Self::Invoke(inner(random)),
        }
    }
}

#[durable]
async fn run(world: &World, node: Node) -> Result<String, BoxError> {
    let effects = &world.effects;
    Ok(match node {
        Node::Fail(n) => step!("fail", retry = Retry::none(), fail(effects, n)).await?,
        Node::Callback(n) => {
            let answer: u32 = callback!(
                "callback",
                submit = |id| world.answer(id.to_string(), n).await
            )
            .await?;
            format!("c{answer}")
        }
        Node::Step(n) => step!("step", note(effects, n).await).await?,
        Node::Flaky(n) => {
            let hour = Retry::fixed(Duration::from_secs(3600)).attempts(2);
            step!("flaky", retry = hour, |step| {
                if step.attempt() == 1 {
                    Err("not yet")?;
                }
                Ok(note(effects, n).await?)
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
        Node::Invoke(node) => format!("i{}", invoke!("child", run(*node)).await?),
    })
}

fn fail(effects: &Effects, n: u32) -> Result<String, String> {
    effects.note(format!("fail {n}"));
    Err(format!("f{n}"))
}

impl World {
    /// An outside party that answers at once, and is asked again after a crash.
    async fn answer(&self, callback: String, n: u32) -> Result<(), BoxError> {
        match self.client.complete(&callback, &n).await {
            Err(error) if error.kind() != StoreErrorKind::Conflict => Err(error.into()),
            _ => Ok(()),
        }
    }
}

async fn note(effects: &Effects, n: u32) -> Result<String, String> {
    effects.note(format!("{n}"));
    tokio::task::yield_now().await;
    Ok(format!("s{n}"))
}

/// How a program is treated.
#[derive(Clone, Copy)]
struct Treatment {
    crash: Crash,
    /// Largest value the store takes.
    limit: usize,
    /// When the execution is cancelled, in seconds.
    cancel: Option<u64>,
}

impl Treatment {
    const QUIET: Self = Self {
        crash: Crash::Never,
        limit: 1 << 20,
        cancel: None,
    };
}

/// What came of a program.
struct End {
    result: Result<String, String>,
    checkpoints: u64,
    /// None when not even the input fits into the store.
    status: Option<ExecutionStatus>,
}

/// Runs the program in one process after another until it ends; the first dies as told.
async fn end_of(node: &Node, treatment: Treatment) -> End {
    let limits = Capabilities::roomy(Durability::Memory).with_max_value(treatment.limit);
    let memory = MemoryStore::with_capabilities(limits);
    let world = World {
        effects: Effects::default(),
        client: Client::new(memory.clone()),
    };
    let id: ExecutionId = "a".parse().unwrap();
    let mut crash = treatment.crash;
    let processes = async {
        loop {
            let probe = process(&memory, crash);
            let run = durable::run(run, "a", node.clone())
                .clock(TokioClock::shared())
                .resident(Duration::from_secs(30));
            let run = run.state(&world).store(probe.clone()).into_future();
            if let Some(ended) = probe.survive(run).await {
                return (ended, probe.checkpoints.load(SeqCst));
            }
            crash = Crash::Never;
        }
    };
    let cancel = async {
        if let Some(seconds) = treatment.cancel {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            world.client.cancel(&id).await.unwrap();
        }
    };
    let ((ended, checkpoints), ()) = tokio::join!(processes, cancel);
    End {
        result: ended.map_err(|error| error.to_string()),
        checkpoints,
        status: memory.get(&id).await.ok().map(|execution| execution.status),
    }
}

/// The generator, by a seed that is printed and may be given.
fn random() -> fastrand::Rng {
    let seed = match std::env::var("DURABLE_SEED") {
        Ok(seed) => seed.parse().expect("DURABLE_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("DURABLE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// An uninterrupted run and one interrupted at each boundary end alike.
async fn is_the_same_whatever_interrupts(node: &Node, treatment: Treatment) -> End {
    let quiet = end_of(node, treatment).await;
    for n in 1..=quiet.checkpoints {
        for crash in [Crash::Before(n), Crash::After(n)] {
            let ended = end_of(node, Treatment { crash, ..treatment }).await;
            assert_eq!(ended.result, quiet.result, "{crash:?} of {node:?}");
        }
    }
    quiet
}

#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_boundary_changes_no_result() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, false);
        let quiet = is_the_same_whatever_interrupts(&node, Treatment::QUIET).await;
        assert!(quiet.result.is_ok(), "{node:?}: {:?}", quiet.result);
    }
}

#[tokio::test(start_paused = true)]
async fn nor_does_it_change_an_error() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, true);
        is_the_same_whatever_interrupts(&node, Treatment::QUIET).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_what_is_over_a_limit() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, false);
        let limit = random.usize(4..60);
        is_the_same_whatever_interrupts(
            &node,
            Treatment {
                limit,
                ..Treatment::QUIET
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_program_ends_at_once_and_says_so() {
    let mut random = random();
    for _ in 0..200 {
        let node = Node::random(&mut random, 3, true);
        let cancel = Some(random.u64(..200));
        let quiet = end_of(&node, Treatment::QUIET).await;
        let ended = end_of(
            &node,
            Treatment {
                cancel,
                ..Treatment::QUIET
            },
        )
        .await;
        if ended.status == Some(ExecutionStatus::Cancelled) {
            let text = ended.result.unwrap_err();
            assert!(text.contains("cancelled"), "{node:?}: {text}");
        } else {
            assert_eq!(ended.result, quiet.result, "{cancel:?} of {node:?}");
        }
    }
}
