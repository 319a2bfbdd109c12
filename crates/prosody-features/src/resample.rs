//! From one sample rate to another, by rubato.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};

/// A whole recording at another rate.
///
/// # Errors
/// When these rates cannot be converted.
pub fn to(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, String> {
    if from == to || samples.is_empty() {
        return Ok(samples);
    }
    let refused = |why: &dyn core::fmt::Display| format!("{from} samples per second cannot be converted: {why}");
    let count = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, count).map_err(|why| refused(&why))?;
    let resampler = Fft::<f32>::new(from as usize, to as usize, 1024, 1, FixedSync::Both);
    let output =
        resampler.map_err(|why| refused(&why))?.process_all(&input, count, None).map_err(|why| refused(&why))?;
    Ok(output.take_data())
}
