//! SRTP and SRTCP packets, covered, damaged and made up.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::within(octets, torture::fuzz::srtp));
