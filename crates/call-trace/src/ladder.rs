use crate::canvas::{Glyphs, Paint, Row};
use crate::line::{describe, fact_words, headline, hears, outcome_words, quality, seconds};
use crate::story;
use crate::text::{one_line, wrapped};
use call_model::{
    Decision, Fact, FactKind, Instant, Party, Prompt, Role, Selector, TraceEvent, TraceKind, TransferState, VoiceScore,
};

/// How a ladder looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Seconds since the first event in the left margin; an instant is written once.
    pub times: bool,
    /// Call, handoff, session and dialog ids.
    pub ids: bool,
    /// ANSI colours.
    pub colour: bool,
    /// Quality reports, and voice scores that changed little.
    pub verbose: bool,
    /// Line-drawing characters instead of ASCII.
    pub unicode: bool,
    /// What happens, told to somebody who knows no SIP, beside the ladder.
    pub story: bool,
}

impl Style {
    /// For golden files: exact times of the virtual clock, ASCII, no ids, no colours.
    pub const GOLDEN: Self =
        Self { times: true, ids: false, colour: false, verbose: false, unicode: false, story: false };
    /// For people at a terminal.
    pub const TERMINAL: Self = Self { ids: true, colour: true, unicode: true, ..Self::GOLDEN };
}

impl Default for Style {
    fn default() -> Self {
        Self::GOLDEN
    }
}

/// Draws one call's events as they come, one column for each party, us in the middle.
///
/// ```text
///             trunk            bot           gateway          desk            page
///    0.000      |---------- INVITE ------------>|
///               |               |<-- INVITE ----|
/// ```
///
/// `-` is a SIP message, `.` one sent again, `~` audio; a lifeline turns to `:` when its leg is over.
#[derive(Clone, Debug)]
pub struct Ladder {
    style: Style,
    glyphs: Glyphs,
    started: Option<Instant>,
    /// The instant in the margin of the last row that had one.
    margin: Option<Instant>,
    lanes: [Life; 6],
    /// The last column.
    widest: Lane,
    /// Distress when it was last drawn.
    voice: Option<VoiceScore>,
    /// What the story said last; it does not repeat itself.
    told: Option<String>,
    /// Where the transfer stands; the story words an end by it.
    transfer: TransferState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    NotYet,
    On,
    Over,
}

type Lane = usize;
const TRUNK: Lane = 0;
const BOT: Lane = 1;
const GATEWAY: Lane = 2;
const DESK: Lane = 3;
const PAGE: Lane = 4;
/// Drawn once there is one.
const RECORDER: Lane = 5;
const NAMES: [&str; 6] = ["trunk", "bot", "gateway", "desk", "page", "recorder"];

/// From one lifeline to the next.
const PITCH: usize = 16;
/// Room for `1234.567` and a gap.
const MARGIN: usize = 10;
/// Room beside the first and the last lifeline for half a name.
const EDGE: usize = 3;
/// From the ladder's right edge to the story.
const STORY_GAP: usize = 2;
const STORY_WIDTH: usize = 38;
/// A voice score is drawn when distress moved by this much since the last one drawn.
const VOICE_STEP: f32 = 0.15;

impl Ladder {
    /// An empty ladder.
    pub fn new(style: Style) -> Self {
        let glyphs = if style.unicode { Glyphs::UNICODE } else { Glyphs::ASCII };
        let mut lanes = [Life::NotYet; 6];
        lanes[GATEWAY] = Life::On;
        Self {
            style,
            glyphs,
            started: None,
            margin: None,
            lanes,
            widest: PAGE,
            voice: None,
            told: None,
            transfer: TransferState::WithBot,
        }
    }

    /// All of it at once: header and every event, each line ended by a line break.
    pub fn draw(style: Style, events: &[TraceEvent]) -> String {
        let mut ladder = Self::new(style);
        ladder.widest = if events.iter().any(|event| is_with_recorder(&event.kind)) { RECORDER } else { PAGE };
        let mut out = ladder.header();
        for event in events {
            out += &ladder.push(event);
        }
        out
    }

    /// The names of the columns.
    pub fn header(&self) -> String {
        let mut row = Row::default();
        for (lane, name) in NAMES.iter().enumerate().take(self.widest + 1) {
            row.put((self.x(lane) + 1).saturating_sub(name.len().div_ceil(2)), name, Paint::Request);
        }
        let mut out = String::new();
        row.finish(self.style.colour, &mut out);
        out
    }

    /// The lines for one event, each ended by a line break; empty when it is not drawn.
    pub fn push(&mut self, event: &TraceEvent) -> String {
        let started = *self.started.get_or_insert(event.at);
        if is_with_recorder(&event.kind) {
            self.widest = RECORDER;
        }
        let mut rows = self.rows(&event.kind, started);
        if rows.is_empty() {
            return String::new();
        }
        if self.style.times && self.margin != Some(event.at) {
            self.margin = Some(event.at);
            rows[0].put(0, &format!("{:>8}", seconds(event.at, started)), Paint::Dim);
        }
        if let TraceKind::State { to, .. } = event.kind {
            self.transfer = to;
        }
        if self.style.story {
            self.add_story(&event.kind, &mut rows);
        }
        let mut out = String::new();
        rows.into_iter().for_each(|row| row.finish(self.style.colour, &mut out));
        out
    }

    fn rows(&mut self, kind: &TraceKind, started: Instant) -> Vec<Row> {
        match kind {
            TraceKind::Began { from, to, trunk, session_id } => {
                self.lanes[TRUNK] = Life::On;
                let session = if self.style.ids { format!(", session {session_id}") } else { String::new() };
                self.note(TRUNK, &format!("call from {from} to {to} on {trunk}{session}"), Paint::Request)
            }
            TraceKind::Sip { role: Some(role), sent, what, again, .. } => vec![self.sip(*role, *sent, what, *again)],
            TraceKind::Sip { role: None, .. } => self.note(GATEWAY, &describe(kind), Paint::Dim),
            TraceKind::State { from, to } => {
                let text = format!("[ {from} {} {to} ]", self.glyphs.becomes);
                vec![self.centred(self.x(GATEWAY), &text, Paint::State)]
            }
            TraceKind::Fed { role, from, source, .. } => {
                let (lane, heard) = (lane_of(*role), hears(*role, *from, *source));
                let full = format!("hears {heard}");
                let fits = |label: &str| label.chars().count() <= room(self.x(GATEWAY), self.x(lane));
                let heard = heard.trim_matches('"');
                let label = match from {
                    _ if fits(&full) => &full,
                    Selector::Mix(..) => "hears both",
                    Selector::Prompt(Prompt::Why(trigger)) if !fits(heard) => trigger.as_str(),
                    _ => heard,
                };
                vec![self.arrow(GATEWAY, lane, label, self.glyphs.audio, Paint::Media)]
            }
            TraceKind::Flowing { role, .. } => {
                vec![self.arrow(lane_of(*role), GATEWAY, "RTP", self.glyphs.audio, Paint::Media)]
            }
            TraceKind::Fact(Fact { kind: FactKind::Voice(score), .. }) => self.voice(*score),
            TraceKind::Fact(fact) => self.fact(&fact.kind),
            TraceKind::Decided(decision) => self.decision(decision, started),
            TraceKind::Pop { desk, what, .. } => vec![self.pop(&desk.0, what)],
            TraceKind::Routed { handoff, desk, because } => {
                let id = if self.style.ids { format!("handoff {handoff} ") } else { String::new() };
                self.note(GATEWAY, &format!("{id}to {desk}: {because}"), Paint::State)
            }
            TraceKind::HandoffEnded { handoff, outcome, stage, sip, method, corrects } => {
                let id = if self.style.ids { format!(" {handoff}") } else { String::new() };
                let after_all = if *corrects { "after all, " } else { "" };
                let words = outcome_words(*outcome, *stage, *sip, *method);
                self.note(GATEWAY, &format!("handoff{id}: {after_all}{words}"), Paint::State)
            }
            TraceKind::Callback { callback, what, text } => {
                let id = if self.style.ids { format!(" {callback}") } else { String::new() };
                let text = format!("callback{id} {}: {text}", what.replace('_', " "));
                self.note(GATEWAY, &text, Paint::State)
            }
            TraceKind::Release { .. }
            | TraceKind::Queued { .. }
            | TraceKind::Dequeued { .. }
            | TraceKind::EarlyDrop { .. }
            | TraceKind::Recording { .. }
            | TraceKind::Voicemail { .. }
            | TraceKind::Disposed { .. } => self.note(GATEWAY, &describe(kind), Paint::State),
            TraceKind::Quality { stats, role, .. } if self.style.verbose => {
                self.note(lane_of(*role).min(GATEWAY), &quality(stats), Paint::Dim)
            }
            TraceKind::Quality { .. } | TraceKind::Speech { .. } => Vec::new(),
            TraceKind::LegEnded { role, cause, .. } => self.leg_ended(lane_of(*role), &cause.to_string()),
            TraceKind::Ended { cause } => vec![self.ended(&format!(" call ended: {cause} "))],
            TraceKind::Dropped { .. } => self.note(GATEWAY, &describe(kind), Paint::Bad),
            TraceKind::Note { about, text } => self.note(lane_of_party(*about), text, Paint::Plain),
        }
    }

    fn sip(&mut self, role: Role, sent: bool, what: &str, again: bool) -> Row {
        let lane = lane_of(role);
        if self.lanes[lane] == Life::NotYet || starts_leg(what) {
            self.lanes[lane] = Life::On;
        }
        let (from, to) = if sent { (GATEWAY, lane) } else { (lane, GATEWAY) };
        let line = if again { self.glyphs.again } else { self.glyphs.message };
        self.arrow(from, to, what, line, paint_of(what))
    }

    fn pop(&mut self, desk: &str, what: &str) -> Row {
        self.lanes[PAGE] = Life::On;
        let from_page = matches!(what, "acknowledged" | "accepted" | "declined");
        let (from, to) = if from_page { (PAGE, GATEWAY) } else { (GATEWAY, PAGE) };
        let paint = if what == "unacknowledged" { Paint::Bad } else { Paint::Pop };
        let row = self.arrow(from, to, &format!("pop {what} ({desk})"), self.glyphs.message, paint);
        if what == "retracted" {
            self.lanes[PAGE] = Life::Over;
        }
        row
    }

    fn fact(&self, kind: &FactKind) -> Vec<Row> {
        let (lane, paint) = match kind {
            FactKind::LoneDigit(_) => (TRUNK, Paint::Speech),
            FactKind::Turn { speaker: call_model::Speaker::Caller, .. } => (TRUNK, Paint::Speech),
            FactKind::BotDown { .. } => (BOT, Paint::Bad),
            FactKind::Action { succeeded: false, .. } => (BOT, Paint::Bad),
            _ => (BOT, Paint::Speech),
        };
        self.note(lane, &fact_words(kind), paint)
    }

    fn voice(&mut self, score: VoiceScore) -> Vec<Row> {
        let moved = self.voice.is_none_or(|last| {
            (last.distress - score.distress).abs() >= VOICE_STEP || last.baselined != score.baselined
        });
        if !moved && !self.style.verbose {
            return Vec::new();
        }
        self.voice = Some(score);
        let full = (score.distress.clamp(0.0, 1.0) * 10.0).round() as usize;
        let bar: String = (0..10).map(|i| if i < full { self.glyphs.full } else { self.glyphs.empty }).collect();
        let baseline = if score.baselined { "" } else { ", no baseline yet" };
        let text = format!("voice {bar} {:.2} distress, sounds {}{baseline}", score.distress, score.emotion);
        self.note(TRUNK, &text, if score.distress >= 0.5 { Paint::Bad } else { Paint::Speech })
    }

    /// A box over the whole width: what was decided, and every reason with its time.
    fn decision(&self, decision: &Decision, started: Instant) -> Vec<Row> {
        let (left, right) = (self.x(TRUNK) - 2, self.x(self.widest) + 2);
        let [a, b, c, d] = self.glyphs.corners;
        let edge = |text: &str, from: char, to: char| {
            let mut row = Row::default();
            row.fill(left, right, self.glyphs.top, Paint::Decision);
            row.put(left, &from.to_string(), Paint::Decision);
            row.put(right, &to.to_string(), Paint::Decision);
            row.put(left + 3, text, Paint::Decision);
            row
        };
        let title: String = one_line(&headline(decision)).chars().take(right - left - 8).collect();
        let mut rows = vec![edge(&format!(" {title} "), a, b)];
        for reason in &decision.because {
            let time = if self.style.times { format!("{:>8}", seconds(reason.at, started)) } else { String::new() };
            let indent = left + 4 + time.len();
            for (index, line) in wrapped(&one_line(&reason.text), right - indent - 2).iter().enumerate() {
                let mut row = Row::default();
                row.put(left, &self.glyphs.side.to_string(), Paint::Decision);
                row.put(right, &self.glyphs.side.to_string(), Paint::Decision);
                if index == 0 {
                    row.put(left + 2, &time, Paint::Dim);
                }
                row.put(indent, line, Paint::Plain);
                rows.push(row);
            }
        }
        rows.push(edge("", c, d));
        rows
    }

    fn leg_ended(&mut self, lane: Lane, cause: &str) -> Vec<Row> {
        self.lanes[lane] = Life::Over;
        let mut rows = self.note(lane, cause, Paint::Dim);
        if let Some(first) = rows.first_mut() {
            first.put(self.x(lane), &self.glyphs.end.to_string(), Paint::Bad);
        }
        rows
    }

    fn ended(&self, text: &str) -> Row {
        let mut row = Row::default();
        let (left, right) = (self.x(TRUNK) - 2, self.x(self.widest) + 3);
        row.fill(left, right, self.glyphs.top, Paint::State);
        row.put(self.x(GATEWAY).saturating_sub(text.chars().count() / 2).max(left + 1), text, Paint::State);
        row
    }

    /// Lines of text to the right of a lifeline, over those further right.
    fn note(&self, lane: Lane, text: &str, paint: Paint) -> Vec<Row> {
        let x = self.x(lane) + 2;
        let width = self.right() - x;
        let row = |line: &String| {
            let mut row = self.lifelines();
            row.put(x - 1, &format!(" {line} "), paint);
            row
        };
        wrapped(&one_line(text), width).iter().map(row).collect()
    }

    fn centred(&self, x: usize, text: &str, paint: Paint) -> Row {
        let mut row = self.lifelines();
        row.put(x.saturating_sub(text.chars().count() / 2), text, paint);
        row
    }

    fn arrow(&self, from: Lane, to: Lane, label: &str, line: char, paint: Paint) -> Row {
        let mut row = self.lifelines();
        let (left, right) = (self.x(from.min(to)), self.x(from.max(to)));
        row.fill(left + 1, right, line, paint);
        if from < to {
            row.put(right - 1, &self.glyphs.right.to_string(), paint);
        } else {
            row.put(left + 1, &self.glyphs.left.to_string(), paint);
        }
        for end in [left, right] {
            row.put(end, &self.glyphs.life.to_string(), Paint::Dim);
        }
        let label = fitted(&one_line(label), room(left, right));
        let count = label.chars().count();
        let middle = left + 1 + (right - left - 1 - count) / 2;
        let start = if from < to { middle.min(right - 2 - count) } else { middle.max(left + 3) };
        row.put(start - 1, &format!(" {label} "), paint);
        row
    }

    fn lifelines(&self) -> Row {
        let mut row = Row::default();
        for (lane, life) in self.lanes.iter().enumerate().take(self.widest + 1) {
            let glyph = match life {
                Life::NotYet => ' ',
                Life::On => self.glyphs.life,
                Life::Over => self.glyphs.over,
            };
            row.put(self.x(lane), &glyph.to_string(), Paint::Dim);
        }
        row
    }

    fn add_story(&mut self, kind: &TraceKind, rows: &mut Vec<Row>) {
        let told = story::tell(kind, self.transfer);
        let Some(story) = told.filter(|story| self.told.as_ref() != Some(story)) else { return };
        for (index, line) in wrapped(&one_line(&story), STORY_WIDTH).iter().enumerate() {
            if index == rows.len() {
                rows.push(self.lifelines());
            }
            rows[index].put(self.right() + STORY_GAP, line, Paint::Speech);
        }
        self.told = Some(story);
    }

    fn x(&self, lane: Lane) -> usize {
        let margin = if self.style.times { MARGIN } else { 0 };
        margin + EDGE + PITCH * lane
    }

    /// The column after the ladder.
    fn right(&self) -> usize {
        self.x(self.widest) + EDGE + 1
    }
}

/// Characters of a label between two lifelines.
const fn room(a: usize, b: usize) -> usize {
    a.abs_diff(b).saturating_sub(4)
}

/// The label, or as many of its words as there is room for: a status code always stays.
fn fitted(label: &str, room: usize) -> String {
    if label.chars().count() <= room {
        return label.to_owned();
    }
    // What is answered matters more than how it is worded: an answer to CANCEL is not an answer to the call.
    if let (Some((status, _)), Some(of)) = (label.split_once(' '), label.rfind(" (")) {
        let short = format!("{status}{}", &label[of..]);
        if short.chars().count() <= room {
            return short;
        }
    }
    wrapped(label, room).into_iter().next().unwrap_or_default()
}

fn lane_of(role: Role) -> Lane {
    match role {
        Role::Caller => TRUNK,
        Role::Bot => BOT,
        Role::Desk => DESK,
        Role::Recorder => RECORDER,
    }
}

fn lane_of_party(party: Party) -> Lane {
    match party {
        Party::Caller | Party::Trunk => TRUNK,
        Party::Bot => BOT,
        Party::Gateway | Party::Desk | Party::Recorder => GATEWAY,
    }
}

fn is_with_recorder(kind: &TraceKind) -> bool {
    matches!(kind, TraceKind::Sip { role: Some(Role::Recorder), .. })
}

fn starts_leg(what: &str) -> bool {
    what == "INVITE"
}

fn paint_of(what: &str) -> Paint {
    match what.as_bytes().first() {
        Some(b'1') => Paint::Progress,
        Some(b'2') => Paint::Good,
        Some(b'3'..=b'6') => Paint::Bad,
        _ => Paint::Request,
    }
}
