//! sip-wire
