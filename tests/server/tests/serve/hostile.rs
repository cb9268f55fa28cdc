//! Huge, slow and malformed requests, and hostile contents of the store.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::{answer, assert_slow_clients_are_disconnected};
use crate::server::{Server, execution, problem};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn bodies_are_limited() {
    let server = Server::start();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head = "POST /api/executions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [
        format!("{:x}\r\n", 1 << 20).into_bytes(),
        vec![b' '; 1 << 20],
        b"\r\n".to_vec(),
    ]
    .concat();
    // The server stops reading; some of this is never taken.
    for _ in 0..64 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    match answer(&mut stream) {
        Ok(refused) => assert_eq!(problem(&refused).0, 413),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    let large = format!(
        "{{\"handler\": \"x\", \"id\": \"x\", \"input\": \"{}\"}}",
        "x".repeat(3 << 20)
    );
    let refused = crate::client::request(
        server.port,
        "POST",
        "/api/executions",
        &[JSON],
        large.as_bytes(),
    );
    if let Ok(refused) = refused {
        assert_eq!(refused.status, 413);
    }
    assert_eq!(server.get("/api/executions")["executions"], json!([]));
}

#[test]
fn slow_clients_are_cut_off_while_others_are_served() {
    let server = Server::with(&["--request-timeout", "2"]);
    let half_a_head = "GET /api/executions HTTP/1.1\r\nhost: loc";
    let half_a_body =
        "POST /api/executions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";
    assert_slow_clients_are_disconnected(server.port, half_a_head, half_a_body, || {
        assert_eq!(server.get("/api/executions")["more"], false);
    });
}

#[test]
fn malformed_requests_get_errors_that_say_what_is_wrong() {
    let mut server = Server::start();
    server.begin("x", "x", &json!(1));
    let deep = "[".repeat(200_000);
    let closed = format!(
        "{{\"handler\": \"y\", \"id\": \"y\", \"input\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "1",
        "\u{0}",
        "{\"id\": 1}",
        "{\"handler\": \"x\", \"id\": \"a b\"}",
        "{\"handler\": \"\", \"id\": \"y\"}",
        "{\"handler\": \"x\", \"id\": \"y\", \"unknown\": 1}",
        &deep,
        &closed,
    ];
    for path in [
        "/api/executions",
        "/api/changes",
        "/api/callbacks/complete",
        "/api/executions/x/retry",
    ] {
        for body in bodies {
            let answer = server.bare("POST", path, &[JSON], body.as_bytes());
            assert_eq!(
                problem(&answer).0,
                400,
                "{path} {}",
                &body[..body.len().min(80)]
            );
        }
    }
    for body in [
        &b"\xff\xfe"[..],
        b"handler=%ff%fe&id=%00",
        b"id=&id=&&&=",
        b"%",
    ] {
        let form = ("content-type", "application/x-www-form-urlencoded");
        for path in ["/start", "/callback", "/executions/no/retry", "/login"] {
            let answer = server.bare("POST", path, &[form], body);
            assert!((300..500).contains(&answer.status), "{path}: {answer:?}");
        }
    }
    let noise: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let _ = stream.write_all(&noise);
    drop(stream);
    assert_eq!(server.get(&execution("x", ""))["status"], "queued");
    assert!(server.process.try_wait().unwrap().is_none());
}

#[test]
fn no_path_leads_out_of_the_page() {
    let server = Server::start();
    std::fs::write(server.path("secret.txt"), "secret").unwrap();
    for path in [
        "/assets/../secret.txt",
        "/assets/..%2Fsecret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/%00",
        "/assets/style.css%00.txt",
        "/assets//style.css",
        "//evil.example/",
        "/..",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/executions/..%2F..%2Fetc",
        "/api/executions/%ff",
        "/api/executions/%0d%0aset-cookie:%20x=1",
        "/secret.txt",
        "/app.db",
    ] {
        let answer = server.bare("GET", path, &[], b"");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
    }
    let (status, _) = server.refused("GET", "/nowhere", &Value::Null);
    assert_eq!(status, 404);
    assert_eq!(
        server.refused("PATCH", "/api/executions", &Value::Null).0,
        405
    );
}

#[test]
fn what_is_stored_cannot_run_in_the_page() {
    let server = Server::start();
    let script = "<script>alert(1)</script>\"'><img/src=x>";
    let id = "<script>alert(1)</script>";
    server.begin(script, id, &json!(script));
    let queue = json!({"name": script});
    let queued = json!({"handler": "x", "id": "q", "queue": queue});
    assert_eq!(server.call("POST", "/api/executions", &queued).status, 201);
    let encoded = crate::client::encoded(id);
    let path = format!("/executions/{encoded}");
    for path in [
        "/",
        &path,
        "/queues",
        &format!("{path}/cancel"),
        &format!("/compare?left={encoded}&right={encoded}"),
    ] {
        let answer = server.bare("GET", path, &[], b"");
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            !text.contains("<script>alert") && !text.contains("<img/src"),
            "{path}: {text}"
        );
        assert!(text.contains("alert(1)"), "{path}: {text}");
    }
}
