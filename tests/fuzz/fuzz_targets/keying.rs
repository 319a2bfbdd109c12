//! Offers and answers with keys in them, changed on the way.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::keying));
