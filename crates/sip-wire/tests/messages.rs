//! What callers of the crate rely on, one behaviour per test.

use std::net::SocketAddr;

use sip_wire::{
    BodyPart, Framed, Headers, Host, MAX_HEADER_LINES, MAX_MESSAGE_BYTES, Malformed, Message, Method, Multipart,
    NameAddr, Replaces, Scheme, StreamFramer, Uri, Via, text, validate_request, validate_response,
};

const HEAD: &str = "Via: SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP far.example.com\r\n\
    From: \"A\" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 7@192.0.2.1\r\nCSeq: 2 INVITE\r\n\
    Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nTimestamp: 5\r\n";

#[test]
fn a_response_copies_what_identifies_the_request() {
    let response = request("INVITE", "").response_to(180, "", Some("t1"));
    assert_eq!(response.reason(), Some("Ringing"));
    assert_eq!(response.vias().expect("Via").len(), 2);
    assert_eq!(response.to_tag().as_deref(), Some("t1"));
    assert_eq!(response.from_tag().as_deref(), Some("1"));
    assert_eq!(response.call_id(), "7@192.0.2.1");
    assert_eq!(response.cseq().map(|cseq| cseq.to_string()), Ok("2 INVITE".into()));
    assert_eq!(response.record_routes().len(), 2);
    assert!(!response.headers.contains("Timestamp"));
}

#[test]
fn trying_has_no_tag_and_no_route_but_the_timestamp() {
    let response = request("INVITE", "").response_to(100, "", None);
    assert_eq!((response.to_tag(), response.record_routes().len()), (None, 0));
    assert_eq!(response.headers.get("Timestamp"), Some("5"));
}

#[test]
fn a_to_tag_that_is_there_is_kept() {
    let bytes = String::from_utf8(request("INVITE", "").to_bytes()).expect("text");
    let bytes = bytes.replace("To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=old");
    let request = Message::parse_datagram(bytes.as_bytes()).expect("parses");
    assert_eq!(request.response_to(200, "", Some("new")).to_tag().as_deref(), Some("old"));
}

#[test]
fn the_source_is_noted_in_the_topmost_via_only() {
    let mut request = request("INVITE", "");
    let source: SocketAddr = ([198, 51, 100, 9], 40000).into();
    request.note_source(source);
    let vias = request.vias().expect("Via");
    assert_eq!((vias[0].received(), vias[0].rport()), (Some(source.ip()), Some(40000)));
    assert_eq!((vias[1].received(), vias[1].rport()), (None, None));
    assert_eq!(vias[0].response_address(source), source);
    assert_eq!(vias[1].response_address(source), ([198, 51, 100, 9], 5060).into());
}

#[test]
fn without_rport_received_is_noted_only_when_it_differs() {
    let mut via = Via::parse("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1").expect("parses");
    via.set_received(([192, 0, 2, 1], 9).into());
    assert_eq!(via.received(), None);
    via.set_received(([192, 0, 2, 2], 9).into());
    assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;received=192.0.2.2");
    assert_eq!(via.response_address(([192, 0, 2, 2], 9).into()), ([192, 0, 2, 2], 5062).into());
}

#[test]
fn an_address_mapped_by_a_dual_stack_socket_is_the_ipv4_address() {
    let mut via = Via::parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1").expect("parses");
    via.set_received("[::ffff:192.0.2.1]:5060".parse().expect("address"));
    assert_eq!(via.received(), None);
}

#[test]
fn replaces_inside_refer_to_is_escaped_and_read_back() {
    let replaces = Replaces {
        call_id: "3c2f9e51b7d84@gw.example.com".into(),
        to_tag: "desk-7743".into(),
        from_tag: "gwB-6472".into(),
        early_only: false,
    };
    let target = Uri::parse("sip:desk-4412@cc.example.net:5061;transport=tls").expect("parses");
    let uri = replaces.refer_to(&target).with_header("User-to-User", "04AB;encoding=hex");
    assert_eq!(
        uri.as_str(),
        "sip:desk-4412@cc.example.net:5061;transport=tls?Replaces=3c2f9e51b7d84%40gw.example.com%3Bto-tag%3Ddesk-7743\
         %3Bfrom-tag%3DgwB-6472&Require=replaces&User-to-User=04AB%3Bencoding%3Dhex"
    );
    assert_eq!(Replaces::from_refer_to(&uri), Some(Ok(replaces)));
    assert_eq!(uri.header("require").as_deref(), Some("replaces"));
    assert_eq!(uri.without_headers(), target);
}

#[test]
fn replaces_needs_both_tags() {
    assert!(Replaces::parse("a@b;to-tag=1").is_err());
    assert!(Replaces::parse("a@b;from-tag=1").is_err());
    assert!(Replaces::parse("a@b ; to-tag=1;from-tag=2;early-only").expect("parses").early_only);
}

#[test]
fn latin1_names_leave_as_they_came_and_read_well() {
    let mut bytes = b"SIP/2.0 200 OK\r\nFrom: \"Andr\xe9 \xc3\xa9\" <sip:a@b>;tag=1\r\n\r\n".to_vec();
    let message = Message::parse_datagram(&bytes).expect("parses");
    let from = message.from().expect("From");
    assert_eq!(from.display_text().as_deref(), Some("André é"));
    assert!(message.to_bytes().windows(9).any(|window| window == b"Andr\xe9 \xc3\xa9\""));
    let mut copied = Message::response(200, "");
    copied.headers.push("From", from.to_string());
    bytes.truncate(bytes.len() - 4);
    assert!(copied.to_bytes().windows(9).any(|window| window == b"Andr\xe9 \xc3\xa9\""));
}

#[test]
fn line_breaks_cannot_leave_through_any_field() {
    let mut message = Message::request(Method::Other("IN\r\nVITE".into()), Uri::parse("sip:a@b").expect("parses"));
    message.headers.push("X-Name\r\nEvil", "1\r\nEvil: 2\0");
    message.headers.push("Content-Length", "99");
    let display =
        NameAddr { display: Some("a\r\nEvil: 3".into()), ..NameAddr::new(Uri::parse("sip:a@b").expect("parses")) };
    message.headers.push("From", display.to_string());
    let text = String::from_utf8(message.to_bytes()).expect("text");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(!text.contains("\nEvil") && !text.contains('\0') && !text.contains("99"));
    assert!(Uri::parse("sip:a@b\r\nEvil: 1").is_err());
    assert_eq!(Uri::sip("a\r\n>;x@y", &Host::Name("h>\r\n".into()), None).as_str(), "sip:a%0D%0A%3E%3Bx%40y@h---");
}

#[test]
fn quotes_and_backslashes_survive() {
    for value in [r#"a "quoted" \ name"#, "", "\\", "\"", "комната 5"] {
        assert_eq!(text::unquote(&text::quote(value)), value);
    }
}

#[test]
fn uris_of_every_kind_are_read() {
    let tel = Uri::parse("tel:+1-201-555-0123;phone-context=example.com").expect("parses");
    assert_eq!((tel.scheme(), tel.user(), tel.host()), (&Scheme::Tel, Some("+1-201-555-0123"), None));
    assert_eq!(tel.param("phone-context"), Some("example.com"));
    let sips = Uri::parse("SIPS:bob:secret@Example.com:5061;lr?Subject=x").expect("parses");
    assert_eq!((sips.scheme(), sips.user(), sips.port()), (&Scheme::Sips, Some("bob"), Some(5061)));
    assert_eq!((sips.param("LR"), sips.header("subject").as_deref()), (Some(""), Some("x")));
    assert_eq!(sips.to_string(), "SIPS:bob:secret@Example.com:5061;lr?Subject=x");
    for bad in
        ["", "sip", ":x", "1a:b", "sip:", "sip:@h", "sip:h:", "sip:h:99999", "sip:[::1", "sip:::1", "tel:", "sip:a b"]
    {
        assert!(Uri::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn equivalent_uris_follow_the_rfc_where_routing_needs_it() {
    let same = |a: &str, b: &str| Uri::parse(a).expect(a).equivalent(&Uri::parse(b).expect(b));
    assert!(same("sip:%61lice@Example.com;Transport=TCP", "sip:alice@example.com;transport=tcp;lr"));
    assert!(!same("sip:Alice@example.com", "sip:alice@example.com"));
    assert!(!same("sip:alice@example.com", "sip:alice@example.com:5060"));
    assert!(!same("sip:alice@example.com", "sips:alice@example.com"));
}

#[test]
fn uri_parameters_are_set_and_removed_in_place() {
    let uri = Uri::parse("sip:a@h;transport=udp;lr?x=1").expect("parses");
    assert_eq!(uri.with_param("transport", Some("tcp")).as_str(), "sip:a@h;lr;transport=tcp?x=1");
    assert_eq!(uri.without_param("lr").as_str(), "sip:a@h;transport=udp?x=1");
    assert_eq!(uri.with_param("p", Some("a;b")).as_str(), "sip:a@h;transport=udp;lr;p=a%3Bb?x=1");
}

#[test]
fn headers_are_found_by_any_spelling() {
    let mut headers = Headers::new();
    headers.push("v", "1");
    headers.push("VIA", "2");
    headers.push("X-Other", "3");
    headers.push_front("via", "0");
    assert_eq!(headers.get_all("Via").collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(headers.iter().next(), Some(("Via", "0")));
    headers.set("v", "9");
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("Via", "9"), ("X-Other", "3")]);
    assert_eq!((headers.remove("x-other"), headers.remove("x-other")), (1, 0));
}

#[test]
fn a_datagram_without_length_takes_the_rest_and_a_smaller_length_cuts() {
    let with = |length: &str| datagram(&format!("OPTIONS sip:b SIP/2.0\r\n{HEAD}{length}\r\nbody"));
    assert_eq!(with("").map(|message| message.body), Ok(b"body".to_vec()));
    assert_eq!(with("l: 2\r\n").map(|message| message.body), Ok(b"bo".to_vec()));
    for length in ["5", "-1", "", "1x", "99999999999999999999999999"] {
        let malformed = with(&format!("l: {length}\r\n")).expect_err("refused");
        assert_eq!((malformed.code, malformed.answer.is_some()), (400, true), "{length}");
    }
}

#[test]
fn the_same_bad_request_gets_the_same_answer_each_time() {
    let bad = format!("INVITE sip:b@[bad SIP/2.0\r\n{HEAD}\r\n");
    let answer = |text: &str| datagram(text).expect_err("refused").answer.expect("answered");
    assert_eq!(answer(&bad), answer(&bad));
    assert!(answer(&bad).to_tag().is_some());
    assert_ne!(answer(&bad).to_tag(), answer(&bad.replace("7@192", "8@192")).to_tag());
}

#[test]
fn nothing_is_answered_to_an_ack_a_response_or_without_a_via() {
    for bad in [
        format!("ACK sip:b@[bad SIP/2.0\r\n{HEAD}\r\n"),
        format!("SIP/2.0 99 X\r\n{HEAD}\r\n"),
        "INVITE sip:b@[bad SIP/2.0\r\nCall-ID: 1\r\n\r\n".to_owned(),
        "rubbish".to_owned(),
        "\r\n\r\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(datagram(&bad).expect_err("refused").answer, None, "{bad}");
    }
    let mut ack = request("ACK", "");
    ack.headers.remove("From");
    assert_eq!(validate_request(&ack).expect_err("refused").answer, None);
}

#[test]
fn too_many_headers_are_refused() {
    let lines = |count| "X: 1\r\n".repeat(count);
    let own = HEAD.lines().count();
    assert!(datagram(&format!("OPTIONS sip:b SIP/2.0\r\n{HEAD}{}\r\n", lines(MAX_HEADER_LINES - own))).is_ok());
    let malformed = datagram(&format!("OPTIONS sip:b SIP/2.0\r\n{HEAD}{}\r\n", lines(MAX_HEADER_LINES)));
    assert_eq!(malformed.expect_err("refused").code, 513);
}

#[test]
fn a_response_with_a_second_via_is_not_ours() {
    let response = request("INVITE", "").response_to(200, "", Some("t"));
    assert!(validate_response(&response).is_err());
    let mut ours = response.clone();
    ours.headers.set("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
    assert!(validate_response(&ours).is_ok());
}

#[test]
fn keepalives_are_told_from_line_ends_before_a_message() {
    let message = stream_message("x");
    let mut framer = StreamFramer::new();
    for byte in b"\r\n\r\n" {
        assert_eq!(framer.next_frame(), None);
        framer.push(&[*byte]);
    }
    assert_eq!(framer.next_frame(), Some(Ok(Framed::KeepAlive)));
    framer.push(b"\r\n");
    assert_eq!((framer.next_frame(), framer.is_mid_message()), (None, false));
    framer.push(&message);
    assert!(matches!(framer.next_frame(), Some(Ok(Framed::Message(_)))));
    assert_eq!(framer.next_frame(), None);
}

#[test]
fn a_malformed_message_of_known_length_does_not_end_the_stream() {
    let bad = format!("INVITE sip:b@[bad SIP/2.0\r\n{HEAD}Content-Length: 4\r\n\r\nbody");
    let mut framer = StreamFramer::new();
    framer.push(bad.as_bytes());
    framer.push(&stream_message("after"));
    let malformed = next(&mut framer).expect_err("refused");
    assert_eq!((malformed.code, malformed.close_stream), (400, false));
    assert_eq!(next(&mut framer).map(|message| message.body), Ok(b"after".to_vec()));
}

#[test]
fn a_stream_without_an_end_is_cut_off() {
    for chunk in [&b"INVITE sip:b SIP/2.0\r\nX: 1\r\n"[..], b"aaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let mut framer = StreamFramer::new();
        let malformed = (0..MAX_MESSAGE_BYTES).find_map(|_| {
            framer.push(chunk);
            framer.next_frame()
        });
        let malformed = malformed.expect("cut off").expect_err("refused");
        assert_eq!((malformed.code, malformed.close_stream), (513, true));
        framer.push(&stream_message("x"));
        assert_eq!(framer.next_frame(), None);
    }
    let mut framer = StreamFramer::new();
    framer.push(format!("OPTIONS sip:b SIP/2.0\r\n{HEAD}Content-Length: {MAX_MESSAGE_BYTES}\r\n\r\n").as_bytes());
    assert_eq!(next(&mut framer).expect_err("refused").code, 513);
}

#[test]
fn another_protocol_on_the_port_is_disconnected_without_an_answer() {
    let mut framer = StreamFramer::new();
    framer.push(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    let malformed = next(&mut framer).expect_err("refused");
    assert_eq!((malformed.answer, malformed.close_stream), (None, true));
}

#[test]
fn a_multipart_body_is_written_and_read() {
    let part = |kind: &str, bytes: &[u8]| {
        let mut headers = Headers::new();
        headers.push("Content-Type", kind);
        BodyPart { headers, bytes: bytes.to_vec() }
    };
    let parts = vec![part("application/sdp", b"v=0\r\n"), part("application/json", b"--wlseed {}\r\n--wlseed\r\n")];
    let mut message = request("INVITE", "");
    Multipart { parts: parts.clone() }.attach_to(&mut message, "seed");
    let read = Message::parse_datagram(&message.to_bytes()).expect("parses");
    assert_eq!(read.body_parts(), parts);
    assert_eq!(read.body_part("application/sdp").map(|part| part.bytes), Some(b"v=0\r\n".to_vec()));
    assert_eq!(read.body_part("text/plain"), None);
}

#[test]
fn a_plain_body_is_one_part() {
    let mut message = request("INVITE", "v=0\r\n");
    message.headers.push("c", "Application / SDP ; charset=utf-8");
    assert_eq!(message.body_part("application/sdp").map(|part| part.bytes), Some(b"v=0\r\n".to_vec()));
    assert_eq!(request("INVITE", "").body_parts(), []);
}

#[test]
fn option_tags_and_methods_are_found() {
    let mut message = request("INVITE", "");
    assert_eq!(message.allows(&Method::Refer), None);
    message.headers.push("Allow", "INVITE, ACK");
    message.headers.push("Allow", "REFER");
    message.headers.push("k", "timer, Replaces");
    assert_eq!((message.allows(&Method::Refer), message.allows(&Method::Info)), (Some(true), Some(false)));
    assert!(message.supports("replaces") && !message.supports("100rel"));
}

fn request(method: &str, body: &str) -> Message {
    datagram(&format!("{method} sip:b@example.com SIP/2.0\r\n{HEAD}\r\n{body}")).expect("a valid request")
}

fn datagram(text: &str) -> Result<Message, Malformed> {
    Message::parse_datagram(text.as_bytes())
}

fn stream_message(body: &str) -> Vec<u8> {
    request("INVITE", body).to_bytes()
}

fn next(framer: &mut StreamFramer) -> Result<Message, Malformed> {
    match framer.next_frame().expect("a frame") {
        Ok(Framed::Message(message)) => Ok(*message),
        Ok(Framed::KeepAlive) => panic!("no keepalive was sent"),
        Err(malformed) => Err(malformed),
    }
}
