//! The cookie that a browser is logged in by.

use axum::http::{HeaderMap, header};

use super::super::Token;

/// Name of the cookie.
const COOKIE: &str = "durable_session";

/// Value of the session cookie of a request.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter();
    let texts = all.filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// `Set-Cookie` of a login. Scripts cannot read the cookie, and forms of other pages do not send it.
pub(crate) fn cookie(token: &Token, base: &str, headers: &HeaderMap) -> String {
    attributes(token.cookie(), base, headers)
}

/// `Set-Cookie` that ends a login.
pub(crate) fn log_out(base: &str, headers: &HeaderMap) -> String {
    attributes("", base, headers) + "; Max-Age=0"
}

fn attributes(value: &str, base: &str, headers: &HeaderMap) -> String {
    let origin = headers.get(header::ORIGIN);
    let encrypted = origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if encrypted { "; Secure" } else { "" };
    let path = if base.is_empty() { "/" } else { base };
    format!("{COOKIE}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}")
}
