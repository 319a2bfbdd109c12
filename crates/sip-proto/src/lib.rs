//! SIP behaviour as pure state: the four transaction machines, dialogs, offer/answer and the REFER subscription behind
//! one [`Endpoint`], which speaks [`DialogEvent`].
//!
//! It knows no socket, clock, thread or global randomness: it is handed parsed messages and the time, and hands back
//! [`Output`]s. It does not know what a call is, either; `call-core` maps dialogs to legs.
//!
//! After every `handle_*` and every command, drain [`Endpoint::poll_output`], then read [`Endpoint::poll_timeout`].

mod body;
mod config;
mod dialog;
mod digest;
mod endpoint;
mod event;
mod flow;
mod message;
mod offer_answer;
mod pace;
mod registration;
mod reliable;
mod session_id;
mod session_timer;
mod timer;
mod transaction;

pub use config::{Account, Credentials, EndpointConfig, Guard, Network, contains};
pub use endpoint::{Endpoint, MAX_DATAGRAM};
pub use event::{
    AcceptError, Address, BodyPart, DialogEvent, DialogId, EndedBecause, InviteRequest, Output, PingId, Proposal,
    ReferStage, RequestId, SeenNote, SentNote, SubscriptionId,
};
pub use flow::{Flow, Transport};
pub use offer_answer::{Offer, answer_browser};
pub use registration::{
    Binding, RegisterRequest, Registrar, RegistrationEvent, RegistrationId, RegistrationView, Seat,
};
pub use timer::TimerName;
