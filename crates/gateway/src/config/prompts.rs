//! Recordings instead of the built-in ones.

use super::reader::Section;
use crate::sounds::{Sounds, load};
use call_model::{Prompt, Trigger};
use std::path::Path;

/// Files are read here once, so that a wrong one is a complaint and no surprise.
pub(super) fn sounds(mut section: Section, base: &Path) -> Sounds {
    let mut file = |key| section.text(key, |text| load(&base.join(text)));
    let music = file("music");
    let prompts = crate::prompts::everything()
        .chain(crate::prompts::places())
        .filter_map(|prompt| Some((prompt, file(key(prompt))?)))
        .collect();
    section.finish();
    Sounds { music, prompts }
}

const fn key(prompt: Prompt) -> &'static str {
    match prompt {
        Prompt::BotLost => "bot_lost",
        Prompt::NobodyAvailable => "nobody",
        Prompt::StillTrying => "still_trying",
        Prompt::Place(place) => match place {
            1 => "place_1",
            2 => "place_2",
            3 => "place_3",
            4 => "place_4",
            5 => "place_5",
            6 => "place_6",
            7 => "place_7",
            8 => "place_8",
            _ => "place_9",
        },
        Prompt::Recorded => "recorded",
        Prompt::LeaveMessage => "leave_message",
        Prompt::PressOne => "press_one",
        Prompt::CallerGone => "caller_gone",
        Prompt::Why(trigger) => match trigger {
            Trigger::Asked => "why_asked",
            Trigger::Dtmf => "why_dtmf",
            Trigger::Emergency => "why_emergency",
            Trigger::Compliance => "why_compliance",
            Trigger::Distress => "why_distress",
            Trigger::LowConfidence => "why_low_confidence",
            Trigger::FailedAttempts => "why_failed_attempts",
            Trigger::Legal => "why_legal",
            Trigger::Medical => "why_medical",
            Trigger::Minors => "why_minors",
            Trigger::Fraud => "why_fraud",
            Trigger::Dispute => "why_dispute",
            Trigger::Cancellation => "why_cancellation",
            Trigger::Vulnerable => "why_vulnerable",
            Trigger::Frustration => "why_frustration",
            Trigger::SameQuestion => "why_same_question",
            Trigger::Loop => "why_loop",
            Trigger::Hedging => "why_hedging",
            Trigger::Unclear => "why_unclear",
            Trigger::Verification => "why_verification",
            Trigger::SystemError => "why_system_error",
            Trigger::HighValue => "why_high_value",
            Trigger::Vip => "why_vip",
            Trigger::Silence => "why_silence",
            Trigger::Monologue => "why_monologue",
            Trigger::LongCall => "why_long_call",
            Trigger::Bot => "why_bot",
            Trigger::BotDown => "why_bot_down",
            Trigger::Operator => "why_operator",
            Trigger::Direct => "why_direct",
            Trigger::PassedOn => "why_passed_on",
        },
    }
}
