//! Tests of foreign, oversized, slow and malformed requests.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::assert_slow_clients_are_disconnected;
use crate::server::{Server, Settings, answer, execution, random};

#[test]
fn web_pages_cannot_send_requests() {
    let server = Server::start(Settings::default());
    let invoke = "/2015-03-31/functions/plain/invocations";
    for (headers, reason) in [
        (vec![("host", "evil.example")], "The Host header"),
        (
            vec![("origin", "https://evil.example")],
            "web pages of other origins",
        ),
        (vec![("origin", "null")], "web pages of other origins"),
        (
            vec![("sec-fetch-site", "cross-site")],
            "web pages of other origins",
        ),
    ] {
        let refused = server.try_call("POST", invoke, &headers, b"1").unwrap();
        let (status, code, message) = refused.error();
        assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
        assert!(message.contains(reason), "{message}");
        assert!(refused.header("access-control-allow-origin").is_empty());
    }
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = server.try_call("OPTIONS", invoke, &preflight, b"").unwrap();
    assert_eq!(preflight.status, 403);
    assert!(
        preflight
            .headers
            .keys()
            .all(|name| !name.starts_with("access-control"))
    );
    assert!(!server.output().contains("plain got"));
}

#[test]
fn requests_need_the_access_key_if_one_is_set() {
    let server = Server::start(Settings {
        arguments: vec!["--access-key".into(), "LOCALKEY1234567890".into()],
        ..Settings::default()
    });
    let signed = |key: &str| {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20261101/us-east-1/lambda/aws4_request, Signature=0"
        );
        let headers = [
            ("authorization", header.as_str()),
            ("host", "lambda.internal"),
        ];
        server
            .try_invoke("steps:$LATEST", &headers, &json!(2))
            .unwrap()
    };
    assert_eq!(server.invoke("steps:$LATEST", &json!(2)).error().0, 403);
    assert_eq!(signed("ANOTHERKEY12345678").error().0, 403);
    // Functions receive the key, so their checkpoints are accepted.
    assert_eq!(signed("LOCALKEY1234567890").json(), 1);
}

#[test]
fn bodies_are_limited() {
    let server = Server::start(Settings::default());
    let path = "/2015-03-31/functions/plain/invocations";
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [
        format!("{:x}\r\n", 1 << 20).into_bytes(),
        vec![b'x'; 1 << 20],
        b"\r\n".to_vec(),
    ]
    .concat();
    // The server stops reading, so later writes may fail.
    for _ in 0..64 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    match answer(&mut stream) {
        Ok(refused) => assert_eq!(refused.error().1, "RequestTooLargeException"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    assert_eq!(server.invoke("plain", &json!(1)).json(), 1);
}

#[test]
fn slow_clients_are_disconnected_while_others_are_served() {
    let server = Server::start(Settings {
        arguments: ["--request-timeout", "2"].map(str::to_owned).into(),
        ..Settings::default()
    });
    let half_a_head = "POST /2015-03-31/functions/plain/invocations HTTP/1.1\r\nhost: loc";
    let half_a_body = "POST /2015-03-31/functions/plain/invocations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1";
    assert_slow_clients_are_disconnected(server.port, half_a_head, half_a_body, || {
        assert_eq!(server.invoke("plain", &json!(1)).json(), 1);
    });
}

#[test]
fn malformed_requests_get_errors_in_the_format_of_aws() {
    let server = Server::start(Settings::default());
    let arn = server.begin("sleepy:$LATEST", &json!(null));
    server.event(&arn, "InvocationCompleted");
    let checkpoint = execution(&arn, "/checkpoint");
    let whole = |answer: &crate::server::Answer| {
        let (body, message) = (answer.json(), answer.error().2);
        assert_eq!(body["Message"], message.as_str(), "{answer:?}");
        assert_eq!(body["__type"], answer.header("x-amzn-errortype"));
        assert!(["User", "Service"].contains(&body["Type"].as_str().unwrap()));
        assert!(!answer.header("x-amzn-requestid").is_empty());
    };
    for body in [
        "",
        "{",
        "[]",
        "null",
        "1",
        "{\"CheckpointToken\":1}",
        "{\"CheckpointToken\":\"x\",\"Updates\":[{}]}",
        "{\"CheckpointToken\":\"x\",\"Updates\":[{\"Id\":\"a\",\"Type\":\"NOPE\",\"Action\":\"START\"}]}",
        "\u{0}",
    ] {
        let answer = server
            .try_call("POST", &checkpoint, &[], body.as_bytes())
            .unwrap();
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        whole(&answer);
    }
    let deep = "[".repeat(200_000);
    whole(
        &server
            .try_call("POST", &checkpoint, &[], deep.as_bytes())
            .unwrap(),
    );
    let deep = server
        .try_call(
            "POST",
            "/2015-03-31/functions/plain/invocations",
            &[],
            deep.as_bytes(),
        )
        .unwrap();
    assert_eq!(deep.error().1, "InvalidRequestContentException");
    let stale = server.call("POST", &checkpoint, &json!({"CheckpointToken": "AAAA"}));
    assert_eq!(
        stale.error(),
        (
            400,
            "InvalidParameterValueException".into(),
            "Invalid checkpoint token".into()
        )
    );
    let wrong_version = arn.replace("$LATEST", "8");
    let missing = server.call("GET", &execution(&wrong_version, ""), &Value::Null);
    assert_eq!(missing.error().1, "ResourceNotFoundException");
    for path in [
        "/",
        "/../../etc/passwd",
        "/2015-03-31/functions/..%2F..%2Fetc/invocations",
        "/%00",
        "/2025-12-01/durable-executions/x/../../state",
    ] {
        let answer = server.try_call("POST", path, &[], b"1").unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        whole(&answer);
    }
    let alive = server.invoke("plain", &json!(1));
    assert_eq!(alive.json(), 1);
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = random();
    let server = Server::start(Settings::default());
    let arn = server.begin("sleepy:$LATEST", &json!(null));
    for _ in 0..300 {
        let noise: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        if random.bool() {
            // Not HTTP.
            let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            let _ = stream.write_all(&noise);
            continue;
        }
        let operation = ["/checkpoint", "/stop", "/pause", "/resume"][random.usize(..4)];
        let noise = [b"{\"CheckpointToken\":\"".to_vec(), noise].concat();
        let answer = server
            .try_call("POST", &execution(&arn, operation), &[], &noise)
            .unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(server.get(&arn)["Status"], "RUNNING");
    assert!(!server.output().contains("panicked"), "{}", server.output());
}
