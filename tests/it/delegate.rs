//! Stores that wrap another one in `store` hand on what they do not change.

/// Every method of [`ExecutionStore`](durable::store::ExecutionStore), or all but `claim_due`.
macro_rules! to_store {
    () => {
        crate::delegate::to_store!(but claim_due);

            fn claim_due<'a>(
                &'a self,
                wanted: &'a WorkerFilter,
                how: ClaimRequest,
            ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
                self.store.claim_due(wanted, how)
            }
    };
    (but claim_due) => {
            fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>> {
                self.store.start(new)
            }

            fn claim<'a>(
                &'a self,
                id: &'a ExecutionId,
                now: Timestamp,
                ttl: Duration,
            ) -> BoxFuture<'a, Result<Lease, StoreError>> {
                self.store.claim(id, now, ttl)
            }

            fn renew<'a>(
                &'a self,
                fence: &'a Fence,
                now: Timestamp,
                ttl: Duration,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.renew(fence, now, ttl)
            }

            fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>> {
                self.store.get(id)
            }

            fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
                self.store.list(filter)
            }

            fn complete<'a>(
                &'a self,
                callback: &'a CallbackId,
                outcome: Completion,
                now: Timestamp,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.complete(callback, outcome, now)
            }

            fn heartbeat<'a>(
                &'a self,
                callback: &'a CallbackId,
                now: Timestamp,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.heartbeat(callback, now)
            }

            fn cancel<'a>(
                &'a self,
                id: &'a ExecutionId,
                now: Timestamp,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.cancel(id, now)
            }

            fn changed<'a>(
                &'a self,
                id: &'a ExecutionId,
                seen: u64,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.changed(id, seen)
            }

            fn history<'a>(
                &'a self,
                id: &'a ExecutionId,
            ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
                self.store.history(id)
            }

            fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
                self.store.ready(seen)
            }

            fn change<'a>(
                &'a self,
                id: &'a ExecutionId,
                change: Change,
                now: Timestamp,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.change(id, change, now)
            }

            fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
                self.store.queues()
            }

            fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
                self.store.put_queue(queue)
            }

            fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.remove_queue(name)
            }

            fn schedules(
                &self,
                due_by: Option<Timestamp>,
            ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
                self.store.schedules(due_by)
            }

            fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
                self.store.put_schedule(schedule)
            }

            fn remove_schedule<'a>(
                &'a self,
                name: &'a ExecutionId,
            ) -> BoxFuture<'a, Result<(), StoreError>> {
                self.store.remove_schedule(name)
            }

            fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
                self.store.fire(firing)
            }
    };
}
pub(crate) use to_store;
