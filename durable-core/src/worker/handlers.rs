//! Handlers of a worker, by current and earlier names.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{WorkerError, build};
use crate::BoxFuture;
use crate::model::site::Manifest;
use crate::run::{RunError, Runner, Tally};
use crate::runtime::driver::Ended;
use crate::runtime::handler::Handler;
use crate::runtime::settings::Settings;
use crate::store::{HandlerBuild, Lease, Store};

/// Type-erased handler.
pub(super) trait AnyHandler: Send + Sync {
    /// Runs one invocation of an execution.
    fn run<'a>(
        &'a self,
        store: Arc<dyn Store>,
        settings: Settings,
        lease: Lease,
    ) -> BoxFuture<'a, Result<Ended, RunError>>;

    fn manifest(&self) -> &'static Manifest;
}

struct RegisteredHandler<H, S> {
    state: Arc<S>,
    handler: PhantomData<fn() -> H>,
}

impl<H, S> AnyHandler for RegisteredHandler<H, S>
where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    fn run<'a>(
        &'a self,
        store: Arc<dyn Store>,
        settings: Settings,
        lease: Lease,
    ) -> BoxFuture<'a, Result<Ended, RunError>> {
        Box::pin(async move {
            let runner = Runner::<H, S> {
                store,
                settings,
                state: &self.state,
                handler: PhantomData,
            };
            let id = lease.execution.id.clone();
            runner
                .run_invocation(&id, lease, &mut Tally::default())
                .await
        })
    }

    fn manifest(&self) -> &'static Manifest {
        H::manifest()
    }
}

#[derive(Default)]
pub(super) struct Handlers {
    by_name: HashMap<&'static str, Arc<dyn AnyHandler>>,
    /// Names used by more than one handler.
    duplicates: Vec<&'static str>,
}

impl Handlers {
    pub(super) fn add<H, S>(&mut self, state: Arc<S>)
    where
        S: Send + Sync + 'static,
        H: Handler<S>,
    {
        let handler: Arc<dyn AnyHandler> = Arc::new(RegisteredHandler::<H, S> {
            state,
            handler: PhantomData,
        });
        let earlier = H::manifest().was.iter().copied();
        for name in [H::NAME].into_iter().chain(earlier) {
            if self.by_name.insert(name, Arc::clone(&handler)).is_some() {
                self.duplicates.push(name);
            }
        }
    }

    /// Checks that there is a handler and that no name is used twice.
    pub(super) fn check(&self) -> Result<(), WorkerError> {
        if let Some(name) = self.duplicates.first() {
            return Err(WorkerError::Usage(format!(
                "two handlers have the name `{name}`, or had it according to their `was`. \
                 Register each once, and give one of them another name with `#[durable(name = \"…\")]`"
            )));
        }
        if self.by_name.is_empty() {
            let text = "no handler is registered: add one with `.register(…)`";
            return Err(WorkerError::Usage(text.to_owned()));
        }
        Ok(())
    }

    /// Returns the handler that has or had this name, with the name.
    pub(super) fn get(&self, name: &str) -> Option<(&'static str, &dyn AnyHandler)> {
        let (name, handler) = self.by_name.get_key_value(name)?;
        Some((name, &**handler))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }

    /// Returns the build for each name. `named` is the name that the user gave the build.
    pub(super) fn builds(&self, named: &str) -> Vec<HandlerBuild> {
        let (by_name, program) = (self.by_name.iter(), build::program());
        let mut builds: Vec<_> = by_name
            .map(|(name, handler)| HandlerBuild {
                name: (*name).to_owned(),
                build: build::id(handler.manifest(), named, &program),
            })
            .collect();
        builds.sort_by(|a, b| a.name.cmp(&b.name));
        builds
    }
}
