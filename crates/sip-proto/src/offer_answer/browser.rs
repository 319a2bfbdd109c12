//! The answer to a browser's offer (RFC 8829, in the part one audio stream needs): its audio comes over DTLS to our one
//! port, its addresses are learned from its checks (RFC 8445, lite), and nothing is trickled.

use super::{Session, attribute_values, render};
use call_model::{IceLite, IdSource, LocalMedia, RemoteMedia};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use sdp_types::{Attribute, Connection, Media, Session as Sdp};

/// Nobody's, until a check came.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);

/// Answers a browser's offer with what `local` allows; the description, and what was agreed.
///
/// # Errors
/// What is wrong with the offer, in words.
pub fn answer_browser(
    offer: &str,
    local: LocalMedia,
    ids: &mut IdSource,
) -> Result<(String, RemoteMedia), &'static str> {
    let mut sdp = Sdp::parse(offer.as_bytes()).map_err(|_| "it is no session description")?;
    let [media] = &mut sdp.medias[..] else { return Err("it has to have one m= line, of audio") };
    let has = |media: &Media, name: &str| media.attributes.iter().any(|a| a.attribute.eq_ignore_ascii_case(name));
    if media.port == 0 {
        return Err("its audio is switched off");
    }
    if !has(media, "rtcp-mux") {
        return Err("it has no a=rtcp-mux");
    }
    if !has(media, "ice-ufrag") && !sdp.attributes.iter().any(|a| a.attribute.eq_ignore_ascii_case("ice-ufrag")) {
        return Err("it does not speak ICE");
    }
    // What it says of addresses does not count, and need not be of our family.
    media.connections = vec![Connection::from_ip_addr(local.rtp.ip())];
    media
        .attributes
        .retain(|a| !a.attribute.eq_ignore_ascii_case("candidate") && !a.attribute.eq_ignore_ascii_case("rtcp"));
    let mid = attribute_values(media, "mid").next().map(str::to_owned);
    let at = local.rtp;
    let ice = ice(ids);
    let (answer, agreed) = Session::new(ids, local)
        .answer(&render(&sdp), None)
        .map_err(|_| "it has none of our codecs, or no certificate's SHA-256")?;
    let mut answer = Sdp::parse(&answer).map_err(|_| "it cannot be answered")?;
    let attribute = |name: &str, value: String| Attribute { attribute: name.to_owned(), value: Some(value) };
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    answer.attributes.push(Attribute { attribute: "ice-lite".to_owned(), value: None });
    answer.attributes.extend(mid.as_ref().map(|mid| attribute("group", format!("BUNDLE {mid}"))));
    if let [media] = &mut answer.medias[..] {
        media.attributes.extend(mid.map(|mid| attribute("mid", mid)));
        media.attributes.push(attribute("ice-ufrag", text(&ice.user)));
        media.attributes.push(attribute("ice-pwd", text(&ice.password)));
        let candidate = format!("1 1 udp 2130706431 {} {} typ host", at.ip(), at.port());
        media.attributes.push(attribute("candidate", candidate));
        media.attributes.push(Attribute { attribute: "end-of-candidates".to_owned(), value: None });
    }
    let agreed = RemoteMedia { rtp: NOWHERE, rtcp: NOWHERE, ice: Some(ice), ..agreed };
    Ok((text(&render(&answer)), agreed))
}

/// A name of 32 bits and a password of 128 (RFC 8445 §5.3).
fn ice(ids: &mut IdSource) -> IceLite {
    let mut ice = IceLite { user: [b'0'; 8], password: [b'0'; 32] };
    ids.hex(8).bytes().zip(&mut ice.user).for_each(|(digit, place)| *place = digit);
    ids.hex(32).bytes().zip(&mut ice.password).for_each(|(digit, place)| *place = digit);
    ice
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::{Codec, Direction, DtlsPeer, Fingerprint, Keying, SrtpUse};

    /// What Chromium 156 offers after `setCodecPreferences`, shortened.
    fn offer() -> String {
        let fingerprint = vec!["AB"; 32].join(":");
        [
            "v=0",
            "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=extmap-allow-mixed",
            "a=msid-semantic: WMS s",
            "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 126",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            "a=candidate:1 1 udp 2113937151 4f7f.local 51234 typ host",
            "a=ice-ufrag:9b4k",
            "a=ice-pwd:6bJcUxPLmDTTXq1zVBCQyG2r",
            "a=ice-options:trickle",
            &format!("a=fingerprint:sha-256 {fingerprint}"),
            "a=setup:actpass",
            "a=mid:0",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=sendrecv",
            "a=msid:s t",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:126 telephone-event/8000",
            "a=ssrc:1001 cname:c",
            "",
        ]
        .join("\r\n")
    }

    fn local(codecs: &[Codec]) -> LocalMedia {
        LocalMedia {
            rtp: "203.0.113.5:40000".parse().expect("an address"),
            codecs: codecs.to_vec(),
            telephone_event: 101,
            direction: Direction::SendRecv,
            srtp: SrtpUse::Dtls(Fingerprint([1; 32])),
        }
    }

    fn answered(offer: &str) -> Result<(String, RemoteMedia), &'static str> {
        answer_browser(offer, local(&[Codec::Pcma, Codec::Pcmu]), &mut IdSource::from_u64(1))
    }

    #[test]
    fn a_browser_is_answered_with_the_callers_codec_and_where_it_reaches_us() {
        let (answer, media) = answered(&offer()).expect("an answer");
        assert_eq!(
            (media.codec, media.telephone_event, media.direction),
            (Codec::Pcma, Some(126), Direction::SendRecv)
        );
        assert_eq!((media.rtp, media.rtcp), (NOWHERE, NOWHERE), "only checks say where it is");
        let peer = DtlsPeer { active: false, certificate: Fingerprint([0xab; 32]) };
        assert_eq!(media.keying, Some(Keying::Dtls(peer)), "it begins the handshake");
        let ice = media.ice.expect("names");
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("text");
        let lines: Vec<&str> = answer.lines().collect();
        for line in [
            "a=ice-lite",
            "a=group:BUNDLE 0",
            "m=audio 40000 UDP/TLS/RTP/SAVPF 8 126",
            "c=IN IP4 203.0.113.5",
            "a=setup:passive",
            "a=rtcp-mux",
            "a=mid:0",
            "a=sendrecv",
            "a=candidate:1 1 udp 2130706431 203.0.113.5 40000 typ host",
            &format!("a=ice-ufrag:{}", text(&ice.user)),
            &format!("a=ice-pwd:{}", text(&ice.password)),
        ] {
            assert!(lines.contains(&line), "{line} in {answer}");
        }
        let (_, again) =
            answer_browser(&offer(), local(&[Codec::Pcmu]), &mut IdSource::from_u64(2)).expect("an answer");
        assert_ne!(again.ice, Some(ice));
        assert!(!format!("{ice:?}").contains(&text(&ice.password)), "{ice:?}");
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_the_reason() {
        for (from, to, why) in [
            ("v=0", "hello", "no session description"),
            ("m=audio 9", "m=audio 0", "switched off"),
            ("a=rtcp-mux\r\n", "", "rtcp-mux"),
            ("a=ice-ufrag:9b4k\r\n", "", "ICE"),
            ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "SHA-256"),
            ("SAVPF 0 8 126", "SAVPF 111", "codecs"),
            ("m=audio", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nm=audio", "one m= line"),
        ] {
            let wrong = offer().replacen(from, to, 1);
            assert_ne!(wrong, offer(), "{from}");
            let refused = answered(&wrong).expect_err(why);
            assert!(refused.contains(why), "{refused} for {from}");
        }
        for length in 0..offer().len() {
            let _ = answered(&offer()[..length]);
        }
    }
}
