//! The audio of one party: a real UDP socket, a tone, and ears.

use call_model::{Codec, IdSource, Instant, RemoteMedia};
use phone::{Heard, Media, Source};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The audio of one party. Runs until dropped.
pub struct Talker {
    /// Its RTP port.
    pub port: u16,
    /// Its address, which SIPp shares.
    pub ip: IpAddr,
    report: UdpSocket,
    shared: Arc<Shared>,
    codec: Codec,
}

struct Shared {
    media: Mutex<(Media, bool)>,
    news: Condvar,
    epoch: std::time::Instant,
}

impl Talker {
    /// Says `tone`, and listens for everybody's.
    pub fn new(tone: f32, codec: Codec) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), tone, codec)
    }

    /// The same at another address of loopback.
    pub fn at(ip: IpAddr, tone: f32, codec: Codec) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("a loopback socket binds");
        let report = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket binds");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout can be set");
        let mut ids = IdSource::from_u64(u64::from(tone as u32));
        let media =
            Media::new(Source::Tone(tone), &[crate::CALLER, crate::BOT, crate::DESK, crate::COLLEAGUE], &mut ids);
        let shared = Arc::new(Shared {
            media: Mutex::new((media, true)),
            news: Condvar::new(),
            epoch: std::time::Instant::now(),
        });
        let port = socket.local_addr().expect("a bound socket has an address").port();
        let worker = Arc::clone(&shared);
        std::thread::spawn(move || worker.run(&socket));
        Self { port, ip, report, shared, codec }
    }

    /// The UDP port on which SIPp reports where the gateway wants RTP.
    pub fn report_port(&self) -> u16 {
        self.report.local_addr().expect("a bound socket has an address").port()
    }

    /// Waits for SIPp's report and starts talking there.
    ///
    /// # Panics
    /// When no report comes in time.
    pub fn connect(&self, within: Duration) {
        self.report.set_read_timeout(Some(within)).expect("a timeout can be set");
        let mut buffer = [0; 16];
        let length = self.report.recv(&mut buffer).expect("SIPp reports a media port in time");
        let port = core::str::from_utf8(&buffer[..length]).ok().and_then(|text| text.parse().ok());
        let rtp = SocketAddr::new(self.ip, port.expect("a port number"));
        let remote = RemoteMedia { telephone_event: Some(101), ..RemoteMedia::new(rtp, self.codec) };
        let now = self.shared.now();
        self.shared.lock().0.connect(remote, now);
    }

    /// Presses a key for 100 ms.
    pub fn press(&self, key: char) {
        self.shared.lock().0.press(key, Duration::from_millis(100));
    }

    /// Stops or resumes sending.
    pub fn mute(&self, muted: bool) {
        self.shared.lock().0.mute(muted);
    }

    /// Waits until `blocks` stretches of 60 ms in a row held exactly these tones.
    ///
    /// # Panics
    /// When that does not happen in time; says what was heard instead.
    pub fn hears(&self, tones: &[f32], blocks: usize, within: Duration) {
        self.listen(&format!("{tones:?}"), blocks, within, |block| block.tones == tones);
    }

    /// Waits until `blocks` stretches of 60 ms in a row held sound, but none of the three parties' tones.
    ///
    /// # Panics
    /// When that does not happen in time; says what was heard instead.
    pub fn hears_music(&self, blocks: usize, within: Duration) {
        self.listen("music", blocks, within, |block| block.tones.is_empty() && block.level > 0.003);
    }

    fn listen(&self, what: &str, blocks: usize, within: Duration, wanted: impl Fn(&Heard) -> bool) {
        let deadline = std::time::Instant::now() + within;
        let mut guard = self.shared.lock();
        guard.0.ear.take();
        loop {
            let heard = guard.0.ear.heard();
            if heard.len() >= blocks && heard[heard.len() - blocks..].iter().all(&wanted) {
                return;
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                let text = |block: &Heard| format!("{:?} at {:.3}", block.tones, block.level);
                let last: Vec<_> = heard.iter().rev().take(100).map(text).collect();
                drop(guard);
                panic!("expected {what} for {blocks} blocks; heard, newest first: {}", last.join(", "));
            }
            guard = self.shared.news.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What arrived so far.
    pub fn measured(&self) -> phone::Measured {
        self.shared.lock().0.measured().clone()
    }

    /// Checks that everything so far came as one RTP stream: one source, a continuous clock, no pause of half a second.
    ///
    /// # Panics
    /// When it did not; says what was measured.
    pub fn heard_one_unbroken_stream(&self) {
        let heard = self.measured();
        assert_eq!(heard.sources.len(), 1, "{heard:?}");
        // A machine that stands still for longer than the clock check's 200 ms delays a packet, which is no fault of
        // the stream.
        let stalls = heard.gaps.iter().filter(|(_, pause)| *pause > Duration::from_millis(180)).count();
        assert!(heard.timestamp_faults <= stalls as u64, "{heard:?}");
        assert!(heard.gaps.iter().all(|(_, pause)| *pause < Duration::from_millis(500)), "{heard:?}");
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.shared.lock().1 = false;
    }
}

impl Shared {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, (Media, bool)> {
        self.media.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, socket: &UdpSocket) {
        let mut buffer = [0; 2048];
        loop {
            let received = socket.recv_from(&mut buffer).ok();
            let mut guard = self.lock();
            if !guard.1 {
                return;
            }
            let now = self.now();
            if let Some((length, from)) = received {
                guard.0.handle_rtp(from, &buffer[..length], now);
                self.news.notify_all();
            }
            while guard.0.poll_timeout().is_some_and(|due| due <= now) {
                if let Some(packet) = guard.0.handle_timeout(now) {
                    // A closed port on loopback answers with ICMP, which the next send reports: not our concern.
                    drop(socket.send_to(&packet.bytes, packet.to));
                }
            }
        }
    }
}
