//! Two endpoints, commands in any order, a bad network, damaged copies.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::transactions));
