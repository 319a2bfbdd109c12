//! What one message costs. Target: a 1 kB INVITE is parsed in less than 6 µs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sip_wire::{Message, StreamFramer, validate_request};

fn invite() -> Vec<u8> {
    let body = "v=0\r\no=trunk 49101 1 IN IP4 198.51.100.30\r\ns=-\r\nc=IN IP4 198.51.100.30\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    let head = "INVITE sip:+442079460000@gw.example.com SIP/2.0\r\n\
        Via: SIP/2.0/TCP 198.51.100.20:5060;rport;branch=z9hG4bK776asdhds\r\nMax-Forwards: 68\r\n\
        From: \"+447700900123\" <sip:+447700900123@trunk.example.net;user=phone>;tag=tr-9fxced76sl\r\n\
        To: <sip:+442079460000@gw.example.com;user=phone>\r\nCall-ID: a84b4c76e66710@trunk.example.net\r\n\
        CSeq: 314159 INVITE\r\nContact: <sip:198.51.100.20:5060;transport=tcp>\r\n\
        P-Asserted-Identity: <sip:+447700900123@trunk.example.net;user=phone>\r\n\
        Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000\r\n\
        Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY, INFO\r\n\
        Supported: timer, 100rel, replaces, norefersub\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n\
        Content-Type: application/sdp\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn benches(c: &mut Criterion) {
    let bytes = invite();
    let message = Message::parse_datagram(&bytes).expect("a valid INVITE");
    c.bench_function("parse_datagram 1 kB INVITE", |b| b.iter(|| Message::parse_datagram(black_box(&bytes))));
    c.bench_function("validate_request", |b| b.iter(|| validate_request(black_box(&message))));
    c.bench_function("to_bytes", |b| b.iter(|| black_box(&message).to_bytes()));
    c.bench_function("response_to 200 + to_bytes", |b| {
        b.iter(|| black_box(&message).response_to(200, "", Some("tag")).to_bytes())
    });
    c.bench_function("StreamFramer 1 kB INVITE", |b| {
        let mut framer = StreamFramer::new();
        b.iter(|| {
            framer.push(black_box(&bytes));
            framer.next_frame()
        });
    });
}

criterion_group!(parse, benches);
criterion_main!(parse);
