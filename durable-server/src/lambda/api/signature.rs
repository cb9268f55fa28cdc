//! Verifies AWS Signature Version 4.

use std::borrow::Cow;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest as _, Sha256};

/// Difference between the clocks of client and server that is allowed, in seconds.
const MAX_SKEW: i64 = 15 * 60;

/// Characters that stay as they are in a canonical request.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The same for a path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Request as it was sent.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Reason why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    /// The header `Authorization` is missing or not in the format of version 4.
    Format,
    /// `Host` or the time is not signed, or the scope is not `lambda`.
    Scope,
    /// The time of the request is far from the server's.
    Time,
    /// The signature is not that of the request.
    Signature,
}

impl Invalid {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Format | Self::Scope => "IncompleteSignatureException",
            Self::Time | Self::Signature => "InvalidSignatureException",
        }
    }

    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Format => {
                "The request has no signature of version 4 in its Authorization header."
            }
            Self::Scope => {
                "The signature must cover host and x-amz-date, and its scope must be DATE/REGION/lambda/aws4_request."
            }
            Self::Time => {
                "Signature expired: the time of the request is more than 15 minutes from that of this server."
            }
            Self::Signature => {
                "The request signature we calculated does not match the signature you provided. Check the secret access key."
            }
        }
    }
}

/// Parts of the header `Authorization`.
struct Authorization<'a> {
    scope: &'a str,
    names: &'a str,
    signature: Vec<u8>,
}

/// Verifies the signature of a request at `now`, in seconds since 1970.
pub(super) fn verify(request: &Signed<'_>, secret: &str, now: i64) -> Result<(), Invalid> {
    let given = text(request.headers, "authorization").ok_or(Invalid::Format)?;
    let given = parse(given).ok_or(Invalid::Format)?;
    let time = text(request.headers, "x-amz-date").ok_or(Invalid::Scope)?;
    let mut names = given.names.split(';');
    let has = |wanted| given.names.split(';').any(|name| name == wanted);
    let parts: Vec<&str> = given.scope.split('/').collect();
    let [date, region, "lambda", "aws4_request"] = parts[..] else {
        return Err(Invalid::Scope);
    };
    if !has("host") || !has("x-amz-date") || !time.starts_with(date) {
        return Err(Invalid::Scope);
    }
    let sent = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time);
    let sent = sent.and_then(|sent| sent.to_zoned(jiff::tz::TimeZone::UTC));
    let sent = sent.map_err(|_| Invalid::Scope)?.timestamp().as_second();
    if (now - sent).abs() > MAX_SKEW {
        return Err(Invalid::Time);
    }
    let headers = names.try_fold(String::new(), |all, name| {
        Some(all + name + ":" + &values(request.headers, name)? + "\n")
    });
    let canonical = [
        request.method,
        &percent_encode(request.path.as_bytes(), PATH).to_string(),
        &query(request.query),
        &headers.ok_or(Invalid::Signature)?,
        given.names,
        &hash(request.body),
    ]
    .join("\n");
    let (scope, digest) = (given.scope, hash(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, "lambda", "aws4_request"] {
        key = mac(&key, part).finalize().into_bytes().to_vec();
    }
    // Takes the same time for every signature.
    let matches = mac(&key, &text).verify_slice(&given.signature);
    matches.map_err(|_| Invalid::Signature)
}

fn parse(header: &str) -> Option<Authorization<'_>> {
    let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
    let part = |wanted: &str| {
        let mut parts = rest.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(wanted))
    };
    let (_, scope) = part("Credential=")?.split_once('/')?;
    Some(Authorization {
        scope,
        names: part("SignedHeaders=")?,
        signature: bytes(part("Signature=")?)?,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Values of a header, with single spaces.
fn values(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Option<Vec<String>> = values
        .map(|value| {
            let words = value.to_str().ok()?.split_ascii_whitespace();
            Some(words.collect::<Vec<_>>().join(" "))
        })
        .collect();
    values
        .filter(|values| !values.is_empty())
        .map(|values| values.join(","))
}

/// Query with its parameters encoded again and sorted.
fn query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded: Cow<'_, [u8]> = percent_decode_str(text).into();
        percent_encode(&decoded, UNRESERVED).to_string()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let pairs = pairs.into_iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    // A key may have any length.
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mac =
        mac.unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.chain_update(text)
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
#[path = "signature/tests.rs"]
mod tests;
