//! Connection options, parsed from a URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use durable_core::store::{StoreError, StoreErrorKind};
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Schema of the tables unless the URL names another.
const SCHEMA: &str = "durable";
/// PostgreSQL truncates longer names.
const LONGEST_NAME: usize = 63;

/// Clock that decides whether a lease has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LeaseClock {
    /// The clock of the database: machines need not agree on the time.
    #[default]
    Database,
    /// The `now` that callers pass. For tests with simulated time.
    Caller,
}

/// Options of a [`PostgresStore`](crate::PostgresStore), read from a URL.
///
/// ```
/// use durable_postgres::Options;
///
/// let url = "postgres://app:secret@db1,db2:5433/orders?schema=jobs&sslmode=verify-full";
/// let options: Options = url.parse()?;
/// assert_eq!(options.to_string(), "`db1:5432,db2:5433/orders`, schema `jobs`");
/// # Ok::<(), durable_core::store::StoreError>(())
/// ```
///
/// The query of the URL takes the parameters of [tokio-postgres](tokio_postgres::Config) (`user`,
/// `connect_timeout`, `application_name`, `target_session_attrs`, …) and these:
///
/// | parameter | meaning | default |
/// |---|---|---|
/// | `schema` | schema of the tables | `durable` |
/// | `pool_size` | connections for everything but checkpoints | 6 |
/// | `writers` | connections for checkpoints and starts | 2 |
/// | `pgbouncer` | `true` behind PgBouncer in transaction mode: no prepared statements, no `LISTEN` | `false` |
/// | `listen` | `false`: poll for changes by other processes instead of using `LISTEN` | `true` |
/// | `create` | `false`: missing tables are an error instead of being created | `true` |
/// | `sslmode` | `disable`, `prefer`, `require` or `verify-full`, with the meaning that `libpq` gives them | `prefer` |
/// | `sslrootcert` | PEM file with the certificate authorities to trust instead of the public ones | |
#[derive(Clone)]
pub struct Options {
    pub(crate) config: Config,
    pub(crate) schema: String,
    pub(crate) pool_size: usize,
    pub(crate) writers: usize,
    pub(crate) pgbouncer: bool,
    pub(crate) listen: bool,
    pub(crate) create: bool,
    pub(crate) verify: bool,
    pub(crate) root_cert: Option<PathBuf>,
    pub(crate) lease_clock: LeaseClock,
}

impl Options {
    /// Sets the clock that decides whether a lease has expired.
    #[must_use]
    pub fn lease_clock(mut self, clock: LeaseClock) -> Self {
        self.lease_clock = clock;
        self
    }

    fn set(&mut self, name: &str, value: &str) -> Result<bool, StoreError> {
        match name {
            "schema" => self.schema = schema(value)?,
            "pool_size" => self.pool_size = count(name, value)?,
            "writers" => self.writers = count(name, value)?,
            "pgbouncer" => self.pgbouncer = switch(name, value)?,
            "listen" => self.listen = switch(name, value)?,
            "create" => self.create = switch(name, value)?,
            "sslrootcert" => self.root_cert = Some(value.into()),
            "sslmode" => {
                let (mode, verify) = match value {
                    "disable" => (SslMode::Disable, false),
                    "prefer" => (SslMode::Prefer, false),
                    "require" => (SslMode::Require, false),
                    "verify-full" => (SslMode::Require, true),
                    _ => {
                        return Err(invalid(format!(
                            "invalid sslmode `{value}`: write `disable`, `prefer`, `require` or `verify-full`"
                        )));
                    }
                };
                self.config.ssl_mode(mode);
                self.verify = verify;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets defaults that detect dead connections and follow a failover.
    fn fill_in(&mut self) {
        let config = &mut self.config;
        if config.get_application_name().is_none() {
            config.application_name("durable");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(5));
        let several = config.get_hosts().len() > 1;
        if several && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        self.verify |= self.root_cert.is_some();
        self.listen &= !self.pgbouncer;
    }
}

impl std::str::FromStr for Options {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self {
            config: Config::new(),
            schema: SCHEMA.to_owned(),
            pool_size: 6,
            writers: 2,
            pgbouncer: false,
            listen: true,
            create: true,
            verify: false,
            root_cert: None,
            lease_clock: LeaseClock::default(),
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode_str(value).decode_utf8();
            let decoded = decoded.map_err(|_| invalid(format!("`{name}` is not UTF-8")))?;
            match options.set(name, &decoded)? {
                true => ours.push((name, decoded.into_owned())),
                false => theirs.push(pair),
            }
        }
        let rest = match theirs.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", theirs.join("&")),
        };
        options.config = rest
            .parse()
            .map_err(|error: tokio_postgres::Error| invalid(causes(&error)))?;
        for (name, value) in &ours {
            options.set(name, value)?;
        }
        if options.config.get_hosts().is_empty() {
            return Err(invalid("the host is missing"));
        }
        options.fill_in();
        Ok(options)
    }
}

/// Displays the servers, the database and the schema, and never the password.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        f.write_str("`")?;
        for (index, host) in hosts.iter().enumerate() {
            let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        let database = self.config.get_dbname().or(self.config.get_user());
        write!(f, "/{}`, schema `{}`", database.unwrap_or(""), self.schema)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({self})")
    }
}

/// Joins the messages of an error and its sources.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn schema(value: &str) -> Result<String, StoreError> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins && value.len() <= LONGEST_NAME && value.chars().all(known) {
        return Ok(value.to_owned());
    }
    Err(invalid(format!(
        "invalid schema `{value}`: expected up to {LONGEST_NAME} lower-case letters, digits and `_`, not beginning with a \
         digit"
    )))
}

fn count(name: &str, value: &str) -> Result<usize, StoreError> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| {
        invalid(format!(
            "invalid {name} `{value}`: expected a number from 1 to 1000"
        ))
    })
}

fn switch(name: &str, value: &str) -> Result<bool, StoreError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(format!(
            "invalid {name} `{value}`: write `true` or `false`"
        ))),
    }
}

fn invalid(what: impl fmt::Display) -> StoreError {
    let message = format!(
        "the URL of the PostgreSQL store is invalid: {what}. Write \
         `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=SCHEMA`"
    );
    StoreError::new(StoreErrorKind::Unusable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_options_of_the_store() {
        let url = "postgres://u:p%40ss@a,b:6000/d?schema=x_1&pgbouncer=true&pool_size=3&writers=1&connect_timeout=2";
        let options: Options = url.parse().unwrap();
        assert_eq!(options.to_string(), "`a:5432,b:6000/d`, schema `x_1`");
        assert_eq!(options.config.get_password(), Some(&b"p@ss"[..]));
        assert!(options.pgbouncer && !options.listen);
        assert_eq!((options.pool_size, options.writers), (3, 1));
        assert_eq!(
            options.config.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
    }

    #[test]
    fn never_displays_a_password() {
        let options: Options = "postgres://u:hidden@a/d".parse().unwrap();
        assert!(!format!("{options} {options:?}").contains("hidden"));
        for url in [
            "postgres://u:hidden@a/d?nonsense=1",
            "postgres://u:hidden@a:port/d",
            "postgres://u:hidden@a/d?schema=X",
            "postgres://u:hidden@a/d?sslmode=verify-ca",
            "postgres://u:hidden@a/d?pool_size=0",
            "postgres://u:hidden@a/d?pgbouncer=1",
        ] {
            let error = url.parse::<Options>().unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unusable, "{url}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
