//! Octets are a whole call with a handoff in it; whatever goes wrong in it, nobody is lost.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let storm = sim::Storm::new(0, &mut sim::Dice::Octets(octets));
    let world = storm.play();
    let findings = sim::Findings::of(&storm, &world);
    assert!(findings.is_clean(), "{findings:#?}\n{:#?}\n{}", storm.script, world.ladder());
});
