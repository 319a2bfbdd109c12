//! Registering with a registrar, and being one: two endpoints, and a registrar played by hand.

use crate::harness::*;
use call_model::Secret;
use core::time::Duration;
use sip_proto::{
    Credentials, EndpointConfig, RegisterRequest, Registrar, RegistrationEvent as R, RegistrationId, Seat, Transport,
};
use sip_wire::{Message, Method};

const REGISTRAR: &str = "198.51.100.20:5060";

fn credentials(password: &str) -> Credentials {
    Credentials { realm: "warmline".to_owned(), username: "ada".to_owned(), password: Secret::new(password) }
}

fn request(world: &World, to: &str, password: &str, expires: u32) -> RegisterRequest {
    RegisterRequest {
        flow: world.flow(A, to),
        registrar: uri(&format!("sip:{to}")),
        aor: uri("sip:ada@warmline.example"),
        contact_user: "ada".to_owned(),
        expires,
        credentials: Some(credentials(password)),
    }
}

/// B takes registrations of `ada` from A's address.
fn world(seed: u64) -> World {
    let mut world = World::new(seed, PERFECT);
    let from = vec![(address(A).ip(), 32)];
    let seat = Seat { user: "ada".to_owned(), password: Secret::new("secret"), from };
    let registrar = Registrar { seats: vec![seat], ..Registrar::default() };
    world.add(B, EndpointConfig { registrar, ..EndpointConfig::default() });
    world
}

fn register(world: &mut World, to: &str, password: &str, expires: u32) -> RegistrationId {
    let request = request(world, to, password, expires);
    world.on(A, |endpoint, now| endpoint.register(request, now))
}

fn events(world: &mut World, at: &str) -> Vec<R> {
    core::mem::take(&mut world.node(at).registrations)
}

fn registers(world: &mut World) -> Vec<Message> {
    let messages = &world.node(A).messages;
    messages.iter().filter(|message| message.method() == Some(&Method::Register)).cloned().collect()
}

/// The answer of a registrar played by hand to the last REGISTER.
fn answer(world: &mut World, code: u16, extra: &[(&str, &str)]) {
    let mut response = world.outside.last().expect("something was sent").1.response_to(code, "", Some("r-1"));
    for (name, value) in extra {
        response.headers.push(name, *value);
    }
    world.inject(REGISTRAR, A, &response.to_bytes());
}

#[test]
fn a_registration_is_refreshed_at_about_half_its_time_with_one_call_id_and_taken_back() {
    let mut world = world(1);
    let id = register(&mut world, B, "secret", 600);
    world.run_for(Duration::from_secs(2));
    assert!(matches!(events(&mut world, A)[..], [R::Registered { first: true, lasts, .. }] if lasts.as_secs() == 600));
    assert!(matches!(&events(&mut world, B)[..], [R::Bound { user, first: true, .. }] if user == "ada"));
    world.run_for(Duration::from_secs(600));
    assert!(matches!(events(&mut world, A)[..], [R::Registered { first: false, .. }, ..]));
    let sent = registers(&mut world);
    // The first was challenged; later ones use the nonce on until it is stale.
    assert!(sent.len() >= 4, "{}", sent.len());
    assert!(sent.windows(2).all(|two| two[0].call_id() == two[1].call_id()));
    assert!(sent.windows(2).all(|two| two[0].cseq().unwrap().number + 1 == two[1].cseq().unwrap().number));
    let now = world.now;
    let view = world.node(A).endpoint.registration(id).expect("registered").clone();
    assert!(view.until.is_some_and(|until| until > now) && view.trouble.is_none(), "{view:?}");
    events(&mut world, B);
    world.on(A, |endpoint, now| endpoint.unregister(id, now));
    world.run_for(Duration::from_secs(1));
    assert!(matches!(events(&mut world, A)[..], [R::Left { .. }]));
    assert!(matches!(&events(&mut world, B)[..], [R::Unbound { .. }]));
    assert!(world.node(B).endpoint.bindings("ada").is_empty());
    world.run_to_silence();
    world.assert_empty();
}

#[test]
fn a_refresh_comes_between_45_and_55_hundredths() {
    let mut world = world(2);
    for _ in 0..10 {
        register(&mut world, REGISTRAR, "secret", 1000);
    }
    world.run_for(Duration::from_secs(1));
    for (_, sent) in core::mem::take(&mut world.outside) {
        let contact = sent.headers.get("Contact").expect("a contact").replace("expires=1000", "expires=100");
        let mut response = sent.response_to(200, "", Some("r"));
        response.headers.push("Contact", contact);
        response.headers.push("Expires", "700");
        world.inject(REGISTRAR, A, &response.to_bytes());
    }
    let now = world.now;
    let next = (1..=10).map(|id| world.node(A).endpoint.registration(RegistrationId(id)).unwrap().next.unwrap());
    let mut waits: Vec<u64> = next.map(|next| next.since(now).as_secs()).collect();
    assert!(waits.iter().all(|wait| (44..=55).contains(wait)), "the time of our contact counts: {waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 3, "not all at once: {waits:?}");
}

#[test]
fn too_short_a_time_is_made_longer_once_asked_and_not_for_ever() {
    let mut world = world(3);
    let id = register(&mut world, B, "secret", 30);
    world.run_for(Duration::from_secs(2));
    assert!(matches!(events(&mut world, A)[..], [R::Registered { lasts, .. }] if lasts.as_secs() == 60));
    world.on(A, |endpoint, now| endpoint.unregister(id, now));
    register(&mut world, REGISTRAR, "secret", 60);
    world.run_for(Duration::from_secs(2));
    for least in ["120", "240", "480"] {
        answer(&mut world, 423, &[("Min-Expires", least)]);
        let asked = world.outside.last().unwrap().1.headers.get("Expires").map(str::to_owned);
        assert_eq!(asked.as_deref(), Some(least));
    }
    events(&mut world, A);
    answer(&mut world, 423, &[("Min-Expires", "960")]);
    assert!(matches!(&events(&mut world, A)[..], [R::NotRegistered { why, .. }] if why.contains("423")));
}

#[test]
fn every_refusal_says_what_to_do_and_waits_grow() {
    let mut world = world(4);
    register(&mut world, REGISTRAR, "secret", 600);
    let mut waits = Vec::new();
    for (code, extra, says) in [
        (403, vec![], "403 Forbidden: sip:ada@warmline.example is barred, or may not register from 192.0.2.1"),
        (302, vec![("Contact", "<sip:other.example>")], "302 Moved Temporarily to sip:other.example: not followed"),
        (404, vec![], "it does not know sip:ada@warmline.example"),
        (401, vec![("WWW-Authenticate", "Digest realm=\"other\", nonce=\"n\"")], "it asks for the realm \"other\""),
        (503, vec![("Retry-After", "3000")], "503 Service Unavailable"),
        (200, vec![("Expires", "0")], "grants no time"),
    ] {
        let before = world.outside.len();
        while world.outside.len() == before {
            assert!(world.step(world.now + Duration::from_secs(4000)));
        }
        answer(&mut world, code, &extra);
        let events = events(&mut world, A);
        let [R::NotRegistered { why, again, .. }] = &events[..] else { panic!("{code}: {events:?}") };
        assert!(why.contains(says), "{why}");
        waits.push(again.as_secs());
    }
    assert!((30..=60).contains(&waits[0]) && (60..=120).contains(&waits[1]), "{waits:?}");
    assert!((120..=240).contains(&waits[2]) && (240..=480).contains(&waits[3]), "{waits:?}");
    assert_eq!(waits[4], 3000);
    assert!((900..=1800).contains(&waits[5]), "{waits:?}");
}

#[test]
fn silence_is_no_registration_and_leaving_does_not_wait_for_it() {
    let mut world = world(5);
    let id = register(&mut world, REGISTRAR, "secret", 600);
    world.run_for(Duration::from_secs(2));
    answer(&mut world, 200, &[]);
    world.run_for(Duration::from_secs(400));
    let events_of = events(&mut world, A);
    assert!(matches!(&events_of[1..], [R::NotRegistered { why, .. }, ..] if why.contains("does not answer")));
    let view = world.node(A).endpoint.registration(id).expect("still tried").clone();
    assert!(view.until.is_some_and(|until| until > world.now), "the last yes still holds: {view:?}");
    world.on(A, |endpoint, now| endpoint.unregister(id, now));
    world.run_for(Duration::from_secs(4));
    assert!(matches!(events(&mut world, A)[..], [.., R::Left { .. }]));
    assert_eq!(world.node(A).endpoint.registration_count(), 0);
    world.run_to_silence();
}

#[test]
fn a_connection_that_breaks_is_opened_again_by_registering() {
    let mut world = world(6);
    world.transport = Transport::Tcp;
    register(&mut world, B, "secret", 600);
    world.run_for(Duration::from_secs(2));
    let before = registers(&mut world).len();
    let (there, here) = (world.flow(B, A), world.flow(A, B));
    world.on(B, |endpoint, now| endpoint.handle_flow_failed(there, now));
    assert!(world.node(B).endpoint.bindings("ada").is_empty(), "nobody can be called over it");
    world.on(A, |endpoint, now| endpoint.handle_flow_failed(here, now));
    world.run_for(Duration::from_secs(2));
    assert!(registers(&mut world).len() > before);
    assert_eq!(world.node(B).endpoint.bindings("ada").len(), 1);
}

// --- the registrar

/// REGISTER by hand, from an address, answered until it is done; gives the last answer.
struct Telephone {
    at: &'static str,
    cseq: u32,
    password: &'static str,
    user: &'static str,
}

impl Telephone {
    fn new(at: &'static str) -> Self {
        Self { at, cseq: 0, password: "secret", user: "ada" }
    }

    fn send(&mut self, world: &mut World, contact: &str, expires: &str, authorization: Option<String>) -> Message {
        self.cseq += 1;
        let (at, cseq, user) = (self.at, self.cseq, self.user);
        let mut text = format!(
            "REGISTER sip:{B} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch=z9hG4bKt{cseq}{}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@warmline>;tag=t\r\nTo: <sip:{user}@warmline>\r\nCall-ID: t@{at}\r\nCSeq: {cseq} REGISTER\r\n",
            contact.len()
        );
        if !contact.is_empty() {
            text.push_str(&format!("Contact: {contact}\r\n"));
        }
        if !expires.is_empty() {
            text.push_str(&format!("Expires: {expires}\r\n"));
        }
        if let Some(value) = authorization {
            text.push_str(&format!("Authorization: {value}\r\n"));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        world.inject(self.at, B, text.as_bytes());
        world.outside.last().expect("an answer").1.clone()
    }

    /// With the proof that the first answer asks for.
    fn register(&mut self, world: &mut World, contact: &str, expires: &str) -> Message {
        let challenge = self.send(world, contact, expires, None);
        assert_eq!(challenge.code(), Some(401), "whoever asks");
        let nonce = challenge.headers.get("WWW-Authenticate").and_then(|value| value.split("nonce=\"").nth(1));
        let nonce = nonce.and_then(|rest| rest.split('"').next()).expect("a nonce").to_owned();
        let proof = proof(self.user, self.password, &nonce);
        self.send(world, contact, expires, Some(proof))
    }
}

fn proof(user: &str, password: &str, nonce: &str) -> String {
    use md5::Digest as _;
    let hash = |text: String| md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (one, two) = (hash(format!("{user}:warmline:{password}")), hash(format!("REGISTER:sip:{B}")));
    let response = hash(format!("{one}:{nonce}:00000001:0a:auth:{two}"));
    format!(
        "Digest username=\"{user}\", realm=\"warmline\", nonce=\"{nonce}\", uri=\"sip:{B}\", response=\"{response}\", \
         algorithm=MD5, qop=auth, nc=00000001, cnonce=\"0a\""
    )
}

/// B knows `ada`, who may be anywhere in 203.0.113.0/24.
fn town() -> World {
    let mut world = World::new(9, PERFECT);
    let from = vec![("203.0.113.0".parse().expect("an address"), 24)];
    let seat = Seat { user: "ada".to_owned(), password: Secret::new("secret"), from };
    let registrar = Registrar { seats: vec![seat], ..Registrar::default() };
    world.add(B, EndpointConfig { registrar, ..EndpointConfig::default() });
    world
}

fn reached(world: &mut World) -> Vec<String> {
    world.node(B).endpoint.bindings("ada").iter().map(|one| one.flow.remote.to_string()).collect()
}

#[test]
fn only_the_address_a_register_came_from_is_ever_called() {
    for (contact, called) in [
        ("<sip:ada@203.0.113.7:5070>", "203.0.113.7:5070"),
        ("<sip:ada@203.0.113.7>", "203.0.113.7:5060"),
        // Behind NAT, or by intent: an expensive number, a neighbour, us.
        ("<sip:ada@192.168.1.9:5060>", "203.0.113.7:4000"),
        ("<sip:+882990000000@198.51.100.1>", "203.0.113.7:4000"),
        ("<sip:ada@pstn.example.com>", "203.0.113.7:4000"),
        ("<sip:ada@192.0.2.2:5060>", "203.0.113.7:4000"),
    ] {
        let mut world = town();
        let ok = Telephone::new("203.0.113.7:4000").register(&mut world, contact, "600");
        assert_eq!(ok.code(), Some(200));
        assert_eq!(reached(&mut world), [called], "{contact}");
        assert!(ok.headers.get("Contact").is_some_and(|value| value.starts_with(contact)), "{ok:?}");
    }
}

#[test]
fn nobody_learns_who_is_known() {
    let mut world = town();
    let wrong = |at, user, password| Telephone { at, cseq: 0, password, user };
    for mut telephone in [
        wrong("203.0.113.7:5060", "ada", "guess"),
        wrong("203.0.113.7:5060", "nobody", "secret"),
        wrong("198.51.100.9:5060", "ada", "secret"),
    ] {
        let answer = telephone.register(&mut world, "<sip:x@203.0.113.7>", "600");
        assert_eq!(answer.code(), Some(401), "{}", telephone.user);
        assert!(!answer.headers.get("WWW-Authenticate").unwrap().contains("stale=true"));
    }
    assert!(world.node(B).endpoint.bindings("ada").is_empty());
}

#[test]
fn times_are_bounded_and_run_out() {
    let mut world = town();
    let mut telephone = Telephone::new("203.0.113.7:5060");
    let short = telephone.register(&mut world, "<sip:ada@203.0.113.7>", "10");
    assert_eq!((short.code(), short.headers.get("Min-Expires")), (Some(423), Some("60")));
    let long = telephone.register(&mut world, "<sip:ada@203.0.113.7>;expires=999999", "60");
    assert!(long.headers.get("Contact").is_some_and(|value| value.ends_with(";expires=3600")), "{long:?}");
    world.run_for(Duration::from_secs(3599));
    assert_eq!(reached(&mut world).len(), 1);
    world.run_for(Duration::from_secs(2));
    assert!(reached(&mut world).is_empty());
    let told = events(&mut world, B);
    assert!(matches!(told.last(), Some(R::Unbound { why: "its registration has run out", .. })), "{told:?}");
}

#[test]
fn several_telephones_are_kept_the_latest_last_and_they_sign_off_alone_or_together() {
    let mut world = town();
    for at in ["203.0.113.1:5060", "203.0.113.2:5060", "203.0.113.3:5060", "203.0.113.4:5060", "203.0.113.5:5060"] {
        Telephone::new(at).register(&mut world, &format!("<sip:ada@{at}>"), "600");
    }
    let four = ["203.0.113.2:5060", "203.0.113.3:5060", "203.0.113.4:5060", "203.0.113.5:5060"];
    assert_eq!(reached(&mut world), four);
    let mut third = Telephone { cseq: 10, ..Telephone::new("203.0.113.3:5060") };
    let left = third.register(&mut world, "<sip:ada@203.0.113.3:5060>;expires=0", "");
    assert_eq!(left.headers.get_all("Contact").count(), 3, "{left:?}");
    let asked = third.register(&mut world, "", "");
    assert_eq!((asked.code(), asked.headers.get_all("Contact").count()), (Some(200), 3), "asking changes nothing");
    assert_eq!(third.register(&mut world, "*", "60").code(), Some(400));
    assert_eq!(third.register(&mut world, "*", "0").code(), Some(200));
    assert!(reached(&mut world).is_empty());
}

#[test]
fn a_late_copy_does_not_bring_back_what_has_signed_off_and_nonsense_changes_nothing() {
    let mut world = town();
    let mut telephone = Telephone { cseq: 10, ..Telephone::new("203.0.113.7:5060") };
    assert_eq!(telephone.register(&mut world, "<sip:ada@203.0.113.7:5060>", "600").code(), Some(200));
    telephone.cseq = 3;
    assert_eq!(telephone.register(&mut world, "<sip:ada@203.0.113.7:5060>", "700").code(), Some(500));
    telephone.cseq = 20;
    let long = format!("<sip:{}@203.0.113.7>", "a".repeat(300));
    for contact in ["<tel:+882990000000>", "<mailto:ada@example.com>", &long] {
        assert_eq!(telephone.register(&mut world, contact, "600").code(), Some(400), "{contact}");
    }
    assert_eq!(reached(&mut world), ["203.0.113.7:5060"]);
}

#[test]
fn without_telephones_there_is_no_registrar() {
    let mut world = World::new(1, PERFECT);
    let answer = Telephone::new("203.0.113.7:5060").send(&mut world, "<sip:ada@203.0.113.7>", "600", None);
    assert_eq!(answer.code(), Some(405));
}
