//! Server-sent events (WHATWG HTML §9.2). Each stream is a position in a ring of the hub.

use crate::audit::Viewer;
use crate::board::{DeskEvent, Read};
use crate::control::Control;
use crate::hub::{Hub, TraceRead};
use crate::metrics::Metric;
use crate::trace_shape::trace_json;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use call_model::{CallId, DeskId};
use futures_util::stream::{self, Stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A comment keeps proxies from closing a quiet stream, and tells us of a dead client.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it reconnects.
const RETRY: Duration = Duration::from_millis(500);
/// Events taken under one lock.
const BATCH: usize = 64;

/// Answered as 503, so that browsers and tails try again later.
pub(crate) const MOST_STREAMS: u64 = 4096;

/// Counts an open stream for as long as it lives.
pub(crate) struct Counted {
    hub: Hub,
    metric: Metric,
}

impl Counted {
    /// Nothing when there are too many already.
    pub(crate) fn new(hub: &Hub, metric: Metric) -> Option<Self> {
        hub.metrics().add(metric, 1);
        let counted = Self { hub: hub.clone(), metric };
        (hub.metrics().get(metric) <= MOST_STREAMS).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.hub.metrics().sub(self.metric, 1);
    }
}

/// A page that reconnects after so long was never away.
const RECONNECT: Duration = Duration::from_secs(3);

/// A page that is open for as long as this lives.
pub(crate) struct Present {
    hub: Hub,
    control: Arc<dyn Control>,
    desk: DeskId,
}

impl Present {
    pub(crate) fn new(hub: &Hub, control: &Arc<dyn Control>, desk: &DeskId) -> Self {
        hub.page_opened(desk, || control.desk_page(desk, true));
        Self { hub: hub.clone(), control: Arc::clone(control), desk: desk.clone() }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.hub.page_closed(&self.desk);
        let (hub, control, desk) = (self.hub.clone(), Arc::clone(&self.control), self.desk.clone());
        // Without a runtime the process is ending, and presence with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(RECONNECT).await;
            hub.if_no_page(&desk, || control.desk_page(&desk, false));
        });
    }
}

/// `Last-Event-ID`: our boot and the number of the event. Nothing when it is not one of this run's.
pub(crate) fn position(hub: &Hub, headers: &HeaderMap) -> Option<u64> {
    let id = headers.get("last-event-id")?.to_str().ok()?;
    let (boot, seq) = id.split_once('-')?;
    (boot == hub.boot()).then(|| seq.parse().ok()).flatten()
}

struct DeskReader {
    hub: Hub,
    desk: DeskId,
    position: Option<u64>,
    ready: VecDeque<DeskEvent>,
    changed: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    viewer: Viewer,
    _counted: Counted,
    _present: Present,
}

/// The events of one desk, strictly after `position`; a snapshot first when there is no usable position.
pub(crate) fn desk_stream(
    hub: &Hub,
    desk: DeskId,
    position: Option<u64>,
    (counted, present, viewer): (Counted, Present, Viewer),
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let (changed, closing) = (hub.watch_desk(&desk), hub.closing());
    let hub = hub.clone();
    let ready = VecDeque::new();
    let reader =
        DeskReader { hub, desk, position, ready, changed, closing, viewer, _counted: counted, _present: present };
    sse(stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        let id = format!("{}-{}", reader.hub.boot(), event.seq);
        let event = Event::default().id(id).event(event.name).retry(RETRY).data(&*event.data);
        Some((Ok(event), reader))
    }))
}

impl DeskReader {
    async fn next(&mut self) -> Option<DeskEvent> {
        loop {
            if !self.viewer.may_see() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                self.position = Some(event.seq);
                self.viewer.saw(&event.shows);
                return Some(event);
            }
            self.changed.borrow_and_update();
            match self.hub.read_desk(&self.desk, self.position, BATCH) {
                Read::Snapshot(event) => self.ready.push_back(event),
                Read::Events(events) if !events.is_empty() => self.ready.extend(events),
                Read::Events(_) => {
                    let waited = tokio::time::timeout(KEEP_ALIVE, wait(&mut self.changed, &mut self.closing));
                    // A session ends without an event.
                    waited.await.unwrap_or(Some(()))?;
                }
            }
        }
    }
}

struct TraceReader {
    hub: Hub,
    call: Option<CallId>,
    position: u64,
    read: TraceRead,
    ready: VecDeque<Event>,
    changed: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    _counted: Counted,
}

/// Trace events of one call or of all, strictly after `position`. `event: lost` says how many the ring had forgotten.
pub(crate) fn trace_stream(
    hub: &Hub,
    call: Option<CallId>,
    position: u64,
    counted: Counted,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let reader = TraceReader {
        hub: hub.clone(),
        call,
        position,
        read: TraceRead::default(),
        ready: VecDeque::new(),
        changed: hub.watch_trace(),
        closing: hub.closing(),
        _counted: counted,
    };
    sse(stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    }))
}

impl TraceReader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.changed.borrow_and_update();
            self.read = self.hub.read_trace(self.position, self.call, BATCH);
            self.position = self.read.position;
            self.render();
            if self.ready.is_empty() {
                wait(&mut self.changed, &mut self.closing).await?;
            }
        }
    }

    fn render(&mut self) {
        let (boot, wall) = (self.hub.boot(), self.hub.wall());
        if self.read.lost > 0 {
            let data = serde_json::json!({"lost": self.read.lost}).to_string();
            self.ready.push_back(Event::default().event("lost").data(data));
        }
        for traced in self.read.events.drain(..) {
            let data = trace_json(&traced.event, traced.started, &wall).to_string();
            let event = Event::default().id(format!("{boot}-{}", traced.seq)).event("trace").retry(RETRY);
            self.ready.push_back(event.data(data));
        }
    }
}

/// Until there is something new. Nothing when the hub closes: the stream ends.
async fn wait(changed: &mut watch::Receiver<u64>, closing: &mut watch::Receiver<bool>) -> Option<()> {
    tokio::select! {
        changed = changed.changed() => changed.ok(),
        _ = closing.wait_for(|closed| *closed) => None,
    }
}

fn sse<S: Stream<Item = Result<Event, Infallible>> + Send + 'static>(
    events: S,
) -> Sse<axum::response::sse::KeepAliveStream<S>> {
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("ka"))
}
