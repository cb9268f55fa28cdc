//! Protection against requests that web pages send through a browser.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};

/// Policy for the requests that a server accepts.
#[cfg(feature = "lambda")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Requests to a loopback name, from programs on this machine.
    Loopback,
    /// Requests signed with this access key, from anywhere.
    AccessKey(String),
}

/// Reason a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Its `Host` is not this machine: a name that was rebound to a loopback address.
    Host,
    /// A browser sent it for a page of another origin.
    Origin,
    /// It is not signed with the access key.
    #[cfg(feature = "lambda")]
    Key,
}

impl Foreign {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Host => "The Host header must be 127.0.0.1, [::1] or localhost.",
            Self::Origin => "Requests from web pages of other origins are refused.",
            #[cfg(feature = "lambda")]
            Self::Key => "The request is not signed with the access key of this server.",
        }
    }
}

#[cfg(feature = "lambda")]
impl Guard {
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Foreign> {
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        if *self == Self::Loopback {
            check_loopback(host)?;
        }
        check_origin(headers, host)?;
        match self {
            Self::AccessKey(key) if !is_signed_with(text(headers, "authorization"), key) => {
                Err(Foreign::Key)
            }
            _ => Ok(()),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Refuses names other than those of this machine.
pub(crate) fn check_loopback(host: &str) -> Result<(), Foreign> {
    match is_loopback(host) {
        true => Ok(()),
        false => Err(Foreign::Host),
    }
}

/// Refuses what a browser sends for a page of another origin than `host`.
pub(crate) fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Foreign> {
    if let Some(origin) = text(headers, header::ORIGIN.as_str()) {
        let plain = origin.strip_prefix("http://");
        // Encrypted by a proxy in front of this server.
        let name = plain.or_else(|| origin.strip_prefix("https://"));
        if name != Some(host) {
            return Err(Foreign::Origin);
        }
    }
    // Browsers leave `Origin` out of some reads, but not this.
    match text(headers, "sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Foreign::Origin),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a SigV4 header names the key. The signature itself is not checked.
#[cfg(feature = "lambda")]
fn is_signed_with(authorization: Option<&str>, key: &str) -> bool {
    let credential = authorization
        .and_then(|header| header.split_once("Credential="))
        .and_then(|(_, rest)| rest.split_once('/'));
    credential.is_some_and(|(given, _)| {
        // Compares every byte, so that the time does not reveal how many are correct.
        let differing = given.bytes().zip(key.bytes()).map(|(a, b)| a ^ b);
        given.len() == key.len() && differing.fold(0, |all, byte| all | byte) == 0
    })
}

#[cfg(test)]
#[cfg(feature = "lambda")]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn only_loopback_hosts_are_accepted() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9",
            "localhost:80",
            "LOCALHOST",
            "[::1]:9",
            "[::1]",
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(Guard::Loopback.check(&headers), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example:9",
            "localhost.evil",
            "10.0.0.1:9",
        ] {
            let headers = headers(&[("host", host)]);
            assert_eq!(
                Guard::Loopback.check(&headers),
                Err(Foreign::Host),
                "{host}"
            );
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let check = |name, value| {
            Guard::Loopback.check(&headers(&[("host", "127.0.0.1:9"), (name, value)]))
        };
        assert_eq!(check("origin", "http://127.0.0.1:9"), Ok(()));
        assert_eq!(check("sec-fetch-site", "same-origin"), Ok(()));
        for origin in [
            "null",
            "https://evil.example",
            "http://127.0.0.1:10",
            "http://localhost:9",
        ] {
            assert_eq!(check("origin", origin), Err(Foreign::Origin), "{origin}");
        }
        assert_eq!(check("sec-fetch-site", "cross-site"), Err(Foreign::Origin));
        assert_eq!(check("sec-fetch-site", "same-site"), Err(Foreign::Origin));
    }

    #[test]
    fn a_public_address_requires_the_access_key() {
        let guard = Guard::AccessKey("A-KEY".into());
        let check =
            |value| guard.check(&headers(&[("host", "10.0.0.1"), ("authorization", value)]));
        assert_eq!(
            check("AWS4-HMAC-SHA256 Credential=A-KEY/20261101/eu, Signature=0"),
            Ok(())
        );
        assert_eq!(
            check("AWS4-HMAC-SHA256 Credential=A-KEX/20261101"),
            Err(Foreign::Key)
        );
        assert_eq!(
            check("AWS4-HMAC-SHA256 Credential=A-KE/20261101"),
            Err(Foreign::Key)
        );
        assert_eq!(check("A-KEY"), Err(Foreign::Key));
    }
}
