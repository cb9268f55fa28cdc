use super::*;

const SECRET: &str = "a-secret-of-the-tests";
/// 2026-11-28T12:00:00Z.
const NOW: i64 = 1_795_867_200;
/// Computed by botocore.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=LOCALKEY1234567890/20261128/eu-west-1/lambda/aws4_request, \
                             SignedHeaders=host;x-amz-date;x-amz-meta;x-amz-security-token, \
                             Signature=52d2b32ba009851e94945b9469c28e06d79cb5140f1564d117b626f7fe427aa3";

struct Sent {
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: HeaderMap,
    body: &'static [u8],
}

fn sent() -> Sent {
    let pairs = [
        ("host", "127.0.0.1:9010"),
        ("x-amz-date", "20261128T120000Z"),
        ("x-amz-meta", "  two   words "),
        ("x-amz-security-token", "token/+="),
        ("authorization", AUTHORIZATION),
    ];
    let headers = pairs.into_iter().map(|(name, value)| {
        let name = axum::http::HeaderName::from_static(name);
        (name, value.parse().unwrap())
    });
    Sent {
        method: "POST",
        path: "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af%3A%24LATEST%2Fdurable-execution\
               %2Fn%2Fi/state",
        query: "MaxItems=5&Marker=a%2Bb%2F%3D&Empty=",
        headers: headers.collect(),
        body: b"{\"a\":  1}",
    }
}

fn check(sent: &Sent, secret: &str, now: i64) -> Result<(), Invalid> {
    let request = Signed {
        method: sent.method,
        path: sent.path,
        query: sent.query,
        headers: &sent.headers,
        body: sent.body,
    };
    verify(&request, secret, now)
}

#[test]
fn a_signature_of_another_implementation_is_accepted() {
    assert_eq!(check(&sent(), SECRET, NOW), Ok(()));
    assert_eq!(check(&sent(), SECRET, NOW + 14 * 60), Ok(()));
    assert_eq!(check(&sent(), SECRET, NOW + 16 * 60), Err(Invalid::Time));
    assert_eq!(check(&sent(), SECRET, NOW - 16 * 60), Err(Invalid::Time));
    assert_eq!(
        check(&sent(), "another-secret", NOW),
        Err(Invalid::Signature)
    );
}

#[test]
fn every_part_of_the_request_is_covered() {
    let changes: [fn(&mut Sent); 6] = [
        |sent| sent.method = "GET",
        |sent| sent.path = "/2025-12-01/durable-executions/other/state",
        |sent| sent.query = "MaxItems=6&Marker=a%2Bb%2F%3D&Empty=",
        |sent| sent.body = b"{\"a\": 1}",
        |sent| {
            sent.headers
                .insert("host", "127.0.0.1:9011".parse().unwrap());
        },
        |sent| {
            sent.headers.remove("x-amz-meta");
        },
    ];
    for change in changes {
        let mut sent = sent();
        change(&mut sent);
        assert_eq!(check(&sent, SECRET, NOW), Err(Invalid::Signature));
    }
    // The order of parameters does not matter.
    let mut sorted = sent();
    sorted.query = "Empty&Marker=a%2Bb%2F%3D&MaxItems=5";
    assert_eq!(check(&sorted, SECRET, NOW), Ok(()));
}

#[test]
fn headers_in_another_format_are_refused() {
    let with = |authorization: &str| {
        let mut sent = sent();
        sent.headers
            .insert("authorization", authorization.parse().unwrap());
        check(&sent, SECRET, NOW)
    };
    for wrong in [
        "",
        "Bearer LOCALKEY1234567890",
        "AWS4-HMAC-SHA256 Credential=K/20261128/eu-west-1/lambda/aws4_request",
        &AUTHORIZATION.replace("aa3", "aa"),
        &AUTHORIZATION.replace("aa3", "xyz"),
    ] {
        assert_eq!(with(wrong), Err(Invalid::Format), "{wrong}");
    }
    for wrong in [
        AUTHORIZATION.replace("/lambda/", "/s3/"),
        AUTHORIZATION.replace("host;", ""),
        AUTHORIZATION.replace("x-amz-date;", ""),
        AUTHORIZATION.replace("20261128", "20261127"),
    ] {
        assert_eq!(with(&wrong), Err(Invalid::Scope), "{wrong}");
    }
    let mut sent = sent();
    sent.headers.remove("authorization");
    assert_eq!(check(&sent, SECRET, NOW), Err(Invalid::Format));
    sent.headers
        .insert("authorization", AUTHORIZATION.parse().unwrap());
    sent.headers
        .insert("x-amz-date", "20261128".parse().unwrap());
    assert_eq!(check(&sent, SECRET, NOW), Err(Invalid::Scope));
}
