use super::bench::{Bench, config};
use crate::Release;
use crate::leg::{LegEvent, ReferProgress};
use call_model::MediaEvent;
use core::time::Duration;

fn refer(call: &mut Bench, progress: ReferProgress) {
    call.leg(0, LegEvent::Refer(progress));
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
        .map(|status| ("refused", ReferProgress::Refused(status)))
        .into_iter()
        .chain(
            [302, 403, 404, 480, 481, 486, 487, 488, 500, 503, 600, 603]
                .map(|status| ("notify", ReferProgress::Notify { status: Some(status), last: true })),
        )
        .chain([
            ("notify without body", ReferProgress::Notify { status: None, last: true }),
            ("last notify is provisional", ReferProgress::Notify { status: Some(100), last: true }),
            ("silence", ReferProgress::Silence),
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
        let lost = matches!(progress, ReferProgress::Refused(408 | 481));
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
    call.wait(1000);
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
        call.wait(1000);
        if back {
            call.answered(3);
        }
        call.drain_log();
        notify(&mut call, 200);
        let log = call.drain_log();
        assert!(log.contains(&"hang up bot: Transferred".to_owned()), "{log:?}");
        call.wait(1000);
        assert!(call.drain_log().contains(&"hang up caller: Transferred".to_owned()));
        assert!(call.over());
    }
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
