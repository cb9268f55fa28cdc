//! Settings of a fake.

use std::time::Duration;

use crate::execution::{Paging, Quotas};
use crate::signature::Credentials;

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "123456789012";

/// Settings of a fake.
#[derive(Debug, Clone)]
pub struct Config {
    /// Time limit of an invocation.
    pub deadline: Duration,
    /// Factor by which waits, retry delays, timeouts and backoffs are shortened.
    pub speedup: f64,
    /// Limits of an execution.
    pub quotas: Quotas,
    /// Page sizes of the state.
    pub paging: Paging,
    /// Whether the credentials include a session token, as those of a role do.
    pub session_token: bool,
    /// Tenant of invocations.
    pub tenant: Option<String>,
    /// Milliseconds by which the service's clock is ahead of the function's.
    pub clock_skew: i64,
    /// Timeout of an execution in seconds, shortened by `speedup`.
    pub execution_timeout: Option<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(900),
            speedup: 50.0,
            quotas: Quotas::default(),
            paging: Paging::default(),
            session_token: true,
            tenant: None,
            clock_skew: 0,
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
            session_token: self.session_token.then(|| "a+session/token=".into()),
            region: REGION.into(),
        }
    }
}
