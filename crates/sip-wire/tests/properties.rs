//! Properties that hold for any input, and a second reader (rsip) for what we emit.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sip_wire::{
    Framed, Headers, Host, Message, Method, NameAddr, Params, Replaces, Start, StreamFramer, Uri, Via, text,
    validate_request, validate_response,
};

/// Text that provokes: separators, quotes, escapes, controls, non-ASCII, and plain letters.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9.+_-]{1,8}",
        3 => r#"[;,:<>"\\@?&=%/\[\] \t]{1,3}"#,
        1 => r"[\r\n\x00\x07\x7f]{1,2}",
        1 => "\\PC{1,4}",
        1 => Just("sip:a@b".to_owned()),
        1 => Just("SIP/2.0/UDP h;branch=z9hG4bK1".to_owned()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn header_name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "v", "m", "Replaces", "Refer-To", "Event",
            "Content-Type", "Content-Length", "l", "Max-Forwards",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9.!%*_+`'~-]{1,12}",
        1 => nasty(),
    ]
}

prop_compose! {
    fn any_message()(
        request in any::<bool>(),
        method in prop_oneof![Just("INVITE".to_owned()), nasty()],
        user in nasty(),
        code in any::<u16>(),
        reason in nasty(),
        lines in prop::collection::vec((header_name(), nasty()), 0..12),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) -> Message {
        let start = if request {
            Start::Request { method: Method::parse(&method), uri: Uri::sip(&user, &Host::Name("example.com".into()), None) }
        } else {
            Start::Response { code, reason }
        };
        let mut headers = Headers::new();
        for (name, value) in lines {
            headers.push(&name, value);
        }
        Message { start, headers, body }
    }
}

/// Bytes that look like SIP here and there.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        2 => (header_name(), nasty()).prop_map(|(name, value)| format!("{name}: {value}\r\n").into_bytes()),
        1 => Just(b"INVITE sip:a@b SIP/2.0\r\n".to_vec()),
        1 => Just(b"SIP/2.0 200 OK\r\n".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"Content-Length: 3\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let start = prop_oneof![Just(""), Just("INVITE sip:a@b SIP/2.0\r\n"), Just("SIP/2.0 200 OK\r\n")];
    (start, prop::collection::vec(line, 0..12)).prop_map(|(start, lines)| [start.as_bytes(), &lines.concat()].concat())
}

fn read_everything(message: &Message) {
    let _ = if message.is_request() { validate_request(message) } else { validate_response(message) };
    let _ = (message.via(), message.vias(), message.from(), message.to(), message.cseq(), message.contacts());
    let _ = (message.contact(), message.route_set(), message.record_routes(), message.max_forwards());
    let _ = (message.expires(), message.replaces(), message.refer_to(), message.referred_by(), message.event());
    let _ = (message.subscription_state(), message.content_type(), message.body_parts(), message.supported());
    let mut copy = message.clone();
    copy.note_source(([192, 0, 2, 1], 5060).into());
    let _ = copy.response_to(180, "", Some("tag")).to_bytes();
}

/// The stream's frames, whole messages as bytes so that they compare cheaply.
fn frames(framer: &mut StreamFramer, out: &mut Vec<String>) {
    while let Some(framed) = framer.next_frame() {
        out.push(match framed {
            Ok(Framed::Message(message)) => format!("{:?}", message.to_bytes()),
            Ok(Framed::KeepAlive) => "keepalive".into(),
            Err(malformed) => format!("{} {}", malformed.code, malformed.reason),
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(4475),
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop_oneof![any_bytes(), prop::collection::vec(any::<u8>(), 0..300)]) {
        match Message::parse_datagram(&bytes) {
            Ok(message) => read_everything(&message),
            Err(malformed) => {
                if let Some(answer) = malformed.answer {
                    prop_assert!(Message::parse_datagram(&answer.to_bytes()).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_parsed_message_survives_writing_and_parsing(bytes in any_bytes()) {
        if let Ok(message) = Message::parse_datagram(&bytes) {
            let again = Message::parse_datagram(&message.to_bytes()).expect("what we write can be read");
            let has_nul = message.headers.iter().any(|(_, value)| value.contains(['\0', '\r']));
            if !has_nul && !message.reason().unwrap_or("").contains(['\0', '\r']) {
                prop_assert_eq!(again, message);
            }
        }
    }

    #[test]
    fn whatever_is_written_is_one_message_with_the_same_lines(message in any_message()) {
        let bytes = message.to_bytes();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("headers end");
        let head = &bytes[..end];
        prop_assert!(!head.contains(&0));
        // Start line, every header that has a name and is not Content-Length, and our own Content-Length.
        let kept = message.headers.iter().filter(|(name, _)| !name.is_empty() && *name != "Content-Length").count();
        prop_assert_eq!(head.split(|byte| *byte == b'\n').count(), kept + 2);
        prop_assert_eq!(head.iter().filter(|byte| **byte == b'\r').count(), kept + 1);
        prop_assert_eq!(&bytes[end + 4..], &message.body[..]);
    }

    #[test]
    fn how_a_stream_is_cut_does_not_matter(bytes in any_bytes(), cuts in prop::collection::vec(1usize..20, 1..20)) {
        let mut whole = StreamFramer::new();
        whole.push(&bytes);
        let mut expected = Vec::new();
        frames(&mut whole, &mut expected);

        let mut pieces = StreamFramer::new();
        let (mut got, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            frames(&mut pieces, &mut got);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn no_byte_is_lost_between_wire_and_text(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut back = Vec::new();
        text::encode(&text::decode(&bytes), &mut back);
        prop_assert_eq!(back, bytes);
    }

    #[test]
    fn values_survive_writing_and_parsing(text in nasty(), display in nasty(), user in nasty()) {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(uri.to_string(), text.clone());
            prop_assert!(uri.equivalent(&uri));
        }
        for parsed in [NameAddr::parse(&text)].into_iter().flatten() {
            let clean = parsed.display.as_deref().is_none_or(|name| !name.contains(['\0', '\r', '\n']));
            if clean {
                prop_assert_eq!(NameAddr::parse(&parsed.to_string()), Ok(parsed));
            }
        }
        if let Ok(via) = Via::parse(&text) {
            prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
        }
        if let Ok(params) = Params::parse(&text) {
            prop_assert_eq!(Params::parse(&params.to_string()), Ok(params));
        }
        if let Ok(replaces) = Replaces::parse(&text) {
            prop_assert_eq!(Replaces::parse(&replaces.to_string()), Ok(replaces));
        }
        let uri = Uri::sip(&user, &Host::Name("example.com".into()), Some(5060));
        prop_assert_eq!(uri.user_text().unwrap_or_default(), user);
        let named = NameAddr { display: Some(display.replace(['\r', '\n', '\0'], " ")), ..NameAddr::new(uri) };
        prop_assert_eq!(NameAddr::parse(&named.to_string()), Ok(named));
    }

    #[test]
    fn rsip_reads_what_we_write(
        user in "[a-z0-9]{1,12}",
        display in "[a-zA-Z0-9 ]{1,12}",
        call_id in "[a-z0-9]{4,20}",
        number in 1u32..2_000_000_000,
        body in "[ -~]{0,60}",
    ) {
        use rsip::prelude::*;

        let uri = Uri::sip(&user, &Host::Name("example.com".into()), Some(5070)).with_param("transport", Some("tcp"));
        let mut message = Message::request(Method::Invite, uri.clone());
        let via = Via::new(sip_wire::ViaTransport::Tcp, ([192, 0, 2, 7], 5060).into(), "z9hG4bKabc");
        message.headers.push("Via", via.to_string());
        let from = NameAddr { display: Some(display), ..NameAddr::new(uri.clone()) }.with_tag("ft");
        message.headers.push("From", from.to_string());
        message.headers.push("To", NameAddr::new(uri.clone()).to_string());
        message.headers.push("Call-ID", call_id.clone());
        message.headers.push("CSeq", format!("{number} INVITE"));
        message.body = body.clone().into_bytes();

        let read = rsip::Request::try_from(message.to_bytes()).expect("rsip reads it");
        prop_assert_eq!(read.method, rsip::Method::Invite);
        // rsip writes a known transport in capitals.
        prop_assert_eq!(read.uri.to_string().to_lowercase(), uri.to_string());
        prop_assert_eq!(read.call_id_header().expect("Call-ID").value(), &call_id);
        let cseq = read.cseq_header().expect("CSeq").typed().expect("typed");
        prop_assert_eq!(cseq.seq, number);
        let from = read.from_header().expect("From").typed().expect("typed");
        prop_assert_eq!(from.tag().map(|tag| tag.value().to_owned()), Some("ft".to_owned()));
        prop_assert_eq!(&read.body, body.as_bytes());

        let response = message.response_to(200, "", Some("our-tag"));
        let read = rsip::Response::try_from(response.to_bytes()).expect("rsip reads it");
        prop_assert_eq!(read.status_code.code(), 200);
        let to = read.to_header().expect("To").typed().expect("typed");
        prop_assert_eq!(to.tag().map(|tag| tag.value().to_owned()), Some("our-tag".to_owned()));
    }
}
