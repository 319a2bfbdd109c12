//! Every rule of every emulator, broken on purpose: they can say no.

use contact_centres::{Refusal, Request, Screen};
use contact_centres::{amazon_connect, avaya, cisco, five9, generic, genesys, microsoft_teams, nice_cxone, twilio};

const START: &str = "INVITE sip:care@192.0.2.13 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
    Max-Forwards: 70\r\nFrom: <sip:+447700900123@192.0.2.1>;tag=a\r\nTo: <sip:care@192.0.2.13>\r\nCall-ID: c\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:gw@192.0.2.1>\r\n";

/// An INVITE with these lines beside what SIP needs.
fn with(lines: &[&str]) -> Request {
    let more: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    Request::parse(format!("{START}{more}Content-Length: 0\r\n\r\n").as_bytes()).expect("a request")
}

fn hex(text: &str) -> String {
    text.bytes().map(|octet| format!("{octet:02X}")).collect()
}

fn lost(screen: Result<Screen, Refusal>) -> String {
    let screen = screen.expect("the call is taken all the same");
    assert!(screen.fields.is_empty(), "{screen:?}");
    screen.lost.join("; ")
}

#[test]
fn genesys_strips_discards_and_drops_as_documented() {
    let shown = |lines: &[&str]| genesys::receive(&with(lines)).expect("taken").get(genesys::FIELD).map(str::to_owned);
    let why = |lines: &[&str]| lost(genesys::receive(&with(lines)));
    let hello = hex("hello");
    // The first octet is always gone, data or not; with pd, or in AudioCodes' header, it stays.
    assert_eq!(shown(&[&format!("User-to-User: 04{hello};encoding=hex")]).as_deref(), Some("hello"));
    assert_eq!(shown(&[&format!("User-to-User: {hello};encoding=hex")]).as_deref(), Some("ello"));
    assert_eq!(shown(&[&format!("User-to-User: {hello};pd=04;encoding=hex")]).as_deref(), Some("hello"));
    assert_eq!(shown(&[&format!("x-User-To-User: {hello};encoding=hex")]).as_deref(), Some("hello"));
    assert_eq!(shown(&["x-User-To-User: hello;encoding=ascii"]).as_deref(), Some("hello"));
    // Without the parameter it is hex.
    assert_eq!(shown(&[&format!("User-to-User: 04{hello}")]).as_deref(), Some("hello"));
    assert!(why(&["User-to-User: hello"]).contains("is not hex"));
    assert!(why(&["User-to-User: 04686;encoding=hex"]).contains("is not hex"), "half an octet");
    assert!(why(&["User-to-User: 0468;encoding=base64"]).contains("unknown"));
    // The standard header wins over AudioCodes'; two of a kind lose everything.
    let both = [format!("User-to-User: 04{hello}"), format!("x-User-To-User: {}", hex("other"))];
    assert_eq!(shown(&[&both[0], &both[1]]).as_deref(), Some("hello"));
    assert!(why(&[&both[0], &both[0]]).contains("all discarded"));
    assert!(why(&[&format!("User-to-User: 04{hello}, 04{hello}")]).contains("all discarded"));
    // Extended characters break, and long data is cut without a word.
    assert!(why(&["User-to-User: 0468C3A9;encoding=hex"]).contains("128 and more"));
    let long = format!("User-to-User: 04{};encoding=hex", hex(&"x".repeat(100)));
    assert_eq!(shown(&[&long]).map(|text| text.len()), Some(63));
}

#[test]
fn five9_reads_x_headers_and_takes_no_refer() {
    let screen = five9::receive(&with(&["X-Handoff-Id: 1", "User-to-User: 04"])).expect("taken");
    assert_eq!(screen.fields, [("X-Handoff-Id".to_owned(), "1".to_owned())]);
    let refer = Request { method: "REFER".to_owned(), ..with(&[]) };
    assert_eq!(five9::receive(&refer).map_err(|refusal| refusal.status), Err(405));
    assert_eq!(five9::bye("resolved"), [("X-RouteReason".to_owned(), "resolved".to_owned())]);
}

#[test]
fn cxone_reads_one_x_header_of_the_initial_invite_only() {
    let screen = nice_cxone::receive(&with(&["X-A: 1", "X-a: 2", "P-B: 3", "User-to-User: 04"]), true).expect("taken");
    assert_eq!(screen.fields, [("X-A".to_owned(), "1".to_owned())]);
    assert_eq!(screen.lost, ["a second X-a"]);
    assert!(lost(nice_cxone::receive(&with(&["X-A: 1"]), false)).contains("not enabled"));
    let mut again = with(&["X-A: 1"]);
    again.headers.iter_mut().filter(|(name, _)| name == "to").for_each(|(_, value)| value.push_str(";tag=b"));
    assert!(lost(nice_cxone::receive(&again, true)).contains("within a call"));
}

#[test]
fn a_connect_flow_reads_none_of_ours_and_its_application_reads_a_list() {
    let request = with(&["X-Handoff-Id: 1", "User-to-User: 04", "P-Handoff: 2", "P-Charge-Info: 3"]);
    let flow = amazon_connect::flow(&request).expect("taken");
    assert_eq!(flow.get("$.Media.Sip.Headers.P-Charge-Info"), Some("3"));
    assert_eq!(flow.get("$.Media.Sip.Headers.X-Handoff-Id"), None);
    let application = amazon_connect::application(&request).expect("taken");
    assert_eq!(application.get("SipHeaders.X-Handoff-Id"), Some("1"));
    assert_eq!(application.get("SipHeaders.P-Handoff"), None);
}

#[test]
fn twilio_refuses_what_is_its_own_and_what_is_too_much() {
    let screen = twilio::receive(&with(&["X-Handoff-Id: 1", "P-Handoff: 2", "User-to-User: 04"])).expect("taken");
    assert_eq!(screen.get("SipHeader_X-Handoff-Id"), Some("1"));
    assert_eq!((screen.get("SipHeader_P-Handoff"), screen.get("SipHeader_User-to-User")), (None, Some("04")));
    let refused = |line: &str| twilio::receive(&with(&[line])).expect_err(line).why;
    assert!(refused("X-Twilio-Handoff: 1").starts_with("32113"));
    assert!(refused(&format!("X-Long: {}", "x".repeat(1020))).starts_with("21227"));
    let status = |uri: &str| twilio::refer_to(uri).map_err(|refusal| refusal.status);
    assert_eq!(status("sip:+442079460000@192.0.2.1"), Err(403));
    assert_eq!(status("tel:+442079460000"), Ok(()));
    assert_eq!(status(&format!("sip:a@b.example?X-A={}", "x".repeat(1024))), Err(400));
}

#[test]
fn avaya_wants_its_own_information_element() {
    let group = avaya::TrunkGroup::default();
    let why = |line: &str, group| lost(avaya::receive(&with(&[line]), group));
    let call_id = "FA080019001038F725B3";
    let good = format!("User-to-User: 00{call_id}C805{};encoding=hex", hex("hello"));
    let screen = avaya::receive(&with(&[&good]), group).expect("taken");
    assert_eq!((screen.get("ASAI UUI"), screen.get("UCID")), (Some("hello"), Some("00025000160955721139")));
    assert!(why(&format!("User-to-User: 04{}", hex("hello")), group).contains("encoding=hex"));
    assert!(why(&format!("User-to-User: 04{};encoding=hex", hex("hello")), group).contains("00FA08"));
    let open = avaya::TrunkGroup { wants_call_id: false, ..group };
    assert!(why(&format!("User-to-User: 04{};encoding=hex", hex("hello")), open).contains("not 00"));
    assert!(why(&format!("User-to-User: 00{call_id}C809{};encoding=hex", hex("hello")), group).contains("longer"));
    assert!(why(&format!("User-to-User: 00{call_id}C8;encoding=hex"), group).contains("after the last"));
    assert!(why(&good, avaya::TrunkGroup { size: 16, ..group }).contains("takes 16"));
    assert!(why(&format!("{good}\r\n{good}"), group).contains("several"));
    let passed = avaya::receive(&with(&[&good]), avaya::TrunkGroup { shared: false, ..group }).expect("taken");
    assert!(passed.get("UUI").is_some_and(|value| value.starts_with("00FA08")));
}

#[test]
fn cisco_passes_what_is_listed_and_cuts_the_rest_off() {
    let screen = cisco::receive(&with(&["X-Handoff-Id: 1", "X-Other: 2"]), &cisco::PASSED).expect("taken");
    assert_eq!((screen.get("X-Handoff-Id"), screen.get("X-Other")), (Some("1"), None));
    let long = format!("X-Handoff-Id: {}", "x".repeat(300));
    let cut = cisco::receive(&with(&[&long, "X-Handoff-Score: 9"]), &cisco::PASSED).expect("taken");
    assert!(cut.lost[0].contains("cut to 210") && cut.get("X-Handoff-Score").is_none(), "{cut:?}");
    assert_eq!(cut.get("X-Handoff-Id").map(str::len), Some(210 - "X-Handoff-Id:".len()));
    let uui = format!("User-to-User: 04{}", hex(&"y".repeat(300)));
    let cut = cisco::receive(&with(&[&uui]), &cisco::PASSED).expect("taken");
    assert_eq!(cut.get("user.microapp.uui").map(str::len), Some(255));
}

#[test]
fn teams_rejects_replaces_and_sips_and_shows_nothing_of_ours() {
    let status = |line: &str| microsoft_teams::receive(&with(&[line])).map_err(|refusal| refusal.status);
    assert_eq!(status("Replaces: a;to-tag=b;from-tag=c"), Err(400));
    assert_eq!(status("P-Asserted-Identity: <sips:a@b>"), Err(400));
    let screen = status("X-Handoff-Id: 1").expect("taken");
    assert_eq!(screen.fields, [("caller".to_owned(), "<sip:+447700900123@192.0.2.1>;tag=a".to_owned())]);
}

#[test]
fn a_generic_system_reads_ia5_text_only() {
    let screen = generic::receive(&with(&[&format!("User-to-User: 00{}", hex("hello"))])).expect("taken");
    assert!(screen.get("User-to-User").is_none() && screen.lost[0].contains("no IA5 text"));
}

#[test]
fn no_product_reads_what_is_no_request() {
    let refused = |text: String| Request::parse(text.as_bytes()).expect_err("no request").status;
    for wrong in [
        START.to_owned(),
        format!("{START}Content-Length: 4\r\n\r\n"),
        format!("{START}Call-ID: d\r\nContent-Length: 0\r\n\r\n"),
        format!("{START}X-A: 1\nX-B: 2\r\nContent-Length: 0\r\n\r\n"),
        format!("{START}no header\r\nContent-Length: 0\r\n\r\n"),
        format!("{START}a b: 1\r\nContent-Length: 0\r\n\r\n"),
        format!("{}Content-Length: 0\r\n\r\n", START.replace("Max-Forwards: 70\r\n", "")),
    ] {
        assert_eq!(refused(wrong), 400);
    }
}
