//! The demo's human at the desk page: reads the event stream, acknowledges, and accepts once the phone was picked up.

use crate::clock::Clock;
use crate::http_client::Server;
use call_model::Instant;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the page saw, and when.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Seen {
    /// The pop is on the screen, and the gateway has confirmed our acknowledgement.
    Acknowledged { at: Instant, handoff: String },
    /// The package grew to so many percent.
    Completeness(u64),
    /// The gateway confirmed that the human takes it.
    Accepted { at: Instant },
    /// Something went wrong; in words.
    Failed(String),
}

/// Opens the stream of `desk` and returns once it is open, so that the first pop cannot be missed.
///
/// `picked_up` says that the human has the phone in the hand; a moment later the page's button is pressed. Nothing is
/// pressed, nor acknowledged, once `scripted` is false.
pub(super) fn open(
    server: Server,
    desk: &'static str,
    (clock, scripted): (Clock, Arc<AtomicBool>),
    seen: Sender<Seen>,
    picked_up: Receiver<()>,
) -> io::Result<()> {
    let mut stream = server.events(&format!("/v1/desks/{desk}/events"))?;
    if let Some(answer) = stream.refused()? {
        return Err(io::Error::other(format!("the desk page was refused: {} {}", answer.status, answer.body)));
    }
    std::thread::Builder::new().name("demo-page".to_owned()).spawn(move || {
        while let Ok(Some(event)) = stream.next() {
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
            if !scripted.load(Ordering::Acquire) {
                return;
            }
            let told = match event.name.as_str() {
                "offered" => offered(&server, desk, clock, &data, &seen, &picked_up),
                "amended" => data["package"]["completeness"]
                    .as_u64()
                    .map_or(Ok(()), |percent| seen.send(Seen::Completeness(percent)).map_err(|_| ())),
                _ => Ok(()),
            };
            if told.is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn offered(
    server: &Server,
    desk: &'static str,
    clock: Clock,
    data: &serde_json::Value,
    seen: &Sender<Seen>,
    picked_up: &Receiver<()>,
) -> Result<(), ()> {
    let handoff = data["handoff"].as_str().unwrap_or_default().to_owned();
    let base = format!("/v1/desks/{desk}/handoffs/{handoff}");
    let first = match server.post(&format!("{base}/ack")) {
        Ok(answer) if answer.status == 200 => Seen::Acknowledged { at: clock.now(), handoff },
        Ok(answer) => Seen::Failed(format!("the acknowledgement was refused: {} {}", answer.status, answer.body)),
        Err(error) => Seen::Failed(format!("the acknowledgement did not arrive: {error}")),
    };
    seen.send(first).map_err(|_| ())?;
    // Events that arrive meanwhile wait in the stream; the accept must not wait for them.
    let (server, seen, picked_up) = (server.clone(), seen.clone(), picked_up.clone());
    std::thread::spawn(move || {
        if picked_up.recv_timeout(Duration::from_secs(60)).is_err() {
            return;
        }
        // A human reads for a moment before the click.
        std::thread::sleep(Duration::from_millis(1200));
        let accepted = match server.post(&format!("{base}/accept")) {
            Ok(answer) if answer.status == 200 => Seen::Accepted { at: clock.now() },
            Ok(answer) => Seen::Failed(format!("accepting was refused: {} {}", answer.status, answer.body)),
            Err(error) => Seen::Failed(format!("accepting did not arrive: {error}")),
        };
        // The demo may be over.
        let _ = seen.send(accepted);
    });
    Ok(())
}
