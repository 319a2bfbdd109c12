//! A name server on a loopback port, whose records the test writes.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// What it knows; nothing: it fails every question.
type Zone = Arc<Mutex<Option<Vec<Record>>>>;

/// It runs until the process ends.
pub(crate) struct NameServer {
    pub(crate) at: SocketAddr,
    zone: Zone,
}

impl NameServer {
    pub(crate) fn start(records: Vec<Record>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let at = socket.local_addr().expect("bound");
        let zone: Zone = Arc::new(Mutex::new(Some(records)));
        let known = zone.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                let Ok(question) = Message::from_vec(&buffer[..len]) else { continue };
                let answer = answer(&question, known.lock().expect("a zone").as_deref());
                let _ = socket.send_to(&answer.to_vec().expect("an answer"), from);
            }
        });
        Self { at, zone }
    }

    /// From now on.
    pub(crate) fn say(&self, records: Option<Vec<Record>>) {
        *self.zone.lock().expect("a zone") = records;
    }
}

fn answer(question: &Message, zone: Option<&[Record]>) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.queries.clone_from(&question.queries);
    match (zone, question.queries.first()) {
        (Some(records), Some(asked)) => {
            let fit = |record: &&Record| record.name == *asked.name() && record.record_type() == asked.query_type();
            answer.answers.extend(records.iter().filter(fit).cloned());
        }
        _ => answer.metadata.response_code = ResponseCode::ServFail,
    }
    answer
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

pub(crate) fn a(at: &str, ttl: u32, ip: [u8; 4]) -> Record {
    Record::from_rdata(name(at), ttl, RData::A(A(Ipv4Addr::from(ip))))
}

pub(crate) fn srv(at: &str, (priority, weight, port): (u16, u16, u16), host: &str) -> Record {
    Record::from_rdata(name(at), 60, RData::SRV(SRV::new(priority, weight, port, name(host))))
}

#[allow(dead_code, reason = "not every user of this file asks for it")]
pub(crate) fn aaaa(at: &str, ttl: u32, ip: Ipv6Addr) -> Record {
    Record::from_rdata(name(at), ttl, RData::AAAA(AAAA(ip)))
}

pub(crate) fn naptr(at: &str, order: u16, service: &str, to: &str) -> Record {
    let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
    let naptr = NAPTR::new(order, 10, bytes("s"), bytes(service), bytes(""), name(to));
    Record::from_rdata(name(at), 60, RData::NAPTR(naptr))
}
