//! What the fuzzer kept, once more: every seed reached something that no other did.

use std::path::Path;
use torture::fuzz;

fn replay(target: &str, play: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    seeds.sort();
    assert!(seeds.len() > 20, "{target}: {} seeds", seeds.len());
    for seed in seeds {
        eprintln!("{}", seed.display());
        play(&std::fs::read(&seed).expect("a readable seed"));
    }
}

#[test]
fn messages() {
    replay("message", fuzz::message);
}

#[test]
fn descriptions() {
    replay("description", fuzz::description);
}

#[test]
fn media() {
    replay("media", fuzz::media);
}

#[test]
fn transactions() {
    replay("transactions", fuzz::transactions);
}

#[test]
fn negotiations() {
    replay("negotiation", fuzz::negotiation);
}
