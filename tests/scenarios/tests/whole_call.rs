//! The fuzz target `whole_call` (tests/fuzz) without a fuzzer: any octets are a call, and every call ends well.

use sim::Dice;

#[test]
fn any_octets_are_a_call_that_ends_well() {
    let mut dice = Dice::of_seed(7);
    for length in 0..300 {
        let octets: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        let findings = sim::whole_call(&octets);
        assert!(findings.is_clean(), "{octets:?}: {findings:#?}");
    }
}
