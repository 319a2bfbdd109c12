//! What the gateway itself says and plays.

use rtp_proto::EngineConfig;

/// The engine's settings with the built-in audio.
pub(crate) fn engine_config() -> EngineConfig {
    EngineConfig::new("warmline")
}
