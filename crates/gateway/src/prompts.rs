//! What the gateway itself says and plays, built in: `assets/`, made by `assets/make.sh`.

use crate::identity::identity;
use crate::sounds::Sounds;
use call_model::{Prompt, Trigger};
use rtp_proto::{Dtls, EngineConfig};
use std::sync::Arc;

/// The engine's settings with the operator's recordings, and the built-in ones where there are none.
pub(crate) fn engine_config(sounds: &Sounds) -> EngineConfig {
    let mut config = EngineConfig::new("warmline");
    config.music = audio(include_bytes!("../assets/music.wav"));
    config.dtls = identity().ok().map(|identity| Arc::clone(identity) as Arc<dyn Dtls>);
    sounds.put_into(&mut config, everything().map(|prompt| (prompt, audio(wav(prompt)))));
    config
}

/// Every prompt there is.
pub(crate) fn everything() -> impl Iterator<Item = Prompt> {
    use Prompt::{BotLost, CallerGone, LeaveMessage, NobodyAvailable, PressOne, Recorded, StillTrying};
    let others = [BotLost, NobodyAvailable, StillTrying, Recorded, LeaveMessage, PressOne, CallerGone];
    others.into_iter().chain(Trigger::ALL.map(Prompt::Why))
}

/// Prompts that only an operator's recording can be: those of the places in line.
pub(crate) fn places() -> impl Iterator<Item = Prompt> {
    (1..=9).map(Prompt::Place)
}

const fn wav(prompt: Prompt) -> &'static [u8] {
    match prompt {
        Prompt::BotLost => include_bytes!("../assets/bot-lost.wav"),
        Prompt::NobodyAvailable => include_bytes!("../assets/nobody.wav"),
        Prompt::StillTrying | Prompt::Place(_) => include_bytes!("../assets/still-trying.wav"),
        Prompt::Recorded => include_bytes!("../assets/recorded.wav"),
        Prompt::LeaveMessage => include_bytes!("../assets/leave-message.wav"),
        Prompt::PressOne => include_bytes!("../assets/press-one.wav"),
        Prompt::CallerGone => include_bytes!("../assets/caller-gone.wav"),
        Prompt::Why(trigger) => match trigger {
            Trigger::Asked => include_bytes!("../assets/why-asked.wav"),
            Trigger::Dtmf => include_bytes!("../assets/why-dtmf.wav"),
            Trigger::Emergency => include_bytes!("../assets/why-emergency.wav"),
            Trigger::Compliance => include_bytes!("../assets/why-compliance.wav"),
            Trigger::Distress => include_bytes!("../assets/why-distress.wav"),
            Trigger::LowConfidence => include_bytes!("../assets/why-low_confidence.wav"),
            Trigger::FailedAttempts => include_bytes!("../assets/why-failed_attempts.wav"),
            Trigger::Legal => include_bytes!("../assets/why-legal.wav"),
            Trigger::Medical => include_bytes!("../assets/why-medical.wav"),
            Trigger::Minors => include_bytes!("../assets/why-minors.wav"),
            Trigger::Fraud => include_bytes!("../assets/why-fraud.wav"),
            Trigger::Dispute => include_bytes!("../assets/why-dispute.wav"),
            Trigger::Cancellation => include_bytes!("../assets/why-cancellation.wav"),
            Trigger::Vulnerable => include_bytes!("../assets/why-vulnerable.wav"),
            Trigger::Frustration => include_bytes!("../assets/why-frustration.wav"),
            Trigger::SameQuestion => include_bytes!("../assets/why-same_question.wav"),
            Trigger::Loop => include_bytes!("../assets/why-loop.wav"),
            Trigger::Hedging => include_bytes!("../assets/why-hedging.wav"),
            Trigger::Unclear => include_bytes!("../assets/why-unclear.wav"),
            Trigger::Verification => include_bytes!("../assets/why-verification.wav"),
            Trigger::SystemError => include_bytes!("../assets/why-system_error.wav"),
            Trigger::HighValue => include_bytes!("../assets/why-high_value.wav"),
            Trigger::Vip => include_bytes!("../assets/why-vip.wav"),
            Trigger::Silence => include_bytes!("../assets/why-silence.wav"),
            Trigger::Monologue => include_bytes!("../assets/why-monologue.wav"),
            Trigger::LongCall => include_bytes!("../assets/why-long_call.wav"),
            Trigger::Bot => include_bytes!("../assets/why-bot.wav"),
            Trigger::BotDown => include_bytes!("../assets/why-bot_down.wav"),
            Trigger::Operator => include_bytes!("../assets/why-operator.wav"),
            Trigger::Direct => include_bytes!("../assets/why-direct.wav"),
            Trigger::PassedOn => include_bytes!("../assets/why-passed_on.wav"),
        },
    }
}

fn audio(wav: &'static [u8]) -> Arc<[u8]> {
    Arc::from(recording(wav))
}

/// The mu-law octets of one of our own recordings: a WAV file of format 7 at 8000 Hz, one channel.
pub(crate) fn recording(wav: &'static [u8]) -> &'static [u8] {
    let mut rest = wav.get(12..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(8) {
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if head.starts_with(b"data") {
            return &body[..len.min(body.len())];
        }
        // Chunks are padded to an even length.
        rest = body.get(len + (len & 1)..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_and_the_music_have_audio() {
        let config = engine_config(&Sounds::default());
        for prompt in everything() {
            let seconds = config.prompts.get(prompt).len() / 8000;
            assert!((1..8).contains(&seconds), "{prompt:?} takes {seconds} s");
        }
        assert_eq!(config.music.len(), 64_000);
    }

    #[test]
    fn an_operators_recording_takes_the_place_of_ours() {
        let own: Arc<[u8]> = Arc::from([7].as_slice());
        let sounds = Sounds { music: Some(own.clone()), prompts: [(Prompt::PressOne, own.clone())].into() };
        let config = engine_config(&sounds);
        assert_eq!((config.prompts.get(Prompt::PressOne), &config.music), (&own[..], &own));
        assert!(config.prompts.get(Prompt::BotLost).len() > 8_000);
    }

    #[test]
    fn a_file_that_is_no_recording_is_silence_not_a_panic() {
        assert!(recording(b"RIFF").is_empty());
        assert!(recording(b"RIFF....WAVEdata\xff\xff\xff\xff").is_empty());
    }
}
