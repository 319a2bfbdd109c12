//! The test call itself: INVITE, once more plainly when the rich form is refused, audio, the digits, BYE.

use super::line::Line;
use super::report::{Outcome, Report};
use crate::clock::Clock;
use crate::config::{Settings, package_url};
use crate::identity::identity;
use crate::running::server_names;
use crate::sip_streams::Tls;
use anyhow::Context as _;
use call_core::{Desk, HandoffFacts, Outgoing, Target, consult_invite};
use call_model::{Direction, IdSource, Instant, LocalMedia};
use phone::{Media, Source};
use serde_json::json;
use sip_proto::{DialogEvent, DialogId, Endpoint, EndpointConfig, Output};
use sip_wire::{Method, Uri};
use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long our BYE or CANCEL may take to be answered.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often the beep repeats that says that somebody is there.
const BEEP_EVERY: usize = 3 * 8000;

/// How a TCP connection fails where no telephone system listens.
const NOBODY: [ErrorKind; 4] =
    [ErrorKind::ConnectionRefused, ErrorKind::TimedOut, ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable];

/// Whom to call, and what to say.
pub(super) struct Plan<'a> {
    pub(super) desk: &'a Desk,
    pub(super) facts: HandoffFacts,
    /// It may ring so long.
    pub(super) ring: Duration,
    /// The score may take so long to be typed.
    pub(super) wait: Duration,
    pub(super) caller: &'a str,
}

/// 32 octets from the operating system.
pub(super) fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    let mut source = std::fs::File::open("/dev/urandom").context("cannot read /dev/urandom")?;
    source.read_exact(&mut seed).context("cannot read /dev/urandom")?;
    Ok(seed)
}

/// Calls, and fills in the report.
///
/// # Errors
/// No socket, or an address that cannot be used.
pub(super) fn place(
    settings: &Settings,
    plan: &Plan<'_>,
    mut ids: IdSource,
    report: &mut Report,
    say: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let target =
        plan.desk.targets.first().context("has no address to call: only the trunk or its own page can reach it")?;
    let Target { transport, address, .. } = *target;
    let interfaces = &settings.switchboard.interfaces;
    let flow = interfaces.flow_to(plan.desk.signalling.interface.as_deref(), transport, address);
    let interface = flow.map(|flow| interfaces.of(flow));
    let mut listen = settings.sip.listen.iter().filter(|listen| Some(listen.interface) == interface);
    let listen = listen.find(|listen| listen.transport == transport);
    let listen = listen.with_context(|| format!("sip.listen has no {} address to call from", transport.via()))?;
    let sip = (listen.bind.ip(), listen.told().ip());
    let rtp = settings.rtp.bind.get(listen.interface.0).copied().unwrap_or(sip.0);
    let tls = Tls::load(&settings.sip.tls).map_err(anyhow::Error::msg)?;
    tls.know(server_names(&settings.switchboard));
    let line = match Line::open(transport, sip, rtp, address, &tls) {
        Ok(line) => line,
        Err(error) if NOBODY.contains(&error.kind()) => {
            say(&format!("          {error}"));
            return Ok(());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot call {address} over {} from here", transport.via()));
        }
    };
    let config = EndpointConfig {
        user_agent: settings.switchboard.user_agent.clone(),
        contact_user: "verify".to_owned(),
        ..EndpointConfig::default()
    };
    let mut media = Media::new(beep(), &[], &mut ids);
    if let Ok(identity) = identity() {
        media.identify(Arc::clone(identity) as _);
    }
    let endpoint = Endpoint::new(config, ids.fork());
    let clock = Clock::start();
    let media_ip = interfaces.get(listen.interface).media_ip;
    let mut call =
        Call { settings, plan, media_ip, ids, line, endpoint, media, clock, began: clock.now(), dialog: None };
    call.run(report, say)
}

/// A short tone every three seconds: the line is alive, type when you are ready.
fn beep() -> Source {
    let sample =
        |at: usize| if at < 2400 { (f64::from(at as u32) * core::f64::consts::FRAC_PI_4).sin() * 4000.0 } else { 0.0 };
    Source::Samples { samples: (0..BEEP_EVERY).map(|at| sample(at) as i16).collect(), looped: true }
}

struct Call<'a> {
    settings: &'a Settings,
    plan: &'a Plan<'a>,
    media_ip: IpAddr,
    ids: IdSource,
    line: Line,
    endpoint: Endpoint,
    media: Media,
    clock: Clock,
    began: Instant,
    dialog: Option<DialogId>,
}

/// What the events of one look at the sockets amount to.
enum Step {
    Answered,
    Failed(u16),
    Over,
}

impl Call<'_> {
    fn run(&mut self, report: &mut Report, say: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        let mut plain = false;
        loop {
            self.invite(plain, report, say)?;
            match self.until(self.plan.ring, report, say, |_| false) {
                Some(Step::Answered) => break,
                Some(Step::Failed(415 | 420 | 488))
                    if !plain && self.plan.desk.profile.is_rich(self.plan.desk.multipart) =>
                {
                    say("          the rich form was refused: once more, plainly");
                    plain = true;
                }
                // Without a word from there the failure is one that our own timers or the connection made.
                Some(Step::Failed(_) | Step::Over) => {
                    report.outcome = if report.heard { Outcome::Refused } else { Outcome::NotReached };
                    return Ok(());
                }
                None => {
                    report.outcome = if report.heard { Outcome::NoAnswer } else { Outcome::NotReached };
                    self.hang_up(report, say);
                    return Ok(());
                }
            }
        }
        report.plain_taken = plain;
        self.learn(report, say);
        report.outcome = self.proof(report, say);
        let measured = self.media.measured();
        (report.rtp_sent, report.rtp_received, report.rtp_lost) = (measured.sent, measured.received, measured.lost);
        if report.outcome != Outcome::HungUp {
            self.hang_up(report, say);
        }
        Ok(())
    }

    fn invite(&mut self, plain: bool, report: &mut Report, say: &mut impl FnMut(&str)) -> anyhow::Result<()> {
        let Plan { desk, facts, caller, .. } = self.plan;
        let board = &self.settings.switchboard;
        let uri = desk.uri.replace("{user}", caller);
        let target = Uri::parse(&uri).map_err(|error| anyhow::anyhow!("{uri} is not a URI: {error}"))?;
        let local = LocalMedia {
            rtp: SocketAddr::new(self.media_ip, self.line.rtp_port),
            codecs: desk.codecs.clone(),
            srtp: desk.signalling.srtp,
            telephone_event: 101,
            direction: Direction::SendRecv,
        };
        let (session_id, first_call_id) = (self.ids.hex(32), format!("verify-{}", self.ids.hex(12)));
        let outgoing = Outgoing {
            flow: self.line.flow,
            may_grow: self.line.flow.transport.is_reliable(),
            target,
            caller_user: caller,
            withheld: None,
            caller_name: Some("Warmline test".to_owned()),
            session_id: &session_id,
            first_call_id: &first_call_id,
            call_id: None,
            max_forwards: 70,
            replaces: None,
            local,
        };
        let url = package_url(&self.settings.http.public_url());
        let invite = consult_invite(outgoing, desk, facts, Some(&url), plain, &board.user_agent)
            .context("our own address cannot be written in a URI")?;
        let lines: Vec<String> = (invite.request.headers.iter())
            .filter(|(name, _)| invite.headers.contains(name))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let used: usize = lines.iter().map(String::len).sum();
        let budget = desk.profile.budgets.headers;
        let form = match (plain, invite.notes.is_empty()) {
            (true, _) => "plain",
            (false, true) => "rich",
            (false, false) => "rich, trimmed",
        };
        say(&format!("sent      INVITE ({form}), {used} of {budget} octets of headers about the handoff"));
        for line in &lines {
            say(&format!("          {line}  ({} octets)", line.len()));
        }
        if let Some(part) = &invite.request.extra_part {
            say(&format!("          and a part {} ({} octets)", part.content_type, part.bytes.len()));
        }
        invite.notes.iter().for_each(|note| say(&format!("          {note}")));
        report
            .sent
            .push(json!({ "form": form, "headers": lines, "octets": used, "budget": budget, "notes": invite.notes }));
        self.began = self.clock.now();
        self.dialog = Some(self.endpoint.invite(invite.request, self.began));
        Ok(())
    }

    /// What the answer says about release.
    fn learn(&mut self, report: &mut Report, say: &mut impl FnMut(&str)) {
        let Some(dialog) = self.dialog else { return };
        let refer = self.endpoint.remote_allows(dialog, &Method::Refer);
        let replaces = self.endpoint.remote_supports(dialog, "replaces");
        (report.refer, report.replaces) = (Some(refer), Some(replaces));
        let told = |can| if can { "yes" } else { "not advertised" };
        say(&format!("ability   REFER {}, Replaces {}", told(refer), told(replaces)));
    }

    /// Waits for the two digits.
    fn proof(&mut self, report: &mut Report, say: &mut impl FnMut(&str)) -> Outcome {
        let carried = self.carries_score(report);
        if !carried {
            // Long enough to see audio both ways.
            let over = self.until(Duration::from_secs(2), report, say, |_| false);
            return if over.is_some() { Outcome::HungUp } else { Outcome::NothingCarried };
        }
        say(&format!(
            "          now type on the telephone the score that the screen shows ({} s)",
            self.plan.wait.as_secs()
        ));
        let over =
            self.until(self.plan.wait, report, say, |typed| typed.chars().filter(char::is_ascii_digit).count() >= 2);
        let digits: String = report.typed.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < 2 {
            return if over.is_some() { Outcome::HungUp } else { Outcome::NothingTyped };
        }
        if digits == self.plan.facts.score.to_string() { Outcome::Arrived } else { Outcome::Wrong }
    }

    /// Whether the INVITE that was taken says the score at all.
    fn carries_score(&self, report: &Report) -> bool {
        let profile = &self.plan.desk.profile;
        let left_out = |what: &str| {
            let notes = report.sent.last().and_then(|sent| sent["notes"].as_array());
            notes.is_some_and(|notes| notes.iter().any(|note| note.as_str().is_some_and(|note| note.contains(what))))
        };
        let by_uui =
            profile.user_to_user.as_ref().is_some_and(|uui| !left_out(&format!("the score in {}", uui.header)));
        by_uui || profile.headers.score.as_deref().is_some_and(|name| !left_out(name))
    }

    fn hang_up(&mut self, report: &mut Report, say: &mut impl FnMut(&str)) {
        if let Some(dialog) = self.dialog {
            self.endpoint.bye(dialog, Some("SIP;cause=200;text=\"Test over\""), self.clock.now());
            self.until(GOODBYE, report, say, |_| false);
        }
    }

    /// Runs until something decides, enough is typed, or the time is up.
    fn until(
        &mut self,
        limit: Duration,
        report: &mut Report,
        say: &mut impl FnMut(&str),
        enough: impl Fn(&str) -> bool,
    ) -> Option<Step> {
        let end = self.clock.now() + limit;
        let mut buffer = [0; 2048];
        while self.clock.now() < end {
            if let Some((len, from)) = self.line.read_rtp(&mut buffer) {
                self.media.handle_rtp(from, &buffer[..len], self.clock.now());
            }
            self.line.read_sip(&mut self.endpoint, self.clock.now());
            self.endpoint.handle_timeout(self.clock.now());
            while let Some(packet) = self.media.handle_timeout(self.clock.now()).or_else(|| self.media.poll_datagram())
            {
                self.line.send_rtp(packet.to, &packet.bytes);
            }
            if let Some(step) = self.drain(report, say) {
                return Some(step);
            }
            let heard = self.media.measured().digits.iter().map(|(_, key)| *key);
            let heard: String = heard.collect();
            if !heard.is_empty() && heard != report.typed {
                report.typed = heard;
            }
            if enough(&report.typed) {
                return None;
            }
        }
        None
    }

    fn drain(&mut self, report: &mut Report, say: &mut impl FnMut(&str)) -> Option<Step> {
        let mut step = None;
        while let Some(output) = self.endpoint.poll_output() {
            let now = self.clock.now();
            match output {
                Output::Transmit { flow, bytes, .. } => self.line.send_sip(&mut self.endpoint, flow, &bytes, now),
                Output::Event(event) => step = self.on_event(event, report, say, now).or(step),
                Output::Seen(_) => report.heard = true,
                Output::Dropped(_) | Output::Registration(_) => {}
            }
        }
        step
    }

    fn on_event(
        &mut self,
        event: DialogEvent,
        report: &mut Report,
        say: &mut impl FnMut(&str),
        now: Instant,
    ) -> Option<Step> {
        let after = now - self.began;
        match event {
            DialogEvent::Ringing { dialog, code } if Some(dialog) == self.dialog => {
                report.answered(after, code, "ringing", say);
                None
            }
            DialogEvent::Answered { dialog, media } if Some(dialog) == self.dialog => {
                report.answered(after, 200, "answered", say);
                report.codec = Some(media.codec.name());
                self.media.connect(media, now);
                Some(Step::Answered)
            }
            DialogEvent::Failed { dialog, code, reason, .. } if Some(dialog) == self.dialog => {
                // Given up by us, it ends in 487, and without a word from there in a status of our own: no answers of theirs.
                if code != 487 && report.heard {
                    report.answered(after, code, &reason, say);
                }
                Some(Step::Failed(code))
            }
            DialogEvent::MediaChanged { media, .. } => {
                self.media.connect(media, now);
                None
            }
            DialogEvent::Ended { dialog, .. } | DialogEvent::Late { dialog } if Some(dialog) == self.dialog => {
                Some(Step::Over)
            }
            DialogEvent::Info { body, .. } => {
                let text = String::from_utf8_lossy(&body).into_owned();
                let signal = text.lines().find_map(|line| line.trim().strip_prefix("Signal="));
                report.typed.extend(signal.unwrap_or(text.trim()).trim().chars().take(1));
                None
            }
            DialogEvent::Referred { request, .. } => {
                self.endpoint.respond(request, 603, "", &[], None, now);
                None
            }
            _ => None,
        }
    }
}
