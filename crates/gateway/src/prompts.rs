//! What the gateway itself says and plays, built in: `assets/`, made by `assets/make.sh`.

use rtp_proto::{EngineConfig, Prompts};
use std::sync::Arc;

/// The engine's settings with the built-in audio.
pub(crate) fn engine_config() -> EngineConfig {
    let audio = |wav: &'static [u8]| -> Arc<[u8]> { Arc::from(recording(wav)) };
    EngineConfig {
        prompts: Prompts {
            bot_lost: audio(include_bytes!("../assets/bot-lost.wav")),
            nobody_available: audio(include_bytes!("../assets/nobody.wav")),
            press_one: audio(include_bytes!("../assets/press-one.wav")),
            caller_gone: audio(include_bytes!("../assets/caller-gone.wav")),
        },
        music: audio(include_bytes!("../assets/music.wav")),
        ..EngineConfig::new("warmline")
    }
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
    use call_model::Prompt;

    #[test]
    fn every_prompt_and_the_music_have_audio() {
        let config = engine_config();
        for prompt in [Prompt::BotLost, Prompt::NobodyAvailable, Prompt::PressOne, Prompt::CallerGone] {
            assert!(config.prompts.get(prompt).len() > 8000, "{prompt:?}");
        }
        assert_eq!(config.music.len(), 64_000);
    }

    #[test]
    fn a_file_that_is_no_recording_is_silence_not_a_panic() {
        assert!(recording(b"RIFF").is_empty());
        assert!(recording(b"RIFF....WAVEdata\xff\xff\xff\xff").is_empty());
    }
}
