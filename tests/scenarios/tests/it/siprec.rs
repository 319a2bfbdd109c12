//! Recording at an external recorder (RFC 7866): what it is told and hears, and that calls do not suffer from it.

use crate::support::{asks_for_a_human, heard, judge, scenario, they_talk};
use call_core::{Consent, Record, RecordTo, Recorded, Recording};
use call_model::{Codec, Direction, FactKind, Instant, RecordingWish};
use sim::{BOT_TONE, CALLER_TONE, DESK, DESK_TONE, Do, Setup, SrsHabit, TRUNK, World};
use sip_wire::{Message, Method};

fn setup(to: RecordTo, habit: SrsHabit, codec: Codec) -> Setup {
    let recording = Recording {
        calls: Record::WhileHere,
        what: Recorded::Stereo,
        to,
        consent: Consent::Implied,
        ..Recording::default()
    };
    Setup { recording, recorder: Some((habit, codec)), ..Setup::default() }
}

fn sent(habit: SrsHabit) -> Setup {
    setup(RecordTo::Recorder, habit, Codec::Pcmu)
}

/// Bot, handoff, human.
fn whole_call(setup: &Setup) -> World {
    let mut world = asks_for_a_human(setup);
    world.at(8_000, Do::Press(DESK, '1')).at(14_000, Do::HangUp(TRUNK));
    world
}

/// Asserts that the recorder heard exactly these tones on one stream, from `from` to `to`.
fn holds(world: &World, stream: usize, from: u64, to: u64, tones: &[f32]) {
    let ear = &world.srs.streams[stream].ear;
    let blocks: Vec<_> = ear.between(Instant::from_millis(from), Instant::from_millis(to)).collect();
    assert!(blocks.len() as u64 >= ((to - from) / 60).saturating_sub(3), "{} blocks\n{}", blocks.len(), world.ladder());
    if let Some(other) = blocks.iter().find(|block| block.tones != tones) {
        panic!("stream {stream}, {from} to {to}, should hold {tones:?}: {other:?}\n{}", world.ladder());
    }
}

/// Asserts that nothing at all came on either stream.
fn nothing_came(world: &World, from: u64, to: u64) {
    for stream in &world.srs.streams {
        let came = stream.ear.between(Instant::from_millis(from), Instant::from_millis(to)).count();
        assert_eq!(came, 0, "{from} to {to}\n{}", world.ladder());
    }
}

/// The call went as it would have gone without a recorder.
fn nobody_noticed(name: &str, world: &World) {
    judge(name, world);
    heard(world, TRUNK, 1_000, 7_900, &[BOT_TONE]);
    they_talk(world, 8_400, 13_800);
}

fn metadata(invite: &Message) -> String {
    let part = invite.body_part("application/rs-metadata+xml").expect("metadata");
    assert_eq!(part.headers.get("Content-Disposition"), Some("recording-session"));
    String::from_utf8(part.bytes).expect("text")
}

fn sdp(invite: &Message) -> String {
    String::from_utf8(invite.body_part("application/sdp").expect("a description").bytes).expect("text")
}

/// How many sessions were begun, changes not counted.
fn sessions(world: &World) -> usize {
    world.srs.invites.iter().filter(|(_, invite)| invite.to_tag().is_none()).count()
}

fn traced(world: &World, what: &str) -> usize {
    let is_it = |kind: &sim::TraceKind| matches!(kind, sim::TraceKind::Recording { what: other, .. } if *other == what);
    world.trace().iter().filter(|event| is_it(&event.kind)).count()
}

#[test]
fn the_caller_on_one_stream_and_whomever_the_caller_hears_on_the_other() {
    for (name, codec) in [("siprec", Codec::Pcmu), ("siprec_pcma", Codec::Pcma)] {
        let mut world = whole_call(&setup(RecordTo::Recorder, SrsHabit::Takes, codec));
        scenario(name, &mut world, 60_000);
        nobody_noticed(name, &world);
        holds(&world, 0, 700, 2_900, &[CALLER_TONE]);
        holds(&world, 1, 700, 7_950, &[BOT_TONE]);
        holds(&world, 0, 8_400, 13_900, &[CALLER_TONE]);
        holds(&world, 1, 8_400, 13_900, &[DESK_TONE]);
        for stream in &world.srs.streams {
            assert_eq!(stream.types.iter().copied().collect::<Vec<_>>(), [codec.payload_type()], "no keys");
            assert_eq!(stream.sources.len(), 1);
            assert!(stream.last < Some(Instant::from_millis(14_100)), "{:?}", stream.last);
        }
        assert_eq!(sessions(&world), 1);
        assert!(world.recordings().is_empty(), "no file");
    }
}

#[test]
fn the_recorder_is_told_who_takes_part() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.run_until(60_000);
    let invites: Vec<&Message> = world.srs.invites.iter().map(|(_, invite)| invite).collect();
    let first = invites[0];
    assert_eq!(first.require(), ["siprec"]);
    assert!(first.headers.get("Contact").is_some_and(|contact| contact.ends_with(";+sip.src")));
    assert_eq!(sdp(first).matches("\r\na=sendonly\r\n").count(), 2);
    assert!(sdp(first).contains("\r\na=label:1\r\n") && sdp(first).contains("\r\na=label:2\r\n"));
    let before = metadata(first);
    assert_eq!(before.matches("<participant ").count(), 2, "{before}");
    assert!(before.contains("sip:bot@") && !before.contains("disassociate"), "{before}");

    let joined = invites.iter().map(|invite| metadata(invite)).find(|told| told.contains("sip:ada@"));
    let joined = joined.expect("the human");
    assert_eq!(joined.matches("<participant ").count(), 3, "{joined}");
    assert_eq!(joined.matches("<send>").count(), 2, "{joined}");
    let last = metadata(invites[invites.len() - 1]);
    assert_eq!(last.matches("disassociate-time>").count() / 2, 1, "the bot has left: {last}");
    let session =
        |told: &str| told.split("session_id=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    assert_eq!(session(&before), session(&last), "one session");
}

#[test]
fn a_private_caller_is_anonymous_at_the_recorder() {
    let mut world = World::new(&sent(SrsHabit::Takes));
    let asserted = ("P-Asserted-Identity", "\"Secret Name\" <sip:+447700900999@trunk.invalid>".to_owned());
    world.at(0, Do::DialWith("7001", vec![("Privacy", "id".to_owned()), asserted]));
    world.at(3_000, Do::HangUp(TRUNK));
    world.run_until(40_000);
    judge("private", &world);
    for (_, invite) in &world.srs.invites {
        let text = String::from_utf8_lossy(&invite.to_bytes()).into_owned();
        assert!(text.contains("aor=\"sip:anonymous@anonymous.invalid\""), "{text}");
        assert!(!text.contains("900999") && !text.contains("Secret"), "{text}");
    }
}

#[test]
fn a_card_number_is_left_out_and_nothing_is_sent_meanwhile() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.at(9_500, Do::Fact(FactKind::Recording(RecordingWish::Pause)));
    world.at(11_500, Do::Fact(FactKind::Recording(RecordingWish::Resume)));
    scenario("siprec_paused", &mut world, 60_000);
    nobody_noticed("paused", &world);
    nothing_came(&world, 9_700, 11_500);
    holds(&world, 0, 11_700, 13_900, &[CALLER_TONE]);
    holds(&world, 1, 11_700, 13_900, &[DESK_TONE]);
    let paused = world.srs.invites.iter().map(|(_, invite)| sdp(invite)).find(|sdp| sdp.contains("a=inactive"));
    assert_eq!(paused.expect("a pause").matches("\r\na=inactive\r\n").count(), 2);
}

#[test]
fn keys_are_in_no_stream() {
    let mut world = World::new(&sent(SrsHabit::Takes));
    world.at(0, Do::Dial("7001")).at(3_000, Do::Press(TRUNK, '4')).at(3_500, Do::Press(TRUNK, '2'));
    world.at(6_000, Do::HangUp(TRUNK));
    world.run_until(40_000);
    judge("keys", &world);
    assert_eq!(world.srs.streams[0].types.iter().copied().collect::<Vec<_>>(), [0]);
    holds(&world, 0, 4_500, 5_900, &[CALLER_TONE]);
}

#[test]
fn one_side_alone_is_one_stream_that_flows() {
    let mut alone = sent(SrsHabit::Takes);
    alone.recording.what = Recorded::Human;
    let mut world = whole_call(&alone);
    world.run_until(60_000);
    judge("human alone", &world);
    assert_eq!(world.srs.streams[0].packets, 0);
    holds(&world, 1, 1_000, 7_900, &[]);
    holds(&world, 1, 8_400, 13_900, &[DESK_TONE]);
    let last = metadata(&world.srs.invites.last().expect("told").1);
    assert_eq!(last.matches("<participant ").count(), 1, "{last}");
}

#[test]
fn music_on_hold_is_in_no_stream_and_the_recorder_is_told() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.at(10_000, Do::Hold(DESK, Direction::Inactive));
    world.at(12_000, Do::Hold(DESK, Direction::SendRecv));
    scenario("siprec_hold", &mut world, 60_000);
    holds(&world, 1, 10_500, 11_900, &[]);
    holds(&world, 1, 12_500, 13_900, &[DESK_TONE]);
    let held = |(at, invite): &(Instant, Message)| {
        (*at > Instant::from_millis(10_000) && *at < Instant::from_millis(12_000)).then(|| metadata(invite))
    };
    let held = world.srs.invites.iter().find_map(held).expect("told");
    assert_eq!(held.matches("<send>").count(), 1, "{held}");
}

#[test]
fn a_recorder_that_refuses_is_called_four_times() {
    let mut world = whole_call(&sent(SrsHabit::Refuses(503)));
    scenario("siprec_refused", &mut world, 60_000);
    nobody_noticed("refused", &world);
    assert_eq!((sessions(&world), traced(&world, "recorder failed")), (3, 3), "at 0, 1 and 6 s");

    let mut world = World::new(&sent(SrsHabit::Refuses(486)));
    world.at(0, Do::Dial("7001")).at(300_000, Do::HangUp(TRUNK));
    world.run_until(360_000);
    judge("refused for long", &world);
    assert_eq!((sessions(&world), traced(&world, "recorder failed"), traced(&world, "recorder lost")), (4, 3, 1));
    assert_eq!(world.srs.streams[0].packets, 0);
}

#[test]
fn a_recorder_that_is_silent_is_given_up_each_time() {
    let mut world = whole_call(&sent(SrsHabit::Ignores));
    scenario("siprec_silent", &mut world, 90_000);
    nobody_noticed("silent", &world);
    assert_eq!(traced(&world, "recorder failed"), 1);
}

#[test]
fn a_recorder_that_dies_is_found_out_and_called_again_when_it_is_back() {
    let mut world = asks_for_a_human(&sent(SrsHabit::Takes));
    world.at(8_000, Do::Press(DESK, '1')).at(60_000, Do::HangUp(TRUNK));
    world.at(10_000, Do::Recorder(SrsHabit::Ignores)).at(40_000, Do::Recorder(SrsHabit::Takes));
    scenario("siprec_dies", &mut world, 120_000);
    judge("dies", &world);
    they_talk(&world, 8_400, 59_900);
    assert_eq!(traced(&world, "recorder began"), 2);
    holds(&world, 0, 8_400, 9_900, &[CALLER_TONE]);
    holds(&world, 1, 50_000, 59_900, &[DESK_TONE]);
}

#[test]
fn a_recorder_that_hangs_up_is_called_again() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.at(9_000, Do::RecorderSends(Method::Bye, "Reason", "SIP;cause=503;text=\"Full\""));
    scenario("siprec_hung_up", &mut world, 60_000);
    nobody_noticed("hung up", &world);
    nothing_came(&world, 9_200, 9_990);
    holds(&world, 1, 10_400, 13_900, &[DESK_TONE]);
    assert_eq!(sessions(&world), 2);
}

#[test]
fn a_recorder_sends_callers_nowhere() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.at(2_000, Do::RecorderSends(Method::Refer, "Refer-To", "<sip:ada@gateway.invalid>"));
    scenario("siprec_refers", &mut world, 60_000);
    nobody_noticed("refers", &world);
    assert!(world.ladder().contains("603 Decline (REFER)"), "{}", world.ladder());
}

#[test]
fn a_recorder_that_asks_is_told_again() {
    let mut world = whole_call(&sent(SrsHabit::Takes));
    world.at(2_000, Do::RecorderSends(Method::Update, "Content-Type", "application/rs-metadata-request"));
    world.run_until(60_000);
    nobody_noticed("asks", &world);
    let told = |from: u64, to: u64| {
        let within = |at: Instant| at >= Instant::from_millis(from) && at <= Instant::from_millis(to);
        world.srs.invites.iter().filter(|(at, _)| within(*at)).count()
    };
    assert_eq!((told(1_000, 1_990), told(2_000, 2_500)), (0, 1), "{}", world.ladder());
}

#[test]
fn a_file_takes_over_from_a_recorder_that_is_lost() {
    let mut world = asks_for_a_human(&setup(RecordTo::RecorderElseFile, SrsHabit::Refuses(486), Codec::Pcmu));
    world.at(8_000, Do::Press(DESK, '1')).at(50_000, Do::HangUp(TRUNK));
    world.run_until(90_000);
    judge("else a file", &world);
    let (begins, _) = world.recordings().first().expect("a file");
    assert!((36_000..37_000).contains(&(begins.as_nanos() / 1_000_000)), "{begins:?}");
    let right = world.recorded().nth(1).expect("the right channel");
    let heard: Vec<_> = right.between(Instant::from_millis(38_000), Instant::from_millis(49_000)).collect();
    assert!(heard.len() > 100 && heard.iter().all(|block| block.tones == [DESK_TONE]));
}

#[test]
fn both_are_made_at_once_and_neither_minds_the_other() {
    let mut world = whole_call(&setup(RecordTo::Both, SrsHabit::Takes, Codec::Pcmu));
    world.run_until(60_000);
    nobody_noticed("both", &world);
    holds(&world, 1, 8_400, 13_900, &[DESK_TONE]);
    let right = world.recorded().nth(1).expect("the right channel");
    let heard: Vec<_> = right.between(Instant::from_millis(8_400), Instant::from_millis(13_900)).collect();
    assert!(heard.len() > 80 && heard.iter().all(|block| block.tones == [DESK_TONE]));
}

#[test]
fn a_call_that_ends_before_it_is_answered_is_nobodys_business() {
    let mut world = World::new(&Setup { bot: phone::Arrival::Ignore, ..sent(SrsHabit::Takes) });
    world.at(0, Do::Dial("7001")).at(2_000, Do::HangUp(TRUNK));
    world.run_until(60_000);
    judge("before the answer", &world);
    assert!(world.srs.invites.is_empty());
}

#[test]
fn a_call_that_ends_before_the_recorder_has_answered_leaves_nothing() {
    let mut world = World::new(&sent(SrsHabit::Ignores));
    world.at(0, Do::Dial("7001")).at(1_000, Do::HangUp(TRUNK)).at(1_100, Do::Recorder(SrsHabit::Takes));
    scenario("siprec_late", &mut world, 60_000);
    assert_eq!((sessions(&world), world.srs.streams[0].packets), (1, 0));
    assert!(world.ladder().contains("200 OK (BYE)"), "{}", world.ladder());
}

#[test]
fn a_lossy_network_changes_nothing() {
    for seed in 1..30 {
        let link = sim::Link { loss: 100, ..sim::Link::GOOD };
        let mut world = whole_call(&Setup { seed, sip_link: link, ..sent(SrsHabit::Takes) });
        world.run_until(120_000);
        judge("lossy", &world);
        assert!(world.srs.streams[0].packets > 300, "{seed}: {}\n{}", world.srs.streams[0].packets, world.ladder());
    }
}
