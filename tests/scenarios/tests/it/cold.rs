//! Passing the caller on without asking the human first: joined on answer, or called by the trunk (REFER without Replaces).

use crate::support::{asks_for_a_human, heard, ring, scenario, they_talk};
use call_core::{
    Abilities, CapabilityView, Evidence, Handover, Manual, PeerKind, ReferTo, Release, Timers, WhileConsulting,
};
use call_model::{HandoffOutcome, PopUpdate};
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer, PhoneEvent};
use sim::{
    BOT_TONE, CALLER_TONE, CALLER2, CALLER2_TONE, DESK, DESK_TONE, DESK2, DESK2_TONE, Do, MUSIC_TONE, Setup, TRUNK,
    World,
};

fn cold() -> Setup {
    Setup { handover: [Handover::Cold, Handover::Warm], ..Setup::default() }
}

fn says(world: &World, what: &str) {
    assert!(world.ladder().contains(what), "no {what:?}\n{}", world.ladder());
}

/// The desk answers at 6.7 s: no whisper, no key, and the caller had the bot until then.
#[test]
fn joined_as_soon_as_the_desk_answers() {
    let mut world = asks_for_a_human(&cold());
    world.at(20_000, Do::HangUp(DESK)).at(25_000, Do::HangUp(TRUNK));
    scenario("cold", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 6_650, &[BOT_TONE]);
    they_talk(&world, 6_900, 19_950);
    heard(&world, TRUNK, 21_500, 24_950, &[BOT_TONE]);
    says(&world, "handoff: joined by cold");
    assert!(!world.ladder().contains("Accepting"), "{}", world.ladder());
}

/// A desk that is busy gives place to the next one, which is asked first as it is set.
#[test]
fn busy_cold_then_the_next_desk_warm() {
    let mut world = asks_for_a_human(&Setup {
        desks: 2,
        desk: [Arrival::Refuse(486), ring(Answer::After(Duration::from_secs(2)))],
        ..cold()
    });
    world.at(8_000, Do::Press(DESK2, '1')).at(20_000, Do::HangUp(TRUNK));
    scenario("cold_busy_then_warm", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 7_950, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 19_950, &[DESK2_TONE]);
    says(&world, "handoff: joined");
}

/// Nobody answers: the bot is told, and keeps the caller.
#[test]
fn a_cold_desk_that_does_not_answer_leaves_the_caller_with_the_bot() {
    let mut world = asks_for_a_human(&Setup { desk: [ring(Answer::Never); 2], ..cold() });
    world.at(35_000, Do::HangUp(TRUNK));
    scenario("cold_no_answer", &mut world, 70_000);
    heard(&world, TRUNK, 3_200, 34_950, &[BOT_TONE]);
}

/// The caller hangs up while it rings.
#[test]
fn the_caller_leaves_while_a_cold_desk_rings() {
    let mut world = asks_for_a_human(&cold());
    world.at(6_000, Do::HangUp(TRUNK));
    scenario("cold_caller_gone", &mut world, 40_000);
    says(&world, "CANCEL");
}

/// A machine that answers and says nothing is joined, and counts as unproven.
#[test]
fn a_cold_join_still_wants_proof() {
    let mut world = asks_for_a_human(&cold());
    world.at(2_000, Do::Mute(DESK, true)).at(20_000, Do::HangUp(TRUNK));
    scenario("cold_unproven", &mut world, 60_000);
    says(&world, "handoff: unproven: no speech");
}

/// Joined cold, then out of the path as after any other join; a trunk that refuses changes nothing.
#[test]
fn a_cold_join_is_released_like_any_other() {
    for (name, on_refer, method) in
        [("follows", OnRefer::Follow, "released by refer_trunk"), ("refuses", OnRefer::Refuse(603), "joined by cold")]
    {
        let mut world = asks_for_a_human(&Setup { release: Release::Refer, on_refer, ..cold() });
        world.at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
        scenario(&format!("cold_then_trunk_{name}"), &mut world, 90_000);
        they_talk(&world, 6_900, 9_650);
        they_talk(&world, 10_300, 29_950);
        says(&world, method);
    }
}

/// The first desk is the trunk's to call.
fn blind(on_refer: OnRefer) -> Setup {
    Setup { handover: [Handover::Refer, Handover::Warm], on_refer, ..Setup::default() }
}

/// What stood in the `Refer-To` of every REFER that the trunk got.
fn referred_to(world: &World) -> Vec<String> {
    let of_trunk = world.events().iter().filter(|(_, party, _)| *party == TRUNK);
    of_trunk
        .filter_map(|(_, _, event)| match event {
            PhoneEvent::Referred(to) => Some(to.clone()),
            _ => None,
        })
        .collect()
}

fn trunk_record(world: &World) -> CapabilityView {
    let views = world.switchboard.capabilities(world.now());
    views.into_iter().find(|view| view.peer == PeerKind::Trunk).expect("the trunk")
}

/// The trunk calls the desk: the caller has the bot until the human answers, then the human, without us.
#[test]
fn the_trunk_calls_the_desk() {
    let mut world = asks_for_a_human(&blind(OnRefer::Follow));
    world.at(20_000, Do::HangUp(DESK)).at(22_000, Do::HangUp(TRUNK));
    scenario("blind", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 6_550, &[BOT_TONE]);
    they_talk(&world, 7_000, 19_950);
    says(&world, "handoff: released by blind");
    let to = referred_to(&world);
    assert!(to.len() == 1 && to[0].starts_with("<sip:desk@") && !to[0].contains("Replaces"), "{to:?}");
    let record = trunk_record(&world);
    assert_eq!((record.refer.evidence, record.blind.evidence), (Evidence::Proven, Evidence::Proven));
}

/// The same with music while waiting.
#[test]
fn the_caller_has_music_until_the_desk_answers() {
    let setup = Setup { while_consulting: WhileConsulting::Music, ..blind(OnRefer::Follow) };
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(DESK)).at(22_000, Do::HangUp(TRUNK));
    scenario("blind_music", &mut world, 60_000);
    heard(&world, TRUNK, 4_800, 6_550, &[MUSIC_TONE]);
    they_talk(&world, 7_000, 19_950);
}

/// Each order of NOTIFY 200 and the trunk's BYE, and the trunk that never hangs up.
#[test]
fn every_order_of_notify_and_bye_is_a_release() {
    let ms = Duration::from_millis;
    for (name, notify, bye) in [
        ("together", Some(ms(0)), Some(ms(0))),
        ("notify_first", Some(ms(0)), Some(ms(500))),
        ("notify_20us_first", Some(ms(0)), Some(Duration::from_micros(20))),
        ("no_bye", Some(ms(20)), None),
    ] {
        let mut world = asks_for_a_human(&blind(OnRefer::Slowly { notify, bye }));
        world.at(30_000, Do::HangUp(DESK)).at(32_000, Do::HangUp(TRUNK));
        scenario(&format!("blind_{name}"), &mut world, 90_000);
        they_talk(&world, 7_000, 29_950);
        says(&world, "handoff: released by blind");
    }
}

/// It takes the caller and never says so, nor hangs up: for two minutes nobody is heard here, and then our line is done.
#[test]
fn a_trunk_that_takes_the_caller_without_a_word_does_not_keep_our_line() {
    let mut world = asks_for_a_human(&blind(OnRefer::Slowly { notify: None, bye: None }));
    world.at(200_000, Do::HangUp(DESK)).at(202_000, Do::HangUp(TRUNK));
    world.run_until(170_000);
    assert!(world.switchboard.is_idle(), "{}", world.ladder());
    scenario("blind_without_a_word", &mut world, 260_000);
    heard(&world, DESK, 7_000, 199_950, &[CALLER_TONE]);
    they_talk(&world, 127_000, 199_950);
}

/// REFER refused: we call the desk ourselves, in the same attempt. A policy says nothing of Replaces; 405 and 501 do.
#[test]
fn a_refused_blind_refer_becomes_a_call() {
    for status in [403, 603, 405, 501, 429, 503, 481] {
        let mut world = asks_for_a_human(&blind(OnRefer::Refuse(status)));
        world.at(20_000, Do::HangUp(TRUNK));
        scenario(&format!("blind_refused_{status}"), &mut world, 60_000);
        heard(&world, TRUNK, 3_200, 6_550, &[BOT_TONE]);
        they_talk(&world, 7_000, 19_950);
        says(&world, "handoff: joined by cold");
        let record = trunk_record(&world);
        let refused = |evidence| matches!(evidence, Evidence::Refused { .. });
        let (policy, unknown) = (matches!(status, 403 | 603), matches!(status, 405 | 501 | 429));
        assert_eq!((refused(record.blind.evidence), refused(record.refer.evidence)), (policy, unknown), "{status}");
        assert_eq!(record.replaces.evidence, Evidence::Advertised, "{status}");
    }
}

/// What was refused once is not asked again that day, and REFER with Replaces still is where only blind was refused.
#[test]
fn a_refusal_is_remembered_and_replaces_is_tried_all_the_same() {
    let setup = Setup { release: Release::Auto, ..blind(OnRefer::RefuseFirst(603, 1)) };
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(DESK)).at(22_000, Do::HangUp(TRUNK));
    world.at(60_000, Do::DialFrom(CALLER2, "7001")).at(63_000, Do::Press(CALLER2, '0'));
    world.at(68_000, Do::HangUp(CALLER2));
    scenario("blind_refused_is_remembered", &mut world, 130_000);
    they_talk(&world, 7_000, 9_600);
    they_talk(&world, 10_300, 19_950);
    says(&world, "handoff: released by refer_trunk");
    assert_eq!(referred_to(&world).len(), 2, "{}", world.ladder());
    assert_eq!(world.ladder().matches("release: REFER sent, without").count(), 1, "{}", world.ladder());
}

/// A failure that NOTIFY tells: we call the desk ourselves.
#[test]
fn a_blind_refer_that_fails_becomes_a_call() {
    for status in [403, 404, 480, 503, 603] {
        let mut world = asks_for_a_human(&blind(OnRefer::Report(status)));
        world.at(20_000, Do::HangUp(TRUNK));
        scenario(&format!("blind_notify_{status}"), &mut world, 60_000);
        they_talk(&world, 7_000, 19_950);
        says(&world, "handoff: joined by cold");
    }
}

/// Busy is the desk's own word: it is not rung again, the next desk is.
#[test]
fn a_blind_refer_to_a_busy_desk_goes_to_the_next() {
    for (name, status) in [("blind_busy", 486), ("blind_busy_600", 600)] {
        busy_by_blind_refer(name, status);
    }
}

fn busy_by_blind_refer(name: &str, status: u16) {
    let mut world = asks_for_a_human(&Setup { desks: 2, ..blind(OnRefer::Report(status)) });
    world.at(8_000, Do::Press(DESK2, '1')).at(20_000, Do::HangUp(TRUNK));
    scenario(name, &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 7_950, &[BOT_TONE]);
    heard(&world, TRUNK, 8_200, 19_950, &[DESK2_TONE]);
}

/// Accepted and never heard of again: after the result time we call the desk ourselves.
#[test]
fn a_blind_refer_that_stalls_becomes_a_call() {
    for (name, on_refer) in
        [("stalls", OnRefer::Stall), ("forgotten", OnRefer::Forget), ("unanswered", OnRefer::Ignore)]
    {
        let mut world = asks_for_a_human(&blind(on_refer));
        world.at(60_000, Do::HangUp(TRUNK));
        scenario(&format!("blind_{name}"), &mut world, 110_000);
        heard(&world, TRUNK, 3_200, 30_000, &[BOT_TONE]);
        they_talk(&world, 45_000, 59_950);
        says(&world, "handoff: joined by cold");
    }
}

/// NOTIFY says 200, and nobody has the caller: the caller's audio tells, and we call the desk ourselves.
#[test]
fn a_blind_refer_that_is_said_to_have_worked_and_has_not_becomes_a_call() {
    let mut world = asks_for_a_human(&blind(OnRefer::Report(200)));
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("blind_200_untrue", &mut world, 60_000);
    they_talk(&world, 9_000, 19_950);
    says(&world, "not believed");
    says(&world, "handoff: joined by cold");
    assert_eq!(trunk_record(&world).blind.evidence, Evidence::Unknown);
}

/// The trunk puts another telephone in the caller's place while it is asked: what became of the REFER nobody will say.
#[test]
fn a_blind_refer_whose_dialog_is_replaced_becomes_a_call() {
    let mut world = asks_for_a_human(&blind(OnRefer::Stall));
    world.at(6_000, Do::TakeOver(CALLER2, TRUNK, false)).at(20_000, Do::HangUp(CALLER2));
    scenario("blind_and_another_caller", &mut world, 60_000);
    heard(&world, CALLER2, 8_500, 19_950, &[DESK_TONE]);
    heard(&world, DESK, 8_500, 19_950, &[CALLER2_TONE]);
}

/// Only the trunk can call this desk, and will not: the next desk, or the bot is told.
#[test]
fn a_desk_without_address_is_lost_with_its_refer() {
    let setup = Setup {
        desk_uri: [Some("tel:+44-20-7946-0000;ext=12"), None],
        desk_address: [false; 2],
        ..blind(OnRefer::Refuse(603))
    };
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("blind_without_address", &mut world, 60_000);
    heard(&world, TRUNK, 3_200, 19_950, &[BOT_TONE]);
    assert_eq!(referred_to(&world), ["<tel:+44-20-7946-0000;ext=12>"]);
    says(&world, "(603)");
}

/// The caller hangs up while the trunk is asked: nothing is left, and nobody is called.
#[test]
fn the_caller_leaves_while_the_trunk_is_asked() {
    let mut world = asks_for_a_human(&blind(OnRefer::Stall));
    world.at(6_000, Do::HangUp(TRUNK));
    scenario("blind_caller_gone", &mut world, 90_000);
    says(&world, "call ended: caller hung_up");
    assert!(!world.ladder().contains("ada ringing"), "{}", world.ladder());
}

/// A trunk that is set to `refer = "no"`, and one whose route keeps us in the path, is not asked.
#[test]
fn a_trunk_that_cannot_refer_is_not_asked() {
    let setup =
        Setup { trunk_abilities: Abilities { refer: Manual::No, ..Abilities::default() }, ..blind(OnRefer::Follow) };
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("blind_set_to_no", &mut world, 60_000);
    they_talk(&world, 7_000, 19_950);
    assert_eq!(referred_to(&world), [""; 0]);
}

/// With `UUI` for a User-to-User that holds a handoff id.
fn without_facts(refer_to: &str) -> String {
    let Some((target, facts)) = refer_to.split_once("User-to-User=") else { return refer_to.to_owned() };
    let of_an_id = "04".to_owned() + &"v1;h=".bytes().map(|octet| format!("{octet:02X}")).collect::<String>();
    assert!(facts.starts_with(&of_an_id) && facts.ends_with("%3Bencoding%3Dhex>"), "{facts}");
    format!("{target}UUI>")
}

/// Byte for byte, unless the trunk wants telephone numbers in its own form. Behind a SIP URI stands what the desk's
/// profile is to be told (RFC 7433 §4.2).
#[test]
fn the_target_goes_out_as_it_is_configured() {
    let (as_is, tel) = (ReferTo::AsIs, ReferTo::Tel);
    let domain = || ReferTo::Domain("example.pstn.invalid".into());
    for (uri, form, expected) in [
        ("sips:A%41@CC.example;x=y?Subject=hi", as_is.clone(), "<sips:A%41@CC.example;x=y?Subject=hi&UUI>"),
        ("tel:+44-20-7946-0000;ext=12", as_is.clone(), "<tel:+44-20-7946-0000;ext=12>"),
        ("tel:7042;phone-context=cc.example", as_is, "<tel:7042;phone-context=cc.example>"),
        ("sip:+442079460000@10.0.0.13", tel.clone(), "<tel:+442079460000>"),
        ("sip:alice@10.0.0.13", tel, "<sip:alice@10.0.0.13?UUI>"),
        ("tel:+44-20-7946-0000", domain(), "<sip:+442079460000@example.pstn.invalid;user=phone?UUI>"),
        ("sip:alice@10.0.0.13", domain(), "<sip:alice@10.0.0.13?UUI>"),
    ] {
        let setup = Setup { desk_uri: [Some(uri), None], refer_to: form, ..blind(OnRefer::Report(486)) };
        let mut world = asks_for_a_human(&setup);
        world.at(20_000, Do::HangUp(TRUNK)).run_until(60_000);
        assert_eq!(referred_to(&world).iter().map(|to| without_facts(to)).collect::<Vec<_>>(), [expected]);
        crate::support::judge(uri, &world);
    }
}

/// A telephone number is dialled as it stands, at the address that is configured with it.
#[test]
fn a_tel_uri_is_dialled_byte_for_byte() {
    let setup = Setup { desk_uri: [Some("tel:+44-20-7946-0000;ext=12"), None], ..cold() };
    let mut world = asks_for_a_human(&setup);
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("cold_tel", &mut world, 60_000);
    they_talk(&world, 7_000, 19_950);
}

/// A queue: answered at once, its music is heard, then a human.
#[test]
fn a_queue_is_a_cold_desk() {
    let mut world = asks_for_a_human(&Setup { desk: [ring(Answer::After(Duration::ZERO)); 2], ..cold() });
    world.at(20_000, Do::HangUp(TRUNK));
    scenario("cold_queue", &mut world, 60_000);
    they_talk(&world, 5_000, 19_950);
}

/// The trunk hangs up once it has said 202, and never reports: it did it, or the caller hung up.
#[test]
fn a_trunk_that_hangs_up_and_never_reports_leaves_it_unproven() {
    let mut world = asks_for_a_human(&blind(OnRefer::HangUp));
    scenario("blind_bye_and_no_notify", &mut world, 60_000);
    says(&world, "handoff: unproven by blind");
    says(&world, "call ended: trunk hung_up");
}

/// The desk has the caller from 6.7 s on, through the trunk, which says so 40 s later: we have given it up meanwhile.
fn late_200(desk2: Arrival) -> World {
    asks_for_a_human(&reports_late(desk2))
}

fn reports_late(desk2: Arrival) -> Setup {
    let on_refer = OnRefer::Slowly { notify: Some(Duration::from_secs(40)), bye: None };
    let seconds = Duration::from_secs(2);
    Setup { desks: 2, desk: [ring(Answer::After(seconds)), desk2], ..blind(on_refer) }
}

/// The telephone that plays the trunk mixes its two lines until we hang up ours.
fn only_they_talk(world: &World) {
    heard(world, DESK, 7_000, 59_950, &[CALLER_TONE]);
    they_talk(world, 47_900, 59_950);
}

#[test]
fn a_late_200_takes_the_caller_from_the_bot() {
    let mut world = late_200(Arrival::Refuse(486));
    world.at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario("blind_late_200", &mut world, 110_000);
    only_they_talk(&world);
    says(&world, "[ Consulting -> Released ]");
}

#[test]
fn a_late_200_stops_the_other_desk_that_rings() {
    let mut world = late_200(ring(Answer::Never));
    world.at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario("blind_late_200_another_rings", &mut world, 110_000);
    only_they_talk(&world);
    says(&world, "handoff: released by blind");
    assert!(!world.phones[DESK2].is_busy());
}

#[test]
fn a_late_200_relieves_the_other_human_who_hears_nobody() {
    let mut world = late_200(ring(Answer::After(Duration::from_secs(2))));
    world.at(41_000, Do::Press(DESK2, '1')).at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario("blind_late_200_another_has_nobody", &mut world, 110_000);
    only_they_talk(&world);
    says(&world, "handoff: released by blind");
    assert!(!world.phones[DESK2].is_busy());
}

/// The handoff has had an outcome by then, which is not what happened in the end.
#[test]
fn a_late_200_corrects_the_outcome_on_the_page() {
    let timers = Timers { refer_result_timeout: Duration::from_secs(10), ..Timers::default() };
    let mut world = asks_for_a_human(&Setup { timers, ..reports_late(ring(Answer::After(Duration::from_secs(2)))) });
    world.at(19_000, Do::Press(DESK2, '1')).at(60_000, Do::HangUp(DESK)).at(62_000, Do::HangUp(TRUNK));
    scenario("blind_late_200_corrects_the_outcome", &mut world, 110_000);
    only_they_talk(&world);
    says(&world, "handoff: unproven");
    let told: Vec<_> = world
        .pops()
        .iter()
        .filter_map(|(_, pop)| match pop {
            PopUpdate::Ended { desk, outcome, .. } => Some((desk.0.as_str(), *outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [("bob", HandoffOutcome::Unproven), ("ada", HandoffOutcome::Released)]);
}
