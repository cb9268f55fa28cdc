//! Random nested programs, run on Lambda and without interruption in one process. Results, recorded outcomes and
//! effects have to be the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use durable::store::{AdminStore, ExecutionStore as _, MemoryStore, StoreErrorKind};
use durable::{BoxError, Client, ExecutionId, Kind, Record};
use durable_lambda_tests::{
    Config, ExecutionOutcome, Fake, Fault, InvocationEnd, Operation, Paging, Quotas, Status,
};
use tokio::time::Instant;

#[path = "../../../it/program.rs"]
mod program;

use crate::external::{ExternalParties, message};
use crate::subject::{self, Log};
use program::{Node, run};

/// State of a program: its effects, and a way to complete callbacks.
pub(crate) struct World {
    log: Log,
    /// Client that completes callbacks, unless the test does.
    client: Option<Client>,
}

impl World {
    /// Size of large values in bytes.
    pub(crate) const LARGE: usize = 300_000;
    /// Whether programs send messages, which the service does not keep.
    pub(crate) const MESSAGES: bool = false;

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

/// Serves the function that runs programs.
pub(crate) async fn serve(log: Log) -> Result<(), BoxError> {
    durable_lambda::run(run, World { log, client: None }).await
}

/// Clock that follows tokio's, which a paused runtime advances whenever all tasks are idle.
struct TokioClock(Instant);

impl durable::Clock for TokioClock {
    fn now(&self) -> durable::Timestamp {
        durable::Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> durable::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
    }
}

/// Results of a program.
struct ProgramResults {
    /// Output or error message.
    result: Result<String, String>,
    /// Number of runs of each operation's body.
    effects: BTreeMap<String, usize>,
    /// Success and value of each operation.
    outcomes: HashMap<String, (bool, Option<String>)>,
}

fn effects(log: &Log) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for operation in log.lines("did ") {
        *effects.entry(operation).or_default() += 1;
    }
    effects
}

/// Runs a program in this process without interruption.
fn run_in_memory(node: &Node, folder: &std::path::Path) -> ProgramResults {
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
        let result = run.state(&world).store(memory.clone()).await;
        let id: ExecutionId = "a".parse().unwrap();
        let execution = memory.get(&id).await.unwrap();
        let error = execution.error.map(|error| error.message().to_owned());
        let history = memory.history(&id).await.unwrap();
        ProgramResults {
            result: result.map_err(|_| error.unwrap_or_default()),
            effects: effects(&world.log),
            // On Lambda, published values are only logged.
            outcomes: history
                .iter()
                .filter(|record| record.published_name().is_none())
                .filter_map(recorded_outcome)
                .collect(),
        }
    })
}

/// Whether the outcomes of a kind are compared. Batch sizes depend on timing, and the outcome of a scope can follow
/// from its operations.
fn is_compared(kind: Kind) -> bool {
    let other = matches!(kind, Kind::Batch | Kind::Wait | Kind::Invoke);
    !other && !kind.is_scope()
}

fn recorded_outcome(record: &Record) -> Option<(String, (bool, Option<String>))> {
    if !is_compared(record.kind) || !record.status.is_terminal() {
        return None;
    }
    let succeeded = record.status == durable::Status::Succeeded;
    let value = record.payload.as_ref();
    let value = value.map(|value| String::from_utf8(value.data.to_vec()).unwrap());
    Some((record.id.to_string(), (succeeded, value)))
}

fn service_outcome(operation: &Operation) -> Option<(String, (bool, Option<String>))> {
    use durable_lambda_tests::Kind::{Callback, Step};
    let is_batch = operation.sub_type.as_deref() == Some("Batch");
    let compared = matches!(operation.kind, Step | Callback) && !is_batch;
    if !compared || !operation.status.is_closed() {
        return None;
    }
    let succeeded = operation.status == Status::Succeeded;
    Some((operation.id.clone(), (succeeded, operation.payload.clone())))
}

/// Conditions of a run: faults, page sizes, deadline and processes.
#[derive(Debug)]
struct Environment {
    faults: Vec<(u64, Fault)>,
    /// Fault of every call.
    fault_of_all: Option<Fault>,
    paging: Paging,
    deadline: Duration,
    fresh: bool,
    /// Executions that one process runs concurrently.
    concurrency: usize,
}

impl Environment {
    /// Faults that do not end an invocation early.
    fn with_transient_faults(random: &mut fastrand::Rng) -> Self {
        let page = |random: &mut fastrand::Rng| random.bool().then(|| random.usize(1..4));
        let faults = (0..random.usize(..6)).map(|_| {
            let fault = match random.u32(..6) {
                0 => Fault::LoseRequest,
                1 => Fault::LoseResponse,
                2 => Fault::PageResponse(1),
                3 => Fault::internal_error(),
                4 => Fault::throttled(None),
                _ => Fault::Garble,
            };
            (random.u64(1..25), fault)
        });
        Self {
            faults: faults.collect(),
            fault_of_all: None,
            paging: Paging {
                first: page(random),
                next: page(random),
            },
            deadline: Duration::from_secs(60),
            fresh: random.bool(),
            concurrency: if random.bool() { 1 } else { 4 },
        }
    }

    /// Transient faults, killed processes and lost executions.
    fn with_interruptions(random: &mut fastrand::Rng) -> Self {
        let mut environment = Self::with_transient_faults(random);
        for _ in 0..random.usize(1..6) {
            let fault = match random.u32(..4) {
                0 => Fault::KillBefore,
                1 => Fault::KillAfter,
                2 => Fault::WithholdToken,
                _ => Fault::stale_token(),
            };
            environment.faults.push((random.u64(1..25), fault));
        }
        environment
    }

    /// Slow calls and a deadline that leaves time for a few of them.
    fn with_short_deadline(random: &mut fastrand::Rng) -> Self {
        let mut environment = Self::with_transient_faults(random);
        environment.faults.clear();
        environment.fault_of_all = Some(Fault::Delay(Duration::from_millis(random.u64(15..60))));
        environment.deadline = Duration::from_millis(random.u64(400..900));
        environment
    }

    fn config(&self) -> Config {
        Config {
            deadline: self.deadline,
            speedup: 20_000.0,
            quotas: Quotas {
                failed_invocations: 1_000,
                ..Quotas::default()
            },
            paging: self.paging.clone(),
            ..Config::default()
        }
    }
}

/// Runs a program on Lambda. Returns its results and the number of interruptions.
async fn run_on_lambda(
    node: &Node,
    environment: &Environment,
    folder: &std::path::Path,
) -> (ProgramResults, usize) {
    let log = Log::new(folder.join("lambda"));
    let mut fake = Fake::start(environment.config()).await;
    fake.manual_function("run");
    for (call, fault) in &environment.faults {
        fake.fault(*call, fault.clone());
    }
    if let Some(fault) = &environment.fault_of_all {
        fake.fault_from(1, fault.clone());
    }
    let mut program = subject::program("random", &log);
    if environment.fresh {
        program = program.fresh();
    }
    if environment.concurrency > 1 {
        program = program.env(
            "AWS_LAMBDA_MAX_CONCURRENCY",
            environment.concurrency.to_string(),
        );
    }
    fake.run(program);
    let input = serde_json::to_value(node).unwrap();
    let (execution, outcome) = ExternalParties::new(&fake, &log).run("root", &input).await;
    let record = fake.recording();
    let rejected = record.rejections();
    assert!(
        rejected.is_empty(),
        "{environment:?}\n{node:?}\n{rejected:?}"
    );
    assert!(
        record.invalid_requests.is_empty(),
        "{:?}",
        record.invalid_requests
    );
    let outputs = &record.rejected_outputs;
    assert!(
        outputs.is_empty(),
        "{environment:?}\n{node:?}\n{outputs:?}\n{:#?}",
        record.output
    );
    let ends = record.invocations.iter().filter_map(|one| one.end.as_ref());
    let interrupted = ends.filter(|end| !matches!(end, InvocationEnd::Output(_)));
    let withheld = environment.faults.iter();
    let withheld = withheld.filter(|(_, fault)| *fault == Fault::WithholdToken);
    let results = ProgramResults {
        result: match &outcome {
            ExecutionOutcome::Succeeded(text) => Ok(serde_json::from_str(text).unwrap()),
            ExecutionOutcome::Failed(error) => Err(message(error)),
            other => Err(format!("{other:?}")),
        },
        effects: effects(&log),
        outcomes: execution
            .operations()
            .iter()
            .filter_map(service_outcome)
            .collect(),
    };
    (results, interrupted.count() + withheld.count())
}

/// Returns a generator. Its seed is printed, and `DURABLE_SEED` sets it.
fn random() -> fastrand::Rng {
    let seed = match std::env::var("DURABLE_SEED") {
        Ok(seed) => seed.parse().expect("DURABLE_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("DURABLE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Asserts that a program has the same results on Lambda as in memory. Each interruption can repeat a body.
async fn assert_same_results(node: &Node, environment: &Environment) {
    let folder = tempfile::tempdir().unwrap();
    let (path, program) = (folder.path().to_owned(), node.clone());
    let expected = std::thread::spawn(move || run_in_memory(&program, &path));
    let expected = expected.join().unwrap();
    let (actual, interruptions) = run_on_lambda(node, environment, folder.path()).await;
    let case = format!("{environment:?}\n{node:?}");
    assert_eq!(actual.result, expected.result, "{case}");
    assert_eq!(actual.outcomes, expected.outcomes, "{case}");
    let bodies: Vec<_> = expected.effects.keys().collect();
    assert_eq!(actual.effects.keys().collect::<Vec<_>>(), bodies, "{case}");
    for (operation, times) in &actual.effects {
        let min = expected.effects[operation];
        let max = min + interruptions;
        assert!(
            (min..=max).contains(times),
            "{operation} ran {times} times instead of {min}, with {interruptions} interruptions\n{case}"
        );
    }
}

const PROGRAMS: usize = 12;

#[tokio::test]
async fn transient_faults_do_not_change_results() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let fails = random.u32(..3) == 0;
        let node = Node::random(&mut random, 4, fails);
        assert_same_results(&node, &Environment::with_transient_faults(&mut random)).await;
    }
}

#[tokio::test]
async fn interruptions_do_not_change_results() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let fails = random.u32(..3) == 0;
        let node = Node::random(&mut random, 4, fails);
        assert_same_results(&node, &Environment::with_interruptions(&mut random)).await;
    }
}

#[tokio::test]
async fn short_deadlines_do_not_change_results() {
    let mut random = random();
    for _ in 0..PROGRAMS {
        let node = Node::random(&mut random, 4, false);
        assert_same_results(&node, &Environment::with_short_deadline(&mut random)).await;
    }
}
