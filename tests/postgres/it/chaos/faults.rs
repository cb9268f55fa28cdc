//! Faults, and what ends them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use durable_postgres_tests::{Cut, Proxy, Side};
use fastrand::Rng;

use crate::pair::Pair;
use crate::processes::Workers;
use crate::workers::LEASE;

const WORKERS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    WorkerKilled,
    /// Stopped beyond its lease, then continued.
    WorkerStopped,
    /// Nothing is forwarded to or from a worker until its lease has expired.
    NetworkSilent,
    /// All connections of a worker are reset.
    ConnectionsCut,
    /// A connection of a worker is cut before a message.
    MessageCut,
    PrimaryRestarted,
    StandbyRestarted,
    Failover,
    ConnectionsExhausted,
    StatementTimeout,
    ReadOnly,
    DiskFull,
}

const ALL: [Fault; 12] = [
    Fault::WorkerKilled,
    Fault::WorkerStopped,
    Fault::NetworkSilent,
    Fault::ConnectionsCut,
    Fault::MessageCut,
    Fault::PrimaryRestarted,
    Fault::StandbyRestarted,
    Fault::Failover,
    Fault::ConnectionsExhausted,
    Fault::StatementTimeout,
    Fault::ReadOnly,
    Fault::DiskFull,
];

/// Fault of a worker that lasts while other faults happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Stopped,
    Silent,
}

/// Faults in random order. Each kind happens once before any happens again.
pub(super) struct Chaos {
    pair: Pair,
    workers: Workers,
    /// Proxies of each worker, one for each server.
    networks: Vec<[Proxy; 2]>,
    /// Lasting faults of workers, and when they end.
    lasting: Vec<(Instant, usize, Lasting)>,
    random: Rng,
    next: Vec<Fault>,
    counts: BTreeMap<Fault, u32>,
}

impl Chaos {
    pub(super) async fn begin(pair: Pair, seed: u64, folder: &Path) -> Self {
        let [first, second] = pair.ports();
        let (mut networks, mut urls) = (Vec::new(), Vec::new());
        for _ in 0..WORKERS {
            let proxies = [Proxy::start(first).await, Proxy::start(second).await];
            let url = Pair::url([proxies[0].port(), proxies[1].port()], "test_0");
            urls.push(format!("{url}&options=-c%20statement_timeout%3D800"));
            networks.push(proxies);
        }
        Self {
            pair,
            workers: Workers::start_each("chaos::child", urls, folder),
            networks,
            lasting: Vec::new(),
            random: Rng::with_seed(seed),
            next: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Waits a moment, then lets the next fault happen.
    pub(super) async fn step(&mut self) {
        tokio::time::sleep(self.milliseconds(50..500)).await;
        self.end_lasting(Instant::now());
        if self.next.is_empty() {
            self.next = ALL.into();
            self.random.shuffle(&mut self.next);
        }
        let Some(fault) = self.next.pop() else {
            return;
        };
        if self.happen(fault).await {
            *self.counts.entry(fault).or_default() += 1;
        }
    }

    /// Ends all faults of workers.
    pub(super) fn end(mut self) -> (Pair, Workers) {
        self.end_lasting(Instant::now() + Duration::from_secs(3600));
        println!("{:?}", self.counts);
        (self.pair, self.workers)
    }

    async fn happen(&mut self, fault: Fault) -> bool {
        let worker = self.random.usize(..WORKERS);
        let short = self.milliseconds(0..800);
        let outage = self.milliseconds(800..1600);
        match fault {
            Fault::WorkerKilled => {
                self.lasting
                    .retain(|(_, of, what)| (*of, *what) != (worker, Lasting::Stopped));
                self.workers.replace(worker);
            }
            Fault::WorkerStopped => self.workers.stop(worker),
            Fault::NetworkSilent => self.networks[worker].iter().for_each(Proxy::silence),
            Fault::ConnectionsCut => self.networks[worker].iter().for_each(Proxy::reset),
            Fault::MessageCut => self.plan_cut(worker),
            Fault::PrimaryRestarted => self.pair.restart_primary(short).await,
            Fault::StandbyRestarted => self.pair.restart_standby(short).await,
            Fault::Failover => self.pair.fail_over(short).await,
            Fault::ConnectionsExhausted => {
                // Its connections are taken before it opens new ones.
                self.networks[worker].iter().for_each(Proxy::reset);
                return self.pair.exhaust_connections(outage).await > 0;
            }
            Fault::StatementTimeout => self.pair.lock_records("test_0", outage).await,
            Fault::ReadOnly => self.pair.forbid_writes(outage).await,
            Fault::DiskFull => return self.pair.fill_disk(outage).await,
        }
        let lasting = match fault {
            Fault::WorkerStopped => Lasting::Stopped,
            Fault::NetworkSilent => Lasting::Silent,
            _ => return true,
        };
        let end = Instant::now() + LEASE + self.milliseconds(200..2000);
        self.lasting.push((end, worker, lasting));
        true
    }

    fn plan_cut(&mut self, worker: usize) {
        let side = if self.random.bool() {
            Side::Client
        } else {
            Side::Server
        };
        for proxy in &self.networks[worker] {
            let after = self.random.usize(..60);
            proxy.plan(Cut { side, after });
        }
    }

    /// Ends the lasting faults that are due.
    fn end_lasting(&mut self, now: Instant) {
        let (due, later) = self.lasting.iter().partition(|(end, ..)| *end <= now);
        self.lasting = later;
        let due: Vec<_> = due;
        for (_, worker, what) in due {
            match what {
                Lasting::Stopped => self.workers.resume(worker),
                Lasting::Silent => self.networks[worker].iter().for_each(Proxy::heal),
            }
        }
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.u64(range))
    }
}
