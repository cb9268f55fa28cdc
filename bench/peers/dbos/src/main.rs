//! Benchmark of dbos on PostgreSQL.

mod workflows;

use std::fmt::Write as _;

use dbos::{Config, DBOS, WorkflowHandle, WorkflowRef};
use peer_common::{Arguments, BoxError, Job, Peer, Template};
use workflows::TOPIC;

type Workflow<I> = WorkflowRef<I, u64>;

struct Dbos {
    dbos: DBOS,
    sequential: Workflow<u32>,
    many: Workflow<u32>,
    first: Workflow<()>,
    receiver: Workflow<()>,
    sleeper: Workflow<i64>,
    batches: Workflow<(u32, u32)>,
    long: Workflow<u32>,
}

impl Peer for Dbos {
    const LIBRARY: &'static str = "dbos";

    type Handle = WorkflowHandle<u64>;

    async fn open(arguments: &Arguments, version: &str) -> Result<Self, BoxError> {
        if arguments.workload == "replay" {
            return Err(arguments.unsupported());
        }
        if !arguments.store().starts_with("postgres") {
            return Err(arguments.unsupported_store("`postgres://…`"));
        }
        let dbos = DBOS::new(Config {
            app_version: Some(version.to_owned()),
            ..Config::new("bench", arguments.store())
        });
        Ok(Self {
            sequential: dbos.register_workflow("sequential", workflows::sequential)?,
            many: dbos.register_workflow("many", workflows::many)?,
            first: dbos.register_workflow("first", workflows::first)?,
            receiver: dbos.register_workflow("receiver", workflows::receiver)?,
            sleeper: dbos.register_workflow("sleeper", workflows::sleeper)?,
            batches: dbos.register_workflow("batches", workflows::batches)?,
            long: dbos.register_workflow("long", workflows::long)?,
            dbos,
        })
    }

    async fn launch(&self) -> Result<(), BoxError> {
        Ok(self.dbos.launch().await?)
    }

    async fn recover(&self) -> Result<(), BoxError> {
        // Connects, returns workflows to the queue and polls it at once. After `resume`, up to a second would pass
        // until the next poll.
        Ok(self.dbos.launch().await?)
    }

    async fn start(&self, job: Job) -> Result<Self::Handle, BoxError> {
        Ok(match job {
            Job::Sequential(n) => self.sequential.start(n).await?,
            Job::Many(steps) => self.many.start(steps).await?,
            Job::First => self.first.start(()).await?,
            Job::Receiver => self.receiver.start(()).await?,
            Job::Sleeper(until) => self.sleeper.start(until).await?,
            Job::Batches { n, batches } => self.batches.start((n, batches)).await?,
            Job::Long(n) => self.long.start(n).await?,
        })
    }

    fn id(handle: &Self::Handle) -> String {
        handle.workflow_id().to_owned()
    }

    async fn result(handle: Self::Handle) -> Result<u64, BoxError> {
        Ok(handle.result().await?)
    }

    async fn send(&self, id: &str, number: u32) -> Result<(), BoxError> {
        let options = dbos::SendOptions {
            topic: Some(TOPIC),
            ..Default::default()
        };
        Ok(self.dbos.send_with(id, &number, options).await?)
    }

    async fn recorded(&self, id: &str) -> Result<Vec<String>, BoxError> {
        let steps = self.dbos.list_workflow_steps(id).await?;
        Ok(steps.into_iter().map(|step| step.step_name).collect())
    }

    fn template() -> Template {
        Template {
            dependency: "dbos = \"=0.5.0\"".to_owned(),
            header: "async fn work(n: u32) -> dbos::Result<u32> { Ok(n) }\n",
            result: "dbos::Result<u32>",
            attribute: "",
            registering: "",
            parameters: "n: u32",
            call: |site| format!("dbos::step(\"s{site}\", move || work(n))"),
            register,
        }
    }
}

fn register(functions: u32) -> String {
    let mut text = "pub fn register(dbos: &dbos::DBOS) -> dbos::Result<()> {\n".to_owned();
    for function in 0..functions {
        let _ = writeln!(
            text,
            "    dbos.register_workflow(\"f{function}\", f{function})?;"
        );
    }
    text + "    Ok(())\n}\n"
}

fn main() -> Result<(), BoxError> {
    peer_common::run::<Dbos>()
}
