//! Positions of spans that `tracing-opentelemetry` exports.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TraceParent;

pub(super) fn current() -> Option<TraceParent> {
    let of_context = || Context::map_current(|context| position(context.span().span_context()));
    of(&Span::current()).or_else(of_context)
}

pub(super) fn of(span: &Span) -> Option<TraceParent> {
    position(span.context().span().span_context())
}

fn position(context: &SpanContext) -> Option<TraceParent> {
    if !context.is_valid() {
        return None;
    }
    let (trace, span) = (context.trace_id(), context.span_id());
    let flags = context.trace_flags().to_u8();
    Some(TraceParent(format!("00-{trace}-{span}-{flags:02x}").into()))
}

pub(super) fn set_parent(parent: &TraceParent, span: &Span) {
    let trace = TraceId::from_hex(parent.trace_id());
    let id = SpanId::from_hex(parent.span_id());
    let flags = u8::from_str_radix(parent.flags(), 16);
    let (Ok(trace), Ok(id), Ok(flags)) = (trace, id, flags) else {
        return;
    };
    let state = TraceState::default();
    let remote = SpanContext::new(trace, id, TraceFlags::new(flags), true, state);
    let context = Context::new().with_remote_span_context(remote);
    if let Err(error) = span.set_parent(context) {
        tracing::debug!(%error, "the trace is not continued");
    }
}
