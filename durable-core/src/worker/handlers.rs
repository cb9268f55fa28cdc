//! Handlers of a worker, by current and earlier names.

use std::collections::HashMap;
use std::sync::Arc;

use super::{WorkerError, build};
use crate::runtime::any_handler::AnyHandler;
use crate::store::HandlerBuild;

#[derive(Default)]
pub(super) struct Handlers {
    by_name: HashMap<&'static str, Arc<dyn AnyHandler>>,
    /// Names used by more than one handler.
    duplicates: Vec<&'static str>,
}

impl Handlers {
    pub(super) fn add(&mut self, handler: &Arc<dyn AnyHandler>) {
        let earlier = handler.manifest().was.iter().copied();
        for name in [handler.name()].into_iter().chain(earlier) {
            if self.by_name.insert(name, Arc::clone(handler)).is_some() {
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
    pub(super) fn get(&self, name: &str) -> Option<(&'static str, Arc<dyn AnyHandler>)> {
        let (name, handler) = self.by_name.get_key_value(name)?;
        Some((name, Arc::clone(handler)))
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
