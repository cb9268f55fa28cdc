//! Log lines in Lambda's format: one flat JSON object per line. A line is written once, however often its execution
//! resumes.
//!
//! ```json
//! {"timestamp":"2026-11-25T09:30:00.123Z","level":"INFO","message":"loaded","requestId":"8476a536…",
//!  "executionArn":"arn:aws:lambda:…","operationName":"load[3]","operationId":"5f0c…","attempt":1,"rows":500}
//! ```
//!
//! Fields of the function's own [`tracing`] events and spans are added under their names. A field whose name is taken
//! above is written as `fields.name`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use durable_core::{ReplayFilter, Timestamp};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Names of the standard fields; a line has those that apply where it was logged.
const RESERVED: [&str; 10] = [
    "timestamp",
    "level",
    "message",
    "requestId",
    "tenantId",
    "executionArn",
    "operationName",
    "operationId",
    "attempt",
    "replay",
];

/// Log settings: format, minimum level and replayed lines.
///
/// ```
/// use durable_lambda::log::Log;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let lines = Log::from_env().layer(|line| eprint!("{line}"));
/// let subscriber = tracing_subscriber::registry().with(lines);
/// # let _ = subscriber;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Log {
    text: bool,
    level: Level,
    replayed: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    /// Creates settings for JSON lines from `INFO` upwards, without lines of replayed code.
    pub const fn new() -> Self {
        Self {
            text: false,
            level: Level::INFO,
            replayed: false,
        }
    }

    /// Reads the settings from the Lambda function's configuration.
    ///
    /// `AWS_LAMBDA_LOG_LEVEL` is the minimum level; `FATAL` means `ERROR`, the most severe level of [`tracing`].
    /// `AWS_LAMBDA_LOG_FORMAT` is `JSON` or `Text`. Unset and invalid variables leave the defaults of [`Log::new`].
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).unwrap_or_default();
        Self::configured(&set("AWS_LAMBDA_LOG_LEVEL"), &set("AWS_LAMBDA_LOG_FORMAT"))
    }

    fn configured(level: &str, format: &str) -> Self {
        let fatal = level.eq_ignore_ascii_case("FATAL");
        let level = level.parse().ok().or(fatal.then_some(Level::ERROR));
        Self {
            text: format.eq_ignore_ascii_case("Text"),
            level: level.unwrap_or(Level::INFO),
            replayed: false,
        }
    }

    /// Sets the minimum level of the lines to write.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets whether lines of replayed code are written as well, marked with `"replay":true`.
    #[must_use]
    pub const fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }

    /// Creates a layer that passes each line, with its newline, to `write`.
    pub fn layer<S, W>(self, write: W) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        W: Fn(&str) + Send + Sync + 'static,
    {
        // Spans are always enabled: the lines inside them need their fields.
        let level = self.level;
        let enabled =
            move |metadata: &Metadata<'_>| metadata.is_span() || *metadata.level() <= level;
        let enabled = FilterFn::new(enabled).with_max_level_hint(level.max(Level::INFO));
        let replay = ReplayFilter::new().replayed(self.replayed);
        let lines = LineLayer {
            text: self.text,
            write,
        };
        lines.with_filter(replay.and(enabled))
    }

    /// Installs a global subscriber that writes to standard output, unless the program already has one.
    pub fn install(self) {
        let stdout = |line: &str| {
            // A failed write cannot be logged anywhere.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        };
        let subscriber = tracing_subscriber::registry().with(self.layer(stdout));
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

/// Layer that formats events as lines.
struct LineLayer<W> {
    text: bool,
    write: W,
}

/// Fields of a span or an event.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.retain(|(name, _)| *name != field.name());
        self.0.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = || json!(value.to_string());
        self.put(
            field,
            serde_json::Number::from_f64(value).map_or_else(text, Value::Number),
        );
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        self.put(field, json!(text));
    }
}

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut line = Line::new(event.metadata());
        for span in cx
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.add_span(span.metadata(), fields);
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.add_event(fields);
        (self.write)(&if self.text { line.text() } else { line.json() });
    }
}

/// Log line under construction: its fields in output order.
struct Line(Vec<(Cow<'static, str>, Value)>);

impl Line {
    fn new(metadata: &Metadata<'_>) -> Self {
        let now = Timestamp::from(SystemTime::now()).to_string();
        Self(vec![
            ("timestamp".into(), json!(now)),
            ("level".into(), json!(metadata.level().as_str())),
            ("message".into(), json!("")),
        ])
    }

    fn put(&mut self, name: Cow<'static, str>, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a field of the function's own, prefixed if its name is reserved.
    fn put_custom(&mut self, name: &'static str, value: Value) {
        if RESERVED.contains(&name) {
            self.put(format!("fields.{name}").into(), value);
        } else {
            self.put(name.into(), value);
        }
    }

    /// Adds the fields of an enclosing span. Inner spans are added last and override outer ones.
    fn add_span(&mut self, metadata: &Metadata<'_>, fields: &Fields) {
        let library = ["durable_core", "durable_lambda"];
        let module = metadata.target().split("::").next().unwrap_or_default();
        for (name, value) in &fields.0 {
            let value = value.clone();
            let known = match *name {
                _ if !library.contains(&module) => {
                    self.put_custom(name, value);
                    continue;
                }
                "request_id" => "requestId",
                "tenant_id" => "tenantId",
                "execution" => "executionArn",
                "operation" => "operationName",
                "operation_id" => "operationId",
                "attempt" => "attempt",
                "replay" => "replay",
                _ => continue,
            };
            self.put(known.into(), value);
        }
    }

    fn add_event(&mut self, fields: Fields) {
        // `"replay":false` is the default and not written.
        self.0
            .retain(|(name, value)| name != "replay" || *value == true);
        for (name, value) in fields.0 {
            match name {
                "message" => self.put(name.into(), value),
                _ => self.put_custom(name, value),
            }
        }
    }

    fn json(&self) -> String {
        let members = self
            .0
            .iter()
            .map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
    }

    /// Formats the line as `time LEVEL request operation message name=value`.
    fn text(&self) -> String {
        let shown = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let get = |name: &str| self.0.iter().find(|(known, _)| known == name);
        let head = [
            "timestamp",
            "level",
            "requestId",
            "operationName",
            "message",
        ];
        let head = head
            .iter()
            .filter_map(|name| get(name))
            .map(|(_, value)| shown(value));
        let rest = self
            .0
            .iter()
            .filter(|(name, _)| !RESERVED.contains(&&**name));
        let rest = rest.map(|(name, value)| format!("{name}={}", shown(value)));
        let words: Vec<String> = head.chain(rest).collect();
        format!("{}\n", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_follow_the_environment() {
        let log = |level, format| {
            let log = Log::configured(level, format);
            (log.level, log.text)
        };
        assert_eq!(log("", ""), (Level::INFO, false));
        assert_eq!(log("DEBUG", "JSON"), (Level::DEBUG, false));
        assert_eq!(log("warn", "Text"), (Level::WARN, true));
        assert_eq!(log("FATAL", "JSON"), (Level::ERROR, false));
        assert_eq!(log("nonsense", "nonsense"), (Level::INFO, false));
    }
}
