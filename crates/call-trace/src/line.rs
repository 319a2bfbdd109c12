use call_model::{Instant, TraceEvent, TraceKind};

/// One line without line break: call id, seconds since `started` as `s.mmm`, what happened.
pub fn render_line(event: &TraceEvent, started: Instant) -> String {
    let t = event.at.since(started).as_millis();
    let call = event.call.map_or_else(|| "-".repeat(13), |call| call.to_string());
    format!("{call} {:>4}.{:03}  {}", t / 1000, t % 1000, describe(&event.kind))
}

/// What happened, in one line of words.
pub fn describe(kind: &TraceKind) -> String {
    format!("{kind:?}")
}
