//! The parties and the gateway between them, and the course of the play.

use super::figures::Evidence;
use super::page::{self, Seen};
use super::party::{Noticed, Order, Party, Seat};
use super::script::{self, Script};
use crate::config;
use crate::http_client::Server;
use crate::running::Gateway;
use anyhow::Context;
use call_model::{Codec, IdSource, Instant, Party as Side, Secret, TraceEvent, TraceKind, TransferState};
use call_trace::{Ladder, Style};
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use phone::{Answer, Arrival, OnRefer, PhoneConfig, PhoneEvent, Source};
use sip_proto::Transport;
use sip_wire::Uri;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const TRUNK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
const DESK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 13));
/// RTP ports of the gateway: two a leg.
const RTP_PORTS: u16 = 64;
/// Caller and human talk so long after we left, and at least so long after the join.
const TALK_AFTER_RELEASE: Duration = Duration::from_secs(3);
const TALK_AFTER_JOIN: Duration = Duration::from_secs(9);
/// Joined, and the release is still not decided: enough seen.
const ENOUGH: Duration = Duration::from_secs(40);
/// After the last word, the legs have so long to end.
const CURTAIN: Duration = Duration::from_millis(700);
/// A play that takes so much longer than its script is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that stands while the play runs.
pub(super) struct Stage {
    pub(super) gateway: Gateway,
    pub(super) trunk: Party,
    pub(super) desk: Party,
    /// Where the desk's telephone sends its RTP from.
    desk_rtp: SocketAddr,
    script: Arc<Script>,
    desk_token: String,
    traces: Receiver<TraceEvent>,
    noticed: Receiver<Noticed>,
    seen: Receiver<Seen>,
    picked_up: Sender<()>,
    /// Whether the script plays the human at the page, too.
    scripted_page: Arc<AtomicBool>,
    /// Holds the block of RTP ports against other demos.
    _block: UdpSocket,
}

impl Stage {
    /// Takes free ports, starts the gateway and seats the parties.
    pub(super) fn set(script: Arc<Script>, bot: SocketAddr) -> anyhow::Result<Self> {
        let trunk_seat = Seat::take(TRUNK).context("cannot open the caller's sockets on 127.0.0.11")?;
        let desk_seat = Seat::take(DESK).context("cannot open the desk's sockets on 127.0.0.13")?;
        let mut ids = IdSource::from_seed(crate::running::seed()?);
        let desk_token = ids.hex(16);
        let (rtp, block) = free_ports()?;
        let text = configuration(bot, desk_seat.sip_address, &desk_token, rtp);
        let settings = config::parse(&text, "the demo's configuration", Path::new("."))?;
        let (observer, traces) = unbounded();
        let gateway = Gateway::start_observed(settings, Some(observer))?;
        let clock = gateway.clock();
        let (noticed_in, noticed) = unbounded();
        let desk_rtp = desk_seat.rtp_address;
        let caller = telephone(&trunk_seat, "+442079460123", Arrival::Ignore, OnRefer::Follow);
        let rings =
            Arrival::Ring { after: Duration::from_millis(120), then: Answer::After(Duration::from_millis(1500)) };
        let human = telephone(&desk_seat, "alice", rings, OnRefer::Refuse(603));
        let trunk = Party::start("caller", trunk_seat, caller, (clock, ids.fork()), noticed_in.clone())?;
        let desk = Party::start("desk", desk_seat, human, (clock, ids.fork()), noticed_in)?;
        let (seen_in, seen) = unbounded();
        let (picked_up, pick_ups) = unbounded();
        let server = Server::new(&format!("http://{}", gateway.http()), Secret::new(desk_token.as_str()))?;
        let scripted_page = Arc::new(AtomicBool::new(true));
        page::open(server, "alice", (clock, scripted_page.clone()), seen_in, pick_ups)
            .context("the desk page cannot be opened")?;
        Ok(Self {
            gateway,
            trunk,
            desk,
            desk_rtp,
            script,
            desk_token,
            traces,
            noticed,
            seen,
            picked_up,
            scripted_page,
            _block: block,
        })
    }

    /// How to look at the desk page.
    pub(super) fn desk_page(&self) -> String {
        format!("http://{}/desk (desk alice, token {})", self.gateway.http(), self.desk_token)
    }

    /// From now on somebody real sits at the page.
    pub(super) fn leave_the_page_to_you(&self) {
        self.scripted_page.store(false, Ordering::Release);
    }

    /// From the first INVITE to the last BYE.
    ///
    /// # Errors
    /// The gateway refused the call, or standard output is closed.
    pub(super) fn play(&self, show: bool) -> anyhow::Result<Evidence> {
        let to = self.gateway.sip(Transport::Udp).context("the demo's gateway has no UDP socket")?;
        let uri = format!("sip:+442079460000@{to}");
        let uri = Uri::parse(&uri).map_err(|error| anyhow::anyhow!("{uri}: {error}"))?;
        let clock = self.gateway.clock();
        self.forget();
        let began = clock.now();
        self.trunk.order(Order::Say(Source::Samples { samples: self.script.caller.clone(), looped: false }));
        self.desk.order(Order::Say(Source::Silence));
        self.trunk.order(Order::Call { uri, to });
        let mut play = Play {
            stage: self,
            ladder: show.then(|| Ladder::new(style())),
            evidence: Evidence { desk_rtp: Some(self.desk_rtp), ..Evidence::default() },
            hang_up_at: began + self.script.ends,
            over_at: None,
            replaced: None,
        };
        play.print_header()?;
        let stuck = began + self.script.ends + PATIENCE;
        loop {
            let now = clock.now();
            if play.over_at.is_some_and(|at| at <= now) || stuck <= now {
                (play.evidence.caller, play.evidence.desk) = (self.trunk.report(), self.desk.report());
                return play.evidence.refused().map_or(Ok(play.evidence), |code| {
                    Err(anyhow::anyhow!("the demo's gateway refused the call with {code}: WARMLINE_LOG=debug says why"))
                });
            }
            play.cue(now);
            let wait = play.over_at.unwrap_or(play.hang_up_at).since(now).min(Duration::from_millis(200));
            select! {
                recv(self.traces) -> event => if let Ok(event) = event { play.trace(event)? },
                recv(self.noticed) -> noticed => if let Ok(noticed) = noticed { play.notice(noticed, clock.now()) },
                recv(self.seen) -> seen => if let Ok(seen) = seen { play.evidence.seen.push(seen) },
                default(wait) => {}
            }
        }
    }
}

impl Stage {
    /// Drops what an earlier run left in the channels.
    fn forget(&self) {
        while self.traces.try_recv().is_ok() || self.noticed.try_recv().is_ok() || self.seen.try_recv().is_ok() {}
    }
}

/// One run, as it goes.
struct Play<'a> {
    stage: &'a Stage,
    ladder: Option<Ladder>,
    evidence: Evidence,
    hang_up_at: Instant,
    over_at: Option<Instant>,
    /// When the desk was taken over past us; until it is drawn in its place among what the gateway tells.
    replaced: Option<Instant>,
}

impl Play<'_> {
    fn print_header(&self) -> io::Result<()> {
        self.ladder.as_ref().map_or(Ok(()), |ladder| write!(io::stdout(), "{}", ladder.header()))
    }

    /// Lets the caller hang up when it is time.
    fn cue(&mut self, now: Instant) {
        if self.over_at.is_none() && self.hang_up_at <= now {
            self.stage.trunk.order(Order::HangUp);
            // Somebody who does not react to BYE must not keep us here.
            self.hang_up_at = now + PATIENCE;
        }
    }

    fn trace(&mut self, event: TraceEvent) -> io::Result<()> {
        if let Some(at) = self.replaced.take_if(|at| *at < event.at) {
            self.direct(at)?;
        }
        if let Some(ladder) = &mut self.ladder {
            let mut out = io::stdout().lock();
            write!(out, "{}", ladder.push(&event))?;
            out.flush()?;
        }
        if let TraceKind::State { to, .. } = event.kind {
            self.state(to, event.at);
        }
        self.evidence.trace.push(event);
        Ok(())
    }

    fn state(&mut self, to: TransferState, at: Instant) {
        match to {
            TransferState::Joined if self.evidence.came_to(TransferState::Joined).is_none() => {
                self.stage.desk.order(Order::Say(script::human()));
                let samples = self.stage.script.reply.clone();
                self.stage.trunk.order(Order::Say(Source::Samples { samples, looped: false }));
                self.hang_up_at = at + ENOUGH;
            }
            // The trunk refused to take the call back: they talk on through us.
            TransferState::Joined => self.talk_until(at, TALK_AFTER_RELEASE),
            TransferState::Released => self.talk_until(at, TALK_AFTER_RELEASE),
            _ => {}
        }
    }

    fn talk_until(&mut self, at: Instant, at_least: Duration) {
        let joined = self.evidence.came_to(TransferState::Joined).unwrap_or(at);
        self.hang_up_at = (joined + TALK_AFTER_JOIN).max(at + at_least);
    }

    fn notice(&mut self, noticed: Noticed, now: Instant) {
        match (noticed.who, &noticed.event) {
            ("desk", PhoneEvent::Up) if self.evidence.noticed("desk", |event| *event == PhoneEvent::Up).is_none() => {
                // The page's human may have left already.
                let _ = self.stage.picked_up.send(());
            }
            ("caller", PhoneEvent::Ended { .. } | PhoneEvent::Failed(_)) => self.over_at = Some(now + CURTAIN),
            ("desk", PhoneEvent::Replaced) => self.replaced = Some(noticed.at),
            _ => {}
        }
        self.evidence.noticed.push(noticed);
    }

    /// Draws what passed the gateway by: only the desk's own telephone saw it.
    fn direct(&mut self, at: Instant) -> io::Result<()> {
        let Some(ladder) = &mut self.ladder else { return Ok(()) };
        let text = "trunk to desk, past us: INVITE with Replaces, answered 200".to_owned();
        let kind = TraceKind::Note { about: Side::Trunk, text };
        let mut out = io::stdout().lock();
        write!(out, "{}", ladder.push(&TraceEvent { at, call: None, kind }))?;
        out.flush()
    }
}

fn style() -> Style {
    Style { ids: false, colour: io::stdout().is_terminal(), story: true, ..Style::TERMINAL }
}

fn telephone(seat: &Seat, user: &str, arrival: Arrival, on_refer: OnRefer) -> PhoneConfig {
    PhoneConfig {
        sip: seat.sip_address,
        transport: Transport::Udp,
        rtp: seat.rtp_address,
        user: user.to_owned(),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        srtp: Default::default(),
        source: Source::Silence,
        tones: Vec::new(),
        arrival,
        on_refer,
        late_offer: false,
        habits: sip_proto::EndpointConfig::default(),
    }
}

/// A block of UDP ports that nobody uses now, and the socket on its last port that tells other demos so.
fn free_ports() -> anyhow::Result<(u16, UdpSocket)> {
    let bind = |port: u16| UdpSocket::bind(SocketAddr::new(GATEWAY, port)).ok();
    (30_000_u16..60_000)
        .step_by(usize::from(RTP_PORTS) + 1)
        .find_map(|first| {
            let block = bind(first + RTP_PORTS)?;
            (first..first + RTP_PORTS).all(|port| bind(port).is_some()).then_some((first, block))
        })
        .context("no 65 UDP ports in a row are free on 127.0.0.1")
}

/// The same file an operator would write.
fn configuration(bot: SocketAddr, desk: SocketAddr, desk_token: &str, rtp: u16) -> String {
    let last = rtp + RTP_PORTS - 1;
    format!(
        r#"
        [sip]
        listen = ["udp:{GATEWAY}:0", "tcp:{GATEWAY}:0"]
        [http]
        listen = "{GATEWAY}:0"
        [rtp]
        address = "{GATEWAY}"
        ports = [{rtp}, {last}]
        threads = 1
        [[trunks]]
        name = "carrier"
        addresses = ["{TRUNK}"]
        [[bots]]
        name = "helper"
        stream = "ws://{bot}/media"
        [[desks]]
        name = "alice"
        display = "Alice"
        sip = "sip:alice@{desk};transport=udp"
        page_token = "{desk_token}"
        [[routes]]
        dialled = "*"
        bot = "helper"
        [ledger]
        path = ":memory:"
        "#
    )
}
