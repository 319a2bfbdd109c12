//! One connection as SIP messages: a stream of octets (TCP, TLS) or of WebSocket messages (RFC 7118).

use super::vigil::{Due, Vigil};
use super::{Limits, Shared};
use crate::inbox::Input;
use futures_util::{SinkExt, StreamExt};
use http_api::Metric;
use sip_proto::Flow;
use sip_wire::{Framed, MAX_MESSAGE_BYTES, Message, StreamFramer};
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

/// A peer that does not take what we write within this is gone.
const WRITE: Duration = Duration::from_secs(10);
/// After a stream that cannot be followed, its last answer has so long to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// RFC 5626 §3.5.1: the question, and the answer to it.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// TCP, or TLS over it.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection.
pub(super) enum Line {
    Octets(Box<dyn Duplex>),
    Web(Box<WebSocketStream<Box<dyn Duplex>>>),
}

/// What is exchanged over it, and for how long.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) flow: Flow,
    pub(super) queue: mpsc::Receiver<Vec<u8>>,
    /// Whether we opened it.
    pub(super) dialled: bool,
}

impl Line {
    /// Answers the peer's WebSocket handshake, if it wants to speak SIP (RFC 7118 §4).
    pub(super) async fn web(stream: Box<dyn Duplex>) -> io::Result<Self> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, speaks_sip, Some(config)).await;
        Ok(Self::Web(Box::new(socket.map_err(io::Error::other)?)))
    }

    pub(super) async fn exchange(self, exchange: Exchange<'_>) -> io::Result<()> {
        match self {
            Self::Octets(stream) => exchange.octets(stream).await,
            Self::Web(socket) => exchange.web(*socket).await,
        }
    }
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn speaks_sip(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if offered.flat_map(|list| list.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("sip")) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
        return Ok(response);
    }
    let mut refusal =
        ErrorResponse::new(Some("this WebSocket speaks SIP: ask for the sub-protocol `sip`\n".to_owned()));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

impl Exchange<'_> {
    fn vigil(&self, asks: bool) -> Vigil {
        let Limits { idle, .. } = self.shared.limits;
        Vigil::new(idle, asks, Instant::now())
    }

    async fn octets(mut self, stream: Box<dyn Duplex>) -> io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut framer = StreamFramer::new();
        let mut buffer = vec![0; 16 * 1024];
        let mut vigil = self.vigil(self.dialled);
        loop {
            tokio::select! {
                read = reader.read(&mut buffer) => match read? {
                    0 => return Ok(()),
                    len => {
                        framer.push(&buffer[..len]);
                        let end = self.frames(&mut framer, &mut writer).await?.is_break();
                        vigil.heard(framer.is_mid_message(), Instant::now());
                        if end {
                            return self.last_words(writer).await;
                        }
                    }
                },
                message = self.queue.recv() => match message {
                    Some(bytes) => write(&mut writer, &bytes).await?,
                    // Given up by `send`.
                    None => return Ok(()),
                },
                () = sleep_until(vigil.next()) => match vigil.due(Instant::now()) {
                    Due::Nothing => {}
                    Due::Ask => write(&mut writer, PING).await?,
                    Due::Close(why) => return Err(io::Error::other(why)),
                },
            }
        }
    }

    /// Hands every complete message on. Breaks when the stream cannot be followed any further.
    async fn frames(
        &self,
        framer: &mut StreamFramer,
        writer: &mut WriteHalf<Box<dyn Duplex>>,
    ) -> io::Result<ControlFlow<()>> {
        while let Some(next) = framer.next_frame() {
            let framed = match next {
                Ok(Framed::KeepAlive) => {
                    write(writer, PONG).await?;
                    continue;
                }
                Ok(Framed::Message(message)) => Ok(*message),
                Err(malformed) => Err(malformed),
            };
            let close = matches!(&framed, Err(malformed) if malformed.close_stream);
            self.hand_on(framed).await;
            if close {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn hand_on(&self, framed: Result<Message, sip_wire::Malformed>) {
        if framed.is_err() {
            self.shared.hub.metrics().add(Metric::Malformed, 1);
        }
        self.shared.inbox.send(Input::Framed { flow: self.flow, framed: Box::new(framed) }).await;
    }

    async fn last_words(mut self, mut writer: WriteHalf<Box<dyn Duplex>>) -> io::Result<()> {
        while let Ok(Some(bytes)) = timeout(LAST_WORDS, self.queue.recv()).await {
            write(&mut writer, &bytes).await?;
        }
        writer.shutdown().await
    }

    /// Every WebSocket message is one SIP message; nothing can be glued or cut (RFC 7118 §5).
    async fn web(mut self, mut socket: WebSocketStream<Box<dyn Duplex>>) -> io::Result<()> {
        let mut vigil = self.vigil(true);
        loop {
            tokio::select! {
                frame = socket.next() => {
                    let bytes = match frame.transpose().map_err(io::Error::other)? {
                        None | Some(Frame::Close(_)) => return Ok(()),
                        Some(Frame::Text(text)) => Bytes::from(text),
                        Some(Frame::Binary(bytes)) => bytes,
                        Some(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_)) => Bytes::new(),
                    };
                    vigil.heard(false, Instant::now());
                    match &bytes[..] {
                        PING => say(&mut socket, Frame::text("\r\n")).await?,
                        b"" | PONG => {}
                        bytes => self.hand_on(Message::parse_datagram(bytes)).await,
                    }
                }
                message = self.queue.recv() => match message {
                    Some(bytes) => say(&mut socket, frame(bytes)).await?,
                    None => return Ok(()),
                },
                () = sleep_until(vigil.next()) => match vigil.due(Instant::now()) {
                    Due::Nothing => {}
                    Due::Ask => say(&mut socket, Frame::Ping(Bytes::new())).await?,
                    Due::Close(why) => return Err(io::Error::other(why)),
                },
            }
        }
    }
}

/// Text where it is text: browsers' libraries expect it.
fn frame(bytes: Vec<u8>) -> Frame {
    match String::from_utf8(bytes) {
        Ok(text) => Frame::text(text),
        Err(other) => Frame::binary(other.into_bytes()),
    }
}

async fn say(socket: &mut WebSocketStream<Box<dyn Duplex>>, frame: Frame) -> io::Result<()> {
    let said = timeout(WRITE, socket.send(frame)).await;
    said.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)
}

async fn write(writer: &mut WriteHalf<Box<dyn Duplex>>, bytes: &[u8]) -> io::Result<()> {
    // TLS keeps what is not flushed.
    let all = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    timeout(WRITE, all).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
