//! Who says what, and when. Times count from the moment the bot's stream starts, when the caller is answered.

use crate::prompts::recording;
use phone::Source;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// So long the human's first words take.
const GREETING: Duration = Duration::from_millis(7_600);

/// Something the bot says or reports.
pub(super) struct Line {
    pub(super) at: Duration,
    /// mu-law.
    pub(super) audio: Option<&'static [u8]>,
    /// A control event.
    pub(super) event: Option<Value>,
}

/// The whole play.
pub(super) struct Script {
    /// In order of time.
    pub(super) lines: Vec<Line>,
    /// What the bot says when it hears that a human is being fetched.
    pub(super) goodbye: &'static [u8],
    /// What it tells the human then.
    pub(super) when_handing_over: Vec<Value>,
    /// The caller's side.
    pub(super) caller: Arc<[i16]>,
    /// What the caller answers the human. Both must be heard after the join, or nothing is proven.
    pub(super) reply: Arc<[i16]>,
    /// The caller has nothing more to say.
    pub(super) ends: Duration,
}

macro_rules! asset {
    ($name:literal) => {
        recording(include_bytes!(concat!("../../assets/", $name, ".wav")))
    };
}

/// What the human says.
pub(super) fn human() -> Source {
    Source::Samples { samples: linear(asset!("desk-hello")), looped: false }
}

/// "Yes, that is right. The payment went out in the morning", from the calm recording, once the human has greeted.
fn reply() -> Arc<[i16]> {
    let calm = linear(asset!("caller-calm"));
    let sentence = samples(Duration::from_millis(22_200))..samples(Duration::from_millis(26_200));
    let mut reply = quiet(GREETING);
    reply.extend_from_slice(calm.get(sentence).unwrap_or(&[]));
    Arc::from(reply)
}

/// The bot's greeting, during which the caller waits.
fn hello() -> &'static [u8] {
    asset!("bot-hello")
}

impl Script {
    /// A caller who is told no, and loses patience.
    pub(super) fn upset() -> Self {
        let mut script = Self::begin();
        let recorded = linear(asset!("caller-upset"));
        // In the recording the patience ends here; the bot's answer goes in between.
        let turn = samples(Duration::from_millis(15_000)).min(recorded.len());
        let mut caller = quiet(seconds(hello()));
        script.polite(seconds(hello()));
        caller.extend_from_slice(&recorded[..turn]);
        let told = length(&caller);
        script.bot(
            told,
            asset!("bot-fee"),
            "I see a late fee of twenty five dollars. Our policy says that fees cannot be removed.",
            0.88,
        );
        script.event(told, json!({"action": {"name": "remove_late_fee", "succeeded": false, "result": "policy: fees cannot be removed"}}));
        caller.extend(quiet(seconds(asset!("bot-fee"))));
        let lost = length(&caller);
        caller.extend_from_slice(&recorded[turn..]);
        let after = |ms| lost + Duration::from_millis(ms);
        script.caller(after(4_500), "No! That is not what I asked! I did not pay late, I paid on the third!", 0.94);
        script.bot(
            after(4_700),
            asset!("bot-again"),
            "I understand. Let me tell you about our late payment policy.",
            0.83,
        );
        script.caller(after(8_300), "This is the third time I am explaining this! You are not listening to me!", 0.95);
        script.caller(after(12_600), "I want this fee taken off right now! This is completely unacceptable!", 0.93);
        // Had the voice not said it, the words do.
        let asks = length(&caller) + Duration::from_secs(4);
        script.caller(asks, "Let me speak to a human being.", 0.97);
        script.finish(caller, asks + Duration::from_secs(15))
    }

    /// The control: the same caller, who stays calm.
    pub(super) fn calm() -> Self {
        let mut script = Self::begin();
        let mut caller = quiet(seconds(hello()));
        script.polite(seconds(hello()));
        let starts = length(&caller);
        let after = |ms| starts + Duration::from_millis(ms);
        caller.extend_from_slice(&linear(asset!("caller-calm")));
        script.caller(
            after(20_800),
            "My account number ends in four four one seven. Could you look at that for me, please?",
            0.95,
        );
        script.event(
            after(21_000),
            json!({"action": {"name": "open_case", "succeeded": true, "result": "a letter is on its way"}}),
        );
        script.caller(after(26_400), "Yes, that is right. The payment went out in the morning.", 0.94);
        script.caller(after(31_600), "Thank you, that would be fine. I am happy to wait for the letter.", 0.95);
        let ends = length(&caller) + Duration::from_secs(1);
        script.finish(caller, ends)
    }

    /// A recording of the user's own. Nobody knows what is said in it.
    pub(super) fn own(samples: &[i16]) -> Self {
        let script = Self::begin();
        let mut caller = quiet(seconds(hello()));
        caller.extend_from_slice(samples);
        let ends = length(&caller) + Duration::from_secs(4);
        Self { reply: Arc::from(samples), ..script.finish(caller, ends) }
    }

    fn begin() -> Self {
        let mut script = Self {
            lines: Vec::new(),
            goodbye: asset!("bot-moment"),
            when_handing_over: vec![json!({
                "event": "warmline",
                "summary": "A late fee of 25 dollars is disputed: the caller paid on the third by bank transfer.",
                "next_steps": ["Open the account ending in 4417", "Check the transfer of May 3", "Remove the fee if it was in time"],
            })],
            caller: Arc::from([].as_slice()),
            reply: reply(),
            ends: Duration::ZERO,
        };
        script.bot(
            Duration::from_millis(100),
            hello(),
            "Hello, this is the virtual assistant of Acorn Energy. How can I help you today?",
            0.99,
        );
        script
    }

    /// The calm beginning that both recordings share.
    fn polite(&mut self, starts: Duration) {
        let after = |ms| starts + Duration::from_millis(ms);
        self.caller(after(4_400), "Hello. I am calling about a late fee on my last statement.", 0.96);
        self.event(after(4_500), json!({"intent": {"name": "dispute_fee", "confidence": 0.93}}));
        self.caller(after(9_000), "It shows twenty five dollars for a late payment in May.", 0.95);
        self.event(after(9_100), json!({"entities": {"fee": "25 USD", "month": "May"}}));
        self.caller(after(14_600), "I paid that bill on the third, by bank transfer, as I always do.", 0.95);
        self.event(after(14_700), json!({"entity": {"name": "account", "value": "4417"}}));
    }

    fn caller(&mut self, at: Duration, text: &str, confidence: f64) {
        self.event(at, json!({"turn": {"speaker": "caller", "text": text, "confidence": confidence}}));
    }

    fn bot(&mut self, at: Duration, audio: &'static [u8], text: &str, confidence: f64) {
        self.lines.push(Line { at, audio: Some(audio), event: None });
        self.event(at, json!({"turn": {"speaker": "bot", "text": text, "confidence": confidence}}));
    }

    fn event(&mut self, at: Duration, mut event: Value) {
        event["event"] = "warmline".into();
        self.lines.push(Line { at, audio: None, event: Some(event) });
    }

    fn finish(mut self, caller: Vec<i16>, ends: Duration) -> Self {
        self.lines.sort_by_key(|line| line.at);
        self.caller = Arc::from(caller);
        self.ends = ends;
        self
    }
}

fn seconds(mulaw: &[u8]) -> Duration {
    Duration::from_micros(mulaw.len() as u64 * 125)
}

fn length(samples: &[i16]) -> Duration {
    Duration::from_micros(samples.len() as u64 * 125)
}

fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).unwrap_or(usize::MAX).saturating_mul(8)
}

fn quiet(duration: Duration) -> Vec<i16> {
    vec![0; samples(duration)]
}

fn linear(mulaw: &[u8]) -> Arc<[i16]> {
    mulaw.iter().map(|octet| expand(*octet)).collect()
}

/// G.711 mu-law to linear (ITU-T G.711 table 2a).
fn expand(octet: u8) -> i16 {
    let inverted = !octet;
    let magnitude = ((i16::from(inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7);
    if inverted & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mulaw_expands_as_the_standard_says() {
        assert_eq!((expand(0xff), expand(0x7f), expand(0x80), expand(0x00)), (0, 0, 32_124, -32_124));
    }

    #[test]
    fn lines_come_in_order_and_end_before_the_script_does() {
        for script in [Script::upset(), Script::calm()] {
            assert!(script.lines.is_sorted_by_key(|line| line.at));
            assert!(script.lines.last().is_some_and(|line| line.at < script.ends));
            assert!(length(&script.caller) < script.ends);
        }
    }

    #[test]
    fn every_event_of_the_bot_is_one_the_gateway_takes() {
        for script in [Script::upset(), Script::calm()] {
            let events = script.lines.iter().filter_map(|line| line.event.as_ref()).chain(&script.when_handing_over);
            for event in events {
                let facts = bot_proto::control::parse(&event.to_string());
                assert!(facts.as_ref().is_ok_and(|facts| !facts.is_empty()), "{event}: {facts:?}");
            }
        }
    }
}
