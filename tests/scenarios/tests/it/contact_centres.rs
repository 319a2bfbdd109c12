//! Whole calls into contact centres: what their agent sees of the INVITE, by the emulators in `tests/contact-centres`.

use crate::support::{asks_for_a_human, heard, ring, scenario};
use call_core::profile::built_in;
use call_core::{AcceptGate, Release};
use contact_centres::{Screen, receive};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sim::{CALLER_TONE, DESK, DESK_TONE, Do, Setup, TRUNK, World};
use std::sync::Arc;

/// A call to one product: its profile, and its gate as the profile says it.
fn to(product: &str) -> Setup {
    let profile = built_in(product).expect("shipped");
    Setup { accept: profile.accept, profile: Arc::new(profile), ..Setup::default() }
}

/// What the agent was shown of the last INVITE.
fn screen(product: &str, world: &World) -> Screen {
    let invite = world.invites(DESK).last().expect("the desk was rung");
    receive(product, invite).expect("there is an emulator").expect("it is taken")
}

/// The agent sees which handoff it is and why; from the join on, the two hear each other.
fn handed_over(product: &str, world: &World, from: u64, to: u64) {
    let screen = screen(product, world);
    let id = world.handoff().expect("a handoff").to_string();
    assert_eq!((screen.fact("h"), screen.fact("t")), (Some(id.as_str()), Some("dtmf")), "{screen:?}");
    assert_eq!(screen.fact("s"), Some("0"), "{screen:?}");
    assert_eq!(screen.lost, Vec::<String>::new());
    heard(world, TRUNK, from, to, &[DESK_TONE]);
    heard(world, DESK, from, to, &[CALLER_TONE]);
}

#[test]
fn genesys_cloud_takes_the_caller_into_a_queue() {
    let mut world = asks_for_a_human(&to("genesys-cloud-byoc"));
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("genesys_cloud", &mut world, 60_000);
    handed_over("genesys-cloud-byoc", &world, 7_000, 11_950);
}

#[test]
fn nice_cxone_takes_the_caller_into_a_queue() {
    let mut world = asks_for_a_human(&to("nice-cxone"));
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("nice_cxone", &mut world, 60_000);
    handed_over("nice-cxone", &world, 7_000, 11_950);
}

#[test]
fn five9_takes_the_caller_into_a_campaign() {
    let mut world = asks_for_a_human(&to("five9"));
    world.at(12_000, Do::HangUp(TRUNK));
    scenario("five9", &mut world, 60_000);
    handed_over("five9", &world, 7_000, 11_950);
}

/// Direct Routing rejects INVITEs with Replaces: ours must not bring one about, though the trunk would.
#[test]
fn teams_rings_a_person_who_presses_1_and_gets_no_replaces() {
    let setup = Setup { release: Release::Auto, on_refer: OnRefer::Follow, ..to("microsoft-teams") };
    assert_eq!(setup.accept, AcceptGate::KeyOrPage);
    let mut world = asks_for_a_human(&setup);
    world.at(10_000, Do::Press(DESK, '1')).at(18_000, Do::HangUp(TRUNK));
    scenario("microsoft_teams", &mut world, 60_000);
    let screen = screen("microsoft-teams", &world);
    assert!(screen.get("caller").is_some() && screen.fact("h").is_none(), "{screen:?}");
    assert!(!world.ladder().contains("REFER"), "{}", world.ladder());
    heard(&world, TRUNK, 10_500, 17_950, &[DESK_TONE]);
}

/// A product whose profile is plain already is not asked twice; the generic one is.
#[test]
fn only_a_rich_invite_is_sent_once_more_plainly() {
    let refuses = [Arrival::Refuse(415); 2];
    let mut world = asks_for_a_human(&Setup { desk: refuses, ..to("genesys-cloud-byoc") });
    world.at(8_000, Do::HangUp(TRUNK)).run_until(60_000);
    assert_eq!(world.invites(DESK).count(), 1);
    let mut world = asks_for_a_human(&Setup { desk: refuses, ..to("generic-pbx") });
    world.at(8_000, Do::HangUp(TRUNK)).run_until(60_000);
    let sent: Vec<String> = world.invites(DESK).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].contains("Call-Info: ") && !sent[1].contains("Call-Info: "));
    assert!(sent[1].contains("X-Handoff-Id: "));
}

/// Two callers, one after the other, and an agent who answers late: the screen shows the handoff that rings.
#[test]
fn the_screen_shows_the_handoff_that_rings_now() {
    let late = [ring(Answer::After(Duration::from_secs(4))); 2];
    let mut world = asks_for_a_human(&Setup { desk: late, ..to("five9") });
    world.at(5_000, Do::HangUp(TRUNK)).at(20_000, Do::Dial("7001")).at(23_000, Do::Press(TRUNK, '0'));
    world.at(35_000, Do::HangUp(TRUNK)).run_until(90_000);
    let ids: Vec<String> = world
        .invites(DESK)
        .map(|bytes| receive("five9", bytes).expect("known").expect("taken").fact("h").expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(world.handoff().map(|id| id.to_string()).as_ref(), ids.last());
}
