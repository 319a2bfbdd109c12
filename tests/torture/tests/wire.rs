//! The table of verdicts, judged against `sip-wire`.

use sip_wire::{Framed, Malformed, Message, Method, Scheme, StreamFramer, validate_request, validate_response};
use torture::{CASES, Case, Stream, Wire, case};

#[test]
fn every_message_of_both_rfcs_is_in_the_table_and_in_the_folder() {
    let in_rfc = |rfc: &str| CASES.iter().filter(|case| case.rfc.starts_with(rfc)).count();
    assert_eq!((in_rfc("4475"), in_rfc("5118")), (49, 12));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/messages");
    assert_eq!(std::fs::read_dir(folder).expect("messages folder").count(), CASES.len());
}

#[test]
fn datagrams_get_their_verdict() {
    let wrong: Vec<String> = CASES
        .iter()
        .map(|case| (case, verdict(&judge(Message::parse_datagram(case.bytes)))))
        .filter(|(case, got)| *got != case.wire)
        .map(|(case, got)| format!("{} ({}): {:?} instead of {:?}", case.name, case.tests, got, case.wire))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn streams_get_their_verdict_byte_by_byte() {
    for case in CASES {
        let mut framer = StreamFramer::new();
        let mut got = Vec::new();
        for byte in case.bytes {
            framer.push(&[*byte]);
            drain(&mut framer, &mut got);
        }
        check_stream(case, &got);
    }
}

#[test]
fn streams_get_their_verdict_in_one_piece() {
    for case in CASES {
        let mut framer = StreamFramer::new();
        framer.push(case.bytes);
        let mut got = Vec::new();
        drain(&mut framer, &mut got);
        check_stream(case, &got);
    }
}

#[test]
fn messages_glued_together_do_not_disturb_each_other() {
    let goes_on = |case: &&Case| case.stream == Stream::AsDatagram;
    let mut framer = StreamFramer::new();
    let mut expected = Vec::new();
    for case in CASES.iter().filter(goes_on) {
        framer.push(case.bytes);
        expected.push(case.wire);
    }
    let mut got = Vec::new();
    drain(&mut framer, &mut got);
    assert_eq!(got.iter().map(verdict).collect::<Vec<_>>(), expected);
}

#[test]
fn after_a_lost_frame_nothing_more_is_read() {
    for case in CASES.iter().filter(|case| matches!(case.stream, Stream::Closes(_))) {
        let mut framer = StreamFramer::new();
        framer.push(case.bytes);
        framer.push(torture::case("lwsdisp").expect("in the table").bytes);
        let mut got = Vec::new();
        drain(&mut framer, &mut got);
        assert_eq!(got.len(), 1, "{}", case.name);
    }
}

#[test]
fn refusals_are_messages_a_client_can_match() {
    for case in CASES {
        let Err(malformed) = judge(Message::parse_datagram(case.bytes)) else { continue };
        let Some(answer) = malformed.answer else { continue };
        let read = Message::parse_datagram(&answer.to_bytes()).expect(case.name);
        assert_eq!(read.code(), Some(malformed.code), "{}", case.name);
        assert_eq!(read, *answer, "{}", case.name);
        assert!(read.headers.contains("Via") && read.headers.contains("CSeq"), "{}", case.name);
        assert!(!read.headers.contains("Route"), "{}", case.name);
        for name in ["From", "Call-ID", "CSeq", "To"] {
            assert!(read.headers.get_all(name).count() <= 1, "{}", case.name);
        }
    }
}

#[test]
fn accepted_messages_survive_a_round_trip() {
    for case in CASES.iter().filter(|case| case.wire == Wire::Accepted) {
        let message = Message::parse_datagram(case.bytes).expect(case.name);
        let again = Message::parse_datagram(&message.to_bytes()).expect(case.name);
        if case.name == "intmeth" {
            // NUL never leaves, not even inside quotes.
            assert_eq!(again.headers.get("To"), message.headers.get("To").map(|to| to.replace('\0', " ")).as_deref());
        } else {
            assert_eq!(again, message, "{}", case.name);
        }
    }
}

#[test]
fn no_prefix_and_no_changed_byte_panics() {
    for case in CASES {
        for end in 0..case.bytes.len() {
            let _ = judge(Message::parse_datagram(&case.bytes[..end]));
        }
        for at in 0..case.bytes.len() {
            for byte in [0, b'\n', b'"', b'<', b';', b',', b' ', b':', b'@', 0xff] {
                let mut bytes = case.bytes.to_vec();
                bytes[at] = byte;
                if let Ok(message) = judge(Message::parse_datagram(&bytes)) {
                    read_everything(&message);
                }
            }
        }
    }
}

#[test]
fn folded_values_are_intact() {
    let message = parsed("wsinv");
    assert_eq!(message.to().expect("To").tag(), Some("1918181833n"));
    assert_eq!(message.from().expect("From").display.as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!(message.cseq().map(|cseq| cseq.number), Ok(9));
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    assert_eq!(message.headers.get("Subject"), Some(""));
    assert_eq!(message.headers.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(message.headers.get("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let branches: Vec<_> =
        message.vias().expect("Via").iter().map(|via| via.branch().unwrap_or("").to_owned()).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    let contact = message.contact().expect("Contact").expect("one");
    assert_eq!(contact.display.as_deref(), Some(r#"Quoted string """#));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(contact.params.get("secondparam"), Some(""));
    assert_eq!(contact.params.get("q"), Some("0.33"));
    let route = message.route_set();
    assert_eq!(route[0].uri.param("unknownwith"), Some("value"));
    assert_eq!(route[0].uri.param("lr"), Some(""));
    assert_eq!(message.body.len(), 150);
}

#[test]
fn unusual_characters_are_kept() {
    let message = parsed("intmeth");
    assert_eq!(message.method(), Some(&Method::Other("!interesting-Method0123456789_*+`.%indeed'~".into())));
    assert_eq!(
        message.request_uri().and_then(|uri| uri.user()),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(message.to().expect("To").display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let from = message.from().expect("From");
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.params.get_unquoted("fromParam''~+*_!.-%").as_deref(), Some("работающий"));
    assert_eq!(message.call_id(), r#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(message.headers.get("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
}

#[test]
fn escapes_never_become_separators() {
    let message = parsed("esc01");
    let uri = message.request_uri().expect("request");
    assert_eq!(uri.user(), Some("sips%3Auser%40example.com"));
    assert_eq!(uri.user_text().as_deref(), Some("sips:user@example.com"));
    assert_eq!(uri.host().map(ToString::to_string).as_deref(), Some("example.net"));
    assert_eq!(message.to().expect("To").uri.user_text().as_deref(), Some("user"));
    let contact = message.contact().expect("Contact").expect("one");
    assert_eq!(contact.uri.param("lr"), Some(""));
    assert_eq!(contact.uri.param("name"), Some("v%61lue%25%34%31"));
    assert_eq!(contact.uri.to_string(), "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");

    let message = parsed("semiuri");
    let uri = message.request_uri().expect("request");
    assert_eq!(uri.user_text().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(uri.params().count(), 0);
    assert_eq!(message.tokens("Accept").len(), 6);
}

#[test]
fn an_escaped_nul_is_data() {
    let message = parsed("escnull");
    assert_eq!(message.to().expect("To").uri.user_text().as_deref(), Some("null-\0-null"));
    let lengths: Vec<_> = message
        .contacts()
        .expect("Contact")
        .iter()
        .map(|contact| contact.uri.user_text().map(|user| user.len()))
        .collect();
    assert_eq!(lengths, [Some(1), Some(2)]);
}

#[test]
fn a_percent_in_a_name_is_no_escape() {
    let message = parsed("esc02");
    assert_eq!(message.method(), Some(&Method::Other("RE%47IST%45R".into())));
    assert_eq!(message.contacts().expect("Contact").len(), 2);
    assert_eq!(message.from().expect("From").display.as_deref(), Some("%Z%45"));
}

#[test]
fn long_values_are_not_cut() {
    let message = parsed("longreq");
    assert_eq!(message.vias().expect("Via").len(), 34);
    assert_eq!(message.from_tag().map(|tag| tag.len()), Some(155));
    assert_eq!(message.call_id().len(), "longreq.onelongcallid".len() + 20 * "really".len());
    assert_eq!(message.body.len(), 150);
}

#[test]
fn a_binary_part_arrives_whole() {
    let parts = parsed("mpart01").body_parts();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].bytes, b"Hello");
    assert_eq!((parts[1].bytes.len(), parts[1].bytes[0], parts[1].bytes.contains(&0)), (342, 0x30, true));
}

#[test]
fn ipv6_addresses_are_told_from_ports() {
    let host = |name: &str| {
        let message = parsed(name);
        let uri = message.request_uri().expect("request").clone();
        (uri.host().and_then(|host| host.ip()).map(|ip| ip.to_string()), uri.port())
    };
    assert_eq!(host("port-ambiguous"), (Some("2001:db8::10:5070".into()), None));
    assert_eq!(host("port-unambiguous"), (Some("2001:db8::10".into()), Some(5070)));
    assert_eq!(host("ipv6-bug-abnf-3-colons"), host("ipv6-correct-abnf-2-colons"));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let received = parsed(name).via().expect("Via").received();
        assert_eq!(received.map(|ip| ip.to_string()).as_deref(), Some("2001:db8::9:255"), "{name}");
    }
}

#[test]
fn unknown_schemes_are_kept() {
    let message = parsed("unksm2");
    assert_eq!(message.to().expect("To").uri.scheme(), &Scheme::Other("isbn".into()));
    assert_eq!(message.from().expect("From").uri.as_str(), "http://www.example.com");
}

fn parsed(name: &str) -> Message {
    Message::parse_datagram(case(name).expect("in the table").bytes).expect("parses")
}

fn judge(message: Result<Message, Malformed>) -> Result<Message, Malformed> {
    let message = message?;
    if message.is_request() {
        validate_request(&message)?
    } else {
        validate_response(&message)?
    }
    Ok(message)
}

fn verdict(judged: &Result<Message, Malformed>) -> Wire {
    match judged {
        Ok(_) => Wire::Accepted,
        Err(Malformed { answer: None, .. }) => Wire::Dropped,
        Err(malformed) => Wire::Refused(malformed.code),
    }
}

fn drain(framer: &mut StreamFramer, got: &mut Vec<Result<Message, Malformed>>) {
    while let Some(framed) = framer.next_frame() {
        match framed {
            Ok(Framed::Message(message)) => got.push(judge(Ok(*message))),
            Ok(Framed::KeepAlive) => {}
            Err(malformed) => got.push(Err(malformed)),
        }
    }
}

fn check_stream(case: &Case, got: &[Result<Message, Malformed>]) {
    let verdicts: Vec<Wire> = got.iter().map(verdict).collect();
    let closes = got.iter().any(|one| matches!(one, Err(malformed) if malformed.close_stream));
    let (expected, closing) = match case.stream {
        Stream::AsDatagram => (vec![case.wire], false),
        Stream::TwoMessagesThenCloses => (vec![Wire::Accepted, Wire::Accepted, Wire::Dropped], true),
        Stream::Waits => (vec![], false),
        Stream::Closes(code) => (vec![Wire::Refused(code)], true),
    };
    assert_eq!((verdicts, closes), (expected, closing), "{}", case.name);
}

/// Calls every typed reader, for the sake of panics.
fn read_everything(message: &Message) {
    let _ = (message.via(), message.vias(), message.from(), message.to(), message.cseq(), message.contacts());
    let _ = (message.refer_to(), message.referred_by(), message.replaces(), message.event(), message.body_parts());
    let mut copy = message.clone();
    copy.note_source(([192, 0, 2, 1], 5060).into());
    let _ = copy.response_to(200, "", Some("tag")).to_bytes();
}
