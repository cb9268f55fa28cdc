//! Samples the queues that a worker serves, for metrics.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::serve::Service;
use crate::metrics;
use crate::store::StoreError;

/// Interval between samples. Reading a queue counts its executions, so it is not done more often.
const INTERVAL: Duration = Duration::from_secs(10);

/// Sampling task, which ends when this is dropped.
pub(super) struct Sampler(JoinHandle<()>);

impl Sampler {
    /// Starts to sample if a recorder is installed and the worker is set up for it.
    pub(super) fn start(service: &Arc<Service>) -> Option<Self> {
        let handler = service.handlers.names().next()?;
        if !service.sample_queues || !metrics::is_recording(handler) {
            return None;
        }
        let service = Arc::clone(service);
        let task = tokio::spawn(async move {
            let mut known = HashSet::new();
            loop {
                if let Err(error) = service.sample_queues(&mut known).await {
                    tracing::debug!(%error, "cannot sample the queues");
                }
                service.settings.clock.sleep(INTERVAL).await;
            }
        });
        Some(Self(task))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Service {
    /// Records the state of every served queue. `known` holds the queues of earlier samples: one that is gone is empty.
    async fn sample_queues(&self, known: &mut HashSet<String>) -> Result<(), StoreError> {
        let (mut gone, now) = (std::mem::take(known), self.settings.now());
        for state in self.store.queues().await? {
            let name = state.queue.name;
            if !self.filter.serves(&name) {
                continue;
            }
            let age = state.oldest.map_or(Duration::ZERO, |due| now.since(due));
            metrics::queue_sampled(&name, state.waiting, state.running, age);
            gone.remove(&name);
            known.insert(name);
        }
        for queue in gone {
            metrics::queue_sampled(&queue, 0, 0, Duration::ZERO);
        }
        Ok(())
    }
}
