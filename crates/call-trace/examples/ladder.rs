//! Prints a sample handoff: `cargo run --release -p call-trace --example ladder [golden|story|lines]`.
#![allow(clippy::print_stdout, reason = "an example")]

use call_trace::{Ladder, Style, render_line};

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() {
    let events = sample::handoff();
    match std::env::args().nth(1).as_deref() {
        Some("golden") => print!("{}", Ladder::draw(Style::GOLDEN, &events)),
        Some("lines") => events.iter().for_each(|event| println!("{}", render_line(event, events[0].at))),
        Some("story") => print!("{}", Ladder::draw(Style { story: true, ids: false, ..Style::TERMINAL }, &events)),
        _ => print!("{}", Ladder::draw(Style::TERMINAL, &events)),
    }
}
