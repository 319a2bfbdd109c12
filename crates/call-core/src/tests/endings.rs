use super::bench::{Bench, config, to_sip_bot, to_stream_bot};
use crate::Release;
use crate::leg::LegEvent;
use call_model::{BotEvent, EndReason, MediaEvent, Prompt};
use core::time::Duration;

#[test]
fn a_caller_who_gives_up_before_the_answer_leaves_nothing() {
    let mut call = Bench::new(config(), to_sip_bot());
    call.leg(0, LegEvent::Cancelled);
    call.expect(&[
        "dial 1 sipbot",
        "caller leg ended: caller cancelled",
        "hang up bot: Caller hung up",
        "bot leg ended: caller cancelled",
        "call ended: caller cancelled",
    ]);
}

#[test]
fn the_caller_hangs_up_on_the_bot() {
    let mut call = Bench::new(config(), to_stream_bot());
    call.bot(1, BotEvent::Up);
    call.drain_log();
    call.hangs_up(0);
    call.expect(&[
        "caller leg ended: caller hung_up",
        "close bot",
        "bot leg ended: caller hung_up",
        "call ended: caller hung_up",
    ]);
}

#[test]
fn the_caller_hangs_up_while_a_pop_is_offered() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.ask();
    call.drain_log();
    call.hangs_up(0);
    call.expect(&[
        "caller leg ended: caller hung_up",
        "pop ended anna: caller_gone",
        "handoff caller_gone at consult",
        "pop retracted anna: the caller hung up",
        "hang up bot: Caller hung up",
        "bot leg ended: caller hung_up",
        "call ended: caller hung_up",
    ]);
    assert_eq!(call.desks_taken(), 0);
}

#[test]
fn the_caller_hangs_up_while_a_desk_rings() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.hangs_up(0);
    let log = call.drain_log();
    assert!(log.contains(&"handoff caller_gone at consult".to_owned()));
    assert!(log.contains(&"hang up anna: Caller hung up".to_owned()));
    assert!(call.over());
    assert_eq!(call.desks_taken(), 0);
}

#[test]
fn a_desk_that_answers_after_all_does_not_prolong_the_call() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.confirm = false;
    call.hangs_up(0);
    assert!(!call.over());
    call.answered(2);
    assert!(!call.drain_log().contains(&"Consulting -> Accepting".to_owned()));
    call.leg(2, LegEvent::Late);
    call.leg(1, LegEvent::Ended { by_remote: false, status: None });
    assert!(call.over());
}

#[test]
fn a_desk_that_had_answered_hears_that_the_caller_is_gone() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.drain_log();
    call.hangs_up(0);
    call.expect(&[
        "caller leg ended: caller hung_up",
        "pop ended anna: caller_gone",
        "handoff caller_gone at accept",
        "pop retracted anna: the caller hung up",
        "hang up bot: Caller hung up",
        "desk hears CallerGone",
        "bot leg ended: caller hung_up",
    ]);
    call.played(2, Prompt::CallerGone);
    call.expect(&["hang up anna: Caller hung up", "desk leg ended: caller hung_up", "call ended: caller hung_up"]);
}

#[test]
fn the_farewell_to_the_desk_takes_three_seconds_at_most() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.hangs_up(0);
    call.wait(2999);
    assert!(!call.over());
    call.wait(1);
    assert!(call.over());
}

#[test]
fn peers_that_never_confirm_are_forgotten() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.confirm = false;
    call.hangs_up(0);
    call.wait(44_999);
    assert!(!call.over());
    call.wait(1);
    assert!(call.over());
    assert_eq!(call.call.poll_timeout(&call.config), None);
}

#[test]
fn a_caller_whose_dialog_broke_is_lost_not_hung_up() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.leg(0, LegEvent::Ended { by_remote: false, status: Some(481) });
    assert!(call.drain_log().contains(&"call ended: caller unreachable (481)".to_owned()));
}

#[test]
fn a_silent_caller_is_probed_now_and_then() {
    let mut call = Bench::talking(config(), to_sip_bot());
    let silent = |call: &mut Bench, secs| {
        let leg = call.id(0);
        call.media(MediaEvent::Silent { leg, lasted: Duration::from_secs(secs) });
        call.drain_log()
    };
    assert_eq!(silent(&mut call, 3), ["note: no audio for 3 s"]);
    assert_eq!(silent(&mut call, 18), Vec::<String>::new());
    assert_eq!(silent(&mut call, 21), ["probe caller"]);
    assert_eq!(silent(&mut call, 24), Vec::<String>::new());
    call.wait(30_000);
    assert_eq!(silent(&mut call, 51), ["probe caller"]);
}

#[test]
fn a_port_that_does_not_open_refuses_the_caller() {
    let mut call = Bench::new(config(), to_sip_bot());
    call.media(MediaEvent::Failed {
        leg: call.id(0),
        reason: call_model::EndReason::NoCapacity,
        why: "in use".to_owned(),
    });
    assert!(call.drain_log().contains(&"refuse caller 503".to_owned()));
    assert!(call.over());
}

#[test]
fn an_impossible_state_ends_its_call_with_a_cause() {
    let mut call = Bench::talking(config(), to_sip_bot());
    // The bot's configuration vanishes: cannot happen, and must not matter to anybody but this caller.
    call.config.bots.clear();
    call.config.desks.clear();
    call.leg(1, LegEvent::Ended { by_remote: false, status: Some(481) });
    call.wait(100);
    call.played(0, Prompt::NobodyAvailable);
    assert!(call.over());
}

#[test]
fn every_leg_index_is_used_once_and_running_out_ends_in_words_not_in_silence() {
    let mut config = config();
    config.desks.truncate(1);
    let mut call = Bench::talking(config, to_sip_bot());
    for index in 2..=255 {
        call.ask();
        call.wait(20);
        call.refused(index, 486);
        call.wait(100);
    }
    call.drain_log();
    call.ask();
    let log = call.drain_log();
    assert!(log.contains(&"handoff no_target at route".to_owned()), "{log:?}");
    assert_eq!(call.desks_taken(), 0);
}

#[test]
fn hanging_up_in_every_state_ends_every_leg_once_and_gives_everything_back() {
    let states: [fn(&mut Bench); 6] = [
        |_| {},
        |call| call.ask(),
        |call| {
            call.ask();
            call.wait(20);
        },
        |call| {
            call.ask();
            call.wait(20);
            call.answered(2);
        },
        |call| {
            call.ask();
            call.wait(20);
            call.answered(2);
            call.key(2, '1');
        },
        |call| {
            call.ask();
            call.wait(20);
            call.answered(2);
            call.key(2, '1');
            call.hangs_up(2);
        },
    ];
    let ends: [fn(&mut Bench); 4] = [
        |call| call.hangs_up(0),
        |call| call.leg(0, LegEvent::Ended { by_remote: false, status: Some(408) }),
        |call| {
            call.media(MediaEvent::Failed {
                leg: call.id(0),
                reason: call_model::EndReason::NoCapacity,
                why: "port".to_owned(),
            })
        },
        |call| {
            call.hangs_up(0);
            call.hangs_up(0);
            call.leg(0, LegEvent::Late);
        },
    ];
    for (state, reach) in states.iter().enumerate() {
        for (end, finish) in ends.iter().enumerate() {
            let mut call = Bench::talking_with(config(), to_sip_bot(), Release::Stay, false);
            reach(&mut call);
            finish(&mut call);
            call.wait(3000);
            let log = call.drain_log();
            let count = |text: &str| log.iter().filter(|line| line.starts_with(text)).count();
            assert!(call.over(), "state {state}, end {end}: {log:?}");
            assert_eq!(count("call ended"), 1, "state {state}, end {end}: {log:?}");
            assert_eq!(count("caller leg ended"), 1, "state {state}, end {end}");
            assert!(count("handoff ") <= 1, "state {state}, end {end}: {log:?}");
            assert_eq!(count("pop offered"), count("pop retracted"), "state {state}, end {end}: {log:?}");
            assert_eq!(call.desks_taken(), 0, "state {state}, end {end}");
        }
    }
}

#[test]
fn refusals_name_a_status_a_trunk_understands() {
    use crate::ending::refusal_status;
    use call_model::{EndCause, Party};
    for reason in [
        EndReason::HungUp,
        EndReason::Cancelled,
        EndReason::Refused,
        EndReason::TimedOut,
        EndReason::Unreachable,
        EndReason::Released,
        EndReason::Finished,
        EndReason::NoRoute,
        EndReason::Draining,
        EndReason::NoCapacity,
        EndReason::HandshakeFailed,
        EndReason::Fault,
    ] {
        for status in [None, Some(200), Some(302), Some(401), Some(486), Some(599), Some(606), Some(65_535)] {
            let cause = EndCause { by: Party::Bot, reason, sip: status };
            assert!((400..700).contains(&refusal_status(cause)), "{cause}");
        }
    }
}
