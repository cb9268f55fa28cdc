//! Proxy that cuts connections between any two messages of the protocol.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Sender of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The process that uses the store.
    Client,
    /// The database.
    Server,
}

/// Position at which a connection is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Side whose messages are counted.
    pub side: Side,
    /// Number of messages to forward before the cut.
    pub after: usize,
}

/// Planned cut, shared by all connections.
#[derive(Default)]
struct Plan {
    cut: Option<Cut>,
    /// Messages since the cut was planned.
    counted: usize,
    /// Whether the cut has happened.
    done: bool,
}

/// Proxy in front of a server.
pub struct Proxy {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    open: watch::Sender<Network>,
}

/// Simulated state of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Up,
    /// Forwards nothing; connections stay open.
    Silent,
    /// Ends all connections whenever the number changes.
    Reset(u32),
}

impl Proxy {
    /// Starts a proxy in front of a port on loopback.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let (open, _) = watch::channel(Network::Up);
        let (shared, network) = (Arc::clone(&plan), open.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, network) = (Arc::clone(&shared), network.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    pass(client, server, shared, network).await;
                });
            }
        });
        Self { port, plan, open }
    }

    /// Port that the proxy listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Plans a cut, counted from now on.
    pub fn plan(&self, cut: Cut) {
        *self.plan.lock().unwrap() = Plan {
            cut: Some(cut),
            ..Plan::default()
        };
    }

    /// Counts messages of a side from now on without a cut.
    pub fn count(&self, side: Side) {
        self.plan(Cut {
            side,
            after: usize::MAX,
        });
    }

    /// Number of messages counted since the plan or count began.
    pub fn counted(&self) -> usize {
        self.plan.lock().unwrap().counted
    }

    /// Whether the planned cut has happened.
    pub fn has_cut(&self) -> bool {
        self.plan.lock().unwrap().done
    }

    /// Stops forwarding in both directions; connections stay open.
    pub fn silence(&self) {
        self.open.send_replace(Network::Silent);
    }

    /// Resumes forwarding; connections from before are reset.
    pub fn heal(&self) {
        self.reset();
        self.open.send_replace(Network::Up);
    }

    /// Ends all connections.
    pub fn reset(&self) {
        self.open.send_modify(|network| {
            *network = match network {
                Network::Reset(number) => Network::Reset(*number + 1),
                _ => Network::Reset(0),
            }
        });
    }
}

async fn pass(
    client: TcpStream,
    server: TcpStream,
    plan: Arc<Mutex<Plan>>,
    mut network: watch::Receiver<Network>,
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let up = messages(
        Side::Client,
        client_in,
        server_out,
        Arc::clone(&plan),
        network.clone(),
    );
    let down = messages(Side::Server, server_in, client_out, plan, network.clone());
    network.mark_unchanged();
    let reset = async {
        loop {
            if network.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if matches!(*network.borrow_and_update(), Network::Reset(_)) {
                return;
            }
        }
    };
    // Dropping the halves closes the connection in both directions.
    tokio::select! {
        () = up => {}
        () = down => {}
        () = reset => {}
    }
}

/// Forwards messages until the connection is cut.
async fn messages(
    side: Side,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: Arc<Mutex<Plan>>,
    mut network: watch::Receiver<Network>,
) {
    // The first message of a client has no type byte.
    let mut has_type = side == Side::Server;
    loop {
        let Some(message) = read(&mut from, has_type).await else {
            return;
        };
        has_type = true;
        let silent = network.wait_for(|network| *network != Network::Silent);
        drop(silent.await);
        if is_cut(&plan, side) || to.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn read(from: &mut OwnedReadHalf, has_type: bool) -> Option<Vec<u8>> {
    let head = if has_type { 5 } else { 4 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head - 4 + length, 0);
    from.read_exact(&mut message[head..]).await.ok()?;
    Some(message)
}

/// Counts a message. Returns whether the connection is cut before it.
fn is_cut(plan: &Mutex<Plan>, side: Side) -> bool {
    let mut plan = plan.lock().unwrap();
    let Some(cut) = plan.cut.filter(|cut| cut.side == side && !plan.done) else {
        return false;
    };
    plan.done = plan.counted == cut.after;
    plan.counted += usize::from(!plan.done);
    plan.done
}
