//! Random nested programs end with the same result, whatever interrupts them.

use std::sync::atomic::Ordering::SeqCst;

use durable::prelude::*;
use durable::store::{
    Capabilities, Durability, ExecutionStatus, ExecutionStore, MemoryStore, StoreErrorKind,
};
use durable::{Client, ExecutionId};

#[path = "program.rs"]
mod program;

use crate::support::{Crash, Effects, TokioClock, process};
use program::{Node, run};

/// State of the programs.
pub(crate) struct World {
    effects: Effects,
    client: Client,
}

impl World {
    /// Size of the padding in a large value, in bytes.
    pub(crate) const LARGE: usize = 100;
    /// Whether programs send messages.
    pub(crate) const MESSAGES: bool = true;

    pub(crate) fn note(&self, operation: &str) {
        self.effects.note(operation);
    }

    /// Completes a callback, like an external party that answers at once and again after a crash.
    pub(crate) async fn answer(&self, callback: String, n: u32) -> Result<(), BoxError> {
        match self.client.complete(&callback, &n).await {
            Err(error) if error.kind() != StoreErrorKind::Conflict => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Conditions of a run.
#[derive(Clone, Copy)]
struct Treatment {
    crash: Crash,
    /// Largest value that the store accepts.
    limit: usize,
    /// Time of the cancellation, in seconds.
    cancel: Option<u64>,
}

impl Treatment {
    const UNDISTURBED: Self = Self {
        crash: Crash::Never,
        limit: 1 << 20,
        cancel: None,
    };
}

/// Result of a program.
struct End {
    result: Result<String, String>,
    checkpoints: u64,
    /// `None` if the input does not fit into the store.
    status: Option<ExecutionStatus>,
}

/// Runs the program in one process after another until it ends. The first dies as `treatment` says.
async fn end_of(node: &Node, treatment: Treatment) -> End {
    let limits = Capabilities::unlimited(Durability::Memory)
        .with_max_value(treatment.limit)
        .with_messages();
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
                .suspend_after(Duration::from_secs(30));
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

/// Random numbers from a seed that is printed and can be set in the environment.
pub(crate) fn random() -> fastrand::Rng {
    let seed = match std::env::var("DURABLE_SEED") {
        Ok(seed) => seed.parse().expect("DURABLE_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("DURABLE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Checks that an interruption at each boundary does not change the result.
async fn survives_interruptions(node: &Node, treatment: Treatment) -> End {
    let undisturbed = end_of(node, treatment).await;
    for n in 1..=undisturbed.checkpoints {
        for crash in [Crash::Before(n), Crash::After(n)] {
            let ended = end_of(node, Treatment { crash, ..treatment }).await;
            assert_eq!(ended.result, undisturbed.result, "{crash:?} of {node:?}");
        }
    }
    undisturbed
}

#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_boundary_changes_no_result() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, false);
        let undisturbed = survives_interruptions(&node, Treatment::UNDISTURBED).await;
        assert!(
            undisturbed.result.is_ok(),
            "{node:?}: {:?}",
            undisturbed.result
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_boundary_changes_no_error() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, true);
        survives_interruptions(&node, Treatment::UNDISTURBED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_boundary_changes_no_error_of_a_limit() {
    let mut random = random();
    for _ in 0..25 {
        let node = Node::random(&mut random, 3, false);
        let limit = random.usize(4..60);
        survives_interruptions(
            &node,
            Treatment {
                limit,
                ..Treatment::UNDISTURBED
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_program_ends_with_the_cancellation() {
    let mut random = random();
    for _ in 0..200 {
        let node = Node::random(&mut random, 3, true);
        let cancel = Some(random.u64(..200));
        let undisturbed = end_of(&node, Treatment::UNDISTURBED).await;
        let ended = end_of(
            &node,
            Treatment {
                cancel,
                ..Treatment::UNDISTURBED
            },
        )
        .await;
        if ended.status == Some(ExecutionStatus::Cancelled) {
            let text = ended.result.unwrap_err();
            assert!(text.contains("cancelled"), "{node:?}: {text}");
        } else {
            assert_eq!(ended.result, undisturbed.result, "{cancel:?} of {node:?}");
        }
    }
}
