//! Success is proven by media: RTP and speech from both sides, soon after the join.

use super::bench::{Bench, config, to_sip_bot};
use crate::Release;

/// Joined with desk anna, who has not been heard; neither has the caller, since.
fn joined() -> Bench {
    let mut call = Bench::talking_with(config(), to_sip_bot(), Release::Refer, true);
    call.ask();
    call.wait(20);
    call.answered(2);
    call.key(2, '1');
    call.drain_log();
    call
}

#[test]
fn only_rtp_and_speech_from_both_are_proof() {
    type Sign = (&'static str, fn(&mut Bench));
    let signs: [Sign; 3] = [
        ("the desk's RTP", |call| call.flowing(2)),
        ("the desk's voice", |call| call.speaks(2)),
        ("the caller's voice", |call| call.speaks(0)),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut call = joined();
        for (place, sign) in order.into_iter().enumerate() {
            let (name, happens) = signs[sign];
            happens(&mut call);
            let log = call.drain_log();
            let dropped = log.contains(&"hang up bot: Handed over".to_owned());
            assert_eq!(dropped, place == 2, "{order:?} {name}: {log:?}");
        }
        call.wait(3000);
        assert!(call.drain_log().contains(&"release: REFER sent".to_owned()), "{order:?}");
    }
}

/// Both spoke until the join, and neither since: a microphone may have died in between.
#[test]
fn what_was_said_before_the_join_proves_nothing() {
    let mut call = Bench::talking_with(config(), to_sip_bot(), Release::Refer, true);
    call.ask();
    call.wait(20);
    call.answered(2);
    call.flowing(2);
    call.speaks(0);
    call.speaks(2);
    call.key(2, '1');
    let log = call.drain_log();
    assert!(!log.contains(&"hang up bot: Handed over".to_owned()), "{log:?}");
    call.speaks(0);
    call.wait(10_000);
    let log = call.drain_log();
    assert!(log.contains(&"handoff unproven at join".to_owned()), "{log:?}");
    call.wait(60_000);
    call.expect(&[]);
}

#[test]
fn without_proof_the_handoff_is_unproven_and_nobody_is_moved() {
    for heard in [&[][..], &[0], &[2]] {
        let mut call = joined();
        call.flowing(2);
        heard.iter().for_each(|leg| call.speaks(*leg));
        call.wait(9_999);
        call.expect(&[]);
        call.wait(1);
        call.expect(&["pop ended anna: unproven", "handoff unproven at join"]);
        call.wait(60_000);
        call.expect(&[]);
        call.speaks(0);
        call.speaks(2);
        call.expect(&["hang up bot: Handed over", "bot leg ended: gateway finished"]);
        call.wait(60_000);
        call.expect(&[]);
        assert!(!call.over(), "they stay together");
    }
}

#[test]
fn a_conversation_that_ends_before_the_proof_was_not_proven() {
    for (leg, last) in [(0, "call ended: caller hung_up"), (2, "caller hears bot")] {
        let mut call = joined();
        call.hangs_up(leg);
        let log = call.drain_log();
        assert!(log.contains(&"handoff unproven at join".to_owned()), "{log:?}");
        assert!(log.contains(&last.to_owned()), "{log:?}");
    }
}
