//! Everything Warmline says over HTTP: the desk page, the control API, the live tail, metrics and health.
//!
//! Owns every serialised shape ([`shapes`]), converted by hand from `call-model`, and a [`Control`] trait that the
//! gateway implements. Knows nothing of SIP, RTP or how a call is decided.
//!
//! The gateway makes a [`Hub`], pushes [`call_model::PopUpdate`]s and [`call_model::TraceEvent`]s into it from its
//! switchboard loop, and hands it to [`serve`]. What each route says is in `docs/http-api.md`.

mod audit;
mod board;
mod book;
mod control;
mod error;
mod guard;
mod handoffs;
mod hub;
mod metrics;
mod metrics_audio;
mod page;
mod routes;
mod server;
mod session;
pub mod shapes;
mod sse;
mod trace_shape;

pub use control::{
    AbilityView, CallbackChange, Control, PeerView, PresenceShown, QueueView, Readiness, Refused, RegistrationShown,
    Reply, RulesRefusal, RulesView, TelephoneShown, WaitingShown,
};
pub use hub::{Hub, HubConfig};
pub use metrics::{Metric, Metrics};
pub use server::{Api, ApiConfig, DeskLogin, IceServer, router, serve};
pub use session::Sessions;
