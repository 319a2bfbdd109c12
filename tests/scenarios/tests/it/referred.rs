//! REFER sent to us: a bot that passes the caller on, a human who passes the caller on, and everybody else. Judged on
//! who hears whom, on the NOTIFYs that the sender gets, and on the ladder.

use crate::support::{asks_for_a_human, heard, judge, ring, scenario};
use call_core::Handover;
use call_model::PopUpdate;
use core::time::Duration;
use phone::{AfterRefer, Answer, OnRefer, PhoneEvent};
use sim::{BOT, BOT_TONE, CALLER_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, MUSIC_TONE, Party, Setup, TRUNK, World};

/// What a party was told about its REFER: the answer, then each NOTIFY; `!` marks the last.
fn told(world: &World, party: Party) -> Vec<String> {
    let mine = world.events().iter().filter(|(_, who, _)| *who == party);
    mine.filter_map(|(_, _, event)| match event {
        PhoneEvent::ReferAnswered(code) => Some(code.to_string()),
        PhoneEvent::Notified { status, last } => {
            Some(format!("NOTIFY {}{}", status.unwrap_or(0), if *last { "!" } else { "" }))
        }
        _ => None,
    })
    .collect()
}

/// A call with the bot, which sends REFER after 3 s.
fn bot_refers(setup: &Setup, to: &str, after: AfterRefer) -> World {
    let mut world = World::new(setup);
    world.at(0, Do::Dial("7001")).at(0, Do::AfterRefer(BOT, after)).at(3_000, Do::Refer(BOT, to.to_owned()));
    world
}

const HANDOFF: &str = "sip:handoff@10.0.0.1";

#[test]
fn a_refer_from_the_bot_becomes_a_warm_handoff() {
    let to = "sip:handoff@gateway.invalid?X-Reason=wants%20a%20refund&X-Summary=Order%2042%20came%20broken\
              &User-to-User=0042%3Bencoding%3Dhex";
    let mut world = bot_refers(&Setup::default(), to, AfterRefer::HangUpOnSuccess);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_bot", &mut world, 60_000);
    heard(&world, TRUNK, 500, 8_050, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
    heard(&world, DESK, 8_200, 11_950, &[CALLER_TONE]);
    assert_eq!(told(&world, BOT), ["202", "NOTIFY 100", "NOTIFY 180", "NOTIFY 200!"]);
    let offered = world.pops().iter().find_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => Some(package.clone()),
        _ => None,
    });
    let package = offered.expect("a package");
    assert_eq!(package.summary, "Order 42 came broken");
    assert_eq!(package.because[0].text, "REFER: wants a refund");
    assert_eq!(package.trigger.as_str(), "bot");
    let entity = |name: &str| package.entities.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(entity("user_to_user"), Some("0042;encoding=hex"));
    assert_eq!(entity("referred_by"), Some("sip:phone@invalid"));
}

/// 0, 20 us, 1 ms and 500 ms after the 202, the bot hangs up: it has done its part.
#[test]
fn a_bot_that_hangs_up_after_the_202_leaves_the_caller_with_music_and_the_handoff_goes_on() {
    for (index, micros) in [0, 20, 1_000, 500_000].into_iter().enumerate() {
        let after = AfterRefer::HangUpOnceAccepted(Duration::from_micros(micros));
        let mut world = bot_refers(&Setup::default(), HANDOFF, after);
        world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK));
        if index == 1 {
            scenario("refer_from_the_bot_that_hangs_up", &mut world, 60_000);
        } else {
            world.run_until(60_000);
            judge("the bot hangs up", &world);
        }
        heard(&world, TRUNK, 3_700, 8_050, &[MUSIC_TONE]);
        heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
        heard(&world, DESK, 8_200, 11_950, &[CALLER_TONE]);
        let told = told(&world, BOT);
        assert_eq!(told.first().map(String::as_str), Some("202"), "{micros} us");
        assert_eq!(told.last().map(String::as_str), Some("NOTIFY 200!"), "{micros} us: {told:?}");
    }
}

/// REFER and BYE without waiting for the 202.
#[test]
fn a_bye_on_the_heels_of_the_refer_does_not_lose_the_caller() {
    for micros in [0, 20, 1_000, 20_000] {
        let mut world = bot_refers(&Setup::default(), HANDOFF, AfterRefer::Stay);
        world.at_micros(3_000_000 + micros, Do::HangUp(BOT));
        world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
        judge("bye on the heels", &world);
        heard(&world, TRUNK, 3_200, 8_050, &[MUSIC_TONE]);
        heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
    }
}

/// Over a network that repeats half the messages, one REFER is one handoff.
#[test]
fn a_refer_that_arrives_twice_is_one_handoff() {
    let mut setup = Setup::default();
    setup.sip_link.repeat = 500;
    let mut world = bot_refers(&setup, HANDOFF, AfterRefer::HangUpOnSuccess);
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("twice", &world);
    heard(&world, TRUNK, 8_200, 11_950, &[DESK_TONE]);
    let offers = world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Offered { .. })).count();
    assert_eq!(offers, 1);
    assert_eq!(told(&world, BOT).last().map(String::as_str), Some("NOTIFY 200!"));
}

#[test]
fn a_second_refer_of_the_bot_waits_for_the_same_handoff() {
    let mut world = bot_refers(&Setup::default(), HANDOFF, AfterRefer::Stay);
    world.at(4_000, Do::Refer(BOT, HANDOFF.into()));
    world.at(8_000, Do::Press(DESK, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("two REFERs", &world);
    let told = told(&world, BOT);
    assert_eq!(told.iter().filter(|what| *what == "202").count(), 2, "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("NOTIFY 200!"));
    let offers = world.pops().iter().filter(|(_, pop)| matches!(pop, PopUpdate::Offered { .. })).count();
    assert_eq!(offers, 1);
}

#[test]
fn the_desk_that_the_bot_names_is_rung_first() {
    for to in
        ["sip:bob@10.0.0.1", "sip:BOB@gateway.invalid", "sip:desk@10.0.0.14", "sip:desk@10.0.0.14:5060;transport=udp"]
    {
        let mut world = bot_refers(&Setup { desks: 2, ..Setup::default() }, to, AfterRefer::HangUpOnSuccess);
        world.at(8_000, Do::Press(DESK2, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
        judge(to, &world);
        heard(&world, TRUNK, 8_200, 11_950, &[DESK2_TONE]);
    }
}

#[test]
fn a_handoff_that_fails_is_told_and_the_bot_keeps_the_caller() {
    let busy = phone::Arrival::Refuse(486);
    for (name, arrival, status) in [
        ("busy", busy, 486),
        ("declined", phone::Arrival::Refuse(603), 603),
        ("rings_out", ring(Answer::Never), 480),
        ("voicemail", ring(Answer::After(Duration::from_secs(1))), 480),
        ("broken", phone::Arrival::Refuse(500), 503),
    ] {
        let mut setup = Setup { desk: [arrival; 2], ..Setup::default() };
        setup.timers.ring_timeout = Duration::from_secs(6);
        setup.timers.accept_timeout = Duration::from_secs(4);
        let mut world = bot_refers(&setup, HANDOFF, AfterRefer::HangUpOnSuccess);
        world.at(15_000, Do::HangUp(TRUNK));
        scenario(&format!("refer_from_the_bot_{name}"), &mut world, 60_000);
        heard(&world, TRUNK, 500, 14_950, &[BOT_TONE]);
        heard(&world, BOT, 10_000, 14_950, &[CALLER_TONE]);
        assert_eq!(told(&world, BOT).last(), Some(&format!("NOTIFY {status}!")), "{name}");
    }
}

#[test]
fn a_bot_that_left_is_fetched_again_when_nobody_takes_the_caller() {
    let setup = Setup { desk: [phone::Arrival::Refuse(486); 2], ..Setup::default() };
    let mut world = bot_refers(&setup, HANDOFF, AfterRefer::HangUpOnceAccepted(Duration::ZERO));
    world.at(15_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_bot_that_is_fetched_again", &mut world, 60_000);
    heard(&world, TRUNK, 3_700, 14_950, &[BOT_TONE]);
    heard(&world, BOT, 3_700, 14_950, &[CALLER_TONE]);
    let invites = world.events().iter().filter_map(|(_, party, event)| match event {
        PhoneEvent::Arrived(invite) if *party == BOT => Some(invite.headers.get("X-Handoff-Notes")),
        _ => None,
    });
    assert_eq!(invites.collect::<Vec<_>>(), [None, Some("the line was busy")]);
}

#[test]
fn the_caller_hangs_up_while_the_bots_refer_is_carried_out() {
    let mut world = bot_refers(&Setup::default(), HANDOFF, AfterRefer::Stay);
    world.at(4_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_bot_and_the_caller_hangs_up", &mut world, 90_000);
    assert_eq!(told(&world, BOT).last().map(String::as_str), Some("NOTIFY 487!"));
}

#[test]
fn nobody_else_sends_our_callers_anywhere() {
    for (who, to) in [
        (TRUNK, HANDOFF),
        (TRUNK, "sip:desk@10.0.0.13"),
        (BOT, "sip:elsewhere@192.0.2.1"),
        (BOT, "sip:ada@192.0.2.1"),
        (BOT, "tel:+15550100"),
        (BOT, "sip:handoff@10.0.0.1:5999"),
    ] {
        let mut world = World::new(&Setup::default());
        world.at(0, Do::Dial("7001")).at(3_000, Do::Refer(who, to.into())).at(6_000, Do::HangUp(TRUNK));
        world.run_until(60_000);
        judge(to, &world);
        assert_eq!(told(&world, who), ["603"], "{to}");
        heard(&world, TRUNK, 500, 5_950, &[BOT_TONE]);
    }
}

// --- a human passes the caller on

/// A call that Ada took at 8 s; what happens next is the test's.
fn with_ada(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1'));
    world
}

fn two_desks() -> Setup {
    Setup { desks: 2, ..Setup::default() }
}

/// The pops of a desk, in short.
fn pops_of(world: &World, desk: &str) -> Vec<&'static str> {
    let mine = world.pops().iter().filter_map(|(_, pop)| match pop {
        PopUpdate::Offered { desk, .. } => Some((desk, "offered")),
        PopUpdate::Joined { desk, .. } => Some((desk, "joined")),
        PopUpdate::Retracted { desk, .. } => Some((desk, "retracted")),
        _ => None,
    });
    mine.filter(|(of, _)| of.0 == desk).map(|(_, what)| what).collect()
}

#[test]
fn a_human_keeps_the_caller_until_the_next_one_has_it() {
    let mut world = with_ada(&two_desks());
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess));
    world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1?X-Reason=needs%20billing".into()));
    world.at(17_000, Do::Press(DESK2, '1')).at(21_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_desk", &mut world, 60_000);
    heard(&world, TRUNK, 8_200, 17_050, &[DESK_TONE]);
    heard(&world, DESK, 8_200, 17_050, &[CALLER_TONE]);
    heard(&world, TRUNK, 17_200, 20_950, &[DESK2_TONE]);
    heard(&world, DESK2, 17_200, 20_950, &[CALLER_TONE]);
    assert_eq!(told(&world, DESK), ["202", "NOTIFY 100", "NOTIFY 180", "NOTIFY 200!"]);
    assert_eq!(pops_of(&world, "ada"), ["offered", "joined", "retracted"]);
    assert_eq!(pops_of(&world, "bob"), ["offered", "joined", "retracted"]);
    let package = world.pops().iter().rev().find_map(|(_, pop)| match pop {
        PopUpdate::Offered { package, .. } => Some(package.clone()),
        _ => None,
    });
    let package = package.expect("a package");
    assert_eq!(
        (package.trigger.as_str(), package.because[0].text.as_str()),
        ("passed_on", "ada passes the caller on: needs billing")
    );
}

/// Only the trunk can call the desk that the human means: it is asked to, and the human keeps the caller until it has, or
/// where it will not.
#[test]
fn a_human_passes_the_caller_on_to_a_desk_that_only_the_trunk_can_call() {
    for (name, on_refer, last) in [
        ("follows", OnRefer::Follow, "NOTIFY 200!"),
        ("refuses", OnRefer::Refuse(603), "NOTIFY 503!"),
        ("reports_busy", OnRefer::Report(486), "NOTIFY 486!"),
        ("reports_200_untrue", OnRefer::Report(200), "NOTIFY 503!"),
    ] {
        let setup =
            Setup { desk_address: [true, false], handover: [Handover::Warm, Handover::Refer], on_refer, ..two_desks() };
        let mut world = with_ada(&setup);
        world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
        world.at(20_000, Do::HangUp(DESK2)).at(21_000, Do::HangUp(TRUNK));
        scenario(&format!("refer_from_the_desk_trunk_{name}"), &mut world, 90_000);
        let follows = on_refer == OnRefer::Follow;
        heard(&world, TRUNK, 8_200, 12_000, &[DESK_TONE]);
        heard(&world, TRUNK, 14_500, 19_950, if follows { &[DESK2_TONE] } else { &[DESK_TONE] });
        assert_eq!(told(&world, DESK).last().map(String::as_str), Some(last), "{name}");
        assert_eq!(pops_of(&world, "ada"), ["offered", "joined", "retracted"], "{name}");
    }
}

/// One at a time: what became of the first desk is no answer for the second.
#[test]
fn a_human_who_means_another_desk_meanwhile_has_to_wait() {
    let mut world = with_ada(&two_desks());
    world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
    world.at(13_000, Do::Refer(DESK, "sip:ada@10.0.0.1".into()));
    world.at(17_000, Do::Press(DESK2, '1')).at(21_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_desk_twice", &mut world, 60_000);
    assert!(world.ladder().contains("REFER refused (491)"), "{}", world.ladder());
    heard(&world, TRUNK, 17_200, 20_950, &[DESK2_TONE]);
}

#[test]
fn a_human_who_hangs_up_after_the_202_leaves_the_caller_with_music_until_the_next_one() {
    for (index, micros) in [0, 20, 1_000, 500_000].into_iter().enumerate() {
        let mut world = with_ada(&two_desks());
        world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnceAccepted(Duration::from_micros(micros))));
        world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
        world.at(17_000, Do::Press(DESK2, '1')).at(21_000, Do::HangUp(TRUNK));
        if index == 1 {
            scenario("refer_from_the_desk_that_hangs_up", &mut world, 60_000);
        } else {
            world.run_until(60_000);
            judge("the desk hangs up", &world);
        }
        heard(&world, TRUNK, 12_700, 17_050, &[MUSIC_TONE]);
        heard(&world, TRUNK, 17_200, 20_950, &[DESK2_TONE]);
        heard(&world, DESK2, 17_200, 20_950, &[CALLER_TONE]);
        assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 200!"), "{micros} us");
        assert_eq!(pops_of(&world, "ada"), ["offered", "joined", "retracted"]);
    }
}

#[test]
fn a_target_that_does_not_take_the_caller_leaves_it_with_the_human() {
    for (name, arrival, status) in [
        ("busy", phone::Arrival::Refuse(486), 486),
        ("declined", phone::Arrival::Refuse(603), 603),
        ("rings_out", ring(Answer::Never), 480),
    ] {
        let mut setup = Setup { desk: [ring(Answer::After(Duration::from_secs(2))), arrival], ..two_desks() };
        setup.timers.ring_timeout = Duration::from_secs(4);
        let mut world = with_ada(&setup);
        world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into())).at(20_000, Do::HangUp(TRUNK));
        scenario(&format!("refer_from_the_desk_{name}"), &mut world, 60_000);
        heard(&world, TRUNK, 8_200, 19_950, &[DESK_TONE]);
        heard(&world, DESK, 8_200, 19_950, &[CALLER_TONE]);
        assert_eq!(told(&world, DESK).last(), Some(&format!("NOTIFY {status}!")));
        assert_eq!(pops_of(&world, "ada"), ["offered", "joined", "retracted"], "only at the end");
        assert_eq!(pops_of(&world, "bob"), ["offered", "retracted"]);
    }
}

#[test]
fn a_caller_whom_nobody_takes_after_the_human_has_gone_comes_back_to_the_bot() {
    let setup =
        Setup { desk: [ring(Answer::After(Duration::from_secs(2))), phone::Arrival::Refuse(486)], ..two_desks() };
    let mut world = with_ada(&setup);
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnceAccepted(Duration::ZERO)));
    world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into())).at(20_000, Do::HangUp(TRUNK));
    scenario("refer_from_the_desk_and_back_to_the_bot", &mut world, 60_000);
    heard(&world, TRUNK, 12_500, 19_950, &[BOT_TONE]);
    heard(&world, BOT, 12_500, 19_950, &[CALLER_TONE]);
    assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 486!"));
}

#[test]
fn the_caller_hangs_up_while_it_is_passed_on() {
    for after in [AfterRefer::Stay, AfterRefer::HangUpOnceAccepted(Duration::ZERO)] {
        let mut world = with_ada(&two_desks());
        world.at(0, Do::AfterRefer(DESK, after)).at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
        world.at(13_000, Do::HangUp(TRUNK)).run_until(90_000);
        judge("passed on and gone", &world);
        assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 487!"));
        assert!(!world.phones[DESK2].is_busy());
    }
}

#[test]
fn a_caller_on_hold_is_passed_on_all_the_same() {
    let mut world = with_ada(&two_desks());
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess));
    world.at(11_000, Do::Hold(DESK, call_model::Direction::SendOnly));
    world.at(12_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
    world.at(17_000, Do::Press(DESK2, '1')).at(21_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("held and passed on", &world);
    heard(&world, TRUNK, 17_200, 20_950, &[DESK2_TONE]);
}

#[test]
fn a_caller_who_dialled_a_human_is_passed_on_too() {
    let mut world = World::new(&two_desks());
    world.at(0, Do::Dial("human")).at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess));
    world.at(5_000, Do::Refer(DESK, "sip:bob@10.0.0.1".into()));
    world.at(9_000, Do::Press(DESK2, '1')).at(12_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("direct and passed on", &world);
    heard(&world, TRUNK, 2_300, 9_050, &[DESK_TONE]);
    heard(&world, TRUNK, 9_200, 11_950, &[DESK2_TONE]);
}

#[test]
fn a_desk_sends_callers_to_configured_desks_only_and_only_those_it_has() {
    for (at, to) in [(12_000, "sip:elsewhere@192.0.2.1"), (12_000, "tel:+15550100"), (7_000, "sip:bob@10.0.0.1")] {
        let mut world = with_ada(&two_desks());
        world.at(at, Do::Refer(DESK, to.into())).at(16_000, Do::HangUp(TRUNK)).run_until(60_000);
        judge(to, &world);
        assert_eq!(told(&world, DESK), ["603"], "{to} at {at}");
        heard(&world, TRUNK, 8_200, 15_950, &[DESK_TONE]);
    }
}

// --- after asking first (RFC 5589 §7)

#[test]
fn a_human_who_asked_a_colleague_first_passes_the_caller_into_that_conversation() {
    let mut world = with_ada(&two_desks());
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess)).at(10_000, Do::Consult(DESK, DESK2));
    world.at(14_000, Do::ReferToConsult(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("refer_to_a_consult", &mut world, 60_000);
    heard(&world, TRUNK, 8_200, 14_000, &[DESK_TONE]);
    heard(&world, TRUNK, 14_300, 17_950, &[DESK2_TONE]);
    heard(&world, DESK2, 14_300, 17_950, &[CALLER_TONE]);
    assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 200!"));
    assert!(world.events().iter().any(|(_, who, event)| *who == DESK2 && *event == PhoneEvent::Replaced));
}

#[test]
fn the_colleague_may_have_been_asked_through_the_gateway() {
    let mut world = with_ada(&Setup { desks_may_call: true, ..two_desks() });
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess)).at(10_000, Do::ConsultThrough(DESK, "bob"));
    world.at(14_000, Do::ReferToConsult(DESK)).at(18_000, Do::HangUp(TRUNK));
    scenario("refer_to_a_consult_through_the_gateway", &mut world, 90_000);
    heard(&world, TRUNK, 8_200, 14_000, &[DESK_TONE]);
    heard(&world, TRUNK, 14_300, 17_950, &[DESK2_TONE]);
    heard(&world, DESK2, 14_300, 17_950, &[CALLER_TONE]);
    assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 200!"));
}

#[test]
fn a_colleague_whose_telephone_still_rings_is_rung_for_the_caller_instead() {
    let desk = [ring(Answer::After(Duration::from_secs(2))), ring(Answer::After(Duration::from_secs(5)))];
    let mut world = with_ada(&Setup { desks_may_call: true, desk, ..two_desks() });
    world.at(0, Do::AfterRefer(DESK, AfterRefer::HangUpOnSuccess)).at(10_000, Do::ConsultThrough(DESK, "bob"));
    world.at(12_000, Do::ReferToConsult(DESK)).at(19_000, Do::Press(DESK2, '1')).at(23_000, Do::HangUp(TRUNK));
    scenario("refer_to_a_consult_that_rings", &mut world, 90_000);
    heard(&world, TRUNK, 8_200, 18_950, &[DESK_TONE]);
    heard(&world, TRUNK, 19_250, 22_950, &[DESK2_TONE]);
    heard(&world, DESK2, 19_250, 22_950, &[CALLER_TONE]);
    assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 200!"));
}

#[test]
fn a_conversation_that_is_not_there_any_more_leaves_the_caller_with_the_human() {
    let mut world = with_ada(&two_desks());
    let gone = "sip:desk@10.0.0.14?Replaces=gone%40x%3Bto-tag%3Da%3Bfrom-tag%3Db&Require=replaces";
    world.at(12_000, Do::Refer(DESK, gone.into())).at(16_000, Do::HangUp(TRUNK)).run_until(60_000);
    judge("gone", &world);
    heard(&world, TRUNK, 8_200, 15_950, &[DESK_TONE]);
    assert_eq!(told(&world, DESK).last().map(String::as_str), Some("NOTIFY 503!"));
}
