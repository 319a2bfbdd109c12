//! The sample handoff as it is drawn. `UPDATE_GOLDEN=1 cargo test -p call-trace` writes the files anew.

use call_model::{CallId, EndCause, EndReason, Instant, Party, Role, TraceEvent, TraceKind};
use call_trace::{Ladder, Style, describe, render_line};

mod sample;

#[test]
fn the_ladder_for_golden_files() {
    expect("handoff.txt", &Ladder::draw(Style::GOLDEN, &sample::handoff()));
}

#[test]
fn the_ladder_with_its_story() {
    let style = Style { colour: false, story: true, ids: false, ..Style::TERMINAL };
    expect("handoff-story.txt", &Ladder::draw(style, &sample::handoff()));
}

#[test]
fn the_lines_of_tail() {
    let events = sample::handoff();
    let lines = events.iter().map(|event| render_line(event, events[0].at) + "\n");
    expect("handoff-lines.txt", &lines.collect::<String>());
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = Ladder::draw(Style { colour: false, ..Style::TERMINAL }, &sample::handoff());
    let colour = Ladder::draw(Style::TERMINAL, &sample::handoff());
    assert_ne!(plain, colour);
    assert_eq!(without_colours(&colour), plain);
}

#[test]
fn drawn_one_by_one_or_at_once_is_the_same() {
    let mut ladder = Ladder::new(Style::GOLDEN);
    let mut out = ladder.header();
    sample::handoff().iter().for_each(|event| out += &ladder.push(event));
    assert_eq!(out, Ladder::draw(Style::GOLDEN, &sample::handoff()));
}

#[test]
fn nothing_a_peer_sends_breaks_the_drawing() {
    let hostile = ["", " ", "\u{1b}[2J\r\n\u{0}", &"x".repeat(10_000), &"é\u{202e} ".repeat(3_000)];
    for text in hostile {
        for kind in kinds(text) {
            let event = TraceEvent { at: Instant::from_millis(u64::MAX / 2_000_000), call: Some(CallId(1)), kind };
            let drawn =
                Ladder::draw(Style { story: true, verbose: true, ..Style::GOLDEN }, std::slice::from_ref(&event));
            let line = render_line(&event, Instant::ZERO);
            assert!(drawn.ends_with('\n'));
            assert!(drawn.lines().all(|line| line.chars().count() <= 121), "{drawn}");
            assert!(!drawn.replace('\n', "").contains(char::is_control), "{drawn:?}");
            assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        }
    }
}

#[test]
fn a_leg_that_comes_again_has_a_lifeline_again() {
    let sip = |what: &str| TraceKind::Sip {
        leg: None,
        role: Some(Role::Desk),
        sent: true,
        what: what.to_owned(),
        sip_call_id: String::new(),
        cseq: String::new(),
        again: false,
    };
    let leg = call_model::LegId { call: CallId(1), index: 2 };
    let cause = EndCause::sip(Party::Desk, EndReason::Refused, 486);
    let events = [sip("INVITE"), TraceKind::LegEnded { leg, role: Role::Desk, cause }, sip("ACK"), sip("INVITE")];
    let events = events.map(|kind| TraceEvent { at: Instant::ZERO, call: None, kind });
    let drawn = Ladder::draw(Style { times: false, ..Style::GOLDEN }, &events);
    assert_eq!(
        drawn.lines().skip(1).map(str::trim_start).collect::<Vec<_>>(),
        ["|--- INVITE --->|", "|               X desk refused (486)", "|----- ACK ---->|", "|--- INVITE --->|"]
    );
    assert_eq!(describe(&events[1].kind), "desk leg ended: desk refused (486)");
}

fn kinds(text: &str) -> Vec<TraceKind> {
    let note = |about| TraceKind::Note { about, text: text.to_owned() };
    let sip = |role| {
        let (what, sip_call_id) = (text.to_owned(), text.to_owned());
        TraceKind::Sip { leg: None, role, sent: false, what, sip_call_id, cseq: String::new(), again: true }
    };
    vec![
        note(Party::Caller),
        note(Party::Desk),
        sip(None),
        sip(Some(Role::Caller)),
        sip(Some(Role::Desk)),
        TraceKind::Dropped { what: text.to_owned() },
        TraceKind::Release { what: text.to_owned(), status: Some(503) },
    ]
}

fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\u{1b}[");
    out += parts.next().unwrap_or_default();
    parts.for_each(|part| out += part.split_once('m').map_or("", |(_, rest)| rest));
    out
}

fn expect(name: &str, drawn: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, drawn).expect("golden files can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, expected, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
}
