//! A SIP message, as a datagram and on a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::message));
