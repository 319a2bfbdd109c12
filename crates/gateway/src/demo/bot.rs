//! The demo's bot: a real WebSocket server that speaks Media Streams, with a script instead of a mind.

use super::script::{Line, Script};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What the bot saw, for the figures.
#[derive(Debug, Default)]
pub(super) struct BotLog {
    /// Media frames that came, 20 ms each.
    pub(super) frames: AtomicU64,
    /// Chunk numbers that never came.
    pub(super) lost: AtomicU64,
    /// 1 once it was told that a human took the call.
    pub(super) accepted: AtomicU64,
}

/// Listens on a port of the system's choice and serves every caller the script.
pub(super) async fn listen(script: Arc<Script>, log: Arc<BotLog>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, log) = (script.clone(), log.clone());
            tokio::spawn(async move {
                if let Err(error) = serve(stream, &script, &log).await {
                    tracing::debug!(%error, "the demo's bot lost its caller");
                }
            });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, script: &Script, log: &BotLog) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let stream_sid = started(&mut socket).await?;
    let began = tokio::time::Instant::now();
    let mut lines = script.lines.iter();
    let mut next = lines.next();
    let (mut last_chunk, mut handing_over) = (0, false);
    loop {
        let due = next.map_or(Duration::from_secs(3600), |line| line.at);
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                    if heard(&frame, &mut last_chunk, log) {
                        return Ok(socket.close(None).await?);
                    }
                    if frame["type"] == "handoff.started" {
                        handing_over = true;
                        // Stop what was being said, and say goodbye.
                        socket.send(Message::text(json!({"event": "clear", "streamSid": stream_sid}).to_string())).await?;
                        send_audio(&mut socket, &stream_sid, script.goodbye).await?;
                        for event in &script.when_handing_over {
                            socket.send(Message::text(event.to_string())).await?;
                        }
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
            () = tokio::time::sleep_until(began + due) => {
                if let Some(line) = next {
                    say(&mut socket, &stream_sid, line, handing_over).await?;
                    next = lines.next();
                }
            }
        }
    }
}

/// Waits for `start`; the stream's name.
async fn started(socket: &mut WebSocketStream<TcpStream>) -> anyhow::Result<String> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            let frame: Value = serde_json::from_str(&text)?;
            if frame["event"] == "start" {
                return Ok(frame["streamSid"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    anyhow::bail!("the stream ended before it started")
}

/// Whether the stream is over.
fn heard(frame: &Value, last_chunk: &mut u64, log: &BotLog) -> bool {
    match frame["event"].as_str() {
        Some("media") => {
            let chunk = frame["media"]["chunk"].as_str().and_then(|chunk| chunk.parse().ok()).unwrap_or(0_u64);
            log.frames.fetch_add(1, Ordering::Relaxed);
            log.lost.fetch_add(chunk.saturating_sub(*last_chunk + 1), Ordering::Relaxed);
            *last_chunk = chunk;
            false
        }
        Some("warmline") => {
            if frame["type"] == "handoff.accepted" {
                log.accepted.store(1, Ordering::Relaxed);
            }
            false
        }
        Some("stop") => true,
        _ => false,
    }
}

async fn say(
    socket: &mut WebSocketStream<TcpStream>,
    stream_sid: &str,
    line: &Line,
    handing_over: bool,
) -> anyhow::Result<()> {
    if let Some(audio) = line.audio.filter(|_| !handing_over) {
        send_audio(socket, stream_sid, audio).await?;
    }
    if let Some(event) = &line.event {
        socket.send(Message::text(event.to_string())).await?;
    }
    Ok(())
}

async fn send_audio(socket: &mut WebSocketStream<TcpStream>, stream_sid: &str, mulaw: &[u8]) -> anyhow::Result<()> {
    let media = json!({"event": "media", "streamSid": stream_sid, "media": {"payload": STANDARD.encode(mulaw)}});
    Ok(socket.send(Message::text(media.to_string())).await?)
}
