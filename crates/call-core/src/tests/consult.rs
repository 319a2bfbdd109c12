use super::bench::{Bench, config, route, to_sip_bot, to_stream_bot};
use crate::leg::LegEvent;
use crate::{AcceptGate, DeskRefused, RouteTo, WhileConsulting};
use call_model::{BotEvent, DeskAction, FactKind, PopUpdate, Speaker};

#[test]
fn the_caller_is_answered_when_the_bot_answers() {
    let mut call = Bench::new(config(), to_sip_bot());
    call.expect(&["dial 1 sipbot"]);
    call.leg(1, LegEvent::Ringing);
    call.expect(&["ring caller"]);
    call.answered(1);
    call.expect(&["answer caller", "caller hears bot", "bot hears caller", "tap on"]);
}

#[test]
fn handed_over_and_accepted_by_key() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.key(0, '0');
    call.wait(1499);
    call.expect(&[]);
    call.wait(1);
    call.expect(&["WithBot -> Consulting", "pop offered anna"]);
    call.page("anna", DeskAction::Acknowledged).expect("anna's");
    call.expect(&["dial 2 anna"]);
    call.leg(2, LegEvent::Ringing);
    call.answered(2);
    call.expect(&["Consulting -> Accepting", "desk hears Why(Dtmf)"]);
    call.flowing(2);
    call.key(2, '5');
    call.expect(&["note: pressed 5"]);
    call.key(2, '1');
    call.expect(&[
        "note: pressed 1",
        "Accepting -> Joined",
        "caller hears desk",
        "bot hears Silence",
        "desk hears caller",
        "tap off",
        "pop joined anna",
    ]);
    call.speaks(2);
    call.expect(&[]);
    call.speaks(0);
    call.expect(&[
        "hang up bot: Handed over",
        "pop ended anna: joined",
        "handoff joined at join",
        "bot leg ended: gateway finished",
    ]);
    call.hangs_up(0);
    call.expect(&[
        "caller leg ended: caller hung_up",
        "early drop at anna by caller after 0 s: hung up",
        "pop retracted anna: the caller hung up",
        "hang up anna: Caller hung up",
        "desk leg ended: caller hung_up",
        "call ended: caller hung_up",
    ]);
    assert!(call.over());
    assert_eq!(call.desks_taken(), 0);
}

#[test]
fn a_stream_bot_is_told_what_happens() {
    let mut call = Bench::new(config(), to_stream_bot());
    call.expect(&["ring caller", "dial ws://127.0.0.1:9000/"]);
    call.bot(1, BotEvent::Up);
    call.expect(&["note: its stream is up", "answer caller", "caller hears bot", "bot hears caller", "tap on"]);
    call.key(0, '7');
    call.expect(&["bot gets key 7"]);
    call.bot(1, BotEvent::Fact(FactKind::BotEscalates { because: "out of ideas".to_owned() }));
    call.expect(&["bot told: started, bot", "WithBot -> Consulting", "pop offered anna"]);
    call.wait(20);
    call.refused(2, 486);
    call.wait(20);
    call.refused(3, 603);
    let log = call.drain_log();
    assert_eq!(
        log[log.len() - 4..],
        [
            "pop ended ben: declined",
            "handoff declined at consult (603)",
            "Consulting -> WithBot",
            "bot told: failed, declined"
        ]
    );
}

#[test]
fn an_unacknowledged_pop_delays_the_phone_by_pop_wait_only() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.ask();
    call.wait(19);
    call.expect(&["WithBot -> Consulting", "pop offered anna"]);
    call.wait(1);
    call.expect(&["dial 2 anna"]);
    let consult = call.last_dial().consult.clone().expect("a consult INVITE");
    assert!(!consult.plain);
}

#[test]
fn the_pop_names_the_call_id_under_which_the_phone_rings() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.ask();
    let Some(PopUpdate::Offered { sip_call_id, .. }) = call.last_pop().cloned() else { panic!("offered") };
    call.wait(20);
    assert_eq!(call.last_dial().consult.as_ref().map(|consult| consult.sip_call_id.clone()), Some(sip_call_id));
}

#[test]
fn accepting_on_the_page_counts_before_and_after_the_phone_is_picked_up() {
    let mut before = Bench::ringing(config(), to_sip_bot());
    before.page("anna", DeskAction::Accepted).expect("anna's");
    before.expect(&[]);
    before.answered(2);
    let log = before.drain_log();
    assert_eq!(log[..3], ["Consulting -> Accepting", "Accepting -> Joined", "caller hears desk"]);

    let mut after = Bench::ringing(config(), to_sip_bot());
    after.answered(2);
    after.drain_log();
    after.page("anna", DeskAction::Accepted).expect("anna's");
    assert_eq!(after.drain_log()[..2], ["Accepting -> Joined", "caller hears desk"]);
}

#[test]
fn accepting_on_the_page_before_the_phone_rings_dials_at_once() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.ask();
    call.drain_log();
    call.page("anna", DeskAction::Accepted).expect("anna's");
    call.expect(&["dial 2 anna"]);
    call.answered(2);
    assert!(call.drain_log().contains(&"Accepting -> Joined".to_owned()));
}

#[test]
fn only_the_desk_that_has_the_handoff_may_act_on_it() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    assert_eq!(call.page("ben", DeskAction::Accepted), Err(DeskRefused::NotYours));
    call.refused(2, 486);
    assert_eq!(call.page("anna", DeskAction::Accepted), Err(DeskRefused::NotYours));
    assert_eq!(call.page("ben", DeskAction::Accepted), Ok(()));
}

#[test]
fn a_desk_that_joined_cannot_decline() {
    let mut call = Bench::joined(config(), crate::Release::Stay, false);
    assert_eq!(call.page("anna", declines), Err(DeskRefused::TooLate));
    call.expect(&[]);
}

#[test]
fn declining_on_the_page_stops_the_phone_and_rings_the_next_desk() {
    for phase in ["offering", "ringing", "accepting"] {
        let mut call = Bench::talking(config(), to_sip_bot());
        call.ask();
        if phase != "offering" {
            call.wait(20);
        }
        if phase == "accepting" {
            call.answered(2);
        }
        call.drain_log();
        call.page("anna", declines).expect("anna's");
        let log = call.drain_log();
        assert_eq!(log.contains(&"hang up anna: Declined".to_owned()), phase != "offering", "{phase}");
        assert!(log.contains(&"pop retracted anna: you declined".to_owned()), "{phase}");
        assert!(log.contains(&"pop offered ben".to_owned()), "{phase}");
        assert_eq!(call.desks_taken(), 1);
    }
}

#[test]
fn a_queue_accepts_by_answering() {
    let mut config = config();
    config.desks[0].accept = AcceptGate::Auto;
    let mut call = Bench::ringing(config, to_sip_bot());
    call.answered(2);
    assert_eq!(call.drain_log()[..3], ["Consulting -> Accepting", "Accepting -> Joined", "caller hears desk"]);
}

#[test]
fn nobody_answers_anywhere_and_the_bot_has_the_caller_again() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.leg(2, LegEvent::Ringing);
    call.wait(25_000);
    call.expect(&[
        "hang up anna: No answer",
        "pop retracted anna: nobody answered",
        "pop offered ben",
        "desk leg ended: desk timed_out",
    ]);
    call.wait(20);
    call.expect(&["dial 3 ben"]);
    call.leg(3, LegEvent::Ringing);
    call.wait(25_000);
    call.expect(&[
        "hang up ben: No answer",
        "pop retracted ben: nobody answered",
        "pop ended ben: no_answer",
        "handoff no_answer at consult",
        "Consulting -> WithBot",
        "desk leg ended: desk timed_out",
    ]);
    assert_eq!(call.desks_taken(), 0);
}

#[test]
fn voicemail_never_gets_the_caller() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.drain_log();
    call.wait(10_000);
    call.expect(&[
        "hang up anna: Not accepted",
        "pop retracted anna: not accepted in time",
        "Accepting -> Consulting",
        "pop offered ben",
        "desk leg ended: desk timed_out",
    ]);
}

#[test]
fn a_desk_that_hangs_up_before_accepting_is_left_for_the_next() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.drain_log();
    call.hangs_up(2);
    call.expect(&[
        "desk leg ended: desk hung_up",
        "pop retracted anna: hung up before accepting",
        "Accepting -> Consulting",
        "pop offered ben",
    ]);
}

#[test]
fn refusals_have_their_outcomes() {
    let rows = [
        (486, "busy"),
        (600, "busy"),
        (603, "declined"),
        (480, "no_answer"),
        (408, "no_answer"),
        (404, "failed"),
        (503, "failed"),
    ];
    for (status, outcome) in rows {
        let mut config = config();
        config.desks.truncate(1);
        let mut call = Bench::ringing(config, to_sip_bot());
        call.refused(2, status);
        let log = call.drain_log();
        assert!(log.contains(&format!("handoff {outcome} at consult ({status})")), "{status}: {log:?}");
        assert!(log.contains(&"Consulting -> WithBot".to_owned()));
    }
}

#[test]
fn a_rich_invite_that_is_refused_is_sent_once_more_plainly() {
    for status in [415, 420, 488] {
        let mut call = Bench::ringing(config(), to_sip_bot());
        let first = call.last_dial().consult.clone().expect("a consult INVITE");
        call.refused(2, status);
        // RFC 3261 §8.1.3.5: the same Call-ID, but another one after 488, of which the pop is told.
        let same = status != 488;
        let log = call.drain_log();
        assert_eq!(log.contains(&"pop redialled anna".to_owned()), !same, "{log:?}");
        assert_eq!(log.last().map(String::as_str), Some("dial 2 anna plainly"));
        let second = call.last_dial().consult.clone().expect("a consult INVITE");
        assert_eq!((second.sip_call_id == first.sip_call_id, second.again), (same, same), "{status}");
        call.refused(2, status);
        assert!(call.drain_log().contains(&"pop offered ben".to_owned()));
    }
}

#[test]
fn the_next_desk_gets_the_rich_invite_again() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.refused(2, 488);
    call.refused(2, 488);
    call.wait(20);
    assert_eq!(call.last_dial().name, "ben");
    assert!(!call.last_dial().consult.as_ref().expect("a consult INVITE").plain);
}

#[test]
fn music_while_consulting_if_so_configured() {
    let mut route = to_sip_bot();
    route.while_consulting = WhileConsulting::Music;
    let mut config = config();
    config.desks.truncate(1);
    let mut call = Bench::talking(config, route);
    call.ask();
    call.expect(&["WithBot -> Consulting", "pop offered anna", "caller hears Music", "bot hears Silence"]);
    call.wait(20);
    call.refused(2, 486);
    let log = call.drain_log();
    assert!(log.contains(&"caller hears bot".to_owned()) && log.contains(&"bot hears caller".to_owned()));
}

#[test]
fn without_desks_the_bot_keeps_the_caller_and_the_handoff_has_an_outcome() {
    let mut config = config();
    config.desks.clear();
    let mut call = Bench::talking(config, to_sip_bot());
    call.ask();
    let log = call.drain_log();
    assert!(log[0].starts_with("note: no desk: "), "{log:?}");
    assert_eq!(log[1..], ["handoff no_target at route"]);
}

#[test]
fn a_second_decision_changes_nothing_while_a_handoff_runs_but_the_pop_grows() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.ask();
    let log = call.drain_log();
    assert!(log.iter().all(|line| line.starts_with("note: rule")), "{log:?}");
    call.wait(300);
    let turn = FactKind::Turn { speaker: Speaker::Caller, text: "hello".to_owned(), confidence: None };
    call.fact(turn.clone());
    call.expect(&["pop amended anna v2"]);
    call.fact(turn.clone());
    call.fact(turn);
    call.expect(&[]);
    call.wait(250);
    call.expect(&["pop amended anna v3"]);
    let Some(PopUpdate::Amended { package, .. }) = call.last_pop() else { panic!("amended") };
    assert_eq!(package.transcript.len(), 3);
}

#[test]
fn after_a_failure_the_caller_can_ask_again() {
    let mut config = config();
    config.desks.truncate(1);
    let mut call = Bench::ringing(config, to_sip_bot());
    call.refused(2, 486);
    call.drain_log();
    call.wait(1000);
    call.ask();
    call.expect(&["WithBot -> Consulting", "pop offered anna"]);
}

#[test]
fn straight_to_a_desk_rings_and_is_answered_without_a_gate() {
    let mut call = Bench::new(config(), route(RouteTo::Desk("ben".to_owned())));
    call.expect(&["WithBot -> Consulting", "dial 1 ben"]);
    call.leg(1, LegEvent::Ringing);
    call.expect(&["ring caller"]);
    call.answered(1);
    call.expect(&["answer caller", "Consulting -> Joined", "caller hears desk", "desk hears caller"]);
    assert!(call.last_dial().consult.is_none());
    call.hangs_up(1);
    call.expect(&[
        "desk leg ended: desk hung_up",
        "hang up caller: Normal call clearing",
        "caller leg ended: desk hung_up",
        "call ended: desk hung_up",
    ]);
}

#[test]
fn straight_to_a_desk_that_refuses_gives_the_caller_its_status() {
    for (theirs, ours) in [(486, 486), (603, 603), (408, 480), (500, 503), (401, 480)] {
        let mut call = Bench::new(config(), route(RouteTo::Desk("ben".to_owned())));
        call.refused(1, theirs);
        let log = call.drain_log();
        assert!(log.contains(&format!("refuse caller {ours}")), "{theirs}: {log:?}");
        assert!(call.over());
    }
}

#[test]
fn a_desk_on_hold_leaves_the_caller_with_music_not_with_nothing() {
    let mut call = Bench::joined(config(), crate::Release::Stay, false);
    let held = call_model::RemoteMedia { direction: call_model::Direction::Inactive, ..super::bench::media(2) };
    call.leg(2, LegEvent::MediaChanged { media: held });
    call.expect(&["caller hears Music"]);
    call.leg(2, LegEvent::MediaChanged { media: super::bench::media(2) });
    call.expect(&["caller hears desk"]);

    // On hold with music of its own, it is heard as long as that comes.
    let held = call_model::RemoteMedia { direction: call_model::Direction::RecvOnly, ..held };
    call.leg(2, LegEvent::MediaChanged { media: held });
    call.expect(&[]);
    let leg = call.id(2);
    call.media(call_model::MediaEvent::Silent { leg, lasted: core::time::Duration::from_secs(3) });
    call.expect(&["note: no audio for 3 s", "caller hears Music"]);
    call.flowing(2);
    call.expect(&["caller hears desk"]);
}

fn declines(handoff: call_model::HandoffId) -> DeskAction {
    DeskAction::Declined { handoff, reason: String::new() }
}
