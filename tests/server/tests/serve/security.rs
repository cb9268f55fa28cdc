//! Foreign requests, tokens, and what browsers may do with the answers.

use serde_json::json;

use crate::client::Answer;
use crate::server::{Server, TOKEN, command, problem, store};

const NEW: &str = r#"{"handler": "x", "id": "x"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

/// Neither answer lets another origin read it.
fn no_sharing(answer: &Answer) {
    let shared = answer
        .headers
        .keys()
        .any(|name| name.starts_with("access-control"));
    assert!(!shared, "{answer:?}");
}

#[test]
fn pages_of_other_origins_drive_neither_page_nor_api() {
    let server = Server::start();
    for headers in [
        ("host", "evil.example"),
        ("host", "127.0.0.1.evil.example"),
        ("host", ""),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for (method, path, body) in [
            ("POST", "/api/executions", NEW),
            ("POST", "/start", "handler=x&id=x"),
            ("GET", "/api/executions", ""),
            ("GET", "/", ""),
            ("GET", "/api/events", ""),
        ] {
            let refused = server.bare(method, path, &[JSON, headers], body.as_bytes());
            assert_eq!(problem(&refused).0, 403, "{headers:?} {method} {path}");
            no_sharing(&refused);
        }
    }
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = server.bare("OPTIONS", "/api/executions", &preflight, b"");
    assert_eq!(preflight.status, 403);
    no_sharing(&preflight);
    assert_eq!(server.get("/api/executions")["executions"], json!([]));
}

#[test]
fn a_link_on_another_page_may_lead_here_but_changes_nothing() {
    let server = Server::start();
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(server.bare("GET", "/", &link, b"").status, 200);
    assert_eq!(
        server
            .bare("POST", "/start", &link, b"handler=x&id=x")
            .status,
        403
    );
    // Not into a frame, nor as a picture or script.
    for dest in ["iframe", "image", "script", "empty"] {
        let framed = [link[0], link[1], ("sec-fetch-dest", dest)];
        assert_eq!(server.bare("GET", "/", &framed, b"").status, 403, "{dest}");
    }
}

/// A form of another page has one of these types; the browser asks before it sends others.
#[test]
fn the_api_takes_json_only() {
    let server = Server::start();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let answer = server.bare(
            "POST",
            "/api/executions",
            &[("content-type", kind)],
            NEW.as_bytes(),
        );
        assert_eq!(problem(&answer).0, 415, "{kind}");
    }
}

#[test]
fn a_token_is_asked_for_by_page_and_api() {
    let server = Server::guarded();
    for path in [
        "/api/executions",
        "/metrics",
        "/api/events",
        "/api/openapi.json",
    ] {
        for headers in [
            vec![],
            vec![("authorization", "Bearer wrong-wrong-wrong-wrong")],
            vec![("authorization", TOKEN)],
            vec![("authorization", "Basic Y29ycmVjdA==")],
            vec![("cookie", "durable_session=correct-horse-battery-staple")],
        ] {
            let refused = server.bare("GET", path, &headers, b"");
            assert_eq!(problem(&refused).0, 401, "{path} {headers:?}");
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(
        server.bare("POST", "/start", &[], b"handler=x&id=x").status,
        401
    );
    assert_eq!(server.get("/api/executions")["executions"], json!([]));
    // Whether it is alive is no secret; nor are the files of the page.
    assert_eq!(server.bare("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(
        server.bare("GET", "/assets/style.css", &[], b"").status,
        200
    );
}

#[test]
fn people_log_in_with_the_token_and_out_again() {
    let server = Server::guarded();
    let sent = server.bare("GET", "/queues?x=1", &[], b"");
    assert_eq!(sent.header("location"), "/login?next=%2Fqueues%3Fx%3D1");
    let form = |body: &str, more: &[(&str, &str)]| {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = [kind].iter().chain(more).copied().collect();
        server.bare("POST", "/login", &headers, body.as_bytes())
    };
    let wrong = form("token=wrong", &[]);
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    let login = form(&format!("token={TOKEN}&next=%2Fqueues"), &[]);
    assert_eq!((login.status, login.header("location")), (303, "/queues"));
    let cookie = login.header("set-cookie").to_owned();
    for part in ["Path=/;", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        !cookie.contains(TOKEN) && !cookie.contains("Secure"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap();
    assert_eq!(
        server
            .bare("GET", "/queues", &[("cookie", session)], b"")
            .status,
        200
    );
    let elsewhere = form(&format!("token={TOKEN}&next=//evil.example"), &[]);
    assert_eq!(elsewhere.header("location"), "/");
    let host = ("host", "durable.example");
    let encrypted = form(
        &format!("token={TOKEN}"),
        &[host, ("origin", "https://durable.example")],
    );
    assert!(
        encrypted.header("set-cookie").contains("Secure"),
        "{encrypted:?}"
    );
    // The session does not help a page of another origin.
    let foreign = [("cookie", session), ("origin", "https://evil.example")];
    assert_eq!(
        server
            .bare("POST", "/start", &foreign, b"handler=x&id=x")
            .status,
        403
    );
    let out = server.bare("POST", "/logout", &[("cookie", session)], b"");
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
}

#[test]
fn other_addresses_than_loopback_need_a_good_token() {
    let folder = store();
    let run = |arguments: &[&str]| {
        let output = command(&folder, &["serve", "--listen", "0.0.0.0:0"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text) = run(&[]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("can be reached from other machines") && text.contains("--token-file"),
        "{text}"
    );
    for (content, why) in [
        ("short", "has 5 characters"),
        ("two words and more", "printable ASCII"),
    ] {
        std::fs::write(folder.path().join("weak"), content).unwrap();
        let (code, text) = run(&["--token-file", "weak"]);
        assert_eq!(code, Some(2));
        assert!(text.contains(why), "{text}");
    }
    let (code, text) = run(&["--token-file", "nowhere"]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("cannot read the token from nowhere"),
        "{text}"
    );
}

#[test]
fn every_answer_tells_browsers_what_is_allowed() {
    let server = Server::start();
    for (path, status) in [
        ("/", 200),
        ("/api/executions", 200),
        ("/assets/page.js", 200),
        ("/nowhere", 404),
        ("/api/executions/no", 404),
    ] {
        let answer = server.bare("GET", path, &[], b"");
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        let stored = answer.header("cache-control") != "no-store";
        assert_eq!(stored, path.starts_with("/assets/"), "{path}");
        no_sharing(&answer);
    }
    let html = server.bare("GET", "/", &[], b"");
    let html = String::from_utf8(html.body).unwrap();
    assert!(
        !html.contains("style=") && !html.contains("<style") && !html.contains("onclick"),
        "{html}"
    );
}
