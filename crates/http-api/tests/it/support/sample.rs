//! A handed-over call that never happened.

use call_model::package::{Article, Attempt, SummaryBy, Utterance};
use call_model::{
    Because, CallId, DeskId, EarlierHandoff, Emotion, HandoffEnd, HandoffId, HandoffOutcome, HandoffPackage, Instant,
    PopUpdate, Redacted, Speaker, Trigger, Urgency, VoiceScore, WallAnchor,
};

/// The demo desk.
pub(crate) fn desk() -> DeskId {
    DeskId("anna".into())
}

/// A call of 84 seconds with a bot, about a parcel.
pub(crate) fn package(id: u128, wall: &WallAnchor, at: Instant) -> HandoffPackage {
    let second = |s: u64| Instant::from_millis(at.as_millis() + s * 1000);
    let (caller, bot) = (Speaker::Caller, Speaker::Bot);
    HandoffPackage {
        id: HandoffId(id),
        call: CallId(7_000_000_000 + (id as u64 & 0xffff)),
        session_id: "f81d4fae7dec11d0a76500a0c91e6bf6".into(),
        version: 1,
        call_started_unix_ms: wall.unix_ms(at),
        started: second(84),
        caller: Redacted::new("+447700900123"),
        caller_name: Some(Redacted::new("Marta Lindqvist")),
        called: Redacted::new("+442079460958"),
        trigger: Trigger::Distress,
        rule: "upset_caller".into(),
        because: vec![
            because(second(66), "the bot's answer had confidence 0.41 on \"second delivery\""),
            because(second(78), "order lookup failed twice: the carrier's system did not answer"),
            because(second(83), "distress 0.81 over 0.65 for 9 s, rising from the caller's own 0.14"),
        ],
        urgency: Urgency::High,
        summary: "Paid 18.90 for express delivery that came three days late; wants the fee back and has asked twice \
                  for somebody to confirm it."
            .into(),
        summary_by: SummaryBy::default(),
        intent: Some("refund_delivery_fee".into()),
        entities: [
            ("tier", "gold"),
            ("order", "WL-20931"),
            ("express fee", "18.90 GBP"),
            ("promised", "Tue 17 Nov"),
            ("email", "marta.l@example.com"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        actions: vec![
            attempt(second(24), "identify_caller", true, "matched by number and postcode"),
            attempt(second(47), "look_up_order", false, "carrier's tracking timed out after 4 s"),
            attempt(second(71), "look_up_order", false, "carrier's tracking timed out after 4 s"),
        ],
        next_steps: vec![
            "Say that you have seen the order and the delay".into(),
            "Refund the express fee (18.90, within your limit)".into(),
            "Offer to send the carrier's confirmation by email".into(),
        ],
        opening: Some(
            "Hello Marta, I have your order WL-20931 in front of me, and I can give you the express fee back.".into(),
        ),
        articles: vec![
            article(
                "Late express deliveries",
                "The express fee is returned in full when the parcel is more than one day late. No form is needed up to 25.00.",
                Some("https://kb.example.com/delivery/late-express"),
            ),
            article("What we say about carriers", "We take the blame, not the carrier.", None),
        ],
        transcript: [
            (4, bot, "Hello, this is Northwind. How can I help?", None),
            (9, caller, "Hi, my parcel was meant to come on Tuesday. I paid for express.", Some(0.94)),
            (16, bot, "I am sorry to hear that. May I have your postcode?", None),
            (21, caller, "SW1A 2AA.", Some(0.97)),
            (27, bot, "Thank you, Marta. Let me look at order WL-20931.", None),
            (49, bot, "I cannot see the tracking right now. Shall I try again?", Some(0.62)),
            (55, caller, "It came on Friday. I just want the express fee back.", Some(0.92)),
            (66, bot, "A second delivery can be arranged for Tuesday.", Some(0.41)),
            (
                74,
                caller,
                "No! Not a second delivery. I want my money back. Is there a real person I can talk to?",
                Some(0.88),
            ),
            (82, bot, "I understand. I am getting a colleague for you now.", None),
        ]
        .into_iter()
        .map(|(at, speaker, text, confidence)| Utterance { at: second(at), speaker, text: text.into(), confidence })
        .collect(),
        trajectory: (3..84).step_by(3).map(|s| (second(s), voice(s))).collect(),
        earlier: vec![EarlierHandoff {
            id: HandoffId(id + (1 << 100)),
            desk: Some("ben".into()),
            outcome: HandoffOutcome::Joined,
            ended_by: HandoffEnd::HandedBack,
            notes: "Told her the fee comes back; <b>check</b> the amount.".into(),
        }],
        callback: Some(call_model::CallbackNote {
            id: call_model::CallbackId(HandoffId(id + (1 << 101))),
            asked_ms: wall.unix_ms(at),
            promised_ms: wall.unix_ms(second(84)),
            attempt: 2,
        }),
    }
}

/// Somebody of whom little is known, with a name that would like to be a script.
#[allow(dead_code, reason = "for the example that shows the page")]
pub(crate) fn stranger(id: u128, wall: &WallAnchor, at: Instant) -> HandoffPackage {
    HandoffPackage {
        id: HandoffId(id),
        call: CallId(7_000_000_000 + (id as u64 & 0xffff)),
        session_id: "f81d4fae7dec11d0a76500a0c91e6bf7".into(),
        version: 1,
        call_started_unix_ms: wall.unix_ms(at),
        started: at,
        caller: Redacted::default(),
        caller_name: Some(Redacted::new("<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>")),
        called: Redacted::new("sip:help@example.com"),
        trigger: Trigger::Direct,
        rule: "direct".into(),
        because: vec![because(at, "dialled help, which goes straight to a desk")],
        urgency: Urgency::Normal,
        summary: String::new(),
        summary_by: SummaryBy::default(),
        intent: None,
        entities: Vec::new(),
        actions: Vec::new(),
        next_steps: Vec::new(),
        opening: None,
        articles: Vec::new(),
        transcript: Vec::new(),
        trajectory: vec![(at, VoiceScore { distress: f32::NAN, anger: 2.0, ..VoiceScore::default() })],
        earlier: Vec::new(),
        callback: None,
    }
}

/// Shown on the demo desk.
pub(crate) fn offered(package: HandoffPackage) -> PopUpdate {
    PopUpdate::Offered { desk: desk(), sip_call_id: "consult-1@127.0.0.1".into(), package: Box::new(package) }
}

fn because(at: Instant, text: &str) -> Because {
    Because { at, text: text.into() }
}

fn attempt(at: Instant, name: &str, succeeded: bool, result: &str) -> Attempt {
    Attempt { at, name: name.into(), succeeded, result: result.into() }
}

fn article(title: &str, text: &str, url: Option<&str>) -> Article {
    Article { title: title.into(), text: text.into(), url: url.map(str::to_owned) }
}

/// Calm for a minute, then not.
fn voice(s: u64) -> VoiceScore {
    let t = s as f32;
    let ramp = ((t - 45.0) / 30.0).clamp(0.0, 1.0);
    let wobble = ((s * 7919) % 13) as f32 / 13.0 - 0.5;
    let distress = (0.14 + 0.66 * ramp + 0.07 * wobble).clamp(0.0, 1.0);
    VoiceScore {
        anger: distress,
        arousal: (0.35 + 0.4 * ramp + 0.2 * wobble).clamp(0.0, 1.0),
        distress,
        emotion: if distress > 0.5 { Emotion::Angry } else { Emotion::Neutral },
        confidence: 0.5 + distress / 3.0,
        speech_ratio: 0.7,
        baselined: s > 15,
    }
}
