//! The evidence: what passed the gateway's door, message by message and packet by packet, and what the parties did.
//! Nothing in here knows what the gateway thinks.

use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, TRUNK};
use call_model::{Direction, Instant};
use core::time::Duration;
use std::sync::LazyLock;

/// Whose voice, or which sound, a packet carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Voice {
    /// A party says it.
    Of(Party),
    /// Hold music.
    Music,
    /// A prompt that says goodbye: nobody is available.
    Goodbye,
    /// Any other prompt.
    Prompt,
    /// Nothing.
    Silence,
    /// Nothing known.
    Other,
}

/// What each party says, as a constant level; below zero the gateway's own sounds. The sum of any two is a level of its
/// own too, far enough from the others for G.711.
pub(crate) const LEVELS: [i16; 5] = [822, 2_616, 1_271, 6_020, 1_802];
pub(crate) const MUSIC: i16 = -2_000;
pub(crate) const GOODBYE: i16 = -4_000;
pub(crate) const PROMPT: i16 = -7_000;

/// Which two a gateway may mix: a caller with somebody, or the bot with a human.
const MIXES: [[Party; 2]; 8] = [
    [TRUNK, BOT],
    [TRUNK, DESK],
    [TRUNK, DESK2],
    [BOT, DESK],
    [BOT, DESK2],
    [CALLER2, BOT],
    [CALLER2, DESK],
    [CALLER2, DESK2],
];

/// What each octet is, of mu-law and of A-law: a run looks up a million of them.
static VOICES: LazyLock<[Vec<[Option<Voice>; 2]>; 2]> = LazyLock::new(|| {
    [decode_mulaw, decode_alaw].map(|decode| (0..=255).map(|octet| Voice::of_level(decode(octet))).collect())
});

impl Voice {
    /// What a level is: one sound, or two people at once.
    fn of_level(level: i32) -> [Option<Self>; 2] {
        if level.abs() < 100 {
            return [Some(Self::Silence), None];
        }
        let sounds = [(MUSIC, Self::Music), (GOODBYE, Self::Goodbye), (PROMPT, Self::Prompt)];
        let sounds = sounds.into_iter().map(|(of, sound)| (i32::from(of), [Some(sound), None]));
        let alone = (TRUNK..=CALLER2).map(|party| (i32::from(LEVELS[party]), [Some(Self::Of(party)), None]));
        let mixed = MIXES.map(|pair| {
            (pair.iter().map(|party| i32::from(LEVELS[*party])).sum(), pair.map(|party| Some(Self::Of(party))))
        });
        let nearest = sounds.chain(alone).chain(mixed).min_by_key(|(of, _): &(i32, _)| (level - of).abs());
        let near = nearest.filter(|(of, _)| (level - of).abs() <= of.abs() / 16);
        near.map_or([Some(Self::Other), None], |(_, voices)| voices)
    }
}

/// A stretch of time in which a party heard one thing, alone or with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// From the first packet.
    pub from: Instant,
    /// To the last.
    pub to: Instant,
    /// What.
    pub voice: Voice,
    /// How many packets.
    pub packets: u32,
    /// The gateway sent it; otherwise another party, after a release.
    pub ours: bool,
}

/// One dialog, as it passed the door.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Who is at the other end.
    pub party: Party,
    /// `Call-ID`.
    pub call_id: String,
    /// The user whom the first INVITE was for.
    pub dialled: String,
    /// `Call-ID` of the caller's dialog that it belongs to.
    pub of: Option<String>,
    /// The gateway began it.
    pub ours: bool,
    /// Branch of the latest INVITE that made, or was to make, it.
    pub branch: String,
    /// When that passed first.
    pub tried: Instant,
    /// First INVITE.
    pub invited: Instant,
    /// First provisional response to the gateway.
    pub rang: Option<Instant>,
    /// First 2xx to the INVITE.
    pub answered: Option<Instant>,
    /// First ACK.
    pub acknowledged: Option<Instant>,
    /// The last final response to an INVITE other than 2xx.
    pub refused: Option<(Instant, u16)>,
    /// First CANCEL.
    pub cancelled: Option<Instant>,
    /// First BYE that reached the gateway.
    pub bye_in: Option<Instant>,
    /// First BYE the gateway sent.
    pub bye_out: Option<Instant>,
    /// First REFER the gateway sent.
    pub referred: Option<Instant>,
    /// Every REFER the gateway sent.
    pub refers: Vec<Instant>,
    /// What NOTIFY said; and 200 for a BYE that says "Replaced".
    pub notified: Vec<(Instant, u16)>,
    /// A request of the gateway that has had no answer, since then.
    pub unanswered: Option<Instant>,
    /// A request of the gateway was answered as if there were no such dialog, and none was answered otherwise since.
    pub broken: Option<Instant>,
    /// INVITEs within it, by either side.
    pub changed: Vec<Instant>,
    /// `Call-ID` of the dialog that it was to take the place of (RFC 3891).
    pub replaces: Option<String>,
}

impl Dialog {
    /// When the party was, or should have been, on the line. Who called us has our answer with their ACK, and may not be
    /// hung up before (RFC 3261 §15).
    pub fn connected(&self) -> Option<Instant> {
        let ok = self.answered?;
        Some(if self.ours { ok } else { self.acknowledged.unwrap_or(ok + TIMEOUT) })
    }

    /// When the dialog ended, in the eyes of the gateway.
    pub fn over(&self) -> Option<Instant> {
        let refused = self.refused.filter(|_| self.answered.is_none()).map(|(at, _)| at);
        [self.bye_in, self.bye_out, refused].into_iter().flatten().min()
    }

    /// When the party itself ended it, in the eyes of the gateway.
    pub fn left(&self) -> Option<Instant> {
        let cancelled = self.cancelled.filter(|_| !self.ours && self.answered.is_none());
        [self.bye_in, cancelled].into_iter().flatten().min()
    }
}

/// What a party did that no message shows in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Did {
    Pressed(Party, char),
    Held(Party, Direction),
    HungUp(Party),
    Muted(Party, bool),
    Stopped(Party),
    HandedBack,
    BotGone { finished: bool },
    Introduced,
    PageGone,
    ModelGone,
    Drained,
    Ended,
}

/// All evidence of one run.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// Every dialog, in order.
    pub dialogs: Vec<Dialog>,
    /// What each party heard.
    pub heard: [Vec<Heard>; 5],
    /// What they did.
    pub did: Vec<(Instant, Did)>,
    /// When the gateway closed a WebSocket bot's stream.
    pub stream_closed: Vec<Instant>,
    /// Keys as they reached the gateway (RFC 4733), once for each packet.
    pub keys: Vec<(Instant, Party, char)>,
}

/// The payload type of keys that everybody offers.
const TELEPHONE_EVENT: u8 = 101;
/// 64*T1. An answer is repeated for so long; who has not acknowledged it by then is hung up (RFC 3261 §13.3.1.4).
const TIMEOUT: Duration = Duration::from_secs(32);
/// A pause of this length ends a stretch.
const PAUSE: Duration = Duration::from_millis(400);

impl Witness {
    pub(crate) fn note(&mut self, did: Did, now: Instant) {
        self.did.push((now, did));
    }

    /// A SIP message passed the door.
    pub(crate) fn sip(&mut self, party: Party, inward: bool, bytes: &[u8], now: Instant) {
        let Some(seen) = Seen::read(bytes) else { return };
        let known = self.dialogs.iter().rposition(|dialog| dialog.call_id == seen.call_id && dialog.party == party);
        let Some(index) = known else {
            if seen.method == "INVITE" && seen.status.is_none() {
                // Who takes a dialog's place belongs to the same caller.
                let replaced = self.dialogs.iter().find(|dialog| Some(dialog.call_id.as_str()) == seen.replaces);
                let of = seen.of.map(str::to_owned).or_else(|| replaced?.of.clone());
                self.dialogs.push(Dialog {
                    party,
                    call_id: seen.call_id.to_owned(),
                    dialled: seen.dialled.to_owned(),
                    of,
                    ours: !inward,
                    branch: seen.branch.to_owned(),
                    tried: now,
                    invited: now,
                    rang: None,
                    answered: None,
                    acknowledged: None,
                    refused: None,
                    cancelled: None,
                    bye_in: None,
                    bye_out: None,
                    referred: None,
                    refers: Vec::new(),
                    notified: Vec::new(),
                    unanswered: None,
                    broken: None,
                    changed: Vec::new(),
                    replaces: seen.replaces.map(str::to_owned),
                });
            }
            return;
        };
        let dialog = &mut self.dialogs[index];
        match seen.status {
            None => dialog.on_request(&seen, inward, now),
            Some(status) => dialog.on_response(&seen, status, inward, now),
        }
    }

    /// An RTP packet reached a party.
    pub(crate) fn rtp(&mut self, party: Party, packet: &[u8], ours: bool, now: Instant) {
        let (Some(kind), Some(payload)) = (packet.get(1), packet.get(12..)) else { return };
        let voices = match kind & 0x7f {
            0 => &VOICES[0],
            8 => &VOICES[1],
            _ => return,
        };
        let Some(octet) = said(payload) else { return };
        let voices = voices[usize::from(octet)];
        // Nobody is mixed into what they hear themselves: three at once look so.
        if voices[1].is_some() && voices.contains(&Some(Voice::Of(party))) {
            return self.hear(party, Voice::Other, ours, now);
        }
        for voice in voices.into_iter().flatten() {
            self.hear(party, voice, ours, now);
        }
    }

    /// An RTP packet reached the gateway: keys are looked for.
    pub(crate) fn rtp_in(&mut self, party: Party, packet: &[u8], now: Instant) {
        const KEYS: &[u8] = b"0123456789*#";
        let (Some(kind), Some(event)) = (packet.get(1), packet.get(12)) else { return };
        if kind & 0x7f == TELEPHONE_EVENT
            && let Some(key) = KEYS.get(usize::from(*event))
        {
            self.keys.push((now, party, char::from(*key)));
        }
    }

    /// A WebSocket bot got a frame.
    pub(crate) fn stream(&mut self, mulaw: &[u8], now: Instant) {
        if let Some(octet) = said(mulaw) {
            for voice in VOICES[0][usize::from(octet)].into_iter().flatten() {
                self.hear(BOT, voice, true, now);
            }
        }
    }

    fn hear(&mut self, party: Party, voice: Voice, ours: bool, now: Instant) {
        let heard = &mut self.heard[party];
        // Packets of a former stretch that overtook nobody are as good as heard in time.
        let recent = heard.iter_mut().rev().take(4);
        for stretch in recent {
            if stretch.voice == voice && stretch.ours == ours && now.since(stretch.to) < PAUSE {
                stretch.to = now;
                stretch.packets += 1;
                return;
            }
        }
        heard.push(Heard { from: now, to: now, voice, packets: 1, ours });
    }
}

/// What a frame says. Half of it says so: where packets were lost, the gateway lets what was heard last fade away, and
/// blends the next packet with that. What fades all along says nothing new.
fn said(frame: &[u8]) -> Option<u8> {
    let (begin, end) = frame.split_at(frame.len() / 2);
    let steady = |half: &[u8]| half.first().copied().filter(|octet| half.last() == Some(octet));
    steady(begin).or_else(|| steady(end))
}

impl Dialog {
    fn on_request(&mut self, seen: &Seen<'_>, inward: bool, now: Instant) {
        match (seen.method, inward) {
            // A copy asks for nothing that was not asked for, and answered, before.
            ("INVITE", _) if self.answered.is_none() && self.branch == seen.branch => {}
            ("INVITE", _) if self.answered.is_none() => {
                self.refused = None;
                if inward != self.ours {
                    seen.branch.clone_into(&mut self.branch);
                    self.tried = now;
                }
            }
            ("INVITE", _) => {
                self.changed.push(now);
                if !inward {
                    self.unanswered.get_or_insert(now);
                }
            }
            ("ACK", _) => _ = self.acknowledged.get_or_insert(now),
            ("CANCEL", _) => _ = self.cancelled.get_or_insert(now),
            ("BYE", true) => {
                self.bye_in.get_or_insert(now);
                self.notified.extend(seen.replaced.then_some((now, 200)));
            }
            ("BYE", false) => _ = self.bye_out.get_or_insert(now),
            ("NOTIFY", true) => self.notified.extend(seen.notified.map(|status| (now, status))),
            ("REFER", false) => {
                self.referred.get_or_insert(now);
                self.refers.push(now);
                self.unanswered.get_or_insert(now);
            }
            ("OPTIONS" | "UPDATE" | "INFO", false) => _ = self.unanswered.get_or_insert(now),
            _ => {}
        }
    }

    /// An INVITE of the gateway's has ended that had no response, or none but provisional ones after a CANCEL, for so
    /// long: what comes then belongs to nothing (RFC 3261 §9.1, §17.1.1.2).
    pub(crate) fn timed_out(&self, now: Instant) -> bool {
        let since = self.cancelled.or_else(|| self.rang.is_none().then_some(self.tried));
        self.ours && self.answered.is_none() && since.is_some_and(|since| now.since(since) >= TIMEOUT)
    }

    fn on_response(&mut self, seen: &Seen<'_>, status: u16, inward: bool, now: Instant) {
        // A copy of the INVITE that took its time may be answered once more; it is over all the same.
        let over = self.answered.is_none() && self.refused.is_some() || self.timed_out(now);
        if seen.method == "INVITE" && inward == self.ours && seen.branch == self.branch && !over {
            match status {
                100..=199 => _ = self.rang.get_or_insert(now),
                200..=299 => _ = self.answered.get_or_insert(now),
                _ => self.refused = Some((now, status)),
            }
        }
        if inward && status >= 200 {
            self.unanswered = None;
            match (status, seen.method) {
                (_, "BYE" | "CANCEL") => {}
                (408 | 481, _) => _ = self.broken.get_or_insert(now),
                // It is there after all: some refuse a REFER so.
                (200..300, _) => self.broken = None,
                _ => {}
            }
        }
    }
}

/// What a look at a message shows.
struct Seen<'a> {
    method: &'a str,
    branch: &'a str,
    status: Option<u16>,
    dialled: &'a str,
    call_id: &'a str,
    of: Option<&'a str>,
    notified: Option<u16>,
    /// It says that another dialog has taken the place of this one (RFC 3326).
    replaced: bool,
    replaces: Option<&'a str>,
}

impl<'a> Seen<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let first = lines.next()?;
        let status = first.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let (mut call_id, mut method, mut of, mut branch) = (None, first.split(' ').next()?, None, "");
        let dialled = first.split_once(':').and_then(|(_, uri)| uri.split_once('@')).map_or("", |(user, _)| user);
        let (mut replaced, mut replaces) = (false, None);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            match name {
                "Call-ID" => call_id = Some(value.trim()),
                "Reason" => replaced = value.contains("Replaced"),
                "Replaces" => replaces = value.trim().split(';').next(),
                "X-Call-ID" => of = Some(value.trim()),
                "CSeq" => method = value.trim().split(' ').nth(1)?,
                "Via" if branch.is_empty() => branch = branch_of(value),
                _ => {}
            }
        }
        let notified = (method == "NOTIFY" && status.is_none())
            .then(|| body.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok())
            .flatten();
        Some(Self { method, branch, status, dialled, call_id: call_id?, of, notified, replaced, replaces })
    }
}

/// The branch in a `Via`: the name of a transaction.
pub(crate) fn branch_of(via: &str) -> &str {
    let rest = via.split_once("branch=").map_or("", |(_, rest)| rest);
    rest.split([';', ',']).next().unwrap_or_default()
}

/// ITU-T G.711, mu-law.
fn decode_mulaw(octet: u8) -> i32 {
    let octet = !octet;
    let magnitude = ((i32::from(octet & 0x0f) << 3) + 0x84) << ((octet & 0x70) >> 4);
    let level = magnitude - 0x84;
    if octet & 0x80 == 0 { level } else { -level }
}

/// ITU-T G.711, A-law.
fn decode_alaw(octet: u8) -> i32 {
    let octet = octet ^ 0x55;
    let (exponent, mantissa) = ((octet & 0x70) >> 4, i32::from(octet & 0x0f) << 4);
    let level = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    if octet & 0x80 == 0 { -level } else { level }
}

#[cfg(test)]
mod tests {
    use super::*;
    use call_model::Codec;
    use phone::Source;

    type Decode = fn(u8) -> i32;
    const CODECS: [(Codec, Decode); 2] = [(Codec::Pcmu, decode_mulaw), (Codec::Pcma, decode_alaw)];

    #[test]
    fn every_level_is_told_from_every_other_in_both_codecs() {
        let gateways = [(MUSIC, Voice::Music), (GOODBYE, Voice::Goodbye), (PROMPT, Voice::Prompt)];
        let parties = LEVELS.iter().enumerate().map(|(party, level)| (*level, Voice::Of(party)));
        for (level, voice) in parties.chain(gateways).chain([(0, Voice::Silence)]) {
            for (codec, decode) in CODECS {
                let frame = Source::Level(level).frame(0, codec).unwrap();
                let level = decode(frame[0]);
                assert_eq!(Voice::of_level(level), [Some(voice), None], "{level} in {codec:?}");
            }
        }
    }

    #[test]
    fn two_at_once_are_told_from_everything_else_in_any_mix_of_codecs() {
        let through = |level: i32, codec: usize| {
            let (codec, decode) = CODECS[codec];
            decode(Source::Level(level as i16).frame(0, codec).unwrap()[0])
        };
        for pair in MIXES {
            for codecs in 0..8 {
                let [one, other] = [0, 1].map(|i| through(i32::from(LEVELS[pair[i]]), codecs >> i & 1));
                // The mixer works in mu-law.
                let mixed = through(through(one, 0) + through(other, 0), 0);
                let heard = through(mixed, codecs >> 2);
                assert_eq!(Voice::of_level(heard), pair.map(|party| Some(Voice::Of(party))), "{pair:?} at {heard}");
            }
        }
    }

    #[test]
    fn a_dialog_is_read_from_what_passes() {
        let mut witness = Witness::default();
        let at = Instant::from_millis;
        let say = |first: &str, cseq: &str, more: &str| {
            format!("{first}\r\nCall-ID: a@b\r\nCSeq: {cseq}\r\n{more}\r\n\r\n").into_bytes()
        };
        let invite = say("INVITE sip:x SIP/2.0", "1 INVITE", "X-Call-ID: first@t");
        witness.sip(2, false, &invite, at(1));
        witness.sip(2, true, &say("SIP/2.0 180 Ringing", "1 INVITE", "X: y"), at(2));
        witness.sip(2, true, &say("SIP/2.0 200 OK", "1 INVITE", "X: y"), at(3));
        witness.sip(2, false, &say("BYE sip:x SIP/2.0", "2 BYE", "X: y"), at(4));
        let dialog = &witness.dialogs[0];
        assert_eq!((dialog.rang, dialog.answered, dialog.bye_out), (Some(at(2)), Some(at(3)), Some(at(4))));
        assert_eq!((dialog.of.as_deref(), dialog.over(), dialog.left()), (Some("first@t"), Some(at(4)), None));
    }
}
