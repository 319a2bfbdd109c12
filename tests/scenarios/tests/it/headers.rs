//! What bots and desks are told of the caller: headers that are passed on, and whose number they are shown.

use crate::support::{ring, scenario};
use call_core::CallerId;
use core::time::Duration;
use phone::Answer;
use sim::{BOT, DESK, DESK2, Do, Party, Setup, TRUNK, World};
use sip_proto::Transport;
use sip_wire::Message;

const DIVERTED: &str = "<sip:+442079460001@trunk.invalid>;reason=no-answer";
const CALLER: &str = "<sip:+447700900123@trunk.invalid>";

/// Calls with these headers, and is handed over.
fn called(setup: &Setup, headers: &[(&'static str, &str)]) -> World {
    let mut world = World::new(setup);
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    world.at(0, Do::DialWith("7001", headers)).at(3_000, Do::Press(TRUNK, '0')).at(14_000, Do::HangUp(TRUNK));
    world
}

fn invites(world: &World, party: Party) -> Vec<Message> {
    world.invites(party).map(|bytes| Message::parse_datagram(bytes).expect("we read what we write")).collect()
}

#[test]
fn what_the_trunk_says_of_the_way_the_call_came_goes_on_to_bot_and_desk_and_nothing_else() {
    let setup = Setup { transport: Transport::Tcp, pass_headers: &["Diversion", "X-Customer"], ..Setup::default() };
    let said = [("X-Other", "no"), ("X-Customer", "17"), ("Diversion", DIVERTED), ("P-Asserted-Identity", CALLER)];
    for private in [false, true] {
        let mut headers = said.to_vec();
        headers.extend(private.then_some(("Privacy", "id")));
        let mut world = called(&setup, &headers);
        world.at(8_000, Do::Press(DESK, '1'));
        world.run_until(60_000);
        for party in [BOT, DESK] {
            let invite = invites(&world, party).remove(0);
            let heard = ["Diversion", "X-Customer", "X-Other"].map(|name| invite.headers.get(name).map(str::to_owned));
            let passed = [Some(DIVERTED.to_owned()), Some("17".to_owned()), None];
            assert_eq!(heard, if private { [None, None, None] } else { passed });
            let asserted = invite.headers.get("P-Asserted-Identity").map(str::to_owned);
            assert_eq!(asserted, (!private).then(|| "<sip:+447700900123@10.0.0.1>".to_owned()));
        }
    }
}

#[test]
fn what_makes_a_datagram_too_long_goes_by_connection_instead_of_being_left_out() {
    let setup = Setup { pass_headers: &["X-Long", "X-Short"], ..Setup::default() };
    let long = "a".repeat(900);
    let mut world = called(&setup, &[("X-Long", long.as_str()), ("X-Short", "b")]);
    world.at(8_000, Do::Press(DESK, '1'));
    world.run_until(60_000);
    let invite = invites(&world, DESK).remove(0);
    assert_eq!((invite.headers.get("X-Long"), invite.headers.get("X-Short")), (Some(long.as_str()), Some("b")));
    assert_eq!(invite.via().map(|via| via.transport), Ok(sip_wire::ViaTransport::Tcp));
}

#[test]
fn a_refused_number_is_tried_once_more_as_the_trunks_in_the_same_attempt() {
    let caller_id = CallerId { fallback: vec![403, 433], ..CallerId::default() };
    let setup = Setup { caller_id, ..Setup::default() };
    let mut world = called(&setup, &[("P-Asserted-Identity", CALLER)]);
    world.at(2_000, Do::Arrival(DESK, phone::Arrival::Refuse(403)));
    // Its side minds the number, not us.
    world.at(4_610, Do::Arrival(DESK, ring(Answer::After(Duration::from_secs(1)))));
    world.at(8_000, Do::Press(DESK, '1'));
    scenario("refused_number", &mut world, 60_000);
    let sent = invites(&world, DESK);
    let [first, second] = &sent[..] else { panic!("{} INVITEs", sent.len()) };
    assert_eq!(first.call_id(), second.call_id(), "what the pop named");
    assert_ne!(first.from_tag(), second.from_tag());
    let from = |invite: &Message| invite.from().unwrap().uri.user_text();
    assert_eq!(from(first).as_deref(), Some("+447700900123"));
    assert_eq!(from(second).as_deref(), Some("+442079460000"));
    assert_eq!(second.headers.get("P-Asserted-Identity"), Some("<sip:+442079460000@10.0.0.1>"));
}

#[test]
fn a_number_that_is_refused_twice_is_a_desk_that_refuses() {
    let caller_id = CallerId { fallback: vec![403], ..CallerId::default() };
    let refuses = phone::Arrival::Refuse(403);
    let setup =
        Setup { caller_id, desks: 2, desk: [refuses, ring(Answer::After(Duration::from_secs(1)))], ..Setup::default() };
    let mut world = called(&setup, &[("P-Asserted-Identity", CALLER)]);
    world.at(8_000, Do::Press(DESK2, '1'));
    scenario("refused_number_twice", &mut world, 60_000);
    assert_eq!((invites(&world, DESK).len(), invites(&world, DESK2).len()), (2, 1));
}

#[test]
fn whose_number_is_shown_is_the_desks_to_say() {
    let shown = |caller_id: CallerId, private: bool| {
        let mut headers = vec![("P-Asserted-Identity", CALLER)];
        headers.extend(private.then_some(("Privacy", "id")));
        let mut world = called(&Setup { caller_id, ..Setup::default() }, &headers);
        world.at(8_000, Do::Press(DESK, '1'));
        world.run_until(60_000);
        let invite = invites(&world, DESK).remove(0);
        let header = |name: &str| invite.headers.get(name).unwrap_or("-").to_owned();
        [invite.from().unwrap().uri.to_string(), header("P-Asserted-Identity"), header("Privacy")]
    };
    let trunks = CallerId { trunks: true, ..CallerId::default() };
    let trusted = CallerId { trusted: true, ..CallerId::default() };
    let (caller, nobody) = ("sip:+447700900123@10.0.0.1", "sip:anonymous@anonymous.invalid");
    let number = "sip:+442079460000@10.0.0.1";
    let asserted = |uri: &str| format!("<{uri}>");
    assert_eq!(shown(CallerId::default(), false), [caller, &asserted(caller), "-"]);
    assert_eq!(shown(CallerId::default(), true), [nobody, "-", "id"]);
    assert_eq!(shown(trunks.clone(), false), [number, &asserted(number), "-"]);
    assert_eq!(shown(trunks, true), [number, &asserted(number), "-"]);
    assert_eq!(shown(trusted.clone(), false), [caller, &asserted(caller), "-"]);
    assert_eq!(shown(trusted, true), [nobody, &asserted(caller), "id"]);
}
