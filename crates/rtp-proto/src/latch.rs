//! Where a leg's packets go, and whose packets it takes.
//!
//! The address in the SDP is sent to at once: two symmetric peers that both wait would wait for ever. Another address is
//! taken only from the SDP's own host or the leg's allowed networks, and only within a window that each SDP reopens.

use call_model::Instant;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

/// Ways between a browser and us that are kept at once.
const MOST_PROVEN: usize = 8;

#[derive(Debug)]
pub(crate) struct Latch {
    /// What the SDP says.
    announced: SocketAddr,
    /// Where we send.
    current: SocketAddr,
    /// Valid RTP came from `current` since the last SDP.
    confirmed: bool,
    open_until: Instant,
    /// Where a browser's checks came from that proved to be the peer's, the latest last.
    proven: Vec<SocketAddr>,
    /// Of a telephone that was here before: what its SDP said, and where it was.
    former: Option<[SocketAddr; 2]>,
}

/// What the latch makes of a source address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// The address we send to.
    Known,
    /// A new one, which we would send to from now on.
    Moves,
    /// Not ours to listen to.
    Refused,
}

impl Latch {
    pub(crate) fn new(announced: SocketAddr, now: Instant, window: Duration) -> Self {
        Self {
            announced,
            current: announced,
            confirmed: false,
            open_until: now + window,
            proven: Vec::new(),
            former: None,
        }
    }

    /// Another telephone takes this one's place, and will say where it is. What the former one still sends, until it
    /// hears that it was replaced, must not bring our packets back to it.
    pub(crate) fn forsake(&mut self) {
        let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        self.former = Some([self.announced, self.current]);
        (self.announced, self.current, self.confirmed) = (nowhere, nowhere, false);
    }

    /// A new SDP: the window opens again. The same address twice keeps what was learned about it.
    pub(crate) fn announce(&mut self, announced: SocketAddr, now: Instant, window: Duration) -> bool {
        // Somebody who takes over a call of their own is no former one.
        self.former.take_if(|former| former.contains(&announced));
        let changed = announced != self.announced;
        if changed {
            self.announced = announced;
            self.current = announced;
        }
        self.confirmed = false;
        self.open_until = now + window;
        changed
    }

    pub(crate) fn current(&self) -> SocketAddr {
        self.current
    }

    /// Whether a packet from `from` may be used, provided that it is otherwise valid.
    pub(crate) fn judge(&self, from: SocketAddr, allowed: &[(IpAddr, u8)], now: Instant) -> Admission {
        if self.former.is_some_and(|former| former.contains(&from)) {
            return Admission::Refused;
        }
        if from == self.current {
            return Admission::Known;
        }
        if self.proven.contains(&from) {
            return Admission::Moves;
        }
        // A peer that says nothing within the window has not been heard, so its first packet may still teach us.
        if self.confirmed && now >= self.open_until {
            return Admission::Refused;
        }
        let announced_host = from.ip() == self.announced.ip();
        let permitted = if self.confirmed {
            from == self.announced
        } else {
            announced_host || allowed.iter().any(|network| contains(*network, from.ip()))
        };
        if permitted { Admission::Moves } else { Admission::Refused }
    }

    /// A browser's check came from there. As long as none of its audio has, ours goes to where it wants it; then to where
    /// its audio comes from.
    pub(crate) fn prove(&mut self, from: SocketAddr, nominated: bool) {
        if !self.proven.contains(&from) {
            if self.proven.len() == MOST_PROVEN {
                self.proven.remove(0);
            }
            self.proven.push(from);
        }
        if !self.confirmed && (nominated || self.current.ip().is_unspecified()) {
            self.current = from;
        }
    }

    /// A packet that was admitted proved valid.
    pub(crate) fn confirm(&mut self, from: SocketAddr) {
        self.current = from;
        self.confirmed = true;
    }
}

/// Whether `address` lies in `network` (address, prefix length). A mapped IPv4 address is taken as IPv4.
pub(crate) fn contains(network: (IpAddr, u8), address: IpAddr) -> bool {
    match (network.0.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(net), IpAddr::V4(host)) => {
            let distance = net.to_bits() ^ host.to_bits();
            network.1 >= 32 && distance == 0 || network.1 < 32 && distance.leading_zeros() >= u32::from(network.1)
        }
        (IpAddr::V6(net), IpAddr::V6(host)) => {
            let distance = net.to_bits() ^ host.to_bits();
            network.1 >= 128 && distance == 0 || network.1 < 128 && distance.leading_zeros() >= u32::from(network.1)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn latch() -> Latch {
        Latch::new(at("192.0.2.1:4000"), Instant::ZERO, WINDOW)
    }

    fn allowed() -> Vec<(IpAddr, u8)> {
        vec![("198.51.100.0".parse().expect("address"), 24)]
    }

    #[test]
    fn the_announced_address_is_used_before_anything_is_heard() {
        assert_eq!(latch().current(), at("192.0.2.1:4000"));
    }

    #[test]
    fn a_source_behind_nat_is_latched_once() {
        let mut latch = latch();
        let now = Instant::from_millis(100);
        assert_eq!(latch.judge(at("203.0.113.9:1"), &allowed(), now), Admission::Refused);
        assert_eq!(latch.judge(at("198.51.100.7:5000"), &allowed(), now), Admission::Moves);
        latch.confirm(at("198.51.100.7:5000"));
        assert_eq!(latch.judge(at("198.51.100.7:5000"), &allowed(), now), Admission::Known);
        assert_eq!(latch.judge(at("198.51.100.8:5000"), &allowed(), now), Admission::Refused);
        // The address of the SDP wins while the window is open.
        assert_eq!(latch.judge(at("192.0.2.1:4000"), &allowed(), now), Admission::Moves);
    }

    #[test]
    fn a_browser_is_where_its_checks_and_then_its_audio_come_from() {
        let nowhere = at("0.0.0.0:9");
        let mut latch = Latch::new(nowhere, Instant::ZERO, WINDOW);
        let late = Instant::from_millis(60_000);
        let [first, second, third] = ["192.0.2.1:1", "198.51.100.1:2", "203.0.113.1:3"].map(at);
        assert_eq!(latch.judge(first, &[], late), Admission::Refused);
        latch.prove(first, false);
        assert_eq!(latch.current(), first);
        latch.prove(second, true);
        assert_eq!((latch.current(), latch.judge(first, &[], late)), (second, Admission::Moves));
        latch.confirm(first);
        latch.prove(second, true);
        assert_eq!((latch.current(), latch.judge(second, &[], late)), (first, Admission::Moves));
        assert_eq!(latch.judge(third, &[], late), Admission::Refused);
        (10..30).for_each(|port| latch.prove(SocketAddr::new(third.ip(), port), false));
        assert_eq!(latch.judge(second, &[], late), Admission::Refused, "forgotten");
    }

    #[test]
    fn the_window_closes_and_a_new_sdp_opens_it() {
        let mut latch = latch();
        latch.confirm(at("192.0.2.1:4000"));
        let late = Instant::from_millis(6000);
        assert_eq!(latch.judge(at("192.0.2.1:4002"), &allowed(), late), Admission::Refused);
        assert!(!latch.announce(at("192.0.2.1:4000"), late, WINDOW));
        assert_eq!(latch.judge(at("192.0.2.1:4002"), &allowed(), late), Admission::Moves);
    }

    #[test]
    fn a_peer_that_was_never_heard_may_still_come_late() {
        let latch = latch();
        let late = Instant::from_millis(60_000);
        assert_eq!(latch.judge(at("198.51.100.7:5000"), &allowed(), late), Admission::Moves);
        assert_eq!(latch.judge(at("203.0.113.7:5000"), &allowed(), late), Admission::Refused);
    }

    #[test]
    fn who_was_replaced_is_neither_taken_nor_sent_to() {
        let mut latch = latch();
        latch.confirm(at("198.51.100.7:5000"));
        latch.forsake();
        assert!(latch.current().ip().is_unspecified());
        latch.announce(at("192.0.2.2:4000"), Instant::from_millis(1), WINDOW);
        for former in ["198.51.100.7:5000", "192.0.2.1:4000"] {
            assert_eq!(latch.judge(at(former), &allowed(), Instant::from_millis(2)), Admission::Refused);
        }
        let behind_nat = at("198.51.100.7:5001");
        assert_eq!(latch.judge(behind_nat, &allowed(), Instant::from_millis(2)), Admission::Moves);
    }

    #[test]
    fn who_takes_over_a_call_of_their_own_is_heard_where_they_were() {
        let mut latch = latch();
        latch.confirm(at("198.51.100.7:5000"));
        latch.forsake();
        latch.announce(at("192.0.2.1:4000"), Instant::from_millis(1), WINDOW);
        assert_eq!(latch.judge(at("198.51.100.7:5000"), &allowed(), Instant::from_millis(2)), Admission::Moves);
    }

    #[test]
    fn the_same_sdp_again_keeps_the_learned_address() {
        let mut latch = latch();
        latch.confirm(at("198.51.100.7:5000"));
        assert!(!latch.announce(at("192.0.2.1:4000"), Instant::from_millis(1), WINDOW));
        assert_eq!(latch.current(), at("198.51.100.7:5000"));
        assert!(latch.announce(at("192.0.2.2:4000"), Instant::from_millis(2), WINDOW));
        assert_eq!(latch.current(), at("192.0.2.2:4000"));
    }

    #[test]
    fn prefixes_of_every_length_are_understood() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("address");
        assert!(contains((ip("10.0.0.0"), 8), ip("10.255.1.2")));
        assert!(!contains((ip("10.0.0.0"), 8), ip("11.0.0.1")));
        assert!(contains((ip("0.0.0.0"), 0), ip("8.8.8.8")));
        assert!(contains((ip("10.0.0.1"), 32), ip("::ffff:10.0.0.1")));
        assert!(!contains((ip("10.0.0.1"), 32), ip("10.0.0.2")));
        assert!(contains((ip("2001:db8::"), 32), ip("2001:db8:1::5")));
        assert!(!contains((ip("2001:db8::"), 32), ip("10.0.0.1")));
        assert!(!contains((ip("10.0.0.1"), 200), ip("10.0.0.2")));
    }
}
