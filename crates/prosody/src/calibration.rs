//! From the smoothed, baseline-corrected anger logit to `distress`.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The model's calibration: measured on speakers it did not hear in training.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Calibration {
    /// False alarms per hour of calm speech (as text) to the threshold on the corrected logit that gives them.
    pub threshold_per_hour: BTreeMap<String, f32>,
    /// Logits from `distress` 0.5 to 0.73.
    pub scale: f32,
    /// The anger logit of calm people, on average: stands in until a caller's own is known.
    pub population_logit: f32,
    /// Hours of calm speech behind the table.
    #[serde(default)]
    pub hours: f32,
}

impl Calibration {
    /// Reads the JSON of `warmline.calibration`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        let this: Self = serde_json::from_str(json).map_err(|e| format!("warmline.calibration cannot be read: {e}"))?;
        this.checked()
    }

    /// The same, if it can be used.
    pub(crate) fn checked(self) -> Result<Self, String> {
        let sane = self.points().len() == self.threshold_per_hour.len()
            && !self.threshold_per_hour.is_empty()
            && self.scale.is_finite()
            && self.scale > 0.0
            && self.population_logit.is_finite();
        if sane { Ok(self) } else { Err("the calibration holds no usable threshold, scale or logit".into()) }
    }

    /// The threshold for a number of false alarms per hour; between the table's rows by the logarithm of the rate,
    /// outside them the nearest row.
    pub fn threshold(&self, alarms_per_hour: f32) -> f32 {
        let points = self.points();
        let rate = alarms_per_hour.max(1e-3).ln();
        let above = points.iter().position(|(at, _)| *at >= rate);
        match above {
            None => points.last().map_or(0.0, |point| point.1),
            Some(0) => points[0].1,
            Some(i) => {
                let ((x0, y0), (x1, y1)) = (points[i - 1], points[i]);
                y0 + (y1 - y0) * (rate - x0) / (x1 - x0)
            }
        }
    }

    /// (logarithm of the rate, threshold), by rate.
    fn points(&self) -> Vec<(f32, f32)> {
        let mut points: Vec<(f32, f32)> = self
            .threshold_per_hour
            .iter()
            .filter_map(|(rate, threshold)| Some((rate.parse::<f32>().ok()?, *threshold)))
            .filter(|(rate, threshold)| rate.is_finite() && *rate > 0.0 && threshold.is_finite())
            .map(|(rate, threshold)| (rate.ln(), threshold))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"threshold_per_hour":{"10":1.0,"1":2.0,"0.1":3.0},"scale":1,"population_logit":-2}"#;

    #[test]
    fn more_alarms_allowed_means_a_lower_threshold() {
        let calibration = Calibration::parse(GOOD).expect("good");
        let at = |rate| calibration.threshold(rate);
        assert_eq!((at(1.0), at(10.0), at(1000.0), at(0.0)), (2.0, 1.0, 1.0, 3.0));
        assert!((at(3.162_277_7) - 1.5).abs() < 1e-4);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "{}",
            r#"{"threshold_per_hour":{},"scale":1,"population_logit":0}"#,
            r#"{"threshold_per_hour":{"often":1},"scale":1,"population_logit":0}"#,
            r#"{"threshold_per_hour":{"1":1},"scale":0,"population_logit":0}"#,
        ] {
            assert!(Calibration::parse(bad).is_err(), "{bad}");
        }
    }
}
