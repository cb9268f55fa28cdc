//! Notifies open pages and streams of changes.
//!
//! One task polls the store for all of them, and only while there are watchers.

mod poll;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use durable_core::{Client, ExecutionId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use super::Options;
use poll::Poll;

/// Shortest time from one poll to the next.
const PACE: Duration = Duration::from_millis(500);
/// A poll that took long is repeated after this many times as long.
const REST: u32 = 10;
/// Events that a slow watcher may be behind.
const BEHIND: usize = 64;

/// Subject of a stream of events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    All,
    One(ExecutionId),
}

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    pub(crate) data: Arc<str>,
}

impl Signal {
    fn plain(name: &'static str) -> Self {
        Self {
            name,
            data: "{}".into(),
        }
    }
}

/// Watchers of all topics, and the task that polls for them.
#[derive(Debug)]
pub(crate) struct Hub {
    inner: Arc<Inner>,
    room: Arc<Semaphore>,
}

struct Inner {
    client: Client,
    counted: usize,
    topics: Mutex<Topics>,
    closed: watch::Sender<bool>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Topics {
    polling: bool,
    watched: HashMap<Topic, Watched>,
}

struct Watched {
    events: broadcast::Sender<Signal>,
    /// Whether the first poll is done: every later change is an event.
    ready: bool,
}

impl Hub {
    pub(crate) fn new(client: Client, options: &Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                client,
                counted: options.counted,
                topics: Mutex::default(),
                closed: watch::Sender::new(false),
            }),
            room: Arc::new(Semaphore::new(options.streams)),
        }
    }

    /// Watches a topic, unless too many do.
    pub(crate) fn watch(&self, topic: Topic) -> Option<Watcher> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let mut topics = self.inner.topics();
        let watched = topics.watched.entry(topic).or_insert_with(|| Watched {
            events: broadcast::Sender::new(BEHIND),
            ready: false,
        });
        let watcher = Watcher {
            events: watched.events.subscribe(),
            // Without a version: what this watcher has read may be older than the last poll.
            first: watched.ready.then(|| Signal::plain("ready")),
            closed: self.inner.closed.subscribe(),
            _place: place,
        };
        if !std::mem::replace(&mut topics.polling, true) {
            tokio::spawn(Arc::clone(&self.inner).poll());
        }
        Some(watcher)
    }

    /// Ends all streams: the server stops.
    pub(crate) fn close(&self) {
        self.inner.closed.send_replace(true);
    }
}

impl Inner {
    fn topics(&self) -> std::sync::MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until there are no watchers.
    async fn poll(self: Arc<Self>) {
        let mut polls: HashMap<Topic, Poll> = HashMap::new();
        let mut closed = self.closed.subscribe();
        loop {
            let watched: Vec<Topic> = {
                let mut topics = self.topics();
                let topics = &mut *topics;
                topics
                    .watched
                    .retain(|_, watched| watched.events.receiver_count() > 0);
                if topics.watched.is_empty() {
                    topics.polling = false;
                    return;
                }
                topics.watched.keys().cloned().collect()
            };
            polls.retain(|topic, _| watched.contains(topic));
            for topic in watched {
                let poll = polls.entry(topic.clone()).or_default();
                let signals = poll.changes(&self.client, &topic, self.counted).await;
                self.send(&topic, signals);
            }
            tokio::select! {
                () = tokio::time::sleep(PACE) => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
        }
    }

    fn send(&self, topic: &Topic, signals: Vec<Signal>) {
        let mut topics = self.topics();
        let Some(watched) = topics.watched.get_mut(topic) else {
            return;
        };
        for signal in signals {
            watched.ready |= signal.name == "ready";
            // All watchers may have left since.
            let _ = watched.events.send(signal);
        }
    }
}

/// Receives the events of a topic.
#[derive(Debug)]
pub(crate) struct Watcher {
    events: broadcast::Receiver<Signal>,
    first: Option<Signal>,
    closed: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next event; none once the server stops.
    pub(crate) async fn next(&mut self) -> Option<Signal> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            event = self.events.recv() => match event {
                Ok(signal) => Some(signal),
                Err(broadcast::error::RecvError::Lagged(_)) => Some(Signal::plain("reload")),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            _ = self.closed.wait_for(|closed| *closed) => None,
        }
    }
}
