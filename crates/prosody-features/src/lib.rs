//! prosody-features
