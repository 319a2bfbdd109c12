//! WebSocket bots: one task per bot leg, speaking Twilio Media Streams through `bot-proto`.

use crate::clock::Clock;
use crate::inbox::{Inbox, Input};
use crate::media::{MediaHandle, StreamOut};
use bot_proto::{BotInput, StreamParams, TwilioSession};
use call_model::{BotCommand, BotEvent, BotUpdate, IdSource, LegId};
use dashmap::DashMap;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Frames waiting for a bot: one second of audio. A bot that reads slower loses audio, not the call.
const QUEUE: usize = 64;
/// We ask for a sign of life this often.
const PING: Duration = Duration::from_secs(2);
/// A bot that gave none for this long is dead.
const SILENCE: Duration = Duration::from_secs(5);
/// A bot that does not take a frame within this is dead: its caller would hear nobody.
const WRITE: Duration = Duration::from_secs(2);
/// After our goodbye, the bot has so long to close.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the media threads' frames find their bot by.
pub(crate) type StreamRoutes = Arc<DashMap<LegId, mpsc::Sender<ToBot>>>;

/// What a bot's task sends to its bot.
#[derive(Debug)]
pub(crate) enum ToBot {
    Heard(StreamOut),
    Digit(char),
    Tell(BotUpdate),
    Close,
}

/// A frame, mark or key for a bot leg, from a media thread: dropped when the bot does not keep up.
pub(crate) fn route(routes: &DashMap<LegId, mpsc::Sender<ToBot>>, leg: LegId, out: StreamOut) {
    if let Some(queue) = routes.get(&leg) {
        let _ = queue.try_send(ToBot::Heard(out));
    }
}

/// The connections of all WebSocket bots, for the switchboard thread.
pub(crate) struct BotStreams {
    shared: Arc<Shared>,
    live: BTreeMap<LegId, mpsc::Sender<ToBot>>,
    ids: IdSource,
}

struct Shared {
    routes: StreamRoutes,
    media: MediaHandle,
    inbox: Inbox,
    clock: Clock,
    runtime: Handle,
    connect_within: Duration,
    /// `http://host:port`, without a slash at the end.
    public_url: String,
}

impl BotStreams {
    pub(crate) fn new(
        (routes, media, inbox): (StreamRoutes, MediaHandle, Inbox),
        (clock, runtime, ids): (Clock, Handle, IdSource),
        connect_within: Duration,
        public_url: String,
    ) -> Self {
        let shared = Shared { routes, media, inbox, clock, runtime, connect_within, public_url };
        Self { shared: Arc::new(shared), live: BTreeMap::new(), ids }
    }

    /// Carries out a command of the switchboard. Never waits.
    pub(crate) fn command(&mut self, leg: LegId, command: BotCommand) {
        let message = match command {
            BotCommand::Dial { url, from, to, session_id, call, control_token, resumed } => {
                let control_url = Some(format!("{}/v1/calls/{call}/control", self.shared.public_url));
                let params = StreamParams { from, to, session_id, control_url, control_token, resumed };
                return self.dial(leg, url, params);
            }
            BotCommand::Digit(digit) => ToBot::Digit(digit),
            BotCommand::Tell(update) => ToBot::Tell(update),
            BotCommand::Close => ToBot::Close,
        };
        let closing = matches!(message, ToBot::Close);
        let sent = self.live.get(&leg).is_some_and(|queue| queue.try_send(message).is_ok());
        if closing {
            // Dropping both senders ends the task even when the queue is full.
            self.live.remove(&leg);
            self.shared.routes.remove(&leg);
        } else if !sent {
            tracing::debug!(%leg, "a bot was not told: its connection is behind or gone");
        }
    }

    fn dial(&mut self, leg: LegId, url: String, params: StreamParams) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        self.live.insert(leg, queue.clone());
        self.shared.routes.insert(leg, queue);
        let session = TwilioSession::new(params, &mut self.ids, self.shared.clock.now());
        let shared = self.shared.clone();
        self.shared.runtime.spawn(async move {
            let event = talk(&shared, leg, &url, session, receiver).await;
            shared.routes.remove(&leg);
            if let Some(event) = event {
                shared.inbox.send(Input::Bot { leg, event }).await;
            }
        });
    }
}

/// The whole life of a connection; how it ended, unless we closed it.
async fn talk(
    shared: &Shared,
    leg: LegId,
    url: &str,
    mut session: TwilioSession,
    queue: mpsc::Receiver<ToBot>,
) -> Option<BotEvent> {
    let mut socket = match connect(url, shared.connect_within).await {
        Ok(socket) => socket,
        Err(why) => return Some(BotEvent::Down { why }),
    };
    for frame in session.start_frames() {
        if let Err(why) = send(&mut socket, Message::text(frame)).await {
            return Some(BotEvent::Down { why });
        }
    }
    shared.inbox.send(Input::Bot { leg, event: BotEvent::Up }).await;
    let (sink, stream) = socket.split();
    let alive = AtomicU64::new(shared.clock.now().as_millis());
    let link = Link { shared, leg, session: Mutex::new(session), alive, bad: AtomicU64::new(0) };
    let mut reading = std::pin::pin!(link.read(stream));
    let mut writing = std::pin::pin!(link.write(sink, queue));
    let ended = tokio::select! {
        event = &mut reading => Some(event),
        ended = &mut writing => match ended {
            Ok(()) => {
                // We said goodbye; let the bot's own close arrive so that its side ends cleanly.
                let _ = timeout(GOODBYE, reading).await;
                None
            }
            Err(why) => Some(BotEvent::Down { why }),
        },
    };
    let bad = link.bad.load(Ordering::Relaxed);
    if bad > 1 {
        tracing::warn!(%leg, frames = bad, "dropped frames of a bot: that many in its whole leg");
    }
    ended
}

async fn connect(url: &str, within: Duration) -> Result<Socket, String> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(bot_proto::twilio::MAX_FRAME * 2))
        .max_frame_size(Some(bot_proto::twilio::MAX_FRAME * 2));
    match timeout(within, connect_async_with_config(url, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(format!("cannot connect to {url}: {error}")),
        Err(_) => Err(format!("cannot connect to {url}: no answer in {} s", within.as_secs())),
    }
}

async fn send<S>(sink: &mut S, message: Message) -> Result<(), String>
where
    S: SinkExt<Message, Error = tokio_tungstenite::tungstenite::Error> + Unpin,
{
    match timeout(WRITE, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the connection broke: {error}")),
        Err(_) => Err(format!("took nothing for {} s", WRITE.as_secs())),
    }
}

/// What the two directions of one connection share.
struct Link<'a> {
    shared: &'a Shared,
    leg: LegId,
    session: Mutex<TwilioSession>,
    /// When the bot last gave a sign of life, in clock milliseconds.
    alive: AtomicU64,
    /// Frames of the bot that made no sense.
    bad: AtomicU64,
}

impl Link<'_> {
    fn session(&self) -> MutexGuard<'_, TwilioSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the connection ends or the bot is finished; says how.
    async fn read(&self, mut stream: SplitStream<Socket>) -> BotEvent {
        loop {
            let message = match stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return BotEvent::Down { why: format!("the connection broke: {error}") },
                None => return BotEvent::Down { why: "the connection ended without a goodbye".to_owned() },
            };
            self.alive.store(self.shared.clock.now().as_millis(), Ordering::Relaxed);
            match message {
                Message::Text(text) => {
                    if let Some(event) = self.heard(&text).await {
                        return event;
                    }
                }
                Message::Close(frame) => return closed(frame.map(|frame| (frame.code, frame.reason.to_string()))),
                Message::Binary(_) => {
                    tracing::debug!(leg = %self.leg, "ignored a binary frame: Media Streams are text")
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn heard(&self, text: &str) -> Option<BotEvent> {
        let inputs = match self.session().handle_text(text) {
            Ok(inputs) => inputs,
            Err(bad) => {
                // A bot at fault may send thousands: the first is shown, the rest are counted.
                if self.bad.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(leg = %self.leg, %bad, "dropped a frame of a bot; further ones of this leg are counted");
                }
                return None;
            }
        };
        for input in inputs {
            match input {
                BotInput::Audio(mulaw) => self.shared.media.stream_audio(self.leg, mulaw),
                BotInput::Mark(name) => self.shared.media.stream_mark(self.leg, name),
                BotInput::Clear => self.shared.media.stream_clear(self.leg),
                BotInput::Control(fact) => {
                    self.shared.inbox.send(Input::Bot { leg: self.leg, event: BotEvent::Fact(fact) }).await;
                }
                BotInput::Stop => return Some(BotEvent::Finished),
                BotInput::Ignored => {}
            }
        }
        None
    }

    /// Until we said goodbye; an error says why the bot is lost.
    async fn write(
        &self,
        mut sink: SplitSink<Socket, Message>,
        mut queue: mpsc::Receiver<ToBot>,
    ) -> Result<(), String> {
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
        loop {
            let text = tokio::select! {
                message = queue.recv() => match message {
                    Some(ToBot::Heard(StreamOut::Frame(mulaw))) => self.session().media(&mulaw, self.shared.clock.now()),
                    Some(ToBot::Heard(StreamOut::MarkPlayed(name))) => self.session().mark(&name),
                    Some(ToBot::Digit(digit)) => self.session().dtmf(digit),
                    Some(ToBot::Tell(update)) => self.session().tell(&update),
                    Some(ToBot::Close) | None => break,
                },
                _ = ping.tick() => {
                    self.still_there()?;
                    send(&mut sink, Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            send(&mut sink, Message::text(text)).await?;
        }
        let stop = self.session().stop();
        // The call is over for this bot: a goodbye that does not arrive changes nothing.
        let _ = send(&mut sink, Message::text(stop)).await;
        let _ = send(&mut sink, Message::Close(None)).await;
        Ok(())
    }

    fn still_there(&self) -> Result<(), String> {
        let quiet = self.shared.clock.now().as_millis().saturating_sub(self.alive.load(Ordering::Relaxed));
        if u128::from(quiet) > SILENCE.as_millis() {
            return Err(format!("gave no sign of life for {} s", SILENCE.as_secs()));
        }
        Ok(())
    }
}

/// A close in good order means that the bot is finished; anything else that it failed.
fn closed(frame: Option<(CloseCode, String)>) -> BotEvent {
    match frame {
        None | Some((CloseCode::Normal | CloseCode::Away | CloseCode::Status, _)) => BotEvent::Finished,
        Some((code, reason)) if reason.is_empty() => BotEvent::Down { why: format!("closed with code {code}") },
        Some((code, reason)) => BotEvent::Down { why: format!("closed with code {code}: {reason}") },
    }
}

#[cfg(test)]
mod tests;
