//! What we send, received by each product: nothing is refused, and the agent sees which handoff it is, and why.

use call_core::profile::{self, Profile};
use call_core::{AcceptGate, Desk, HandoffFacts, Handover, Outgoing, consult_invite};
use call_model::{Codec, Direction, HandoffId, IdSource, Instant, LocalMedia, Trigger};
use contact_centres::{Refusal, Request, Screen, receive};
use proptest::prelude::*;
use sip_proto::{Endpoint, EndpointConfig, Flow, Output, Transport};
use sip_wire::Uri;
use std::sync::Arc;

/// The bytes of the consult INVITE that a desk with this profile gets.
fn invite(profile: Profile, facts: &HandoffFacts, transport: Transport, plain: bool) -> Vec<u8> {
    let target = Uri::parse("sip:+442079460000@192.0.2.13:5060").expect("a URI");
    let desk = Desk {
        name: "desk".to_owned(),
        uri: target.to_string(),
        targets: vec![call_core::Target::new(transport, "192.0.2.13:5060".parse().expect("an address"))],
        host: None,
        browser: false,
        handover: Handover::Warm,
        accept: AcceptGate::Auto,
        whisper: profile.whisper,
        codecs: vec![Codec::Pcmu],
        skills: vec![],
        languages: vec![],
        seniority: 0,
        capacity: 1,
        require_page: false,
        after_call: core::time::Duration::ZERO,
        priority: 0,
        replaces_from: vec![],
        multipart: true,
        post_digits: vec![],
        abilities: call_core::Abilities::default(),
        profile: Arc::new(profile),
        allowed_media: vec![],
        signalling: call_core::Signalling::default(),
    };
    let local = LocalMedia {
        rtp: "192.0.2.1:20000".parse().expect("an address"),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        telephone_event: 101,
        direction: Direction::SendRecv,
        srtp: Default::default(),
    };
    let flow =
        Flow { transport, local: "192.0.2.1:5060".parse().expect("an address"), remote: desk.targets[0].address };
    let outgoing = Outgoing {
        flow,
        may_grow: transport != Transport::Udp,
        target,
        caller_user: "+447700900123",
        withheld: None,
        caller_name: Some("Grace Hopper".to_owned()),
        session_id: "ab30317f1a784dc48ff824d0d3715d86",
        first_call_id: "a84b4c76e66710@198.51.100.20",
        call_id: None,
        max_forwards: 68,
        replaces: None,
        local,
    };
    let url = Some("https://ctx.example.com/v1/handoffs/");
    let invite = consult_invite(outgoing, &desk, facts, url, plain, "Warmline").expect("addresses can be written");
    let mut endpoint = Endpoint::new(EndpointConfig::default(), IdSource::from_u64(1));
    endpoint.invite(invite.request, Instant::ZERO);
    loop {
        match endpoint.poll_output().expect("an INVITE is sent") {
            Output::Transmit { bytes, .. } => return bytes,
            _ => continue,
        }
    }
}

fn seen(name: &str, facts: &HandoffFacts, transport: Transport, plain: bool) -> Result<Screen, Refusal> {
    let profile = profile::built_in(name).expect("shipped");
    receive(name, &invite(profile, facts, transport, plain)).expect("every shipped profile has an emulator")
}

fn any_facts() -> impl Strategy<Value = HandoffFacts> {
    let triggers = Trigger::ALL.map(Trigger::as_str).to_vec();
    (any::<u128>(), proptest::sample::select(triggers), any::<u8>()).prop_map(|(id, trigger, score)| HandoffFacts {
        id: HandoffId(id),
        trigger,
        score,
    })
}

proptest! {
    #[test]
    fn every_product_takes_it_and_shows_which_handoff_and_why(
        facts in any_facts(), tcp in any::<bool>(), plain in any::<bool>()
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        for name in profile::names() {
            let screen = match seen(name, &facts, transport, plain) {
                Ok(screen) => screen,
                Err(refusal) => return Err(TestCaseError::fail(format!("{name}: {refusal:?}"))),
            };
            prop_assert_eq!(&screen.lost, &Vec::<String>::new(), "{}", name);
            if name == "microsoft-teams" {
                // Nothing of ours reaches a Teams user by SIP, and the documentation says so.
                prop_assert!(screen.shows("+447700900123") && screen.fact("h").is_none());
                continue;
            }
            let (id, trigger, score) = (facts.id.to_string(), facts.trigger, facts.score.min(100).to_string());
            // Amazon's Lambda decodes User-to-User itself; the headers of our own tell it the same.
            prop_assert_eq!(screen.fact("h"), Some(id.as_str()), "{}: {:?}", name, screen);
            prop_assert_eq!(screen.fact("t"), Some(trigger), "{}: {:?}", name, screen);
            prop_assert_eq!(screen.fact("s"), Some(score.as_str()), "{}: {:?}", name, screen);
        }
    }
}

#[test]
fn avaya_is_given_a_universal_call_id_and_has_room_for_the_text() {
    let facts = HandoffFacts { id: HandoffId(u128::MAX), trigger: "failed_attempts", score: 100 };
    let screen = seen("avaya", &facts, Transport::Udp, false).expect("taken");
    assert_eq!(screen.get("UCID").map(str::len), Some(20));
    // A trunk group at its smallest size has no room for it: the documentation asks for 128.
    let bytes = invite(profile::built_in("avaya").expect("shipped"), &facts, Transport::Udp, false);
    let group = contact_centres::avaya::TrunkGroup { size: 32, ..Default::default() };
    let screen = contact_centres::avaya::receive(&Request::parse(&bytes).expect("a request"), group).expect("taken");
    assert!(screen.fields.is_empty() && screen.lost[0].contains("the trunk group takes 32"), "{screen:?}");
}

/// The generic form sent to a product that is choosier: what a profile is for.
#[test]
fn the_generic_form_does_not_do_everywhere() {
    let facts = HandoffFacts { id: HandoffId(7), trigger: "distress", score: 87 };
    let rich = invite(Profile::default(), &facts, Transport::Tcp, false);
    for name in profile::names().filter(|name| *name != "generic-pbx") {
        let refusal = receive(name, &rich).expect("known").expect_err(name);
        assert_eq!(refusal.status, 415, "{name}: the JSON part");
    }
    // Plain, it is taken; but Avaya's border element does not find what it looks for.
    let plain = invite(Profile::default(), &facts, Transport::Tcp, true);
    let screen = receive("avaya", &plain).expect("known").expect("taken");
    assert!(screen.fields.is_empty() && screen.lost[0].contains("00FA08"), "{screen:?}");
}
