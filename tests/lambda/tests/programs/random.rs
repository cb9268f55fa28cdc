//! Random nested programs end on Lambda as they do in one process that nothing interrupts: with the same
//! result, the same recorded outcomes and the same effects.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use durable::store::{ExecutionStore as _, MemoryStore, StoreErrorKind};
use durable::{BoxError, Client, ExecutionId, Kind, Record};
use durable_lambda_tests::{
    Config, Ended, Fake, Fault, InvocationEnd, Operation, Paging, Quotas, Status,
};
use tokio::time::Instant;

#[path = "../../../it/program.rs"]
mod program;

use crate::outside::{Outside, message};
use crate::subject::{self, Log};
use program::{Node, run};

/// What a program acts upon.
pub(crate) struct World {
    log: Log,
    /// Who answers callbacks, where it is not the test.
    client: Option<Client>,
}

impl World {
    /// Bytes of what is large.
    pub(crate) const LARGE: usize = 300_000;

    pub(crate) fn note(&self, operation: &str) {
        self.log.note(&format!("did {operation}"));
    }

    pub(crate) async fn answer(&self, callback: String, n: u32) -> Result<(), BoxError> {
        let Some(client) = &self.client else {
            self.log.note(&format!("answer {callback} {n}"));
            return Ok(());
        };
        match client.complete(&callback, &n).await {
            Err(error) if error.kind() != StoreErrorKind::Conflict => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The function that runs programs.
pub(crate) async fn serve(log: Log) -> Result<(), BoxError> {
    durable_lambda::run(run, World { log, client: None }).await
}

/// A clock that follows tokio's, which a paused runtime moves on whenever nothing runs.
struct TokioClock(Instant);

impl durable::Clock for TokioClock {
    fn now(&self) -> durable::Timestamp {
        durable::Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> durable::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
    }
}

/// What came of a program.
struct End {
    /// The output, or the error's message.
    result: Result<String, String>,
    /// What the bodies of each operation did.
    effects: BTreeMap<String, usize>,
    /// Status and value of each operation.
    outcomes: HashMap<String, (bool, Option<String>)>,
}

fn effects(log: &Log) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for operation in log.lines("did ") {
        *effects.entry(operation).or_default() += 1;
    }
    effects
}

/// Runs a program in this process, without interruption.
fn in_memory(node: &Node, folder: &std::path::Path) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let memory = MemoryStore::new();
        let world = World {
            log: Log::new(folder.join("memory")),
            client: Some(Client::new(memory.clone())),
        };
        let clock = Arc::new(TokioClock(Instant::now()));
        let run = durable::run(run, "a", node.clone()).clock(clock);
        let ended = run.state(&world).store(memory.clone()).await;
        let id: ExecutionId = "a".parse().unwrap();
        let execution = memory.get(&id).await.unwrap();
        let error = execution.error.map(|error| error.message().to_owned());
        let history = memory.history(&id).await.unwrap();
        End {
            result: ended.map_err(|_| error.unwrap_or_default()),
            effects: effects(&world.log),
            outcomes: history.iter().filter_map(outcome).collect(),
        }
    })
}

/// Batches are as large as they are fast, and how a scope ended may be left to what stands in it.
fn is_compared(kind: Kind) -> bool {
    let other = matches!(kind, Kind::Batch | Kind::Wait | Kind::Invoke);
    !other && !kind.is_scope()
}

fn outcome(record: &Record) -> Option<(String, (bool, Option<String>))> {
    if !is_compared(record.kind) || !record.status.is_terminal() {
        return None;
    }
    let succeeded = record.status == durable::Status::Succeeded;
    let value = record.payload.as_ref();
    let value = value.map(|value| String::from_utf8(value.data.to_vec()).unwrap());
    Some((record.id.to_string(), (succeeded, value)))
}

fn outcome_of(operation: &Operation) -> Option<(String, (bool, Option<String>))> {
    use durable_lambda_tests::Kind::{Callback, Step};
    let is_batch = operation.sub_type.as_deref() == Some("Batch");
    let compared = matches!(operation.kind, Step | Callback) && !is_batch;
    if !compared || !operation.status.is_closed() {
        return None;
    }
    let succeeded = operation.status == Status::Succeeded;
    Some((operation.id.clone(), (succeeded, operation.payload.clone())))
}

/// How the service, the network and the processes are.
#[derive(Debug)]
struct Weather {
    faults: Vec<(u64, Fault)>,
    /// What every call suffers from.
    always: Option<Fault>,
    paging: Paging,
    deadline: Duration,
    fresh: bool,
    /// Executions that one process runs at once.
    concurrency: usize,
}

impl Weather {
    /// Nothing of this ends an invocation before its time.
    fn rough(random: &mut fastrand::Rng) -> Self {
        let page = |random: &mut fastrand::Rng| random.bool().then(|| random.usize(1..4));
        let faults = (0..random.usize(..6)).map(|_| {
            let fault = match random.u32(..6) {
                0 => Fault::LoseRequest,
                1 => Fault::LoseResponse,
                2 => Fault::PageAnswer(1),
                3 => Fault::broken(),
                4 => Fault::throttled(None),
                _ => Fault::Garble,
            };
            (random.u64(1..25), fault)
        });
        Self {
            faults: faults.collect(),
            always: None,
            paging: Paging {
                first: page(random),
                next: page(random),
            },
            deadline: Duration::from_secs(60),
            fresh: random.bool(),
            concurrency: if random.bool() { 1 } else { 4 },
        }
    }

    /// The same, and processes die and lose their executions.
    fn stormy(random: &mut fastrand::Rng) -> Self {
        let mut weather = Self::rough(random);
        for _ in 0..random.usize(1..6) {
            let fault = match random.u32(..4) {
                0 => Fault::KillBefore,
                1 => Fault::KillAfter,
                2 => Fault::WithholdToken,
                _ => Fault::stale_token(),
            };
            weather.faults.push((random.u64(1..25), fault));
        }
        weather
    }

    /// Every call takes a while, and an invocation has time for a few.
    fn sliced(random: &mut fastrand::Rng) -> Self {
        let mut weather = Self::rough(random);
        weather.faults.clear();
        weather.always = Some(Fault::Delay(Duration::from_millis(random.u64(15..60))));
        weather.deadline = Duration::from_millis(random.u64(400..900));
        weather
    }

    fn config(&self) -> Config {
        Config {
            deadline: self.deadline,
            pace: 20_000.0,
            quotas: Quotas {
                failed_invocations: 1_000,
                ..Quotas::default()
            },
            paging: self.paging.clone(),
            ..Config::default()
        }
    }
}

/// Runs a program on Lambda, and says how often it was interrupted.
async fn on_lambda(node: &Node, weather: &Weather, folder: &std::path::Path) -> (End, usize) {
    let log = Log::new(folder.join("lambda"));
    let mut fake = Fake::start(weather.config()).await;
    fake.function_by_hand("run");
    for (call, fault) in &weather.faults {
        fake.fault(*call, fault.clone());
    }
    if let Some(fault) = &weather.always {
        fake.fault_from(1, fault.clone());
    }
    let mut program = subject::program("random", &log);
    if weather.fresh {
        program = program.fresh();
    }
    if weather.concurrency > 1 {
        program = program.env(
            "AWS_LAMBDA_MAX_CONCURRENCY",
            weather.concurrency.to_string(),
        );
    }
    fake.run(program);
    let input = serde_json::to_value(node).unwrap();
    let (started, ended) = Outside::new(&fake, &log).run("root", &input).await;
    let record = fake.record();
    let refused = record.refused();
    assert!(refused.is_empty(), "{weather:?}\n{node:?}\n{refused:?}");
    assert!(record.strays.is_empty(), "{:?}", record.strays);
    let improper = &record.improper_outputs;
    assert!(
        improper.is_empty(),
        "{weather:?}\n{node:?}\n{improper:?}\n{:#?}",
        record.output
    );
    let ends = record.invocations.iter().filter_map(|one| one.end.as_ref());
    let cut_off = ends.filter(|end| !matches!(end, InvocationEnd::Output(_)));
    let withheld = weather.faults.iter();
    let withheld = withheld.filter(|(_, fault)| *fault == Fault::WithholdToken);
    let end = End {
        result: match &ended {
            Ended::Succeeded(text) => Ok(serde_json::from_str(text).unwrap()),
            Ended::Failed(error) => Err(message(error)),
            other => Err(format!("{other:?}")),
        },
        effects: effects(&log),
        outcomes: started.operations().iter().filter_map(outcome_of).collect(),
    };
    (end, cut_off.count() + withheld.count())
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

async fn is_the_same(node: &Node, weather: &Weather) {
    let folder = tempfile::tempdir().unwrap();
    let (path, of_memory) = (folder.path().to_owned(), node.clone());
    let expected = std::thread::spawn(move || in_memory(&of_memory, &path));
    let expected = expected.join().unwrap();
    let (ended, interruptions) = on_lambda(node, weather, folder.path()).await;
    let story = format!("{weather:?}\n{node:?}");
    assert_eq!(ended.result, expected.result, "{story}");
    assert_eq!(ended.outcomes, expected.outcomes, "{story}");
    let bodies: Vec<_> = expected.effects.keys().collect();
    assert_eq!(ended.effects.keys().collect::<Vec<_>>(), bodies, "{story}");
    for (operation, times) in &ended.effects {
        let once = expected.effects[operation];
        let most = once + interruptions;
        assert!(
            (once..=most).contains(times),
            "{operation} ran {times} times and not {once}, with {interruptions} interruptions\n{story}"
        );
    }
}

const PROGRAMS: usize = 12;

#[tokio::test]
async fn trouble_that_passes_changes_nothing() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let fails = random.u32(..3) == 0;
        let node = Node::random(&mut random, 4, fails);
        is_the_same(&node, &Weather::rough(&mut random)).await;
    }
}

#[tokio::test]
async fn nor_does_an_interruption() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let fails = random.u32(..3) == 0;
        let node = Node::random(&mut random, 4, fails);
        is_the_same(&node, &Weather::stormy(&mut random)).await;
    }
}

#[tokio::test]
async fn nor_a_short_deadline() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let node = Node::random(&mut random, 4, false);
        is_the_same(&node, &Weather::sliced(&mut random)).await;
    }
}
