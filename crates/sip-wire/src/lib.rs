//! SIP messages: bytes to values and back.
//!
//! Total on any input: whatever arrives becomes a [`Message`] or a [`Malformed`] that carries the answer to send.
//! No time, no state, no sockets; transactions and dialogs live in `sip-proto`, SDP bodies stay bytes.
//!
//! ```
//! use sip_wire::{Message, Method};
//!
//! let bytes = b"OPTIONS sip:gw.example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
//!     f: <sip:a@example.com>;tag=1\r\nt: <sip:gw.example.com>\r\ni: 7@192.0.2.1\r\nCSeq: 1 OPTIONS\r\n\r\n";
//! let request = Message::parse_datagram(bytes)?;
//! sip_wire::validate_request(&request)?;
//! assert_eq!(request.method(), Some(&Method::Options));
//!
//! let response = request.response_to(200, "", Some("our-tag"));
//! assert!(response.to_bytes().starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"));
//! # Ok::<(), sip_wire::Malformed>(())
//! ```

mod auth;
mod body;
mod error;
mod frame;
mod headers;
mod malformed;
mod message;
mod method;
mod name_addr;
mod params;
mod parse;
mod reason;
mod telephone;
pub mod text;
mod uri;
mod validate;
mod values;
mod via;
mod write;

pub use auth::{DigestAlgorithm, DigestChallenge, DigestResponse};
pub use body::{BodyPart, Multipart};
pub use error::{HeaderError, ParseError};
pub use frame::{Framed, StreamFramer};
pub use headers::{Header, Headers};
pub use malformed::Malformed;
pub use message::{Message, Start};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{MAX_HEAD_BYTES, MAX_HEADER_LINES, MAX_MESSAGE_BYTES};
pub use reason::reason_phrase;
pub use telephone::Telephone;
pub use uri::{Host, Scheme, Uri};
pub use validate::{validate_request, validate_response};
pub use values::{CSeq, Parameterised, RAck, Refresher, Replaces, SessionExpires};
pub use via::{COOKIE, Via, ViaTransport};
