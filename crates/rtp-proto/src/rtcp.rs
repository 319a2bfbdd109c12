//! RTCP (RFC 3550 §6): our reports about the one stream we send and the one we receive, and what the peer's say.

use crate::api::Packet;
use call_model::Instant;
use core::time::Duration;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// The origin of our clock as an NTP time. Only differences matter (RFC 3550 §6.4.1), and zero means "none yet".
const NTP_ORIGIN: u64 = 0xe000_0000;

/// 64-bit NTP timestamp of an instant.
pub(crate) fn ntp(now: Instant) -> u64 {
    let nanos = now.as_nanos();
    let seconds = (NTP_ORIGIN + nanos / 1_000_000_000) & 0xffff_ffff;
    let fraction = ((nanos % 1_000_000_000) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// The middle 32 bits: 16 of seconds, 16 of fraction.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Our side of a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// What we say about the peer's stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    pub(crate) fraction_lost: u8,
    pub(crate) lost: u64,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
    /// Middle of the NTP timestamp of the peer's last sender report, and when it came.
    pub(crate) last_report: Option<(u32, Instant)>,
}

/// A compound packet: SR or RR, SDES with CNAME, and BYE at the end of the leg.
pub(crate) fn compound(
    ssrc: u32,
    sent: Option<Sent>,
    block: Option<Block>,
    cname: &str,
    bye: bool,
    now: Instant,
) -> Packet {
    let mut out = Packet::new();
    let blocks = u8::from(block.is_some());
    let (kind, words) = if sent.is_some() { (SENDER_REPORT, 6) } else { (RECEIVER_REPORT, 1) };
    out.push(&[0x80 | blocks, kind]);
    out.push(&(words + 6 * u16::from(blocks)).to_be_bytes());
    out.push(&ssrc.to_be_bytes());
    if let Some(sent) = sent {
        out.push(&ntp(now).to_be_bytes());
        for word in [sent.timestamp, sent.packets, sent.octets] {
            out.push(&word.to_be_bytes());
        }
    }
    if let Some(block) = block {
        push_block(&mut out, block, now);
    }
    push_description(&mut out, ssrc, cname);
    if bye {
        out.push(&[0x81, GOODBYE, 0, 1]);
        out.push(&ssrc.to_be_bytes());
    }
    out
}

fn push_block(out: &mut Packet, block: Block, now: Instant) {
    let lost = block.lost.min(0x7f_ffff) as u32;
    let (report, delay) = block.last_report.map_or((0, 0), |(report, at)| (report, in_65536ths(now.since(at))));
    let words = [block.ssrc, u32::from(block.fraction_lost) << 24 | lost, block.highest, block.jitter, report, delay];
    for word in words {
        out.push(&word.to_be_bytes());
    }
}

fn push_description(out: &mut Packet, ssrc: u32, cname: &str) {
    let name = &cname.as_bytes()[..cname.len().min(255)];
    // SSRC, item type, item length, name, and at least one zero up to the next word.
    let words = (4 + 2 + name.len()) / 4 + 1;
    out.push(&[0x81, DESCRIPTION]);
    out.push(&(words as u16).to_be_bytes());
    out.push(&ssrc.to_be_bytes());
    out.push(&[1, name.len() as u8]);
    out.push(name);
    out.push(&[0; 4][..words * 4 - 6 - name.len()]);
}

fn in_65536ths(duration: Duration) -> u32 {
    ((duration.as_nanos() << 16) / 1_000_000_000).min(u128::from(u32::MAX)) as u32
}

/// What a peer's compound packet told us.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Report {
    /// SSRC and middle of the NTP timestamp of a sender report.
    pub(crate) sender: Option<(u32, u32)>,
    /// What they say about our stream.
    pub(crate) heard: Option<Heard>,
    /// From our sender report to its echo, without the peer's delay.
    pub(crate) round_trip: Option<Duration>,
}

/// What a peer says about our stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Heard {
    /// Loss since their last report, 0..1.
    pub(crate) fraction_lost: f32,
    /// Packets lost since the beginning; duplicates make it less, below zero even (RFC 3550 §6.4.1).
    pub(crate) lost: i32,
    /// In ticks of our timestamps.
    pub(crate) jitter: u32,
}

/// Reads a compound packet; `None` when it is not valid RTCP (RFC 3550 §A.2). Unknown packets in it are skipped.
pub(crate) fn parse(packet: &[u8], our_ssrc: u32, now: Instant) -> Option<Report> {
    let mut report = Report::default();
    let mut rest = packet;
    let mut first = true;
    while !rest.is_empty() {
        let head = rest.first_chunk::<4>()?;
        let end = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (body, next) = (rest.get(4..end)?, &rest[end..]);
        if head[0] >> 6 != 2 || first && head[1] != SENDER_REPORT && head[1] != RECEIVER_REPORT {
            return None;
        }
        let blocks = match head[1] {
            SENDER_REPORT => {
                let ssrc = word(body, 0)?;
                let ntp = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
                report.sender = Some((ssrc, middle(ntp)));
                body.get(24..)?
            }
            RECEIVER_REPORT => body.get(4..)?,
            _ => &[],
        };
        for block in blocks.chunks_exact(24).take(usize::from(head[0] & 0x1f)) {
            if word(block, 0)? == our_ssrc {
                report.heard = Some(Heard {
                    fraction_lost: f32::from(block[4]) / 256.0,
                    // 24 bits, signed.
                    lost: (word(block, 4)? << 8).cast_signed() >> 8,
                    jitter: word(block, 12)?,
                });
                report.round_trip = round_trip(word(block, 16)?, word(block, 20)?, now).or(report.round_trip);
            }
        }
        rest = next;
        first = false;
    }
    if first { None } else { Some(report) }
}

/// RFC 3550 §6.4.1, figure 2. Results that cannot be (negative, above a minute) are dropped.
fn round_trip(last_report: u32, delay: u32, now: Instant) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let units = middle(ntp(now)).wrapping_sub(last_report).wrapping_sub(delay);
    // One unit of rounding may make it negative.
    let units = if units == u32::MAX { 0 } else { units };
    (units < 60 << 16).then(|| Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(ssrc: u32, last_report: Option<(u32, Instant)>) -> Block {
        Block { ssrc, fraction_lost: 64, lost: 5, highest: 77, jitter: 3, last_report }
    }

    #[test]
    fn two_ends_measure_their_round_trip() {
        let sent_at = Instant::from_millis(10_000);
        let sent = Some(Sent { timestamp: 1, packets: 2, octets: 3 });
        let ours = compound(1, sent, None, "us@host", false, sent_at);
        let theirs_at = sent_at + Duration::from_millis(30);
        let heard = parse(ours.as_slice(), 2, theirs_at).expect("valid");
        let (ssrc, stamp) = heard.sender.expect("a sender report");
        assert_eq!(ssrc, 1);
        let answered_at = theirs_at + Duration::from_millis(2000);
        let reply = compound(2, None, Some(block(1, Some((stamp, theirs_at)))), "them", false, answered_at);
        let report = parse(reply.as_slice(), 1, answered_at + Duration::from_millis(30)).expect("valid");
        assert_eq!(report.heard, Some(Heard { fraction_lost: 0.25, lost: 5, jitter: 3 }));
        let round_trip = report.round_trip.expect("measured").as_micros();
        assert!((59_900..60_100).contains(&round_trip), "{round_trip} us");
    }

    #[test]
    fn fewer_than_none_may_be_lost() {
        let mut reply = compound(2, None, Some(block(1, None)), "them", false, Instant::ZERO);
        reply.as_mut_slice()[13..16].copy_from_slice(&[0xff, 0xff, 0xfe]);
        let heard = parse(reply.as_slice(), 1, Instant::ZERO).and_then(|report| report.heard);
        assert_eq!(heard.map(|heard| heard.lost), Some(-2));
    }

    #[test]
    fn every_length_of_name_gives_whole_words_and_ends_with_a_zero() {
        for len in 0..300 {
            let packet = compound(1, None, Some(block(2, None)), &"n".repeat(len), true, Instant::ZERO);
            assert_eq!(packet.as_slice().len() % 4, 0);
            assert!(parse(packet.as_slice(), 9, Instant::ZERO).is_some(), "{len}");
            let bye = &packet.as_slice()[packet.as_slice().len() - 8..];
            assert_eq!(bye[..4], [0x81, GOODBYE, 0, 1]);
            assert_eq!(packet.as_slice()[packet.as_slice().len() - 9], 0);
        }
    }

    #[test]
    fn a_packet_that_does_not_begin_with_a_report_is_refused() {
        assert_eq!(parse(&[], 1, Instant::ZERO), None);
        assert_eq!(parse(&[0x81, GOODBYE, 0, 1, 0, 0, 0, 1], 1, Instant::ZERO), None);
        assert_eq!(parse(&[0x80, RECEIVER_REPORT, 0, 9, 0, 0, 0, 1], 1, Instant::ZERO), None);
        assert_eq!(parse(&[0x9f, RECEIVER_REPORT, 0, 1, 0, 0, 0, 1], 1, Instant::ZERO), Some(Report::default()));
    }
}
