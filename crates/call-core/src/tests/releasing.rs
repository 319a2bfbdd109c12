use super::bench::{Bench, config};
use crate::leg::{LegEvent, ReferProgress, Referral, ReferralId, ReferralTarget};
use crate::{Evidence, Manual, Release};
use call_model::{Direction, Instant, LegStats, MediaEvent, RemoteMedia};
use core::time::Duration;

fn refer(call: &mut Bench, progress: ReferProgress) {
    call.leg(0, LegEvent::Refer(progress));
}

fn refused(status: u16) -> ReferProgress {
    ReferProgress::Refused { status, no_replaces: false, retry_after: None }
}

fn notify(call: &mut Bench, status: u16) {
    refer(call, ReferProgress::Notify { status: Some(status), last: status >= 200 });
}

/// Joined, released after 3 s: REFER is out.
fn releasing() -> Bench {
    let mut call = Bench::joined(config(), Release::Auto, true);
    call.wait(2999);
    call.expect(&[]);
    call.wait(1);
    call.expect(&["Joined -> Releasing", "release: REFER sent", "refer caller to anna"]);
    call
}

const STAYED: &str = "Releasing -> Joined";

#[test]
fn released_when_the_trunk_says_200_and_the_desk_was_replaced() {
    let mut call = releasing();
    refer(&mut call, ReferProgress::Accepted(202));
    notify(&mut call, 100);
    call.hangs_up(2);
    notify(&mut call, 200);
    call.wait(999);
    assert!(!call.over(), "the trunk has a second to hang up itself");
    call.drain_log();
    call.wait(1);
    call.expect(&[
        "release: released",
        "Releasing -> Released",
        "hang up caller: Transferred",
        "pop ended anna: released",
        "handoff released at release",
        "caller leg ended: gateway released",
        "call ended: gateway released",
    ]);
}

#[test]
fn released_when_the_trunk_hangs_up_itself_after_the_200() {
    let mut call = releasing();
    notify(&mut call, 200);
    call.hangs_up(2);
    call.drain_log();
    call.hangs_up(0);
    let log = call.drain_log();
    assert!(log.contains(&"handoff released at release".to_owned()), "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("hang up")), "{log:?}");
    assert!(call.over());
}

#[test]
fn every_order_of_the_three_signs_of_success_ends_released() {
    let signs: [fn(&mut Bench); 3] = [|call| notify(call, 200), |call| call.hangs_up(0), |call| call.hangs_up(2)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for spacing in [0, 1, 500] {
            let mut call = releasing();
            for sign in order {
                signs[sign](&mut call);
                call.wait(spacing);
            }
            call.wait(6000);
            let log = call.drain_log();
            assert!(log.contains(&"handoff released at release".to_owned()), "{order:?} {spacing} ms: {log:?}");
            assert!(call.over(), "{order:?} {spacing} ms: {log:?}");
            assert_eq!(call.desks_taken(), 0);
        }
    }
}

#[test]
fn refusals_of_every_kind_leave_both_talking() {
    let rows: Vec<(&str, ReferProgress)> = [401, 403, 405, 407, 408, 420, 429, 481, 491, 501, 503, 603]
        .map(|status| ("refused", refused(status)))
        .into_iter()
        .chain(
            [302, 403, 404, 480, 481, 486, 487, 488, 500, 503, 600, 603]
                .map(|status| ("notify", ReferProgress::Notify { status: Some(status), last: true })),
        )
        .chain([
            ("notify without body", ReferProgress::Notify { status: None, last: true }),
            ("last notify is provisional", ReferProgress::Notify { status: Some(100), last: true }),
            ("silence", ReferProgress::Silence { notified: false }),
            ("silence after 100", ReferProgress::Silence { notified: true }),
            ("unsendable", ReferProgress::Unsendable),
        ])
        .collect();
    for (what, progress) in rows {
        let mut call = releasing();
        refer(&mut call, progress);
        let log = call.drain_log();
        assert!(log.contains(&STAYED.to_owned()), "{what} {progress:?}: {log:?}");
        assert!(log.iter().any(|line| line.starts_with("handoff joined at release")), "{what} {progress:?}: {log:?}");
        assert!(!log.iter().any(|line| line.contains("hang up") || line.contains("hears")), "{what}: {log:?}");
        let lost = matches!(progress, ReferProgress::Refused { status: 408 | 481, .. });
        assert_eq!(log.contains(&"probe caller".to_owned()), lost, "{what} {progress:?}");
        call.wait(120_000);
        call.expect(&[]);
        assert!(!call.over());
    }
}

#[test]
fn a_refer_that_nobody_answers_in_any_way_is_given_up() {
    let mut call = releasing();
    call.wait(101_000);
    assert!(call.drain_log().contains(&STAYED.to_owned()));
}

#[test]
fn bye_from_the_trunk_before_any_proof_was_the_caller_hanging_up() {
    let mut call = releasing();
    refer(&mut call, ReferProgress::Accepted(202));
    call.hangs_up(0);
    call.wait(999);
    assert!(!call.over());
    call.drain_log();
    call.wait(1);
    let log = call.drain_log();
    assert!(log.contains(&"hang up anna: Caller hung up".to_owned()), "{log:?}");
    assert!(log.contains(&"handoff joined at release".to_owned()), "{log:?}");
    assert!(log.contains(&"call ended: caller hung_up".to_owned()), "{log:?}");
}

#[test]
fn bye_from_the_desk_before_any_proof_was_the_human_hanging_up() {
    let mut call = releasing();
    call.hangs_up(2);
    call.wait(1100);
    let log = call.drain_log();
    assert!(log.contains(&"Releasing -> Recovering".to_owned()), "{log:?}");
    assert!(log.contains(&"dial 3 sipbot".to_owned()), "{log:?}");
    call.answered(3);
    assert!(call.drain_log().contains(&"caller hears bot".to_owned()));
}

#[test]
fn a_200_that_comes_when_the_bot_is_back_already_still_releases() {
    for back in [false, true] {
        let mut call = releasing();
        call.hangs_up(2);
        call.wait(1100);
        if back {
            call.answered(3);
        }
        call.drain_log();
        notify(&mut call, 200);
        let log = call.drain_log();
        assert!(log.contains(&"hang up bot: Transferred".to_owned()), "{log:?}");
        let pops: Vec<_> = log.iter().filter(|line| line.starts_with("pop")).collect();
        assert_eq!(pops, ["pop offered anna", "pop joined anna"]);
        call.wait(1000);
        let log = call.drain_log();
        assert!(log.contains(&"pop ended anna: released".to_owned()), "{log:?}");
        assert!(log.contains(&"hang up caller: Transferred".to_owned()), "{log:?}");
        assert!(call.over());
    }
}

/// Somebody else has the caller, who never hangs up here, and of whom nothing can be heard here. One who resumes is here.
#[test]
fn a_caller_who_is_elsewhere_and_holds_here_is_let_go() {
    for resumes in [false, true] {
        let mut call = releasing();
        call.hangs_up(2);
        call.wait(1100);
        call.answered(3);
        call.ask();
        let hold = |call: &mut Bench, direction| {
            let media = RemoteMedia { direction, ..super::bench::media(0) };
            call.leg(0, LegEvent::MediaChanged { media });
        };
        hold(&mut call, Direction::Inactive);
        notify(&mut call, 200);
        call.wait(100_000);
        assert!(!call.over());
        if resumes {
            hold(&mut call, Direction::SendRecv);
            hold(&mut call, Direction::Inactive);
        }
        call.wait(70_000);
        assert_eq!(call.over(), !resumes);
    }
}

/// The same, where the desk that was replaced takes its time to hang up: whoever holds cannot be heard to be here.
#[test]
fn a_caller_who_holds_at_a_200_is_not_taken_for_one_who_is_heard() {
    let mut call = releasing();
    let media = RemoteMedia { direction: Direction::Inactive, ..super::bench::media(0) };
    call.leg(0, LegEvent::MediaChanged { media });
    notify(&mut call, 200);
    call.wait(10_000);
    call.hangs_up(2);
    call.wait(1_000);
    call.answered(3);
    call.wait(90_000);
    assert!(!call.over());
    call.wait(60_000);
    assert!(call.over());
}

/// A human passed the caller on by the trunk, nothing came of it, and much later NOTIFY says that it had: the caller, who
/// is heard, stays with the human.
#[test]
fn a_late_200_takes_no_caller_away_from_a_human() {
    let mut config = config();
    config.desks[1].handover = crate::Handover::Refer;
    config.desks[1].targets.clear();
    let mut call = Bench::joined(config, Release::Stay, true);
    let target = ReferralTarget::Desk("ben".to_owned());
    let referral = Referral { id: ReferralId(7), target, reason: None, facts: Vec::new() };
    call.leg(2, LegEvent::Referral(Box::new(referral)));
    call.wait(100);
    for progress in [ReferProgress::Accepted(202), ReferProgress::Silence { notified: true }] {
        call.leg(0, LegEvent::Refer(progress));
    }
    let log = call.drain_log();
    assert!(log.contains(&"refer caller to ben".to_owned()), "{log:?}");
    assert!(log.contains(&"referral 7: Report(503)".to_owned()), "{log:?}");
    notify(&mut call, 200);
    call.wait(3000);
    assert!(!call.over());
    call.expect(&["release: NOTIFY, late 200"]);
}

#[test]
fn a_200_after_a_refusal_changes_nothing() {
    let mut call = releasing();
    notify(&mut call, 503);
    call.hangs_up(2);
    call.answered(3);
    call.drain_log();
    notify(&mut call, 200);
    call.expect(&[]);
}

#[test]
fn a_refusal_after_the_desk_hung_up_brings_the_bot_back_at_once() {
    let mut call = releasing();
    call.hangs_up(2);
    call.drain_log();
    notify(&mut call, 503);
    assert!(call.drain_log().contains(&"dial 3 sipbot".to_owned()));
}

#[test]
fn a_refusal_after_the_caller_hung_up_ends_the_call() {
    let mut call = releasing();
    call.hangs_up(0);
    notify(&mut call, 487);
    assert!(call.over());
}

#[test]
fn success_on_paper_with_the_callers_audio_still_here_is_no_success() {
    let mut call = releasing();
    notify(&mut call, 200);
    call.drain_log();
    call.wait(5000);
    let log = call.drain_log();
    assert!(log.contains(&STAYED.to_owned()), "{log:?}");
    assert!(log.contains(&"handoff joined at release (200)".to_owned()), "{log:?}");
    assert!(!call.over());
}

#[test]
fn a_desk_that_never_hangs_up_its_replaced_leg_is_hung_up() {
    let mut call = releasing();
    notify(&mut call, 200);
    let leg = call.id(0);
    call.media(MediaEvent::Silent { leg, lasted: Duration::from_secs(3) });
    call.wait(5000);
    let log = call.drain_log();
    assert!(log.contains(&"handoff released at release".to_owned()), "{log:?}");
    assert!(log.contains(&"hang up anna: Transferred".to_owned()), "{log:?}");
    assert!(call.over());
}

#[test]
fn nothing_is_released_before_both_were_heard() {
    let mut call = Bench::talking_with(config(), super::bench::to_sip_bot(), Release::Refer, false);
    call.ask();
    call.wait(20);
    call.answered(2);
    call.key(2, '1');
    call.speaks(0);
    call.wait(9_000);
    assert!(!call.drain_log().iter().any(|line| line.starts_with("release")));
    call.flowing(2);
    assert!(!call.drain_log().iter().any(|line| line.starts_with("release")), "packets are no speech");
    call.speaks(2);
    assert!(call.drain_log().contains(&"release: REFER sent".to_owned()));
}

#[test]
fn release_is_tried_only_where_it_makes_sense() {
    for (release, can_refer, tried) in [
        (Release::Auto, true, true),
        (Release::Auto, false, false),
        (Release::Stay, true, false),
        (Release::Refer, false, true),
    ] {
        let mut call = Bench::joined(config(), release, can_refer);
        call.wait(60_000);
        let log = call.drain_log();
        assert_eq!(log.contains(&"release: REFER sent".to_owned()), tried, "{release:?} {can_refer}");
    }
}

#[test]
fn the_caller_hangs_up_before_the_release_and_the_handoff_was_joined_all_the_same() {
    let mut call = Bench::joined(config(), Release::Auto, true);
    call.hangs_up(0);
    assert!(call.drain_log().contains(&"handoff joined at join".to_owned()));
}

/// The media path says when the caller was last heard, `before` milliseconds ago.
fn measured(call: &mut Bench, before: u64) {
    let last_received = Some(Instant::from_nanos(call.now.as_nanos() - before * 1_000_000));
    let stats = LegStats { last_received, ..LegStats::default() };
    call.media(MediaEvent::Quality { leg: call.id(0), stats, last: false });
}

#[test]
fn a_desk_that_was_replaced_and_audio_that_has_gone_are_success_without_a_notify() {
    let mut call = releasing();
    refer(&mut call, ReferProgress::Accepted(202));
    call.leg(2, LegEvent::Reason("SIP;cause=200;text=\"Replaced\"".to_owned()));
    call.hangs_up(2);
    call.wait(1000);
    measured(&mut call, 950);
    let log = call.drain_log();
    assert!(log.contains(&"handoff released at release".to_owned()), "{log:?}");
    assert!(log.contains(&"hang up caller: Transferred".to_owned()), "{log:?}");
    assert!(call.over());
}

#[test]
fn a_desk_that_was_replaced_while_the_caller_is_still_heard_here_leaves_the_caller_alone() {
    let mut call = releasing();
    call.leg(2, LegEvent::Reason("SIP;cause=200;text=\"Replaced\"".to_owned()));
    call.hangs_up(2);
    call.wait(1000);
    measured(&mut call, 20);
    assert!(call.drain_log().contains(&"dial 3 sipbot".to_owned()));
}

#[test]
fn while_the_callers_audio_has_gone_too_nobody_is_fetched_and_the_proof_is_waited_for() {
    for proof in [true, false] {
        let mut call = releasing();
        refer(&mut call, ReferProgress::Accepted(202));
        call.hangs_up(2);
        call.wait(1000);
        measured(&mut call, 800);
        call.wait(3000);
        let log = call.drain_log();
        assert!(!log.iter().any(|line| line.starts_with("dial")), "{log:?}");
        if proof {
            notify(&mut call, 200);
            call.wait(1000);
            assert!(call.drain_log().contains(&"handoff released at release".to_owned()));
        } else {
            call.flowing(0);
            assert!(call.drain_log().contains(&"dial 3 sipbot".to_owned()), "the caller is heard again");
        }
    }
}

/// Anna's contact centre follows REFER, says the operator; what the trunk does depends.
fn with_both_ways(release: Release, can_refer: bool) -> Bench {
    let mut config = config();
    config.desks[0].abilities.refer = Manual::Yes;
    config.trunks[0].abilities.replaces = Manual::Yes;
    Bench::joined(config, release, can_refer)
}

#[test]
fn the_desk_is_asked_when_the_trunk_is_not_known_to_follow_refer() {
    let mut call = with_both_ways(Release::Auto, false);
    call.wait(3000);
    call.expect(&["Joined -> Releasing", "release: REFER sent to the desk", "refer anna to caller"]);
    call.leg(2, LegEvent::Refer(ReferProgress::Accepted(202)));
    call.leg(2, LegEvent::Refer(ReferProgress::Notify { status: Some(200), last: true }));
    call.hangs_up(0);
    call.wait(1000);
    let log = call.drain_log();
    assert!(log.contains(&"handoff released at release".to_owned()), "{log:?}");
    assert!(log.contains(&"hang up anna: Transferred".to_owned()), "{log:?}");
    assert!(call.over());
    let known = call.capabilities.views(call.now);
    let desk = known.iter().find(|view| view.name == "anna").expect("anna");
    assert_eq!(desk.refer.evidence, Evidence::Proven);
}

#[test]
fn a_refused_way_gives_place_to_the_next_and_the_last_to_staying() {
    let mut call = with_both_ways(Release::Auto, true);
    call.wait(3000);
    call.drain_log();
    refer(&mut call, refused(603));
    call.expect(&["release: REFER refused 603", "release: REFER sent to the desk", "refer anna to caller"]);
    notify(&mut call, 200);
    call.expect(&[]);
    call.leg(2, LegEvent::Refer(refused(405)));
    call.expect(&[
        "release: REFER refused 405",
        "pop ended anna: joined",
        "handoff joined at release (405)",
        "Releasing -> Joined",
    ]);
    let known = call.capabilities.views(call.now);
    let evidence = |name: &str| known.iter().find(|view| view.name == name).map(|view| view.refer.evidence.as_str());
    assert_eq!((evidence("trunk"), evidence("anna")), (Some("refused"), Some("refused")));
}

#[test]
fn overload_and_a_lost_dialog_are_no_reason_to_try_another_way() {
    for status in [408, 481, 503] {
        let mut call = with_both_ways(Release::Auto, true);
        call.wait(3000);
        refer(&mut call, refused(status));
        let log = call.drain_log();
        assert!(log.contains(&STAYED.to_owned()), "{status}: {log:?}");
        assert!(!log.contains(&"refer anna to caller".to_owned()), "{status}: {log:?}");
    }
}

#[test]
fn every_order_of_the_signs_of_success_ends_released_for_the_desks_refer_too() {
    let told: fn(&mut Bench) =
        |call| call.leg(2, LegEvent::Refer(ReferProgress::Notify { status: Some(200), last: true }));
    let signs: [fn(&mut Bench); 3] = [told, |call| call.hangs_up(0), |call| call.hangs_up(2)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for spacing in [0, 1, 500] {
            let mut call = with_both_ways(Release::Auto, false);
            call.wait(3000);
            for sign in order {
                signs[sign](&mut call);
                call.wait(spacing);
            }
            call.wait(6000);
            let log = call.drain_log();
            assert!(log.contains(&"handoff released at release".to_owned()), "{order:?} {spacing} ms: {log:?}");
            assert!(call.over(), "{order:?} {spacing} ms: {log:?}");
        }
    }
}

fn holds(call: &mut Bench, index: u8, direction: Direction) {
    let media = RemoteMedia { direction, ..super::bench::media(20_000 + u16::from(index)) };
    call.leg(index, LegEvent::MediaChanged { media });
}

#[test]
fn a_desk_that_holds_while_the_refer_is_out_cancels_it_and_the_caller_hears_music() {
    let mut call = releasing();
    refer(&mut call, ReferProgress::Accepted(202));
    call.drain_log();
    holds(&mut call, 2, Direction::Inactive);
    let log = call.drain_log();
    assert!(log.contains(&"give up refer on caller".to_owned()), "{log:?}");
    assert!(log.contains(&STAYED.to_owned()), "{log:?}");
    assert!(log.contains(&"caller hears Music".to_owned()), "{log:?}");
    // What was asked for may happen all the same.
    notify(&mut call, 200);
    call.hangs_up(2);
    call.wait(1000);
    assert!(call.over(), "{:?}", call.drain_log());
}

#[test]
fn nobody_is_released_while_somebody_is_on_hold() {
    for index in [0, 2] {
        let mut call = Bench::joined(config(), Release::Auto, true);
        holds(&mut call, index, Direction::RecvOnly);
        call.wait(10_000);
        assert!(!call.drain_log().iter().any(|line| line.starts_with("release")));
        holds(&mut call, index, Direction::SendRecv);
        assert!(call.drain_log().contains(&"release: REFER sent".to_owned()));
    }
}

#[test]
fn success_that_shows_after_we_stopped_waiting_is_success_all_the_same() {
    for sign in ["notify", "byes"] {
        let mut call = releasing();
        refer(&mut call, ReferProgress::Accepted(202));
        refer(&mut call, ReferProgress::Silence { notified: false });
        assert!(call.drain_log().contains(&STAYED.to_owned()));
        call.wait(20_000);
        match sign {
            "notify" => notify(&mut call, 200),
            _ => call.hangs_up(0),
        }
        call.hangs_up(2);
        call.wait(1000);
        let log = call.drain_log();
        assert!(log.contains(&"release: released".to_owned()), "{sign}: {log:?}");
        assert!(call.over(), "{sign}");
    }
}

#[test]
fn a_conversation_that_ends_soon_counts_against_the_desk() {
    for (leg, after, counted) in [(0, 119_000, 1), (2, 5_000, 1), (0, 121_000, 0)] {
        let mut call = Bench::joined(config(), Release::Stay, false);
        call.wait(after);
        call.drain_log();
        call.leg(leg, LegEvent::Reason("Q.850;cause=16".to_owned()));
        call.hangs_up(leg);
        let by = if leg == 0 { "caller" } else { "desk" };
        let log = call.drain_log();
        let told =
            log.contains(&format!("early drop at anna by {by} after {} s: hung up; Q.850;cause=16", after / 1000));
        assert_eq!(told, counted == 1, "{log:?}");
        let known = call.capabilities.views(call.now);
        let anna = known.iter().find(|view| view.name == "anna").expect("anna");
        assert_eq!((anna.handoffs, anna.early_drops), (1, counted));
    }
}
