//! Octets are a whole call with a handoff in it; whatever goes wrong in it, nobody is lost.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let findings = sim::whole_call(octets);
    assert!(findings.is_clean(), "{findings:#?}");
});
