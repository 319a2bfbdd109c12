use super::*;
use call_model::{Crypto, IdSource, SrtpSuite};
use proptest::prelude::*;

mod dtls;

const OFFER: &str = "v=0\r\no=trunk 49101 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

fn local(direction: Direction) -> LocalMedia {
    LocalMedia {
        rtp: "203.0.113.10:30002".parse().unwrap(),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        telephone_event: 101,
        direction,
        srtp: SrtpUse::Off,
    }
}

fn session() -> Session {
    Session::new(&mut IdSource::from_u64(1), local(Direction::SendRecv))
}

fn text(sdp: &[u8]) -> String {
    String::from_utf8(sdp.to_vec()).unwrap()
}

fn line<'a>(sdp: &'a str, start: &str) -> &'a str {
    sdp.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {sdp}"))
}

fn version(sdp: &[u8]) -> u64 {
    line(&text(sdp), "o=").split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn an_answer_names_one_codec_and_the_peers_telephone_event() {
    let offer = OFFER.replace("101", "96");
    let (answer, media) = session().answer(offer.as_bytes(), None).unwrap();
    let answer = text(&answer);
    assert_eq!(line(&answer, "m="), "m=audio 30002 RTP/AVP 0 96");
    assert_eq!(line(&answer, "c="), "c=IN IP4 203.0.113.10");
    assert!(answer.contains("a=rtpmap:96 telephone-event/8000\r\n") && answer.contains("a=sendrecv\r\n"));
    assert_eq!(media.rtp, "198.51.100.30:40000".parse().unwrap());
    assert_eq!(media.rtcp, "198.51.100.30:40001".parse().unwrap());
    assert_eq!((media.codec, media.telephone_event, media.direction), (Codec::Pcmu, Some(96), Direction::SendRecv));
}

#[test]
fn hold_is_answered_as_rfc_3264_wants() {
    for (offered, ours, answered) in [
        ("a=sendrecv", Direction::SendRecv, Direction::SendRecv),
        ("a=sendonly", Direction::SendRecv, Direction::RecvOnly),
        ("a=recvonly", Direction::SendRecv, Direction::SendOnly),
        ("a=inactive", Direction::SendRecv, Direction::Inactive),
        ("a=sendrecv", Direction::SendOnly, Direction::SendOnly),
        ("a=sendonly", Direction::SendOnly, Direction::Inactive),
        ("a=recvonly", Direction::RecvOnly, Direction::Inactive),
    ] {
        let offer = OFFER.replace("a=sendrecv", offered);
        let (answer, media) = session().answer(offer.as_bytes(), Some(local(ours))).unwrap();
        assert_eq!(media.direction, answered, "{offered} with {ours:?}");
        assert!(text(&answer).contains(&format!("a={}\r\n", direction_name(answered))), "{offered} with {ours:?}");
    }
}

#[test]
fn the_hold_of_rfc_2543_is_answered_recvonly() {
    let offer = OFFER.replace("c=IN IP4 198.51.100.30", "c=IN IP4 0.0.0.0");
    let (answer, media) = session().answer(offer.as_bytes(), None).unwrap();
    assert_eq!(media.direction, Direction::RecvOnly);
    assert!(text(&answer).contains("a=recvonly"));
    assert!(is_hold(offer.as_bytes()) && !is_hold(OFFER.as_bytes()));
}

#[test]
fn a_direction_for_the_whole_session_counts_unless_the_stream_has_its_own() {
    let offer = OFFER.replace("a=sendrecv\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.direction, Direction::RecvOnly);
    let offer = OFFER.replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.direction, Direction::SendRecv);
}

#[test]
fn streams_we_do_not_carry_are_refused_in_their_place_and_stay_refused() {
    let video = "m=video 50000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
    let secure = "m=audio 50002 RTP/SAVP 0\r\n";
    let offer = OFFER.replace("m=audio 40000", &format!("{video}{secure}m=audio 40000"));
    let mut session = session();
    let (answer, media) = session.answer(offer.as_bytes(), None).unwrap();
    let lines = |sdp: &[u8]| text(sdp).lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>();
    let expected = ["m=video 0 RTP/AVP 96", "m=audio 0 RTP/SAVP 0", "m=audio 30002 RTP/AVP 0 101"];
    assert_eq!(lines(&answer), expected);
    assert_eq!(media.rtp.port(), 40000);
    let again = lines(&session.offer(local(Direction::SendOnly)));
    let expected = ["m=video 0 RTP/AVP 96", "m=audio 0 RTP/SAVP 0", "m=audio 30002 RTP/AVP 0 8 101"];
    assert_eq!(again, expected);
}

#[test]
fn the_version_rises_by_one_when_something_changed_and_only_then() {
    let mut session = session();
    let first = version(&session.answer(OFFER.as_bytes(), None).unwrap().0);
    assert_eq!(version(&session.answer(OFFER.as_bytes(), None).unwrap().0), first);
    let held = OFFER.replace("a=sendrecv", "a=sendonly");
    assert_eq!(version(&session.answer(held.as_bytes(), None).unwrap().0), first + 1);
    assert_eq!(version(&session.answer(held.as_bytes(), None).unwrap().0), first + 1);
    assert_eq!(version(&session.answer(OFFER.as_bytes(), None).unwrap().0), first + 2);
}

#[test]
fn the_codec_in_use_stays_while_it_is_offered() {
    let mut session = session();
    let only_a_law = OFFER.replace("RTP/AVP 8 0 101", "RTP/AVP 8 101");
    assert_eq!(session.answer(only_a_law.as_bytes(), None).unwrap().1.codec, Codec::Pcma);
    assert_eq!(session.answer(OFFER.as_bytes(), None).unwrap().1.codec, Codec::Pcma);
    let only_mu_law = OFFER.replace("RTP/AVP 8 0 101", "RTP/AVP 0");
    let media = session.answer(only_mu_law.as_bytes(), None).unwrap().1;
    assert_eq!((media.codec, media.telephone_event), (Codec::Pcmu, None));
}

#[test]
fn an_offer_without_anything_in_common_changes_nothing() {
    let mut session = session();
    let before = session.answer(OFFER.as_bytes(), None).unwrap().1;
    let g729 = OFFER.replace("RTP/AVP 8 0 101", "RTP/AVP 18 101");
    assert_eq!(session.answer(g729.as_bytes(), None).unwrap_err(), Unusable::NoCommonCodec);
    assert_eq!(session.answer(b"hello", None).unwrap_err(), Unusable::Malformed);
    let renamed = OFFER.replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 OPUS/48000/2").replace("8 0 101", "8 101");
    assert_eq!(session.answer(renamed.as_bytes(), None).unwrap_err(), Unusable::NoCommonCodec);
    assert_eq!(session.agreed(), Some(before));
    let offer = Offer::parse(g729.as_bytes()).unwrap();
    assert_eq!((offer.codecs, offer.telephone_event), (vec![], Some(101)));
    assert_eq!(Offer::parse(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n").unwrap().rtp.port(), 0);
}

#[test]
fn g722_is_offered_with_its_historic_clock_and_taken_with_either() {
    let mut ours = local(Direction::SendRecv);
    ours.codecs = vec![Codec::G722, Codec::Pcmu];
    let offer = text(&session().offer(ours.clone()));
    assert!(line(&offer, "m=").ends_with(" RTP/AVP 9 0 101") && offer.contains("a=rtpmap:9 G722/8000\r\n"));
    for rtpmap in ["", "a=rtpmap:9 G722/8000\r\n", "a=rtpmap:9 g722/16000\r\n"] {
        let offer = OFFER.replace("RTP/AVP 8 0 101\r\n", &format!("RTP/AVP 0 9 101\r\n{rtpmap}"));
        let (answer, media) = session().answer(offer.as_bytes(), Some(ours.clone())).unwrap();
        assert_eq!(media.codec, Codec::G722, "{rtpmap}");
        assert!(text(&answer).contains("a=rtpmap:9 G722/8000\r\n"));
    }
}

const OPUS: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 96 0 100 101\r\na=rtpmap:96 OPUS/48000/2\r\na=fmtp:96 useinbandfec=1; maxaveragebitrate=16000\r\n\
    a=rtpmap:100 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

#[test]
fn opus_keeps_the_peers_number_and_has_a_telephone_event_of_its_clock() {
    let mut ours = local(Direction::SendRecv);
    ours.codecs = vec![Codec::Opus, Codec::Pcmu];
    let mut session = session();
    let (answer, media) = session.answer(OPUS.as_bytes(), Some(ours.clone())).unwrap();
    assert_eq!((media.codec, media.payload_type), (Codec::Opus, 96));
    assert_eq!((media.telephone_event, media.event_clock), (Some(100), 48_000));
    assert_eq!((media.fec, media.max_bitrate), (true, Some(16_000)));
    let answer = text(&answer);
    assert!(line(&answer, "m=").ends_with(" RTP/AVP 96 100"), "{answer}");
    assert!(answer.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n"), "{answer}");
    // Numbers keep their meaning for as long as the session lasts.
    let again = text(&session.offer(ours.clone()));
    assert!(line(&again, "m=").ends_with(" RTP/AVP 96 0 101 100"), "{again}");

    // A peer without events of 48000, as some telephones are.
    let plain = OPUS.replace("a=rtpmap:100 telephone-event/48000\r\n", "").replace(" 100 101", " 101");
    let (_, media) = self::session().answer(plain.as_bytes(), Some(ours.clone())).unwrap();
    assert_eq!((media.codec, media.telephone_event, media.event_clock), (Codec::Opus, Some(101), 8_000));

    let mut session = self::session();
    let offer = text(&session.offer(ours));
    assert!(line(&offer, "m=").ends_with(" RTP/AVP 111 0 101 110"), "{offer}");
    let answered = session.answered(OPUS.replace(" 0 100 101", " 101").as_bytes()).unwrap();
    assert_eq!((answered.payload_type, answered.telephone_event), (96, Some(101)), "the answerer's own numbers");
}

#[test]
fn rtcp_goes_where_rfc_3605_says() {
    let offer = OFFER.replace("a=ptime:20", "a=rtcp:53020 IN IP4 192.0.2.99");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.rtcp, "192.0.2.99:53020".parse().unwrap());
    let offer = OFFER.replace("a=ptime:20", "a=rtcp:53020");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.rtcp, "198.51.100.30:53020".parse().unwrap());
    let offer = OFFER.replace("a=ptime:20", "a=rtcp:nonsense");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.rtcp, "198.51.100.30:40001".parse().unwrap());
    let offer = OFFER.replace("40000", "65535");
    assert_eq!(session().answer(offer.as_bytes(), None).unwrap().1.rtcp.port(), 65535);
}

#[test]
fn ipv6_is_spoken() {
    let offer = OFFER.replace("IN IP4 198.51.100.30", "IN IP6 2001:db8::30");
    let mut ours = local(Direction::SendRecv);
    ours.rtp = "[2001:db8::10]:30002".parse().unwrap();
    let (answer, media) = session().answer(offer.as_bytes(), Some(ours)).unwrap();
    assert_eq!(media.rtp, "[2001:db8::30]:40000".parse().unwrap());
    assert_eq!(line(&text(&answer), "c="), "c=IN IP6 2001:db8::10");
}

#[test]
fn an_address_that_cannot_be_reached_is_no_use() {
    let v6 = OFFER.replace("IN IP4 198.51.100.30", "IN IP6 2001:db8::30");
    assert_eq!(session().answer(v6.as_bytes(), None), Err(Unusable::NoCommonCodec));
    let mut session = session();
    session.offer(local(Direction::SendRecv));
    assert_eq!(session.answered(v6.as_bytes()), Err(Unusable::NoCommonCodec));
}

#[test]
fn a_refused_offer_leaves_what_held() {
    let (mut a, mut b) = (session(), session());
    let offer = a.offer(local(Direction::SendRecv));
    let (answer, _) = b.answer(&offer, None).unwrap();
    let held = a.answered(&answer).unwrap();
    a.offer(local(Direction::Inactive));
    a.take_back();
    assert_eq!((a.agreed(), a.local().direction), (Some(held), Direction::SendRecv));
    assert!(a.answered(&answer).is_err(), "an answer to nothing");
}

#[test]
fn an_answer_that_switches_our_stream_off_is_not_usable() {
    let mut session = session();
    session.offer(local(Direction::SendRecv));
    let off = OFFER.replace("40000", "0");
    assert_eq!(session.answered(off.as_bytes()), Err(Unusable::NoCommonCodec));
}

fn any_direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive])
}

fn any_local() -> impl Strategy<Value = LocalMedia> {
    let codecs = prop::sample::select(vec![
        vec![Codec::Pcmu],
        vec![Codec::Pcma],
        vec![Codec::Pcmu, Codec::Pcma],
        vec![Codec::Pcma, Codec::Pcmu],
        vec![Codec::G722, Codec::Pcma],
        vec![Codec::Pcmu, Codec::G722],
        vec![Codec::Opus, Codec::G722],
        vec![Codec::Pcma, Codec::Opus],
    ]);
    let ip = prop::sample::select(vec!["192.0.2.1", "203.0.113.10", "2001:db8::1"]);
    (codecs, any_direction(), ip, 1024u16..65000, 96u8..127).prop_map(|(codecs, direction, ip, port, event)| {
        LocalMedia {
            rtp: SocketAddr::new(ip.parse().unwrap(), port),
            codecs,
            telephone_event: event,
            direction,
            srtp: SrtpUse::Off,
        }
    })
}

proptest! {
    /// However two ends of ours talk, they agree: same codec, mirrored directions, the other's address.
    #[test]
    fn two_ends_agree(rounds in prop::collection::vec((any::<bool>(), any_local(), any_local()), 1..6)) {
        let (mut a, mut b) = (session(), session());
        for (a_offers, of_offerer, of_answerer) in rounds {
            let (x, y) = if a_offers { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let before = (x.agreed(), y.agreed());
            let offer = x.offer(of_offerer.clone());
            match y.answer(&offer, Some(of_answerer.clone())) {
                Ok((answer, theirs)) => {
                    let ours = x.answered(&answer).expect("an answer of ours is usable");
                    prop_assert_eq!(ours.codec, theirs.codec);
                    prop_assert_eq!(ours.direction, flip(theirs.direction));
                    prop_assert_eq!(ours.rtp, of_answerer.rtp);
                    prop_assert_eq!(theirs.rtp, of_offerer.rtp);
                    prop_assert_eq!(ours.telephone_event, theirs.telephone_event);
                }
                Err(why) => {
                    x.take_back();
                    prop_assert_eq!(why, Unusable::NoCommonCodec);
                    prop_assert_eq!(before, (x.agreed(), y.agreed()));
                    let reach = of_offerer.rtp.is_ipv4() == of_answerer.rtp.is_ipv4();
                    prop_assert!(!reach || !of_offerer.codecs.iter().any(|codec| of_answerer.codecs.contains(codec)));
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..400, with: u8) {
        let mut offer = OFFER.as_bytes().to_vec();
        if let Some(byte) = offer.get_mut(at) { *byte = with; }
        let _ = session().answer(&offer, None);
        let _ = session().answer(&bytes, None);
        offer.truncate(at);
        bytes.extend_from_slice(&offer);
        let mut session = session();
        session.offer(local(Direction::SendRecv));
        let _ = session.answered(&bytes);
    }
}

fn secured(srtp: SrtpUse, seed: u64) -> Session {
    Session::new(&mut IdSource::from_u64(seed), LocalMedia { srtp, ..local(Direction::SendRecv) })
}

fn our_side(srtp: SrtpUse) -> LocalMedia {
    LocalMedia { srtp, ..local(Direction::SendRecv) }
}

/// Offer and answer between two of us: the profile in the offer, and the keys of both, if there are any.
type Outcome = Option<(&'static str, Option<(Crypto, Crypto)>)>;

fn negotiate(ours: SrtpUse, theirs: SrtpUse) -> Outcome {
    let (mut one, mut other) = (secured(ours, 1), secured(theirs, 2));
    let offer = one.offer(our_side(ours));
    let profile = if text(&offer).contains("RTP/SAVP ") { "RTP/SAVP" } else { "RTP/AVP" };
    let (answer, there) = other.answer(&offer, Some(our_side(theirs))).ok()?;
    assert!(text(&answer).contains(&format!(" {profile} ")), "mirrored");
    let here = one.answered(&answer).ok()?;
    Some((profile, told(here).zip(told(there))))
}

#[test]
fn whether_a_call_is_encrypted_is_for_both_to_say() {
    use SrtpUse::{Off, Optional, Required};
    for (ours, theirs, expected) in [
        (Off, Off, Some(("RTP/AVP", false))),
        (Off, Optional, Some(("RTP/AVP", false))),
        (Off, Required, None),
        (Optional, Off, Some(("RTP/AVP", false))),
        (Optional, Optional, Some(("RTP/AVP", true))),
        (Optional, Required, Some(("RTP/AVP", true))),
        (Required, Off, None),
        (Required, Optional, Some(("RTP/SAVP", true))),
        (Required, Required, Some(("RTP/SAVP", true))),
    ] {
        let outcome = negotiate(ours, theirs);
        assert_eq!(outcome.map(|(profile, keys)| (profile, keys.is_some())), expected, "{ours:?}, {theirs:?}");
        if let Some((_, Some((here, there)))) = outcome {
            assert_eq!((here.ours, here.theirs), (there.theirs, there.ours));
            assert_ne!(here.ours.key, here.theirs.key);
            assert_eq!(here.ours.suite, SrtpSuite::AesGcm256, "the best that both have");
        }
    }
}

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn told(media: RemoteMedia) -> Option<Crypto> {
    match media.keying {
        Some(Keying::Told(crypto)) => Some(crypto),
        _ => None,
    }
}

fn with_crypto(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("a=crypto:{line}\r\n")).collect();
    OFFER.replace("RTP/AVP", "RTP/SAVP") + &lines
}

#[test]
fn the_first_line_that_can_be_used_is_answered_under_its_tag() {
    let usable = format!("3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20 WSH=128");
    let lines = [
        format!("1 AES_192_CM_HMAC_SHA1_80 inline:{KEY}"),
        format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
        format!("4 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
        format!("5 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
        "6 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=".to_owned(),
        format!("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
    ];
    let unusable: Vec<&str> = lines.iter().map(String::as_str).collect();
    let all = [&unusable[..], &[usable.as_str()]].concat();
    let (answer, media) = secured(SrtpUse::Optional, 1).answer(with_crypto(&all).as_bytes(), None).unwrap();
    let answer = text(&answer).to_owned();
    let ours: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=crypto:")).collect();
    assert!(ours.len() == 1 && ours[0].starts_with("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:"), "{ours:?}");
    assert_eq!(told(media).unwrap().theirs.key[..4], *b"YS__");
    let refused = secured(SrtpUse::Required, 1).answer(with_crypto(&unusable).as_bytes(), None);
    assert_eq!(refused.unwrap_err(), Unusable::NoCommonCodec);
    let parsed = Offer::parse(with_crypto(&unusable).as_bytes()).unwrap();
    assert!(!parsed.suits(SrtpUse::Optional) && !parsed.suits(SrtpUse::Required) && !parsed.suits(SrtpUse::Off));
    let parsed = Offer::parse(with_crypto(&all).as_bytes()).unwrap();
    assert!(parsed.suits(SrtpUse::Required) && !parsed.suits(SrtpUse::Off));
}

#[test]
fn an_answer_under_a_tag_that_was_not_offered_is_no_answer() {
    let mut session = secured(SrtpUse::Optional, 1);
    session.offer(our_side(SrtpUse::Optional));
    let answer = format!("{OFFER}a=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    assert_eq!(session.answered(answer.as_bytes()).unwrap_err(), Unusable::NoCommonCodec);
}

#[test]
fn our_key_stays_until_the_suite_changes_and_the_peers_may_change_at_any_time() {
    let mut session = secured(SrtpUse::Required, 1);
    let first = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let (_, before) = session.answer(with_crypto(&[&first]).as_bytes(), None).unwrap();
    let other = format!("7 AES_CM_128_HMAC_SHA1_80 inline:{}", KEY.replace('W', "X"));
    let (answer, after) = session.answer(with_crypto(&[&other]).as_bytes(), None).unwrap();
    let [before, after] = [before, after].map(|media| told(media).unwrap());
    assert!(before.ours == after.ours && before.theirs != after.theirs);
    assert!(text(&answer).contains("a=crypto:7 "));
    let ours = text(&session.offer(our_side(SrtpUse::Required))).to_owned();
    let answer = text(&answer).to_owned();
    let line = answer.lines().find(|line| line.starts_with("a=crypto:")).unwrap();
    assert!(ours.contains(line) && ours.matches("a=crypto:").count() == 1, "what holds is offered: {ours}");
    let short = format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}");
    let (_, changed) = session.answer(with_crypto(&[&short]).as_bytes(), None).unwrap();
    let changed = told(changed).unwrap();
    assert_ne!(changed.ours.key, after.ours.key, "a key is for one suite");
    let (_, back) = session.answer(with_crypto(&[&first]).as_bytes(), None).unwrap();
    assert_ne!(told(back).unwrap().ours.key, after.ours.key, "and is never taken up again");
    assert!(!format!("{session:?} {back:?}").contains("WVNf"));
}
