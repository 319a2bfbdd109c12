//! Datagrams into DTLS handshakes.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, sim::handshakes));
