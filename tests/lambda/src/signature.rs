//! AWS Signature Version 4, implemented from its specification, independently of the code under test.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Characters that the canonical request percent-encodes: everything but the unreserved ones.
const SIGNED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const SIGNED_PATH: &AsciiSet = &SIGNED.remove(b'/');

/// Credentials that requests are signed with.
#[derive(Debug, Clone)]
#[expect(missing_docs)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: Option<String>,
    pub region: String,
}

/// Parts of a request that the signature covers.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path as sent, still encoded.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// Headers by lower-case name.
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) body: &'a [u8],
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Sorts the parameters of a query.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.contains('=') {
                pair.into()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// Computes the signature of `request`. The scope is `date/region/service/aws4_request`.
pub(crate) fn signature(
    request: &Request<'_>,
    signed_headers: &str,
    scope: &str,
    secret: &str,
) -> String {
    let headers: String = signed_headers
        .split(';')
        .map(|name| {
            let value = request.headers.get(name).map_or("", |value| value.trim());
            format!("{name}:{value}\n")
        })
        .collect();
    // The canonical path is the encoded path, encoded again. Only S3 differs.
    let path = utf8_percent_encode(request.path, SIGNED_PATH);
    let canonical = format!(
        "{}\n{path}\n{}\n{headers}\n{signed_headers}\n{}",
        request.method,
        canonical_query(request.query),
        hex(&Sha256::digest(request.body)),
    );
    let date = request.headers.get("x-amz-date").map_or("", String::as_str);
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for word in scope.split('/') {
        key = mac(&key, word);
    }
    hex(&mac(&key, &text))
}

/// Verifies the signature of a request. The error says what is wrong with it.
pub(crate) fn verify(request: &Request<'_>, credentials: &Credentials) -> Result<(), String> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let authorization = header("authorization").ok_or("Missing Authentication Token")?;
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("the Authorization header does not begin with AWS4-HMAC-SHA256")?;
    let field = |name: &str| {
        let mut all = fields
            .split(',')
            .filter_map(|field| field.trim().split_once('='));
        all.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let credential = field("Credential").ok_or("no Credential")?;
    let signed_headers = field("SignedHeaders").ok_or("no SignedHeaders")?;
    let given = field("Signature").ok_or("no Signature")?;
    let (key, scope) = credential
        .split_once('/')
        .ok_or("a Credential without scope")?;
    let date = header("x-amz-date").ok_or("no x-amz-date")?;
    let day = date.get(..8).ok_or("an x-amz-date without a day")?;
    let expected = format!("{day}/{}/lambda/aws4_request", credentials.region);
    if key != credentials.access_key || scope != expected {
        return Err(format!(
            "the Credential {credential} is not {}/{expected}",
            credentials.access_key
        ));
    }
    let mut needed = vec!["host", "x-amz-date"];
    if let Some(token) = &credentials.session_token {
        needed.push("x-amz-security-token");
        if header("x-amz-security-token") != Some(token) {
            return Err("the x-amz-security-token is missing or wrong".into());
        }
    }
    let is_signed = |name: &&str| signed_headers.split(';').any(|signed| signed == *name);
    if let Some(missing) = needed.iter().find(|name| !is_signed(name)) {
        return Err(format!("the header {missing} is not signed"));
    }
    let computed = signature(request, signed_headers, scope, &credentials.secret_key);
    if given != computed {
        return Err(
            "The request signature we calculated does not match the signature you provided.".into(),
        );
    }
    Ok(())
}

/// Computes the `Authorization` header of a request.
pub(crate) fn authorize(request: &Request<'_>, credentials: &Credentials) -> String {
    let date = request.headers.get("x-amz-date").map_or("", String::as_str);
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/lambda/aws4_request", credentials.region);
    let names: Vec<&str> = request.headers.keys().map(String::as_str).collect();
    let names = names.join(";");
    let signature = signature(request, &names, &scope, &credentials.secret_key);
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases `get-vanilla` and `get-vanilla-query-order-key-case` of AWS's published test suite.
    #[test]
    fn signatures_match_the_published_vectors() {
        let headers = BTreeMap::from([
            ("host".into(), "example.amazonaws.com".into()),
            ("x-amz-date".into(), "20150830T123600Z".into()),
        ]);
        let scope = "20150830/us-east-1/service/aws4_request";
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        for (query, expected) in [
            (
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let request = Request {
                method: "GET",
                path: "/",
                query,
                headers: &headers,
                body: b"",
            };
            let signature = signature(&request, "host;x-amz-date", scope, secret);
            assert_eq!(signature, expected);
        }
    }
}
