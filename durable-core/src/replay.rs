//! Log lines of a handler once, however often it is resumed.

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Drops the events of code that ran before: a handler is run from the top whenever it is resumed.
///
/// Each scope is judged by itself: one branch may still be replayed while another is live. What a
/// body of a step logs is always kept, since a replay does not run it; so is what is logged outside
/// of executions.
///
/// The branches of a `flat` `map!` leave no records to tell what was there before: with more than 64
/// operations of different names and keys under it, its lines come again.
///
/// ```
/// use durable_core::ReplayFilter;
/// use tracing_subscriber::layer::{Layer, SubscriberExt};
///
/// let all = std::env::var_os("ALL_LINES").is_some();
/// let filter = ReplayFilter::new().replayed(all);
/// let lines = tracing_subscriber::fmt::layer().with_filter(filter);
/// let subscriber = tracing_subscriber::registry().with(lines);
/// # let _ = subscriber;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplayFilter {
    replayed: bool,
}

impl ReplayFilter {
    /// Drops what was logged before.
    pub const fn new() -> Self {
        Self { replayed: false }
    }

    /// Whether lines of code that ran before are let through as well.
    #[must_use]
    pub const fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

/// Whether the code inside a span ran before, as its field `replay` says.
struct Replaying(bool);

#[derive(Default)]
struct FindReplay(Option<bool>);

impl Visit for FindReplay {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "replay" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S> Filter<S> for ReplayFilter
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, _metadata: &Metadata<'_>, _cx: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, cx: &Context<'_, S>) -> bool {
        let Some(spans) = cx.event_scope(event) else {
            return true;
        };
        let innermost = spans
            .filter_map(|span| span.extensions().get::<Replaying>().map(|state| state.0))
            .next();
        self.replayed || innermost != Some(true)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut found = FindReplay::default();
        attributes.record(&mut found);
        note(found, id, &cx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let mut found = FindReplay::default();
        values.record(&mut found);
        note(found, id, &cx);
    }
}

fn note<S>(found: FindReplay, id: &Id, cx: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if let (Some(replaying), Some(span)) = (found.0, cx.span(id)) {
        span.extensions_mut().replace(Replaying(replaying));
    }
}
