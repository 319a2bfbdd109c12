//! A session description, as an offer and as an answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::description));
