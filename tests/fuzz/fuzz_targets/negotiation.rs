//! Offers and answers of two endpoints, changed on the way.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::negotiation));
