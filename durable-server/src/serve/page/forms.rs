//! A page that asks before something is done. It works without scripts.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Site, html_with};
use crate::serve::problem::Problem;

/// What is asked.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) site: Site,
    pub(super) title: String,
    /// What will happen.
    pub(super) lines: Vec<String>,
    /// Where the answer is sent.
    pub(super) action: String,
    pub(super) fields: Vec<Field>,
    pub(super) button: &'static str,
    /// Whether it cannot be taken back.
    pub(super) danger: bool,
    pub(super) back: Option<String>,
    /// Why the last try failed.
    pub(super) problem: Option<String>,
}

impl Confirm {
    pub(super) fn new(site: Site, title: impl Into<String>, action: String) -> Self {
        Self {
            site,
            title: title.into(),
            lines: Vec::new(),
            action,
            fields: Vec::new(),
            button: "OK",
            danger: false,
            back: None,
            problem: None,
        }
    }

    pub(super) fn page(&self) -> Response {
        html_with(StatusCode::OK, self)
    }

    /// The page once more, with the reason why it was not done.
    pub(super) fn again(mut self, problem: &Problem) -> Response {
        self.problem = Some(problem.detail.clone());
        html_with(problem.status(), &self)
    }
}

/// A field of the form.
#[derive(Default)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    /// Value and label of each, where it is chosen from a list.
    pub(super) choices: Vec<(&'static str, &'static str)>,
    pub(super) hidden: bool,
    pub(super) long: bool,
    pub(super) secret: bool,
    pub(super) required: bool,
}

impl Field {
    pub(super) fn new(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            label,
            value: value.into(),
            ..Self::default()
        }
    }

    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn long(mut self) -> Self {
        self.long = true;
        self
    }
}
