//! Logging in with the token of the server.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Site;
use super::forms::{Confirm, Field};
use crate::serve::Access;
use crate::serve::api::{Form, Query};
use crate::serve::problem::Problem;
use crate::serve::security::{cookie, log_out};
use crate::serve::state::App;

/// Where to go after the login.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Target {
    next: String,
}

/// The form of a login.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Login {
    token: String,
    next: String,
}

pub(super) async fn ask(site: Site, Query(target): Query<Target>) -> Response {
    confirm(site, &target.next).page()
}

pub(super) async fn act(
    site: Site,
    State(app): State<App>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    let Access::Token(token) = &app.options.access else {
        return Redirect::to(site.home()).into_response();
    };
    if !token.is(login.token.trim()) {
        let mut problem = Problem::unauthorized();
        problem.detail = "This is not the token of this server.".to_owned();
        return confirm(site, &login.next).again(&problem);
    }
    let session = [(header::SET_COOKIE, cookie(token, &site.base, &headers))];
    let next = match inside(&login.next) {
        "/" => site.home().to_owned(),
        next => format!("{}{next}", site.base),
    };
    (session, Redirect::to(&next)).into_response()
}

pub(super) async fn out(site: Site, headers: HeaderMap) -> Response {
    let session = [(header::SET_COOKIE, log_out(&site.base, &headers))];
    let next = format!("{}/login", site.base);
    (session, Redirect::to(&next)).into_response()
}

/// A path of this server: nothing that a browser takes for another host.
fn inside(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//");
    let plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if local && plain { next } else { "/" }
}

fn confirm(site: Site, next: &str) -> Confirm {
    let action = format!("{}/login", site.base);
    let site = Site {
        session: false,
        ..site
    };
    Confirm {
        lines: vec!["This server was started with a token.".to_owned()],
        fields: vec![
            Field {
                secret: true,
                ..Field::new("token", "Token", "").required()
            },
            Field {
                hidden: true,
                ..Field::new("next", "", next)
            },
        ],
        button: "Log in",
        ..Confirm::new(site, "Log in", action)
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_login_leads_to_this_server_only() {
        assert_eq!(inside("/queues?x=1"), "/queues?x=1");
        for foreign in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/\t/evil",
        ] {
            assert_eq!(inside(foreign), "/", "{foreign:?}");
        }
    }
}
