//! Everything Warmline says over HTTP: the desk page, the control API, the live tail, metrics and health.
//!
//! Owns every serialised shape ([`shapes`]), converted by hand from `call-model`, and a [`Control`] trait that the
//! gateway implements. Knows nothing of SIP, RTP or how a call is decided.
//!
//! The gateway makes a [`Hub`], pushes [`call_model::PopUpdate`]s and [`call_model::TraceEvent`]s into it from its
//! switchboard loop, and hands it to [`serve`].

mod control;
mod hub;
mod metrics;
mod server;
pub mod shapes;

pub use control::{Control, Readiness, Refused, Reply};
pub use hub::{Hub, HubConfig};
pub use metrics::{Metric, Metrics};
pub use server::{Api, ApiConfig, DeskLogin, router, serve};
