//! Log filter that drops the lines a replay repeats.

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Drops events of replayed code. A handler runs from the top whenever it resumes, and would log everything
/// again.
///
/// Each scope is judged separately: one branch may be replayed while another is live. Events from step bodies
/// are always kept, since a replay does not run them. Events outside executions are kept too.
///
/// The branches of a `flat` `map!` have no records that show what already ran. If more than 64 operations with
/// different names and keys are below such a map, its lines are logged again.
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
    /// Creates a filter that drops events of replayed code.
    pub const fn new() -> Self {
        Self { replayed: false }
    }

    /// Sets whether events of replayed code are kept as well.
    #[must_use]
    pub const fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

/// Whether the code inside a span is replayed, from the span's field `replay`.
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
