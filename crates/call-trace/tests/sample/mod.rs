//! One handoff as trace events: upset caller, desk accepts on the page, REFER releases us.

use call_model::{
    Because, CallId, Decision, DeskId, Emotion, EndCause, EndReason, Fact, FactKind, HandoffId, HandoffOutcome,
    HandoffStage, Instant, Layer, LegId, Method, Party, Redacted, Role, Selector, Speaker, TraceEvent, TraceKind,
    TransferState, Trigger, Urgency, VoiceScore,
};

/// The events, in order.
pub(crate) fn handoff() -> Vec<TraceEvent> {
    let mut story = Story::default();
    arrive(&mut story);
    get_upset(&mut story);
    consult(&mut story);
    release(&mut story);
    story.0
}

#[derive(Default)]
struct Story(Vec<TraceEvent>);

const CALL: CallId = CallId(0x1234_5678_9abc_def0);
const HANDOFF: HandoffId = HandoffId(0x0192_3456_789a_bcde_f012_3456_789a_bcde);

fn arrive(s: &mut Story) {
    let (from, to) = (Redacted::new("+447700900123"), Redacted::new("+442079460000"));
    let session_id = "0123456789abcdef0123456789abcdef".to_owned();
    s.add(0, TraceKind::Began { from, to, trunk: "carrier".to_owned(), session_id });
    s.got(0, Role::Caller, "INVITE");
    s.sent(0, Role::Caller, "100 Trying");
    s.sent(1, Role::Bot, "INVITE");
    s.sent(501, Role::Bot, "INVITE");
    s.again();
    s.got(540, Role::Bot, "200 OK");
    s.sent(540, Role::Bot, "ACK");
    s.sent(540, Role::Caller, "200 OK");
    s.fed(540, Role::Caller, Selector::Leg(leg(1)), Some(Role::Bot));
    s.fed(540, Role::Bot, Selector::Leg(leg(0)), Some(Role::Caller));
    s.got(561, Role::Caller, "ACK");
    s.add(580, TraceKind::Flowing { leg: leg(0), role: Role::Caller });
}

fn get_upset(s: &mut Story) {
    s.fact(2_100, FactKind::Turn { speaker: Speaker::Bot, text: "How can I help?".to_owned(), confidence: None });
    let text = "My insurance claim was refused and nobody tells me why, this is the third time".to_owned();
    s.fact(6_400, FactKind::Turn { speaker: Speaker::Caller, text, confidence: Some(0.93) });
    s.voice(9_000, 0.08, Emotion::Neutral);
    s.voice(10_000, 0.10, Emotion::Neutral);
    let (name, result) = ("lookup_claim".to_owned(), "claim service timed out".to_owned());
    s.fact(10_200, FactKind::Action { name, succeeded: false, result });
    s.voice(14_000, 0.74, Emotion::Angry);
    s.voice(15_000, 0.83, Emotion::Angry);
    s.voice(17_000, 0.91, Emotion::Angry);
    let because = vec![
        Because { at: moment(14_000), text: "distress 0.74 passed 0.70, up from 0.08 5 s before".to_owned() },
        Because {
            at: moment(17_000),
            text: "distress 0.91 after 3.0 s over 0.70, against the caller's own baseline".to_owned(),
        },
    ];
    let (rule, at) = ("voice-distress".to_owned(), moment(17_000));
    let (trigger, layer, urgency) = (Trigger::Distress, Layer::Tunable, Urgency::High);
    s.add(17_000, TraceKind::Decided(Decision { at, rule, trigger, layer, urgency, because }));
}

fn consult(s: &mut Story) {
    let because = "page open for 42 s, first of 2 free".to_owned();
    s.add(17_000, TraceKind::Routed { handoff: HANDOFF, desk: desk(), because });
    s.pop(17_000, "offered");
    s.state(17_000, TransferState::WithBot, TransferState::Consulting);
    s.pop(17_006, "acknowledged");
    s.sent(17_006, Role::Desk, "INVITE");
    s.got(17_050, Role::Desk, "180 Ringing");
    s.pop(19_200, "accepted");
    s.got(20_000, Role::Desk, "200 OK");
    s.sent(20_000, Role::Desk, "ACK");
    s.state(20_000, TransferState::Consulting, TransferState::Joined);
    s.fed(20_000, Role::Caller, Selector::Leg(leg(2)), Some(Role::Desk));
    s.fed(20_000, Role::Desk, Selector::Leg(leg(0)), Some(Role::Caller));
    s.sent(20_001, Role::Bot, "BYE");
    s.got(20_020, Role::Bot, "200 OK");
    s.leg_ended(20_020, 1, Role::Bot, Party::Gateway, EndReason::Finished);
}

fn release(s: &mut Story) {
    s.state(23_000, TransferState::Joined, TransferState::Releasing);
    s.sent(23_000, Role::Caller, "REFER");
    s.got(23_040, Role::Caller, "202 Accepted");
    s.got(23_300, Role::Caller, "NOTIFY 200");
    s.add(23_300, TraceKind::Release { what: "NOTIFY 200".to_owned(), status: Some(200) });
    s.got(23_310, Role::Desk, "BYE");
    s.leg_ended(23_310, 2, Role::Desk, Party::Desk, EndReason::Released);
    s.sent(24_300, Role::Caller, "BYE");
    s.got(24_340, Role::Caller, "481 Call/Transaction Does Not Exist");
    s.state(24_340, TransferState::Releasing, TransferState::Released);
    let (outcome, stage) = (HandoffOutcome::Released, HandoffStage::Release);
    s.add(
        24_340,
        TraceKind::HandoffEnded {
            handoff: HANDOFF,
            outcome,
            stage,
            sip: Some(200),
            method: Method::ReferTrunk,
            corrects: false,
        },
    );
    s.leg_ended(24_340, 0, Role::Caller, Party::Gateway, EndReason::Released);
    s.add(24_340, TraceKind::Ended { cause: EndCause::new(Party::Gateway, EndReason::Released) });
}

impl Story {
    fn add(&mut self, ms: u64, kind: TraceKind) {
        self.0.push(TraceEvent { at: moment(ms), call: Some(CALL), kind });
    }

    fn sip(&mut self, ms: u64, role: Role, sent: bool, what: &str) {
        let (what, sip_call_id) = (what.to_owned(), "3848276298220188511@example".to_owned());
        self.add(
            ms,
            TraceKind::Sip { leg: None, role: Some(role), sent, what, sip_call_id, cseq: String::new(), again: false },
        );
    }

    fn sent(&mut self, ms: u64, role: Role, what: &str) {
        self.sip(ms, role, true, what);
    }

    fn got(&mut self, ms: u64, role: Role, what: &str) {
        self.sip(ms, role, false, what);
    }

    fn again(&mut self) {
        if let Some(TraceEvent { kind: TraceKind::Sip { again, .. }, .. }) = self.0.last_mut() {
            *again = true;
        }
    }

    fn fed(&mut self, ms: u64, role: Role, from: Selector, source: Option<Role>) {
        self.add(ms, TraceKind::Fed { leg: leg(0), role, from, source });
    }

    fn fact(&mut self, ms: u64, kind: FactKind) {
        let at = moment(ms);
        self.add(ms, TraceKind::Fact(Fact { at, kind }));
    }

    fn voice(&mut self, ms: u64, distress: f32, emotion: Emotion) {
        let score = VoiceScore { distress, emotion, speech_ratio: 0.8, baselined: true, ..VoiceScore::default() };
        self.fact(ms, FactKind::Voice(score));
    }

    fn state(&mut self, ms: u64, from: TransferState, to: TransferState) {
        self.add(ms, TraceKind::State { from, to });
    }

    fn pop(&mut self, ms: u64, what: &'static str) {
        self.add(ms, TraceKind::Pop { handoff: HANDOFF, desk: desk(), what });
    }

    fn leg_ended(&mut self, ms: u64, index: u8, role: Role, by: Party, reason: EndReason) {
        self.add(ms, TraceKind::LegEnded { leg: leg(index), role, cause: EndCause::new(by, reason) });
    }
}

/// On a clock that does not start at zero: the ladder counts from the first event.
fn moment(ms: u64) -> Instant {
    Instant::from_millis(100_000 + ms)
}

fn leg(index: u8) -> LegId {
    LegId { call: CALL, index }
}

fn desk() -> DeskId {
    DeskId("anna".to_owned())
}
