//! Tests with real peers over real sockets: SIPp as trunk, bot and desk; kamailio as a proxy; baresip and linphone as
//! telephones that encrypt; rsipstack as trunk and telephone; a public Media Streams bot framework; Chromium
//! on the desk page. `cargo xtask test` installs them; a peer it could not install is named in `WARMLINE_SKIP_PEERS`
//! and its tests say that they were skipped.
//!
//! SIPp does the signalling, so that an independent stack judges ours; [`Talker`]s do the audio, each with a tone of
//! its own, so that every receiver can say exactly whom it hears.

mod baresip;
mod browser;
mod desk_phone;
mod gateway;
mod kamailio;
mod lines;
mod linphone;
mod pipecat;
mod rsipstack;
mod sipp;
mod sound;
mod talker;

pub use baresip::Baresip;
pub use browser::Browser;
pub use desk_phone::{Account, DeskPhone};
pub use gateway::{Gateway, decrypt, verify};
pub use kamailio::Proxy;
pub use linphone::Linphone;
pub use pipecat::Pipecat;
pub use rsipstack::Rsipstack;
pub use sipp::{Callee, Does, Sipp, Trunk};
pub use talker::Talker;

use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the caller says, in hertz.
pub const CALLER: f32 = 400.0;
/// What the bot says.
pub const BOT: f32 = 600.0;
/// What the human says.
pub const DESK: f32 = 800.0;
/// What whoever takes over from the human says.
pub const COLLEAGUE: f32 = 1000.0;

/// Whether a peer is missing on purpose; says so once.
pub fn skipped(peer: &str) -> bool {
    let skipped = std::env::var("WARMLINE_SKIP_PEERS").is_ok_and(|list| list.split(',').any(|name| name == peer));
    if skipped {
        eprintln!("SKIPPED: {peer} is not installed");
    }
    skipped
}

/// A loopback port that is free for UDP and TCP, and its neighbour too. None is given twice: between here and its use
/// another test would take it.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let Ok(socket) = UdpSocket::bind("127.0.0.1:0") else { continue };
        let Ok(port) = socket.local_addr().map(|at| at.port()) else { continue };
        let neighbour = UdpSocket::bind(("127.0.0.1", port.wrapping_add(1)));
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port % 2 == 0
            && neighbour.is_ok()
            && free(port)
            && free(port + 1)
            && GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port)
        {
            return port;
        }
    }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from)
}

/// What the simulated calls of the hermetic tests made the gateway send.
pub fn captures() -> Vec<PathBuf> {
    let folder = target().join("captures");
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
