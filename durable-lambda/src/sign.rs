//! Signs requests to the durable API with AWS Signature Version 4.
//!
//! AWS's own signer would add 23 packages to the dependency tree. The tests compare this one against it.

use std::fmt::Write as _;

use durable_core::Timestamp;
use ring::{digest, hmac};

use crate::wire::date_and_second;

/// Credentials that Lambda passes in environment variables.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) session: Option<String>,
}

/// Request to sign. The path is percent-encoded once; the query is percent-encoded and sorted.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
}

/// Returns the headers to add to the request, signature included.
pub(crate) fn headers(
    request: &Unsigned<'_>,
    credentials: &Credentials,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let (date, second) = date_and_second(now);
    let scope = format!("{date}/{}/lambda/aws4_request", request.region);
    let mut signed = vec![
        ("host", request.host.to_owned()),
        ("x-amz-date", second.clone()),
    ];
    if let Some(session) = &credentials.session {
        signed.push(("x-amz-security-token", session.clone()));
    }
    let names = signed
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(";");
    let canonical = canonical(request, &signed, &names);
    let text = format!(
        "AWS4-HMAC-SHA256\n{second}\n{scope}\n{}",
        sha256(canonical.as_bytes())
    );
    let mut key = mac(format!("AWS4{}", credentials.secret).as_bytes(), &date);
    for part in [request.region, "lambda", "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(mac(key.as_ref(), &text).as_ref());
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.key_id
    );
    signed.remove(0);
    signed.push(("authorization", authorization));
    signed
}

fn canonical(request: &Unsigned<'_>, signed: &[(&str, String)], names: &str) -> String {
    // The canonical path is percent-encoded twice.
    let path = request.path.replace('%', "%25");
    let mut text = format!("{}\n{path}\n{}\n", request.method, request.query);
    for (name, value) in signed {
        let _ = writeln!(text, "{name}:{}", value.trim());
    }
    let _ = write!(text, "\n{names}\n{}", sha256(request.body));
    text
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_credential_types::Credentials as AwsCredentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;

    use super::*;

    /// Signs the same request with AWS's own signer.
    fn aws_signature(request: &Unsigned<'_>, session: Option<&str>, now: SystemTime) -> String {
        let identity = AwsCredentials::new("AKID", "secret", session.map(str::to_owned), None, "t");
        let identity = identity.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(request.region)
            .name("lambda")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let query = if request.query.is_empty() { "" } else { "?" };
        let url = format!(
            "https://{}{}{query}{}",
            request.host, request.path, request.query
        );
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new(request.method, url, std::iter::empty(), body).unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        let (headers, _) = instructions.into_parts();
        let mut headers = headers.iter();
        let header = headers
            .find(|header| header.name() == "authorization")
            .unwrap();
        header.value().to_owned()
    }

    #[test]
    fn signatures_equal_those_of_the_aws_signer() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-execution%2Fx%2Fy";
        let checkpoint = format!("/2025-12-01/durable-executions/{arn}/checkpoint");
        let state = format!("/2025-12-01/durable-executions/{arn}/state");
        let cases = [
            (
                "POST",
                checkpoint.as_str(),
                "",
                &b"{\"CheckpointToken\":\"QQ==\"}"[..],
            ),
            (
                "GET",
                &state,
                "CheckpointToken=a%2Bb%2F%3D&Marker=m%3D&MaxItems=1000",
                b"",
            ),
        ];
        for seconds in [1_764_000_000, 1_709_164_799, 4_102_444_800] {
            for (method, path, query, body) in cases {
                for session in [None, Some("session/token+==")] {
                    let request = Unsigned {
                        method,
                        host: "lambda.us-east-1.amazonaws.com",
                        path,
                        query,
                        body,
                        region: "us-east-1",
                    };
                    let credentials = Credentials {
                        key_id: "AKID".to_owned(),
                        secret: "secret".to_owned(),
                        session: session.map(str::to_owned),
                    };
                    let now = Timestamp::from_millis(seconds * 1000);
                    let ours = headers(&request, &credentials, now);
                    let ours = ours
                        .iter()
                        .find(|(name, _)| *name == "authorization")
                        .unwrap();
                    let time =
                        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.cast_unsigned());
                    assert_eq!(
                        ours.1,
                        aws_signature(&request, session, time),
                        "{method} {path}"
                    );
                }
            }
        }
    }
}
