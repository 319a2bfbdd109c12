//! The gateway as a library, so that `warmline serve`, `warmline demo` and tests start the same thing.
//!
//! It owns the sockets, threads and clock, and decides nothing: see `ARCHITECTURE.md` for the life of a call.
//!
//! Threads: one for the switchboard, which also reads SIP over UDP; a few for media on epoll; the scorer's; the
//! ledger's; and two of tokio for TCP, HTTP and WebSocket bots. The switchboard never waits for any of them.

mod bot_streams;
mod callbacks;
pub mod cli;
mod clock;
pub mod config;
mod control;
mod cores;
pub mod demo;
mod http_client;
mod https;
mod identity;
mod inbox;
mod ledger_watch;
pub mod listen_files;
mod listening;
mod log_writer;
pub mod logging;
mod media;
pub mod model_files;
mod nice;
pub mod nofile;
mod preflight;
mod prompts;
pub mod recording;
mod resolve;
pub mod rule_files;
mod rule_replay;
mod rules_keeper;
mod running;
pub mod serve;
pub mod show;
mod sip_streams;
mod sip_udp;
mod sockets;
pub mod sounds;
mod switchboard_loop;
pub mod tail;
mod token;
mod trunks;
mod undelivered;
pub mod verify;

pub use clock::Clock;
pub use listening::ModelInfo;
pub use log_writer::LogGuard;
pub use running::{Gateway, StartError};
