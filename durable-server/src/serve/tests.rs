//! The router inside of another app.

use axum::Router;
use durable_core::Client;
use durable_core::store::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Access, Options, Token, router};
use crate::http::{Limits, serve};

/// An app that has the router at `/ops/durable`.
async fn app(access: Access) -> u16 {
    let options = Options {
        access,
        ..Options::default()
    };
    let client = Client::new(MemoryStore::new());
    let app = Router::new().nest("/ops/durable", router(client, options));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(
        listener,
        app,
        Limits::default(),
        std::future::pending(),
    ));
    port
}

async fn send(port: u16, request: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn links_lead_to_where_the_router_is_mounted() {
    let port = app(Access::Embedded).await;
    let list = send(port, "GET /ops/durable", "host: ops.example\r\n").await;
    assert!(list.starts_with("HTTP/1.1 200"), "{list}");
    for part in [
        r#"href="/ops/durable""#,
        r#"href="/ops/durable/queues""#,
        r#"action="/ops/durable""#,
        r#"src="/ops/durable/assets/page.js""#,
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(!list.contains(r#"="/queues""#), "{list}");
    assert!(!list.contains(r#"="/ops/durable/""#), "{list}");
    let document = send(port, "GET /ops/durable/api/openapi.json", "host: x\r\n").await;
    assert!(
        document.contains(r#""servers":[{"url":"/ops/durable"}]"#),
        "{document}"
    );
    let script = send(port, "GET /ops/durable/assets/page.js", "host: x\r\n").await;
    assert!(script.starts_with("HTTP/1.1 200"), "{script}");
    let missing = send(port, "GET /ops/durable/nowhere", "host: x\r\n").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert!(missing.contains("application/problem+json"), "{missing}");
}

#[tokio::test]
async fn an_app_that_checks_requests_itself_still_refuses_foreign_pages() {
    let port = app(Access::Embedded).await;
    let foreign = "host: ops.example\r\norigin: https://evil.example\r\n";
    let refused = send(port, "GET /ops/durable/api/executions", foreign).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let own = "host: ops.example\r\norigin: https://ops.example\r\n";
    let answered = send(port, "GET /ops/durable/api/executions", own).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}

#[tokio::test]
async fn a_login_stays_within_the_mounted_path() {
    let token = Token::new("correct-horse-battery").unwrap();
    let port = app(Access::Token(token)).await;
    let sent = send(port, "GET /ops/durable/queues", "host: x\r\n").await;
    assert!(
        sent.contains("location: /ops/durable/login?next=%2Fqueues"),
        "{sent}"
    );
    let body = "token=correct-horse-battery&next=%2Fqueues";
    let form = format!(
        "host: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let login = send(port, "POST /ops/durable/login", &form).await;
    assert!(login.contains("location: /ops/durable/queues"), "{login}");
    assert!(login.contains("Path=/ops/durable;"), "{login}");
}

#[test]
fn nothing_of_a_token_is_shown() {
    let token = Token::new("correct-horse-battery").unwrap();
    assert!(token.is("correct-horse-battery") && !token.is("correct-horse-batterz"));
    assert!(token.is_cookie(token.cookie()) && !token.is_cookie("correct-horse-battery"));
    assert!(!token.is(token.cookie()));
    assert_eq!(format!("{token:?}"), "Token(…)");
}
