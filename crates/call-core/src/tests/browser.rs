use super::bench::{Bench, config, media, to_sip_bot};
use crate::leg::LegEvent;
use crate::{DeskRefused, SwitchboardConfig};
use call_model::{DeskAction, DeskId, HandoffId, MediaEvent};
use core::time::Duration;

/// Anna has no telephone.
fn pages() -> SwitchboardConfig {
    let mut config = config();
    config.desks[0].targets.clear();
    config.desks[0].browser = true;
    config
}

fn may_bring(call: &Bench, desk: &str) -> Result<(), DeskRefused> {
    let handoff = call.call.handoff.as_ref().map_or(HandoffId(0), |handoff| handoff.id);
    call.call.browser_leg(&DeskId(desk.to_owned()), handoff).map(|_| ())
}

fn silent(call: &mut Bench, seconds: u64) {
    call.media(MediaEvent::Silent { leg: call.id(2), lasted: Duration::from_secs(seconds) });
}

/// Anna's page rings.
fn ringing() -> Bench {
    let mut call = Bench::ringing(pages(), to_sip_bot());
    call.leg(2, LegEvent::Ringing);
    call.drain_log();
    call
}

/// The caller and anna's page are joined.
fn joined() -> Bench {
    let mut call = ringing();
    call.page("anna", DeskAction::Accepted).expect("anna's");
    call.answered(2);
    call.flowing(2);
    call.speaks(0);
    call.speaks(2);
    call.drain_log();
    call
}

#[test]
fn a_page_brings_its_audio_once_it_has_accepted_and_is_joined_at_once() {
    let mut call = ringing();
    assert_eq!(may_bring(&call, "anna"), Err(DeskRefused::NotAccepted));
    call.page("anna", DeskAction::Accepted).expect("anna's");
    assert_eq!(may_bring(&call, "anna"), Ok(()));
    assert_eq!(may_bring(&call, "ben"), Err(DeskRefused::TooLate));
    call.drain_log();
    call.answered(2);
    let log = call.drain_log();
    assert!(
        log.contains(&"Accepting -> Joined".to_owned()) && log.contains(&"caller hears desk".to_owned()),
        "{log:?}"
    );
}

#[test]
fn a_page_that_is_silent_leaves_the_caller_to_music_until_it_is_back() {
    let mut call = joined();
    silent(&mut call, 2);
    call.expect(&["note: no audio for 2 s", "caller hears Music"]);
    assert_eq!(may_bring(&call, "anna"), Ok(()));
    call.leg(2, LegEvent::MediaChanged { media: media(1) });
    call.expect(&[]);
    call.flowing(2);
    call.expect(&["caller hears desk"]);
}

#[test]
fn a_page_that_does_not_come_back_leaves_the_caller_to_the_bot() {
    let mut call = joined();
    [2, 4, 6, 8].into_iter().for_each(|seconds| silent(&mut call, seconds));
    call.drain_log();
    silent(&mut call, 10);
    let log = call.drain_log();
    for line in ["note: its page did not come back: taken for gone", "Joined -> Recovering", "dial 3 sipbot"] {
        assert!(log.iter().any(|one| one == line), "{line} in {log:?}");
    }
    assert_eq!(may_bring(&call, "anna"), Err(DeskRefused::TooLate));
    assert!(log.iter().all(|line| !line.starts_with("hang up")), "there is nobody to be told");
}

#[test]
fn a_caller_who_leaves_leaves_no_page_behind() {
    for talk in [false, true] {
        let mut call = if talk { joined() } else { ringing() };
        call.hangs_up(0);
        assert!(call.over() || !talk, "{:?}", call.drain_log());
        if !talk {
            call.leg(1, LegEvent::Ended { by_remote: false, status: None });
            assert!(call.over(), "{:?}", call.drain_log());
        }
    }
}

#[test]
fn a_page_that_is_not_answered_in_time_is_given_up() {
    let mut call = ringing();
    call.wait(60_000);
    let log = call.drain_log();
    assert!(log.iter().any(|line| line == "dial 3 ben"), "{log:?}");
}

#[test]
fn a_human_who_gives_the_caller_back_on_the_page_leaves_it_behind() {
    let mut call = joined();
    call.page("anna", |handoff| DeskAction::HandBack { handoff, notes: String::new() }).expect("anna's");
    call.answered(3);
    call.flowing(3);
    let log = call.drain_log();
    for line in ["caller hears bot", "pop retracted anna: handed back"] {
        assert!(log.iter().any(|one| one == line), "{line} in {log:?}");
    }
    assert!(log.iter().any(|line| line.starts_with("desk leg ended")), "{log:?}");
    assert_eq!((may_bring(&call, "anna"), call.desks_taken()), (Err(DeskRefused::TooLate), 0));
}

#[test]
fn a_human_who_passes_the_caller_on_keeps_them_until_a_colleague_has_them() {
    let mut call = joined();
    let to = |handoff| DeskAction::PassOn { handoff, desk: Some(DeskId("ben".to_owned())), reason: String::new() };
    call.page("anna", to).expect("anna's");
    call.wait(20);
    let log = call.drain_log();
    assert!(
        log.iter().any(|line| line == "dial 3 ben") && log.iter().all(|line| !line.contains("leg ended")),
        "{log:?}"
    );
    assert_eq!(may_bring(&call, "anna"), Ok(()), "also when it is loaded again meanwhile");
    silent(&mut call, 2);
    call.flowing(2);
    call.answered(3);
    call.flowing(3);
    call.key(3, '1');
    call.speaks(3);
    call.speaks(0);
    let log = call.drain_log();
    assert!(log.iter().any(|line| line.starts_with("desk leg ended")), "{log:?}");
    assert_eq!((may_bring(&call, "anna"), call.desks_taken()), (Err(DeskRefused::TooLate), 1));
}

#[test]
fn a_page_that_declines_or_dies_before_the_join_makes_room_for_the_next_desk() {
    let mut call = ringing();
    call.page("anna", |handoff| DeskAction::Declined { handoff, reason: String::new() }).expect("anna's");
    call.wait(20);
    assert!(call.drain_log().iter().any(|line| line == "dial 3 ben"));

    let mut call = joined();
    call.hangs_up(0);
    assert!(call.over() && call.desks_taken() == 0);
}
