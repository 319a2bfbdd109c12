//! What every target is held to besides not to panic.

use std::time::Duration;

/// Longer than this on the processor, and a peer could stall us with one input.
const LIMIT: Duration = Duration::from_millis(100);

/// Plays the octets.
///
/// # Panics
/// It takes too long; the time is the thread's own, so that a busy machine makes no difference.
pub fn within(octets: &[u8], play: fn(&[u8])) {
    let began = cpu_time::ThreadTime::now();
    play(octets);
    let took = began.elapsed();
    assert!(took < LIMIT, "{took:?} for {} octets", octets.len());
}
