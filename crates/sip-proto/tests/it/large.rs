//! INVITEs that are too big for a datagram (RFC 3261 §18.1.1).

use call_model::{Codec, Direction, IdSource, Instant, LocalMedia};
use core::net::SocketAddr;
use core::time::Duration;
use sip_proto::{Address, DialogEvent, DialogId, Endpoint, EndpointConfig, Flow, InviteRequest, Output, Transport};
use sip_wire::{Message, Method, Uri};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

struct Bench {
    endpoint: Endpoint,
    now: Instant,
    flow: Flow,
    events: Vec<DialogEvent>,
}

impl Bench {
    fn new() -> Self {
        let (local, remote) = (address("192.0.2.1:5060"), address("192.0.2.7:5070"));
        let config = EndpointConfig { tcp: vec![(local, address("192.0.2.1:5062"))], ..EndpointConfig::default() };
        let endpoint = Endpoint::new(config, IdSource::from_u64(1));
        let flow = Flow { transport: Transport::Udp, local, remote };
        Self { endpoint, now: Instant::from_millis(0), flow, events: Vec::new() }
    }

    fn tcp(&self) -> Flow {
        Flow { transport: Transport::Tcp, local: address("192.0.2.1:5062"), ..self.flow }
    }

    fn invite(&mut self, uri: &str, filler: usize) -> DialogId {
        let uri = Uri::parse(uri).expect("a URI");
        let local = LocalMedia {
            srtp: Default::default(),
            rtp: address("192.0.2.1:20000"),
            codecs: vec![Codec::Pcmu],
            telephone_event: 101,
            direction: Direction::SendRecv,
        };
        let request = InviteRequest {
            flow: self.flow,
            request_uri: uri.clone(),
            to: Address::new(uri),
            from: Address::new(Uri::parse("sip:us@192.0.2.1").expect("a URI")),
            call_id: None,
            max_forwards: 70,
            headers: vec![("X-Filler".to_owned(), "x".repeat(filler))],
            extra_part: None,
            local,
            second: None,
            late_offer: false,
        };
        self.endpoint.invite(request, self.now)
    }

    /// What goes out now.
    fn sent(&mut self) -> Vec<(Transport, Message)> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { flow, bytes, .. } => {
                    sent.push((flow.transport, Message::parse_datagram(&bytes).expect("SIP")));
                }
                Output::Event(event) => self.events.push(event),
                Output::Seen(_) | Output::Dropped(_) | Output::Registration(_) => {}
            }
        }
        sent
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.endpoint.handle_timeout(self.now);
    }

    fn answer(&mut self, flow: Flow, to: &Message, code: u16) {
        let response = to.response_to(code, "", (code > 100).then_some("theirs"));
        self.endpoint.handle_message(flow, response, self.now);
    }
}

const PLAIN: &str = "sip:ada@192.0.2.7:5070";
const BIG: usize = 1200;

fn via(message: &Message) -> (String, String) {
    let via = message.via().expect("a Via");
    let text = message.headers.get("Via").expect("a Via").to_owned();
    (text.split(';').next().expect("one").to_owned(), via.branch().expect("a branch").to_owned())
}

#[test]
fn a_large_invite_goes_over_tcp_and_a_small_one_does_not() {
    let mut small = Bench::new();
    small.invite(PLAIN, 10);
    assert_eq!(small.sent()[0].0, Transport::Udp);
    let mut bench = Bench::new();
    bench.invite(PLAIN, BIG);
    let (transport, invite) = bench.sent().remove(0);
    assert_eq!(transport, Transport::Tcp);
    assert_eq!(via(&invite).0, "SIP/2.0/TCP 192.0.2.1:5062");
    // What comes later goes by datagram as before.
    assert!(!invite.headers.get("Contact").expect("a Contact").contains("transport"));
    bench.pass(Duration::from_millis(100));
    bench.answer(bench.tcp(), &invite, 100);
    bench.pass(Duration::from_secs(10));
    assert!(bench.sent().is_empty(), "it arrived");
}

#[test]
fn whoever_asks_for_datagrams_gets_them() {
    let mut bench = Bench::new();
    bench.invite("sip:ada@192.0.2.7:5070;transport=udp", BIG);
    assert_eq!(bench.sent()[0].0, Transport::Udp);
    let uri = Uri::parse("sip:ada@192.0.2.7;transport=UDP").expect("a URI");
    assert!(!bench.endpoint.may_grow(bench.flow, &uri, bench.now));
}

/// Refused at once, or filtered: the same request under the same branch, as a datagram, repeated as datagrams are.
#[test]
fn without_tcp_the_same_request_goes_as_a_datagram() {
    for refused in [true, false] {
        let mut bench = Bench::new();
        let dialog = bench.invite(PLAIN, BIG);
        let (_, first) = bench.sent().remove(0);
        if refused {
            bench.endpoint.handle_flow_failed(bench.tcp(), bench.now);
        } else {
            bench.pass(Duration::from_millis(499));
            assert!(bench.sent().is_empty());
            bench.pass(Duration::from_millis(1));
        }
        let (transport, second) = bench.sent().remove(0);
        assert_eq!(transport, Transport::Udp);
        assert_eq!(via(&second), ("SIP/2.0/UDP 192.0.2.1:5060".to_owned(), via(&first).1));
        assert_eq!((second.call_id(), &second.body), (first.call_id(), &first.body));
        bench.pass(Duration::from_millis(500));
        assert_eq!(bench.sent()[0].0, Transport::Udp, "repeated");
        // The connection that failed in the end is nobody's any more.
        bench.endpoint.handle_flow_failed(bench.tcp(), bench.now);
        bench.answer(bench.flow, &second, 486);
        let sent = bench.sent();
        assert_eq!((sent[0].0, sent[0].1.method()), (Transport::Udp, Some(&Method::Ack)));
        assert!(matches!(bench.events[..], [DialogEvent::Failed { dialog: of, code: 486, .. }] if of == dialog));
    }
}

#[test]
fn a_peer_without_tcp_is_remembered_for_a_while() {
    let mut bench = Bench::new();
    let uri = Uri::parse(PLAIN).expect("a URI");
    assert!(bench.endpoint.may_grow(bench.flow, &uri, bench.now));
    bench.invite(PLAIN, BIG);
    bench.endpoint.handle_flow_failed(bench.tcp(), bench.now);
    bench.sent();
    assert!(!bench.endpoint.may_grow(bench.flow, &uri, bench.now));
    bench.invite(PLAIN, BIG);
    assert_eq!(bench.sent()[0].0, Transport::Udp);
    bench.pass(Duration::from_secs(600));
    assert!(bench.endpoint.may_grow(bench.flow, &uri, bench.now));
}
