//! The switchboard and real SIP endpoints on the other side of every leg, on a perfect network and a virtual clock.

#[path = "support/town.rs"]
mod town;

use call_core::{DeskRefused, Output, Release, RouteTo};
use call_model::{
    DeskAction, DeskId, EndReason, HandoffOutcome, MediaCommand, MediaEvent, Prompt, Selector, TraceKind, TransferState,
};
use core::time::Duration;
use sip_proto::DialogEvent;
use sip_wire::{Message, Method, Replaces, Uri};
use town::{BOT, CALLER, DESK, GATEWAY, Town, TownPlan};

#[test]
fn a_call_to_the_bot_keeps_its_identity_and_ends_without_a_trace() {
    let mut town = Town::new(TownPlan::default());
    let caller = town.call("1000");
    let invite = town.received(BOT, &Method::Invite);
    let first = town.sent(CALLER, &Method::Invite);
    assert_eq!(invite.request_uri().map(Uri::as_str), Some("sip:1000@127.0.0.12:5091"));
    assert_eq!(invite.max_forwards(), Ok(Some(69)));
    assert_eq!(invite.headers.get("X-Call-ID"), Some(first.call_id()));
    let session = format!("ab30317f1a784dc48ff824d0d3715d86;remote={}", "0".repeat(32));
    assert_eq!(invite.headers.get("Session-ID"), Some(session.as_str()));
    assert_eq!(invite.headers.get("P-Asserted-Identity"), Some("<sip:+447700900123@127.0.0.1>"));
    let sdp = String::from_utf8_lossy(&invite.body).into_owned();
    assert!(sdp.contains("m=audio 20002 RTP/AVP 0 8 101"), "what the caller has, in the trunk's order: {sdp}");
    assert!(town.events(CALLER).iter().any(|event| matches!(event, DialogEvent::Answered { .. })));
    assert_eq!(town.states(), [TransferState::WithBot]);

    town.hang_up(CALLER, caller);
    assert!(town.events(BOT).iter().any(|event| matches!(event, DialogEvent::Ended { by_remote: true, .. })));
    assert_eq!(town.end_causes(), [EndReason::HungUp]);
    town.expect_empty();
}

/// RFC 3323 §4.1, RFC 3325 §9.3.
#[test]
fn a_caller_who_asks_for_privacy_is_named_nowhere() {
    let mut town = Town::new(TownPlan { caller_name: "Grace Hopper".to_owned(), ..TownPlan::default() });
    town.caller_headers = vec![
        ("Privacy".to_owned(), "id;critical".to_owned()),
        ("P-Asserted-Identity".to_owned(), "\"Grace Hopper\" <sip:+447700900123@trunk.example.net>".to_owned()),
    ];
    town.call("1000");
    let invite = String::from_utf8(town.received_bytes(BOT, &Method::Invite)).expect("text");
    assert!(invite.contains("sip:anonymous@anonymous.invalid") && invite.contains("Privacy: id"), "{invite}");
    assert!(!invite.contains("900123") && !invite.contains("Hopper") && !invite.contains("P-Asserted"), "{invite}");
}

#[test]
fn every_message_of_a_call_is_traced_with_its_leg() {
    let mut town = Town::new(TownPlan::default());
    let caller = town.call("1000");
    town.hang_up(CALLER, caller);
    let lines = town.sip_lines();
    assert!(lines.iter().all(|line| !line.contains("nobody")), "{lines:#?}");
    for line in ["< caller INVITE", "> bot INVITE", "< bot 200 OK", "> caller 200 OK", "> bot ACK"] {
        assert!(lines.iter().any(|l| l.starts_with(line)), "{line} is missing in {lines:#?}");
    }
}

#[test]
fn handed_over_with_the_story_in_the_consult_invite() {
    let mut town = Town::new(TownPlan { release: Release::Stay, ..TownPlan::default() });
    let caller = town.joined();
    let consult = town.received(DESK, &Method::Invite);
    let uui = consult.headers.get("User-to-User").expect("User-to-User");
    assert!(uui.starts_with("0476313B683D") && uui.ends_with(";encoding=hex"), "{uui}");
    let id = consult.headers.get("X-Handoff-Id").expect("an id").to_owned();
    assert_eq!(consult.headers.get("X-Handoff-Trigger"), Some("dtmf"));
    assert_eq!(consult.headers.get("X-Handoff-Score"), Some("0"));
    let url = format!("https://ctx.example.com/h/{id}");
    assert_eq!(consult.headers.get("X-Handoff-Url"), Some(url.as_str()));
    assert_eq!(consult.headers.get("Call-Info"), Some(format!("<{url}>;purpose=info").as_str()));
    assert!(town.received_bytes(DESK, &Method::Invite).len() <= 1300);
    assert_eq!(town.offered_call_ids(), [consult.call_id().to_owned()]);
    assert_eq!(town.states(), [TransferState::Joined]);
    assert!(town.events(BOT).iter().any(|event| matches!(event, DialogEvent::Ended { by_remote: true, .. })));
    assert_eq!(town.outcomes(), [HandoffOutcome::Joined]);
    town.hang_up(CALLER, caller);
    let bye = town.received(DESK, &Method::Bye);
    assert!(bye.headers.get("Reason").is_some_and(|reason| reason.contains("Caller hung up")));
    town.expect_empty();
}

#[test]
fn a_consult_invite_that_would_be_too_long_is_trimmed_and_says_so() {
    let base = format!("https://{}.example.com/h/", "x".repeat(140));
    let caller_name = "A caller whose name is as long as names in directories get ".repeat(3);
    let mut town = Town::new(TownPlan { url_base: base, caller_name, ..TownPlan::default() });
    town.joined();
    assert!(town.received_bytes(DESK, &Method::Invite).len() <= 1300);
    let consult = town.received(DESK, &Method::Invite);
    assert!(consult.headers.contains("User-to-User"));
    assert!(!consult.headers.contains("Call-Info"));
    assert!(
        town.notes().iter().any(|note| note.contains("trimmed to 1300 octets: without Call-Info")),
        "{:?}",
        town.notes()
    );
}

#[test]
fn nothing_is_trimmed_that_would_have_fitted() {
    let mut sizes = Vec::new();
    for length in 0..90 {
        let base = format!("https://ctx.example.com/{}/", "x".repeat(length));
        let mut town = Town::new(TownPlan { url_base: base.clone(), ..TownPlan::default() });
        town.joined();
        let size = town.received_bytes(DESK, &Method::Invite).len();
        let info = town.received(DESK, &Method::Invite).headers.contains("Call-Info");
        // Call-Info is the first to go: how long it would have been with it.
        let whole = if info { size } else { size + "Call-Info: <>;purpose=info\r\n".len() + base.len() + 26 };
        assert!(size <= 1300, "{length}: {size}");
        assert!(info || whole > 1300 - 4, "{length}: {whole} would have fitted");
        sizes.push(info);
    }
    assert!(sizes.contains(&true) && sizes.contains(&false), "both sides of the limit were seen");
}

#[test]
fn the_json_part_is_there_only_when_the_desk_is_known_to_take_it() {
    let transport = sip_proto::Transport::Tcp;
    let mut town = Town::new(TownPlan { multipart: true, desk_transport: transport, ..TownPlan::default() });
    town.joined();
    let consult = town.received(DESK, &Method::Invite);
    let body = String::from_utf8_lossy(&consult.body).into_owned();
    assert!(body.contains("application/vnd.warmline.handoff+json") && body.contains("\"trigger\":\"dtmf\""), "{body}");
    assert!(consult.headers.get("Call-Info").is_some_and(|info| info.starts_with("<cid:")));

    let mut town = Town::new(TownPlan { multipart: true, ..TownPlan::default() });
    town.joined();
    assert!(town.received_bytes(DESK, &Method::Invite).len() <= 1300);
    let consult = town.received(DESK, &Method::Invite);
    assert_eq!(consult.headers.get("Content-Type"), Some("application/sdp"), "over UDP it does not fit");
    assert!(consult.headers.get("Call-Info").is_none_or(|info| !info.contains("cid:")));
}

#[test]
fn released_by_refer_with_replaces() {
    let mut town = Town::new(TownPlan { release: Release::Auto, ..TownPlan::default() });
    town.joined();
    town.wait(Duration::from_secs(3));
    let refer = town.received(CALLER, &Method::Refer);
    let value = refer.headers.get("Refer-To").expect("Refer-To").to_owned();
    let uri = Uri::parse(value.trim_matches(['<', '>'])).expect("a URI");
    let replaces = Replaces::from_refer_to(&uri).expect("Replaces").expect("well formed");
    let consult = town.received(DESK, &Method::Invite);
    assert_eq!(replaces.call_id, consult.call_id());
    assert_eq!(Some(replaces.from_tag), consult.from_tag());
    assert_eq!(town.matches(DESK, &value), Some(true), "the desk finds the dialog it shall replace");
    assert_eq!(uri.header("Require").as_deref(), Some("replaces"));
    assert_eq!(uri.header("User-to-User").as_deref(), consult.headers.get("User-to-User"));
    assert!(refer.headers.contains("Referred-By"));

    town.answer_refer(CALLER, 202);
    town.notify(CALLER, "SIP/2.0 100 Trying", "active;expires=60");
    town.hang_up_established(DESK);
    town.notify(CALLER, "SIP/2.0 200 OK", "terminated;reason=noresource");
    town.wait(Duration::from_millis(999));
    assert!(town.try_received(CALLER, &Method::Bye).is_none());
    town.wait(Duration::from_millis(1));
    let bye = town.received(CALLER, &Method::Bye);
    assert_eq!(bye.headers.get("Reason"), Some("SIP;cause=200;text=\"Transferred\""));
    assert_eq!(town.outcomes(), [HandoffOutcome::Released]);
    assert_eq!(town.end_causes(), [EndReason::Released]);
    town.expect_empty();
}

#[test]
fn a_trunk_that_refuses_refer_is_not_asked_again_for_a_day() {
    let mut town = Town::new(TownPlan { release: Release::Auto, ..TownPlan::default() });
    let caller = town.joined();
    town.wait(Duration::from_secs(3));
    town.answer_refer(CALLER, 603);
    assert_eq!(town.states(), [TransferState::Joined]);
    assert_eq!(town.outcomes(), [HandoffOutcome::Joined]);
    town.hang_up(CALLER, caller);
    town.expect_empty();
    let refers = town.count_received(CALLER, &Method::Refer);
    town.joined();
    town.wait(Duration::from_secs(10));
    assert_eq!(town.count_received(CALLER, &Method::Refer), refers);
}

#[test]
fn refer_from_anybody_is_declined() {
    let mut town = Town::new(TownPlan::default());
    let caller = town.call("1000");
    town.refer(CALLER, caller, "sip:elsewhere@example.com");
    let refused = town.events(CALLER).iter().any(|event| matches!(event, DialogEvent::ReferRefused { code: 603, .. }));
    assert!(refused, "{:?}", town.events(CALLER));
    assert_eq!(town.states(), [TransferState::WithBot]);
    assert!(town.notes().iter().any(|note| note.starts_with("REFER declined")));
}

#[test]
fn calls_that_are_refused_at_the_door_have_a_status_and_a_cause() {
    let mut town = Town::new(TownPlan { routes: vec![], ..TownPlan::default() });
    town.call("1000");
    assert_eq!(town.refusals(CALLER), [404]);
    assert_eq!(town.end_causes(), [EndReason::NoRoute]);
    town.expect_empty();

    let mut town = Town::new(TownPlan { call_limit: 1, ..TownPlan::default() });
    town.call("1000");
    town.call("1000");
    assert_eq!(town.refusals(CALLER), [503]);
    assert_eq!(town.end_causes(), [EndReason::NoCapacity]);

    let mut town = Town::new(TownPlan { rtp_ports: (20_000, 20_003), ..TownPlan::default() });
    town.call("1000");
    town.call("1000");
    assert_eq!(town.refusals(CALLER), [503]);

    let mut town = Town::new(TownPlan::default());
    town.switchboard.drain(town.now);
    town.call("1000");
    assert_eq!(town.refusals(CALLER), [503]);
    assert!(town.received_response(CALLER, 503).headers.contains("Retry-After"));
    town.expect_empty();
}

#[test]
fn only_trunks_may_call() {
    let mut town = Town::new(TownPlan::default());
    town.call_from(DESK, "1000");
    assert_eq!(town.refusals(DESK), [403]);
    town.expect_empty();
}

#[test]
fn a_port_that_runs_out_midway_is_a_refusal_of_the_bot_not_a_silence() {
    let mut town = Town::new(TownPlan { rtp_ports: (20_000, 20_001), ..TownPlan::default() });
    town.call("1000");
    assert_eq!(town.refusals(CALLER), [503]);
    town.expect_empty();
}

#[test]
fn draining_lets_calls_that_are_up_go_on() {
    let mut town = Town::new(TownPlan::default());
    let caller = town.call("1000");
    town.switchboard.drain(town.now);
    town.wait(Duration::from_secs(30));
    assert_eq!(town.states(), [TransferState::WithBot]);
    town.hang_up(CALLER, caller);
    town.expect_empty();
}

#[test]
fn a_desk_that_answers_after_the_caller_has_gone_is_told_and_hung_up() {
    let mut town = Town::new(TownPlan { desk_answers: false, ..TownPlan::default() });
    let caller = town.call("1000");
    town.press_zero();
    town.wait(Duration::from_secs(2));
    assert_eq!(town.states(), [TransferState::Consulting]);
    // The desk's 200 and our CANCEL cross.
    town.hold_mail(true);
    town.hang_up(CALLER, caller);
    town.answer_waiting(DESK);
    town.hold_mail(false);
    town.wait(Duration::from_secs(1));
    assert!(town.media().iter().any(
        |command| matches!(command, MediaCommand::Feed { from, .. } if *from == Selector::Prompt(Prompt::CallerGone))
    ));
    town.wait(Duration::from_secs(3));
    assert!(town.try_received(DESK, &Method::Bye).is_some(), "{:#?}", town.sip_lines());
    assert_eq!(town.outcomes(), [HandoffOutcome::CallerGone]);
    assert!(town.notes().iter().any(|note| note == "answered after the caller had gone"));
    town.expect_empty();
}

#[test]
fn straight_to_a_desk() {
    let routes = vec![town::route_to(RouteTo::Desk("anna".to_owned()))];
    let mut town = Town::new(TownPlan { routes, ..TownPlan::default() });
    let caller = town.call("human");
    assert_eq!(town.states(), [TransferState::Joined]);
    assert!(!town.received(DESK, &Method::Invite).headers.contains("User-to-User"));
    town.hang_up(CALLER, caller);
    town.expect_empty();
}

#[test]
fn each_party_gets_what_it_offered_when_the_codecs_differ() {
    let mut town = Town::new(TownPlan { bot_codecs: vec![call_model::Codec::Pcmu], ..TownPlan::default() });
    town.call("1000");
    let remotes: Vec<_> = town
        .media()
        .iter()
        .filter_map(|command| match command {
            MediaCommand::Remote { leg, media } => Some((leg.index, media.codec.name())),
            _ => None,
        })
        .collect();
    // The bot takes PCMU only; the caller has it too, so nothing is converted.
    assert_eq!(remotes, [(1, "PCMU"), (0, "PCMU")]);
}

#[test]
fn a_caller_who_lets_us_make_the_offer_is_connected_all_the_same() {
    let mut town = Town::new(TownPlan::default());
    town.late_offer = true;
    let caller = town.call("1000");
    assert_eq!(town.states(), [TransferState::WithBot]);
    let known = |command: &MediaCommand| matches!(command, MediaCommand::Remote { leg, .. } if leg.index == 0);
    assert!(town.media().iter().any(known), "{:?}", town.media());
    town.hang_up(CALLER, caller);
    town.expect_empty();
}

#[test]
fn the_page_of_another_desk_cannot_act() {
    let mut town = Town::new(TownPlan::default());
    town.call("1000");
    town.press_zero();
    town.wait(Duration::from_secs(2));
    let handoff = town.handoff();
    let act = |town: &mut Town, desk: &str| {
        let now = town.now;
        town.switchboard.handle_desk(&DeskId(desk.to_owned()), DeskAction::Accepted(handoff), now)
    };
    assert_eq!(act(&mut town, "nobody"), Err(DeskRefused::UnknownDesk));
    assert_eq!(act(&mut town, "ben"), Err(DeskRefused::NotYours));
}

#[test]
fn a_page_brings_its_audio_by_an_offer_and_leaves_nothing_behind() {
    let mut town = Town::new(TownPlan { browser: true, ..TownPlan::default() });
    let caller = town.call("1000");
    town.press_zero();
    town.wait(Duration::from_secs(2));
    let (handoff, now) = (town.handoff(), town.now);
    let [anna, ben] = ["anna", "ben"].map(|name| DeskId(name.to_owned()));
    let offer = |town: &mut Town, desk: &DeskId, sdp: &str| {
        let answer = town.switchboard.handle_offer(desk, handoff, sdp, now);
        town.deliver();
        answer
    };
    let fingerprint = ["AB"; 32].join(":");
    let good = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\nc=IN IP4 0.0.0.0\r\n\
         a=rtcp-mux\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=sendrecv\r\n"
    );
    assert_eq!(offer(&mut town, &anna, &good), Err(DeskRefused::NotAccepted));
    town.switchboard.handle_desk(&anna, DeskAction::Accepted(handoff), now).expect("anna's");
    town.deliver();
    assert!(matches!(offer(&mut town, &anna, "v=0\r\n"), Err(DeskRefused::Unusable(_))));
    assert_eq!(offer(&mut town, &ben, &good), Err(DeskRefused::TooLate));
    let first = offer(&mut town, &anna, &good).expect("an answer");
    assert!(first.contains("a=ice-lite") && first.contains(" PCMU/8000") && !first.contains(" PCMA/8000"), "{first}");
    assert_eq!(town.states(), [TransferState::Joined]);
    assert_eq!(town.count_received(DESK, &Method::Invite), 0);

    // Loaded again: the same leg at the same port, under other names.
    let second = offer(&mut town, &anna, &good).expect("an answer");
    let port = |sdp: &str| sdp.lines().find(|line| line.starts_with("m=")).map(str::to_owned);
    assert!(port(&first) == port(&second) && first != second, "{second}");
    let known = town.media().iter().filter_map(|command| match command {
        MediaCommand::Remote { leg, media } if leg.index == 2 => media.ice,
        _ => None,
    });
    assert_eq!(known.count(), 2);
    town.hang_up(CALLER, caller);
    town.expect_empty();
}

#[test]
fn control_events_need_the_token_of_their_call() {
    use call_core::ControlRefused;
    use call_model::{CallId, FactKind};
    let mut town = Town::new(TownPlan::default());
    town.call("1000");
    let call = town.switchboard.calls().next().expect("a call").id;
    let now = town.now;
    let refused = |result| assert_eq!(result, Err(ControlRefused::WrongToken));
    refused(town.switchboard.handle_control(call, "", FactKind::AskedForHuman, now));
    refused(town.switchboard.handle_control(call, &"0".repeat(32), FactKind::AskedForHuman, now));
    let unknown = town.switchboard.handle_control(CallId(1), "x", FactKind::AskedForHuman, now);
    assert_eq!(unknown, Err(ControlRefused::UnknownCall));
}

#[test]
fn keys_in_info_count_as_keys() {
    let mut town = Town::new(TownPlan::default());
    let caller = town.call("1000");
    town.info(CALLER, caller, "application/dtmf-relay", b"Signal=0\r\nDuration=160\r\n");
    town.wait(Duration::from_secs(2));
    assert_eq!(town.states(), [TransferState::Joined], "handed over, and anna accepts at once");
}

#[test]
fn media_that_fails_to_open_refuses_the_caller() {
    let mut town = Town::new(TownPlan { bot_answers: false, ..TownPlan::default() });
    town.call("1000");
    let leg = town.media()[0].leg();
    town.media_event(MediaEvent::Failed {
        leg,
        reason: call_model::EndReason::NoCapacity,
        why: "address in use".to_owned(),
    });
    assert_eq!(town.refusals(CALLER), [503]);
    town.wait(Duration::from_secs(40));
    town.expect_empty();
}

#[test]
fn nonsense_on_the_wire_is_dropped_and_counted() {
    let mut town = Town::new(TownPlan::default());
    let mut seed = 1u64;
    for length in 0..500usize {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as u8
            })
            .collect();
        let now = town.now;
        town.switchboard.handle_datagram(town::flow(CALLER), &bytes, now);
        town.deliver();
    }
    town.expect_empty();
}

#[test]
fn every_prefix_of_a_real_call_is_survived() {
    let mut town = Town::new(TownPlan::default());
    town.joined();
    let seen = town.wire_to_gateway();
    for (from, bytes) in &seen {
        for cut in (0..bytes.len()).step_by(7) {
            let now = town.now;
            town.switchboard.handle_datagram(town::flow(*from), &bytes[..cut], now);
            while let Some(output) = town.switchboard.poll_output() {
                if let Output::Trace(event) = output {
                    assert!(!matches!(event.kind, TraceKind::Ended { .. }) || event.call.is_some());
                }
            }
            town.switchboard.check().expect("the invariants hold");
        }
    }
    assert_eq!(Message::parse_datagram(&seen[0].1).map(|message| message.is_request()).ok(), Some(true));
    assert_eq!(GATEWAY.to_string(), "127.0.0.1:5060");
}
