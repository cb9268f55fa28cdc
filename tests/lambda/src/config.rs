//! What a fake is like.

use std::time::Duration;

use crate::execution::{Paging, Quotas};
use crate::signature::Credentials;

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "123456789012";

/// What the fake is like.
#[derive(Debug, Clone)]
pub struct Config {
    /// The time that an invocation has.
    pub deadline: Duration,
    /// How much shorter than asked waits, retry delays, timeouts and backoffs are.
    pub pace: f64,
    /// What an execution may use.
    pub quotas: Quotas,
    /// How the state is cut into pages.
    pub paging: Paging,
    /// Whether the credentials come with a session token, as those of a role do.
    pub session: bool,
    /// The tenant of invocations.
    pub tenant: Option<String>,
    /// Milliseconds that the service's clock is ahead of the function's.
    pub ahead: i64,
    /// Seconds, paced, after which an execution is over whatever it does.
    pub execution_timeout: Option<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(900),
            pace: 50.0,
            quotas: Quotas::default(),
            paging: Paging::default(),
            session: true,
            tenant: None,
            ahead: 0,
            execution_timeout: None,
        }
    }
}

impl Config {
    pub(crate) fn function_arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:subject:7")
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: self.session.then(|| "a+session/token=".into()),
            region: REGION.into(),
        }
    }
}
