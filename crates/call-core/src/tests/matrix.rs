//! Who hears whom, in every state and under every setting, as the table of docs/media-matrix.md.
//! A test that fails prints the table as it is now.

use super::bench::{Bench, config, to_sip_bot};
use crate::config::{Choreography, CoPilot, Introduce, Route, WhileConsulting};
use crate::leg::LegEvent;
use crate::transfer::{Phase, Recovery};
use call_model::{Codec, DeskAction, Direction, FactKind, Prompt, RemoteMedia, Role, Selector};
use std::fmt::Write as _;

const HEAD: &str =
    "| state | route | caller hears | bot hears | human hears | caller listened to |\n|---|---|---|---|---|---|\n";

fn settings() -> Vec<(&'static str, Route)> {
    let route = |while_consulting, introduce, co_pilot| Route {
        while_consulting,
        choreography: Choreography { introduce, co_pilot, ..Choreography::default() },
        ..to_sip_bot()
    };
    vec![
        ("default", route(WhileConsulting::Bot, Introduce::None, CoPilot::Off)),
        ("`while_consulting = \"music\"`", route(WhileConsulting::Music, Introduce::None, CoPilot::Off)),
        ("`introduce = \"three_way\"`", route(WhileConsulting::Bot, Introduce::ThreeWay, CoPilot::Off)),
        ("`co_pilot = \"silent\"`", route(WhileConsulting::Bot, Introduce::None, CoPilot::Silent)),
        ("`co_pilot = \"heard\"`", route(WhileConsulting::Bot, Introduce::None, CoPilot::Heard)),
    ]
}

/// What leads from each state to the next; each is reached through all before it.
type Step = fn(&mut Bench);

const STATES: [(&str, Step); 9] = [
    ("WithBot", |_| {}),
    ("Consulting", |call| {
        call.ask();
        call.wait(20);
    }),
    ("Accepting", |call| {
        call.answered(2);
        call.flowing(2);
    }),
    ("Accepting, between two whispers", |call| {
        let trigger = call.call.handoff.as_ref().expect("a handoff").decision.trigger;
        call.played(2, Prompt::Why(trigger));
        call.played(2, Prompt::PressOne);
    }),
    ("Accepted while an announcement goes on", |call| {
        call.fact(FactKind::Announcement { mark: Some("end".to_owned()) });
        call.key(2, '1');
    }),
    ("Joined, not proven yet", |call| {
        if matches!(call.call.phase, Phase::Accepting { .. }) {
            call.wait(5_000);
        }
    }),
    ("Joined, proven", |call| {
        call.speaks(0);
        call.speaks(2);
    }),
    ("Joined, introduced", |call| call.fact(FactKind::Introduced)),
    ("Joined, the human holds", |call| {
        let rtp = "127.0.0.1:4000".parse().expect("an address");
        let direction = Direction::Inactive;
        let media = RemoteMedia { telephone_event: Some(101), direction, ..RemoteMedia::new(rtp, Codec::Pcmu) };
        call.leg(2, LegEvent::MediaChanged { media });
    }),
];

/// What the party of this role hears now.
fn hears(call: &Bench, role: Role) -> String {
    let name = |id| {
        call.call.leg(id).map_or("nobody", |leg| match leg.role {
            Role::Caller => "caller",
            Role::Bot => "bot",
            Role::Desk => "human",
            Role::Recorder => "recorder",
        })
    };
    let Some(leg) = call.call.legs.iter().find(|leg| leg.role == role && leg.is_up()) else { return "-".to_owned() };
    match leg.feed {
        None => "nothing".to_owned(),
        Some(Selector::Leg(id)) => name(id).to_owned(),
        Some(Selector::Mix(one, other)) => {
            let mut both = [name(one), name(other)];
            both.sort_by_key(|name| ["caller", "bot", "human"].iter().position(|other| other == name));
            both.join(" + ")
        }
        Some(Selector::Prompt(Prompt::Why(_) | Prompt::PressOne)) => "whisper".to_owned(),
        Some(Selector::Prompt(_)) => "prompt".to_owned(),
        Some(Selector::Music) => "music".to_owned(),
        Some(Selector::Silence) => "silence".to_owned(),
    }
}

struct Row {
    state: &'static str,
    route: &'static str,
    heard: [String; 3],
    tapped: bool,
    joined: bool,
}

fn row(state: &'static str, route: &'static str, call: &Bench) -> Row {
    let heard = [Role::Caller, Role::Bot, Role::Desk].map(|role| hears(call, role));
    Row { state, route, heard, tapped: call.call.tapped, joined: !call.call.phase.before_join() }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for last in 0..STATES.len() {
        for (name, route) in settings() {
            let mut call = Bench::talking(config(), route);
            STATES[..=last].iter().for_each(|(_, step)| step(&mut call));
            rows.push(row(STATES[last].0, name, &call));
        }
    }
    for (name, route) in settings() {
        let mut call = Bench::talking(config(), route);
        STATES[..7].iter().for_each(|(_, step)| step(&mut call));
        call.hangs_up(2);
        let bot_stayed = matches!(call.call.phase, Phase::WithBot);
        assert!(bot_stayed || matches!(call.call.phase, Phase::Recovering(Recovery::Bot { .. })));
        rows.push(row(if bot_stayed { "WithBot, the human has gone" } else { "Recovering" }, name, &call));
    }
    for (name, route) in settings() {
        let mut call = Bench::talking(config(), route);
        STATES[..7].iter().for_each(|(_, step)| step(&mut call));
        call.page("anna", |handoff| DeskAction::HandBack { handoff, notes: String::new() }).expect("anna's");
        let fetched = matches!(call.call.phase, Phase::Joined { .. });
        rows.push(row(if fetched { "Joined, the bot is fetched" } else { "WithBot, handed back" }, name, &call));
    }
    for (name, route) in settings() {
        let mut call = Bench::talking(config(), route);
        STATES[..3].iter().for_each(|(_, step)| step(&mut call));
        call.hangs_up(1);
        rows.push(row("Accepting, the bot has gone", name, &call));
    }
    rows
}

#[test]
fn the_matrix_is_that_of_the_documentation() {
    let mut table = HEAD.to_owned();
    for Row { state, route, heard: [caller, bot, human], tapped, .. } in rows() {
        let tapped = if tapped { "yes" } else { "no" };
        writeln!(table, "| {state} | {route} | {caller} | {bot} | {human} | {tapped} |").expect("a String grows");
    }
    let page = include_str!("../../../../docs/media-matrix.md");
    let documented = page.find("| state |").map_or("", |start| &page[start..]);
    assert!(documented == table, "docs/media-matrix.md is not true any more; it should say\n{table}");
}

#[test]
fn nobody_hears_what_is_not_for_them() {
    for Row { state, route, heard: [caller, bot, human], tapped, joined } in rows() {
        let place = format!("{state}, {route}");
        assert!(
            !["nothing", "-", "silence", "whisper"].contains(&caller.as_str()),
            "{place}: the caller hears {caller}"
        );
        assert!(!["music", "prompt", "whisper"].contains(&bot.as_str()), "{place}: the bot hears {bot}");
        assert!(!["music", "prompt"].contains(&human.as_str()), "{place}: the human hears {human}");
        let third = route.contains("three_way") || route.contains("heard");
        assert!(!human.contains("bot") || joined && third, "{place}: the human hears {human}");
        assert!(!caller.contains("human") || joined, "{place}: the caller hears {caller}");
        assert!(
            !caller.contains("bot") || !joined || route.contains("three_way"),
            "{place}: the caller hears {caller}"
        );
        assert!(!human.contains("caller") || joined, "{place}: the human hears {human}");
        assert!(!bot.contains("human") || joined, "{place}: the bot hears {bot}");
        assert!(!(tapped && joined), "{place}: a human has the caller, who is still listened to");
    }
}
