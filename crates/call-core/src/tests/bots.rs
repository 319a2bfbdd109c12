use super::bench::{Bench, config, to_sip_bot, to_stream_bot};
use crate::leg::LegEvent;
use crate::{OnBotClose, OnBotRefusal, Release};
use call_model::{BotEvent, MediaEvent, Prompt};

#[test]
fn a_bot_that_refuses_before_the_answer_gives_the_caller_a_failure() {
    for (theirs, ours) in [(486, 486), (404, 404), (500, 503), (503, 503), (488, 488), (403, 480), (603, 603)] {
        let mut call = Bench::new(config(), to_sip_bot());
        call.refused(1, theirs);
        let log = call.drain_log();
        assert!(log.contains(&format!("refuse caller {ours}")), "{theirs}: {log:?}");
        assert!(call.over());
    }
}

#[test]
fn a_bot_that_never_answers_gives_the_caller_a_failure() {
    let mut call = Bench::new(config(), to_sip_bot());
    call.wait(10_000);
    call.expect(&[
        "dial 1 sipbot",
        "hang up bot: No answer",
        "refuse caller 480",
        "caller leg ended: bot timed_out (408)",
        "bot leg ended: bot timed_out",
        "call ended: bot timed_out (408)",
    ]);
}

#[test]
fn a_bot_that_refuses_sends_the_caller_to_a_human_if_so_configured() {
    let mut config = config();
    config.bots[0].on_refusal = OnBotRefusal::Handoff;
    let mut call = Bench::new(config, to_sip_bot());
    call.drain_log();
    call.refused(1, 503);
    call.expect(&[
        "bot leg ended: bot unreachable (503)",
        "WithBot -> Recovering",
        "answer caller",
        "Recovering -> Consulting",
        "pop offered anna",
        "caller hears BotLost",
        "tap on",
    ]);
    call.played(0, Prompt::BotLost);
    call.expect(&["caller hears Music"]);
}

#[test]
fn a_bot_that_refuses_when_no_desk_is_free_gives_the_caller_a_failure() {
    let mut config = config();
    config.bots[0].on_refusal = OnBotRefusal::Handoff;
    config.desks.clear();
    let mut call = Bench::new(config, to_sip_bot());
    call.refused(1, 486);
    assert!(call.drain_log().contains(&"refuse caller 486".to_owned()));
    assert!(call.over());
}

#[test]
fn a_bot_that_dies_is_announced_at_once_and_a_human_fetched() {
    let deaths: [fn(&mut Bench); 3] = [
        |call| call.bot(1, BotEvent::Down { why: "connection reset".to_owned() }),
        |call| call.leg(1, LegEvent::Ended { by_remote: false, status: Some(481) }),
        |call| {
            call.media(MediaEvent::Failed {
                leg: call.id(1),
                reason: call_model::EndReason::NoCapacity,
                why: "port".to_owned(),
            })
        },
    ];
    for (index, die) in deaths.into_iter().enumerate() {
        let mut call = if index == 0 {
            let mut call = Bench::new(config(), to_stream_bot());
            call.bot(1, BotEvent::Up);
            call.drain_log();
            call
        } else {
            Bench::talking(config(), to_sip_bot())
        };
        die(&mut call);
        let log = call.drain_log();
        let after: Vec<_> = log.iter().skip_while(|line| *line != "WithBot -> Recovering").collect();
        assert_eq!(
            after[..4],
            ["WithBot -> Recovering", "caller hears BotLost", "Recovering -> Consulting", "pop offered anna"],
            "{log:?}"
        );
        call.played(0, Prompt::BotLost);
        call.expect(&["caller hears Music"]);
        call.wait(20);
        call.answered(2);
        call.key(2, '1');
        assert!(call.drain_log().contains(&"caller hears desk".to_owned()));
    }
}

#[test]
fn bot_dead_and_nobody_there_it_is_called_once_more_and_the_caller_is_told_then_hung_up() {
    let mut config = config();
    config.desks.truncate(1);
    let mut call = Bench::talking(config, to_sip_bot());
    call.leg(1, LegEvent::Ended { by_remote: false, status: Some(408) });
    call.wait(20);
    call.drain_log();
    call.refused(2, 486);
    call.expect(&[
        "desk leg ended: desk refused (486)",
        "pop retracted anna: the phone was busy",
        "pop ended anna: busy",
        "handoff busy at consult (486)",
        "Consulting -> Recovering",
        "dial 3 sipbot",
    ]);
    call.refused(3, 486);
    assert!(call.drain_log().contains(&"caller hears NobodyAvailable".to_owned()));
    call.played(0, Prompt::NobodyAvailable);
    call.expect(&[
        "hang up caller: Nobody available",
        "tap off",
        "caller leg ended: bot unreachable",
        "call ended: bot unreachable",
    ]);
}

#[test]
fn a_prompt_that_is_never_reported_played_does_not_hold_the_call() {
    let mut config = config();
    config.desks.clear();
    let mut call = Bench::talking(config, to_sip_bot());
    for lost in [1, 2] {
        call.leg(lost, LegEvent::Ended { by_remote: false, status: Some(408) });
        call.answered(2);
    }
    assert!(call.drain_log().contains(&"caller hears NobodyAvailable".to_owned()));
    call.wait(14_999);
    assert!(!call.over());
    call.wait(1);
    assert!(call.over());
}

#[test]
fn a_bot_that_dies_while_a_desk_rings_leaves_comfort_not_silence() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.leg(1, LegEvent::Ended { by_remote: false, status: Some(481) });
    let log = call.drain_log();
    assert_eq!(log[..2], ["bot leg ended: bot unreachable (481)", "caller hears BotLost"]);
    assert!(!log.iter().any(|line| line.contains("->")), "{log:?}");
    call.answered(2);
    call.key(2, '1');
    assert!(call.drain_log().contains(&"Accepting -> Joined".to_owned()));
}

#[test]
fn a_bot_that_is_finished_ends_the_call_or_hands_it_over() {
    let mut call = Bench::talking(config(), to_sip_bot());
    call.hangs_up(1);
    let log = call.drain_log();
    assert!(log.contains(&"call ended: bot finished".to_owned()), "{log:?}");

    let mut config = config();
    config.bots[0].on_close = OnBotClose::Handoff;
    let mut call = Bench::talking(config, to_sip_bot());
    call.hangs_up(1);
    assert!(call.drain_log().contains(&"Recovering -> Consulting".to_owned()));
}

#[test]
fn a_bot_that_goes_after_the_join_is_not_missed() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.key(2, '1');
    call.drain_log();
    call.leg(1, LegEvent::Ended { by_remote: false, status: Some(481) });
    call.expect(&["bot leg ended: bot unreachable (481)"]);
}

#[test]
fn when_the_human_hangs_up_the_bot_comes_back() {
    let mut call = Bench::joined(config(), Release::Stay, false);
    call.hangs_up(2);
    call.expect(&[
        "desk leg ended: desk hung_up",
        "early drop at anna by desk after 0 s: hung up",
        "pop retracted anna: the conversation is over",
        "Joined -> Recovering",
        "caller hears Music",
        "tap on",
        "dial 3 sipbot",
    ]);
    call.answered(3);
    call.expect(&["Recovering -> WithBot", "caller hears bot", "bot hears caller"]);
    call.ask();
    assert!(call.drain_log().contains(&"WithBot -> Consulting".to_owned()));
}

#[test]
fn when_the_human_hangs_up_before_the_bot_left_it_takes_over_at_once() {
    let mut call = Bench::ringing(config(), to_sip_bot());
    call.answered(2);
    call.key(2, '1');
    call.drain_log();
    call.hangs_up(2);
    let log = call.drain_log();
    assert!(
        log.contains(&"Recovering -> WithBot".to_owned()) && log.contains(&"caller hears bot".to_owned()),
        "{log:?}"
    );
}

#[test]
fn when_the_human_hangs_up_and_the_bot_is_gone_another_human_is_fetched() {
    let refusals: [fn(&mut Bench); 2] = [|call| call.refused(3, 503), |call| call.wait(10_000)];
    for refuse in refusals {
        let mut call = Bench::joined(config(), Release::Stay, false);
        call.hangs_up(2);
        refuse(&mut call);
        let log = call.drain_log();
        assert!(log.contains(&"caller hears BotLost".to_owned()), "{log:?}");
        assert!(log.contains(&"Recovering -> Consulting".to_owned()), "{log:?}");
    }
}

#[test]
fn a_key_pressed_while_the_bot_is_fetched_counts_when_it_is_there() {
    let mut call = Bench::joined(config(), Release::Stay, false);
    call.hangs_up(2);
    call.key(0, '0');
    call.wait(1500);
    call.drain_log();
    call.answered(3);
    let log = call.drain_log();
    assert!(log.contains(&"WithBot -> Consulting".to_owned()), "{log:?}");
}
