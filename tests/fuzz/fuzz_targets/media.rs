//! RTP, RTCP and a bot's stream into the media engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::media));
