//! Events of executions while they happen, and the end of the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{PATIENCE, Server, execution};

/// A stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    pub(crate) fn open(server: &Server, path: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        assert_eq!(events.line(), "HTTP/1.1 200 OK");
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// Waits for an event with this name and returns its data.
    pub(crate) fn wait(&mut self, name: &str) -> Value {
        loop {
            if self.line() == format!("event: {name}") {
                let data = self.line();
                return serde_json::from_str(data.trim_start_matches("data: ")).unwrap();
            }
        }
    }
}

#[test]
fn operations_are_told_as_they_happen() {
    let server = Server::working();
    server.begin("slow", "slow", &json!(6));
    let mut events = Events::open(&server, &execution("slow", "/events"));
    let version = events.wait("ready")["version"].clone();
    assert!(version.is_string(), "{version}");
    let mut known = std::collections::HashMap::new();
    while known
        .values()
        .filter(|status| *status == "succeeded")
        .count()
        < 3
    {
        for row in events.wait("rows").as_array().unwrap() {
            known.insert(row["seq"].as_u64(), row["status"].clone());
        }
    }
    events.wait("changed");
    assert_eq!(
        server.get(&execution("slow", "?wait=60"))["status"],
        "succeeded"
    );
}

#[test]
fn a_listing_is_told_of_new_executions() {
    let server = Server::start();
    let mut events = Events::open(&server, "/api/events");
    events.wait("ready");
    server.begin("many", "m", &json!(1));
    events.wait("changed");
    server.post(&execution("m", "/cancel"), &Value::Null);
    events.wait("changed");
}

#[test]
fn a_rewound_history_is_to_be_read_again() {
    let mut server = Server::working();
    server.begin("charge", "c", &json!("4111"));
    server.until("c", "failed");
    server.kill_worker();
    let mut events = Events::open(&server, &execution("c", "/events"));
    events.wait("ready");
    server.post(&execution("c", "/retry"), &json!({"from": "beginning"}));
    events.wait("reload");
}

#[test]
fn streams_are_limited_and_their_ends_make_room() {
    let server = Server::start();
    let mut open: Vec<_> = (0..64)
        .map(|_| Events::open(&server, "/api/events"))
        .collect();
    let (status, detail) = server.refused("GET", "/api/events", &Value::Null);
    assert_eq!(status, 503, "{detail}");
    // Everything else is answered.
    assert_eq!(server.get("/api/executions")["more"], false);
    open.clear();
    let begun = Instant::now();
    while server_is_full(&server) {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
        // Ended connections are noticed when something is written to them.
        server.call("PUT", "/api/queues/q", &json!({}));
        server.call("POST", "/api/executions", &json!({"handler": "x", "id": format!("{begun:?}{:?}", begun.elapsed()).replace(' ', "")}));
    }
}

fn server_is_full(server: &Server) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head = b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    &status != b"HTTP/1.1 200"
}

#[test]
fn an_unknown_execution_has_no_events() {
    let server = Server::start();
    assert_eq!(
        server
            .refused("GET", &execution("no", "/events"), &Value::Null)
            .0,
        404
    );
}

/// Open streams do not hold the server back, and requests under way are answered.
#[test]
#[cfg(unix)]
fn a_server_that_is_asked_to_stop_ends_soon() {
    let mut server = Server::start();
    let mut events = Events::open(&server, "/api/events");
    events.wait("ready");
    let id = rustix::process::Pid::from_child(&server.process);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    let mut rest = String::new();
    events.0.read_to_string(&mut rest).unwrap();
    let status = server.process.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < PATIENCE);
}
