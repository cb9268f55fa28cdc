//! Benchmark of durare in memory, on SQLite and on PostgreSQL.

mod workflows;

use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use durare::{
    DurableEngine, InMemoryProvider, PostgresProvider, SqliteProvider, StateProvider, WorkflowDef,
    WorkflowHandle, WorkflowOptions,
};
use peer_common::{Arguments, BoxError, Job, Peer, Template};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use workflows::{Batches, First, Long, Many, Receiver, Sequential, Sleeper, TOPIC};

/// Store in memory. It survives the runtimes in which `replay` records and recovers.
static MEMORY: LazyLock<Arc<InMemoryProvider>> = LazyLock::new(Arc::default);

struct Durare(DurableEngine);

impl Durare {
    async fn start_job<W>(
        &self,
        workflow: W,
        input: W::Input,
    ) -> durare::Result<WorkflowHandle<u64>>
    where
        W: WorkflowDef<Output = u64>,
        W::Input: serde::Serialize,
    {
        let options = WorkflowOptions::default();
        self.0.start_with(workflow, input, options).await
    }
}

impl Peer for Durare {
    const LIBRARY: &'static str = "durare";

    type Handle = WorkflowHandle<u64>;

    async fn open(arguments: &Arguments, version: &str) -> Result<Self, BoxError> {
        let provider = provider(arguments).await?;
        let engine = DurableEngine::new_with_version(provider, version).await?;
        Ok(Self(engine))
    }

    async fn launch(&self) -> Result<(), BoxError> {
        Ok(self.0.launch().await?)
    }

    async fn recover(&self) -> Result<(), BoxError> {
        // Workflows run without `launch`, which starts what queues and schedules need.
        self.0.recover().await?;
        Ok(())
    }

    async fn start(&self, job: Job) -> Result<Self::Handle, BoxError> {
        Ok(match job {
            Job::Sequential(n) => self.start_job(Sequential, n).await?,
            Job::Many(steps) => self.start_job(Many, steps).await?,
            Job::First => self.start_job(First, ()).await?,
            Job::Receiver => self.start_job(Receiver, ()).await?,
            Job::Sleeper(until) => self.start_job(Sleeper, until).await?,
            Job::Batches { n, batches } => self.start_job(Batches, (n, batches)).await?,
            Job::Long(n) => self.start_job(Long, n).await?,
        })
    }

    fn id(handle: &Self::Handle) -> String {
        handle.id().to_owned()
    }

    async fn result(handle: Self::Handle) -> Result<u64, BoxError> {
        Ok(handle.result().await?)
    }

    async fn send(&self, id: &str, number: u32) -> Result<(), BoxError> {
        Ok(self.0.send(id, number, TOPIC).await?)
    }

    async fn recorded(&self, id: &str) -> Result<Vec<String>, BoxError> {
        let steps = self.0.get_workflow_steps(id).await?;
        Ok(steps.into_iter().map(|step| step.name).collect())
    }

    fn template() -> Template {
        Template {
            dependency: "durare = \"=0.5.0\"".to_owned(),
            header: "use durare::DurableContext;\nasync fn work(n: u32) -> durare::Result<u32> { Ok(n) }\n",
            result: "durare::Result<u32>",
            attribute: "",
            registering: "#[durare::workflow]\n",
            parameters: "ctx: DurableContext, n: u32",
            call: |site| format!("ctx.step(\"s{site}\", move || work(n))"),
            register: |_| String::new(),
        }
    }
}

async fn provider(arguments: &Arguments) -> Result<Arc<dyn StateProvider>, BoxError> {
    if arguments.store() == "memory:" {
        return Ok(MEMORY.clone());
    }
    if arguments.store().starts_with("postgres") {
        return Ok(Arc::new(
            PostgresProvider::connect(arguments.store()).await?,
        ));
    }
    let Some(path) = arguments.store().strip_prefix("sqlite:") else {
        let expected = "`sqlite:PATH`, `postgres://…` or `memory:`";
        return Err(arguments.unsupported_store(expected));
    };
    let url = format!("sqlite://{path}");
    if !arguments.syncs() {
        return Ok(Arc::new(SqliteProvider::connect(&url).await?));
    }
    // The options of `SqliteProvider::connect`, but for `synchronous`.
    let options = SqliteConnectOptions::from_str(&url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new()
        .max_connections(5)
        .connect_with(options)
        .await?;
    Ok(Arc::new(SqliteProvider::from_pool(pool)))
}

fn main() -> Result<(), BoxError> {
    peer_common::run::<Durare>()
}
