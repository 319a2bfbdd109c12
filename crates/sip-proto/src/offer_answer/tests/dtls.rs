//! DTLS-SRTP in offer and answer (RFC 5763, RFC 8842).

use super::*;
use call_model::{DtlsPeer, Fingerprint, Keying};

const OURS: Fingerprint = Fingerprint([0xa1; 32]);
const THEIRS: Fingerprint = Fingerprint([0xb2; 32]);

fn ours() -> LocalMedia {
    our_side(SrtpUse::Dtls(OURS))
}

fn session() -> Session {
    secured(SrtpUse::Dtls(OURS), 1)
}

fn hex(fingerprint: Fingerprint) -> String {
    fingerprint.0.map(|octet| format!("{octet:02x}")).join(":")
}

/// Theirs, with these attributes.
fn offer(attributes: &[&str]) -> String {
    let lines: String = attributes.iter().map(|line| format!("a={line}\r\n")).collect();
    format!("{}{lines}", OFFER.replace("RTP/AVP", "UDP/TLS/RTP/SAVP"))
}

fn named(fingerprint: Fingerprint) -> String {
    format!("fingerprint:SHA-256 {}", hex(fingerprint))
}

fn answered(session: &mut Session, attributes: &[&str]) -> Option<(String, DtlsPeer)> {
    let (answer, media) = session.answer(offer(attributes).as_bytes(), Some(ours())).ok()?;
    let Some(Keying::Dtls(peer)) = media.keying else { panic!("{media:?}") };
    Some((text(&answer), peer))
}

#[test]
fn an_offer_leaves_the_part_to_the_peer_and_names_our_certificate() {
    let offer = text(&session().offer(ours()));
    assert_eq!(line(&offer, "m="), "m=audio 30002 UDP/TLS/RTP/SAVP 0 8 101");
    assert_eq!(line(&offer, "a=fingerprint:"), format!("a=fingerprint:sha-256 {}", hex(OURS).to_uppercase()));
    assert_eq!(line(&offer, "a=setup:"), "a=setup:actpass");
    assert!(offer.contains("a=rtcp-mux\r\n") && !offer.contains("a=crypto"));
}

#[test]
fn both_parts_are_taken_and_the_passive_one_is_preferred() {
    let certificate = named(THEIRS);
    for (setup, answer, active) in [
        ("setup:actpass", "a=setup:passive", false),
        ("setup:active", "a=setup:passive", false),
        ("setup:passive", "a=setup:active", true),
        ("x", "a=setup:passive", false),
    ] {
        let (said, peer) = answered(&mut session(), &[&certificate, setup]).expect("answered");
        assert_eq!(peer, DtlsPeer { active, certificate: THEIRS });
        assert_eq!(line(&said, "a=setup:"), answer);
        assert_eq!(line(&said, "m="), "m=audio 30002 UDP/TLS/RTP/SAVP 0 101");
        assert!(!said.contains("rtcp-mux"), "which was not offered");
    }
    assert!(answered(&mut session(), &[&certificate, "setup:holdconn"]).is_none());
}

#[test]
fn the_certificate_may_stand_for_the_whole_session_but_must_be_there() {
    let of_session = offer(&[]).replace("m=audio", &format!("a={}\r\na=setup:active\r\nm=audio", named(THEIRS)));
    let (_, media) = session().answer(of_session.as_bytes(), Some(ours())).expect("answered");
    assert_eq!(media.keying, Some(Keying::Dtls(DtlsPeer { active: false, certificate: THEIRS })));
    for fingerprint in [
        "x".to_owned(),
        format!("fingerprint:sha-1 {}", &hex(THEIRS)[..59]),
        format!("fingerprint:sha-256 {}", &hex(THEIRS)[..92]),
        format!("fingerprint:sha-256 {}:00", hex(THEIRS)),
        format!("fingerprint:sha-256 {}", hex(THEIRS).replace("b2", "zz")),
        format!("fingerprint:sha-256 {}", hex(THEIRS).replace("b2", "+2")),
        format!("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
    ] {
        assert!(answered(&mut session(), &[&fingerprint, "setup:actpass"]).is_none(), "{fingerprint}");
        let parsed = Offer::parse(offer(&[&fingerprint]).as_bytes()).unwrap();
        assert!(!parsed.suits(SrtpUse::Dtls(OURS)) && !parsed.suits(SrtpUse::Off));
    }
    // The SHA-256 among several.
    let (_, peer) = answered(&mut session(), &["fingerprint:sha-1 00:11", &named(THEIRS)]).expect("answered");
    assert_eq!(peer.certificate, THEIRS);
}

#[test]
fn what_the_answer_says_decides_who_begins() {
    for (setup, active) in [("setup:active", false), ("setup:passive", true), ("x", true)] {
        let mut session = session();
        session.offer(ours());
        let answer = offer(&[&named(THEIRS), setup]);
        let media = session.answered(answer.as_bytes()).expect("agreed");
        assert_eq!(media.keying, Some(Keying::Dtls(DtlsPeer { active, certificate: THEIRS })));
        // Later offers of ours keep what was agreed.
        let again = text(&session.offer(ours()));
        assert_eq!(line(&again, "a=setup:"), if active { "a=setup:active" } else { "a=setup:passive" });
    }
    let mut session = session();
    session.offer(ours());
    assert_eq!(session.answered(OFFER.as_bytes()), Err(Unusable::NoCommonCodec), "in the clear");
}

#[test]
fn a_re_offer_keeps_the_parts_unless_it_names_another_certificate() {
    let mut session = session();
    let (_, first) = answered(&mut session, &[&named(THEIRS), "setup:passive"]).expect("answered");
    let (said, again) = answered(&mut session, &[&named(THEIRS), "setup:actpass"]).expect("answered");
    assert_eq!((again, line(&said, "a=setup:")), (first, "a=setup:active"));
    let other = Fingerprint([0xc3; 32]);
    let (said, changed) = answered(&mut session, &[&named(other), "setup:actpass"]).expect("answered");
    assert_eq!((changed, line(&said, "a=setup:")), (DtlsPeer { active: false, certificate: other }, "a=setup:passive"));
}

#[test]
fn reports_share_the_port_where_both_say_so() {
    let (said, _) = answered(&mut session(), &[&named(THEIRS), "rtcp-mux"]).expect("answered");
    assert!(said.contains("a=rtcp-mux\r\n"));
    for (mux, port) in [("rtcp-mux", 40_000), ("x", 40_001)] {
        let mut session = session();
        session.offer(ours());
        let media = session.answered(offer(&[&named(THEIRS), mux]).as_bytes()).expect("agreed");
        assert_eq!(media.rtcp.port(), port);
    }
    // Plain legs and those with keys go on with two ports, as before.
    let plain = format!("{OFFER}a=rtcp-mux\r\n");
    let (answer, media) = super::session().answer(plain.as_bytes(), None).expect("answered");
    assert!(!text(&answer).contains("rtcp-mux") && media.rtcp.port() == 40_001);
}
