//! What the gateway sent, as capture files that programs of other people can read.
//!
//! Off unless the environment variable [`FOLDER`] names a folder: each process that simulates writes a file there, with
//! all SIP its gateways sent and, in worlds where nothing is encrypted, the first [`RTP_EACH`] packets to each RTP or RTCP
//! address. SIP over TCP is written as a datagram a message.

use call_model::Instant;
use etherparse::PacketBuilder;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Names the folder.
const FOLDER: &str = "WARMLINE_CAPTURES";
/// Enough to see how a stream begins, few enough for thousands of calls.
const RTP_EACH: u32 = 50;
const TTL: u8 = 64;

/// One for all worlds of the process.
static SHARED: LazyLock<Option<Mutex<PcapWriter<File>>>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os(FOLDER)?);
    let file = File::create(folder.join(format!("{}.pcap", std::process::id()))).expect("the folder for captures");
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    Some(Mutex::new(PcapWriter::with_header(file, header).expect("a capture can be begun")))
});

/// The packets of one world, written when it ends so that they stand together.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Audio is encrypted somewhere: nobody could read it.
    encrypted: bool,
    packets: Vec<(Instant, Vec<u8>)>,
    streams: BTreeMap<SocketAddr, u32>,
}

impl Capture {
    pub(crate) fn new(encrypted: bool) -> Self {
        Self { encrypted, packets: Vec::new(), streams: BTreeMap::new() }
    }

    /// Notes a SIP message.
    pub(crate) fn sip(&mut self, from: SocketAddr, to: SocketAddr, message: &[u8], now: Instant) {
        if SHARED.is_some() {
            self.packets.push((now, datagram(from, to, message)));
        }
    }

    /// Notes an RTP or RTCP packet, if the stream is young.
    pub(crate) fn rtp(&mut self, from: SocketAddr, to: SocketAddr, packet: &[u8], now: Instant) {
        if SHARED.is_none() || self.encrypted {
            return;
        }
        let sent = self.streams.entry(to).or_default();
        *sent += 1;
        if *sent <= RTP_EACH {
            self.packets.push((now, datagram(from, to, packet)));
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let Some(shared) = &*SHARED else { return };
        let mut file = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, packet) in &self.packets {
            let packet = PcapPacket::new(at.since(Instant::ZERO), packet.len() as u32, packet);
            file.write_packet(&packet).expect("a capture can be written");
        }
    }
}

fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let builder = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), TTL),
        (from, to) => {
            let octets = |at: SocketAddr| match at {
                SocketAddr::V4(at) => at.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(at) => at.ip().octets(),
            };
            PacketBuilder::ipv6(octets(from), octets(to), TTL)
        }
    };
    let builder = builder.udp(from.port(), to.port());
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut packet, payload).expect("a message fits a datagram");
    packet
}
