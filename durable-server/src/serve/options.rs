//! Settings of the page and the API.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use durable_core::lock::Lock;
use sha2::{Digest, Sha256};

use crate::http::REQUEST_TIMEOUT;

/// Settings of a [`router`](crate::router()).
///
/// ```
/// use durable_server::{Access, Options};
///
/// let options = Options::default();
/// assert_eq!(options.access, Access::Loopback);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Which requests are answered.
    pub access: Access,
    /// Largest body of a request, in bytes. 2 MiB by default.
    pub body_limit: usize,
    /// Time for a client to send the body of a request, and with [`Server`](crate::Server) the same for its head. Slower
    /// clients are disconnected. 30 seconds by default.
    pub request_timeout: Duration,
    /// Most streams of live events at a time; further ones are refused. 64 by default.
    pub streams: usize,
    /// Most executions that are counted for the counts by status and for `/metrics`. 100 000 by default. If there are more,
    /// the large groups are counted in part.
    pub counted: usize,
    /// Names of the handlers, as `durable::testing::names!` records them. Graphs then show what is ahead too.
    pub names: Option<Arc<Lock>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            access: Access::Loopback,
            body_limit: 2 << 20,
            request_timeout: REQUEST_TIMEOUT,
            streams: 64,
            counted: 100_000,
            names: None,
        }
    }
}

/// Which requests a [`router`](crate::router()) answers. Requests from web pages of other origins are always refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Requests to a loopback name (`localhost`, `127.0.0.1`, `[::1]`): programs on this machine.
    Loopback,
    /// Requests with this token, to any name: programs send it as `Authorization: Bearer …`, people log in with it.
    Token(Token),
    /// All requests: the app that the router is mounted in has checked them.
    Embedded,
}

/// A secret that grants access. Only its hash is kept.
#[derive(Clone)]
pub struct Token {
    bearer: [u8; 32],
    cookie: String,
}

/// Fewest characters of a token.
const SHORTEST: usize = 16;

/// Error returned when a text cannot be used as a [`Token`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It can be guessed.
    #[error(
        "the token has {0} characters: use at least {SHORTEST}, for example from `openssl rand -hex 32`"
    )]
    Short(usize),
    /// It cannot be sent in a header.
    #[error("the token contains spaces or other than printable ASCII characters")]
    Unprintable,
    /// The file that holds it cannot be read.
    #[error("cannot read the token from {file}: {error}")]
    File {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
}

impl Token {
    /// The token with this text.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when the text is shorter than 16 characters or not printable ASCII.
    ///
    /// ```
    /// use durable_server::Token;
    ///
    /// assert!(Token::new("0123456789abcdef").is_ok());
    /// assert!(Token::new("password").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken::Unprintable);
        }
        if text.len() < SHORTEST {
            return Err(InvalidToken::Short(text.len()));
        }
        let cookie = Sha256::new().chain_update("durable session\0");
        let cookie = cookie.chain_update(text).finalize();
        Ok(Self {
            bearer: Sha256::digest(text).into(),
            cookie: cookie.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// Reads the token from a file that contains nothing else; spaces and line breaks around it are ignored.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when the file cannot be read or its text is not a token.
    pub fn from_file(file: &Path) -> Result<Self, InvalidToken> {
        let text = std::fs::read_to_string(file).map_err(|error| InvalidToken::File {
            file: file.display().to_string(),
            error,
        })?;
        Self::new(text.trim())
    }

    /// Whether `given` is the token.
    pub(crate) fn is(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        same(&given, &self.bearer)
    }

    /// Whether `given` is the value of the cookie that a login sets.
    pub(crate) fn is_cookie(&self, given: &str) -> bool {
        let (given, own) = (Sha256::digest(given), Sha256::digest(&self.cookie));
        same(&given, &own)
    }

    /// Value of the cookie of a login. The token cannot be computed from it.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }
}

/// Compares hashes: every byte is read, so that the time does not tell how many are equal.
fn same(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).map(|(a, b)| a ^ b);
    left.len() == right.len()
        && std::hint::black_box(differing.fold(0, |all, byte| all | byte)) == 0
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        same(&self.bearer, &other.bearer)
    }
}

impl Eq for Token {}

/// Nothing of the token is shown.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
