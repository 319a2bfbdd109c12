//! What a run of windows says about a caller: pure, told everything, no clock.
//!
//! A single window proves little (5 % false positives a window is 180 alarms an hour). So the anger logit is compared
//! with the caller's own calm beginning, smoothed, calibrated in false alarms per hour, and a change counts only when
//! it lasts.

use crate::calibration::Calibration;
use crate::model::Answer;
use call_model::VoiceScore;

/// Weight of the newest window in the smoothed logit.
const SMOOTHING: f32 = 0.25;
/// Share of the caller's own mean logit that is subtracted.
const BASELINE_SHARE: f32 = 0.8;
/// Frames of new speech (20 ms) after which the baseline is complete: 10 s.
const BASELINE_FRAMES: u32 = 500;
/// The population's mean counts as much as this many windows until the caller's own windows outweigh it.
const PRIOR_WINDOWS: f32 = 3.0;
/// A caller's baseline may lie this far (logits) above the population's: one who begins furious is not calm.
const MOST_ABOVE: f32 = 2.0;
/// Windows in a row over the threshold that make a caller upset.
const ENTER_WINDOWS: u32 = 2;
/// Windows in a row clearly under it that make one settled again.
const LEAVE_WINDOWS: u32 = 3;

/// A lasting change in a caller's voice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shift {
    /// Distress was over the threshold for some windows in a row.
    Upset,
    /// It fell clearly below again, and stayed there.
    Settled,
}

/// The state of listening to one caller.
#[derive(Clone, Debug)]
pub struct Listening {
    threshold: f32,
    scale: f32,
    population: f32,
    smoothed: Option<f32>,
    baseline_sum: f32,
    baseline_windows: f32,
    speech_frames: u32,
    upset: bool,
    run: u32,
}

/// What one window came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Heard {
    /// For the rules.
    pub score: VoiceScore,
    /// The smoothed, baseline-corrected anger logit behind `score.distress`.
    pub corrected: f32,
    /// The distress there would be without the caller's own baseline: everybody's stands in.
    pub uncorrected: f32,
    /// A lasting change, at the window that made it one.
    pub shift: Option<Shift>,
}

impl Listening {
    /// Listening to a new caller, at a sensitivity in false alarms per hour of calm speech.
    pub fn new(calibration: &Calibration, alarms_per_hour: f32) -> Self {
        Self {
            threshold: calibration.threshold(alarms_per_hour),
            scale: calibration.scale,
            population: calibration.population_logit,
            smoothed: None,
            baseline_sum: 0.0,
            baseline_windows: 0.0,
            speech_frames: 0,
            upset: false,
            run: 0,
        }
    }

    /// Takes the model's answer for a window, the share of speech in it, and how many of its frames are speech that
    /// no earlier window held.
    pub fn handle_window(&mut self, answer: &Answer, speech_ratio: f32, new_speech_frames: u32) -> Heard {
        let logit = answer.anger_logit();
        self.learn(logit, new_speech_frames);
        let smoothed = self.smoothed.map_or(logit, |before| before + SMOOTHING * (logit - before));
        self.smoothed = Some(smoothed);
        let corrected = smoothed - BASELINE_SHARE * self.baseline();
        let (emotion, confidence) = answer.top();
        let score = VoiceScore {
            anger: answer.anger.clamp(0.0, 1.0),
            arousal: answer.arousal.clamp(0.0, 1.0),
            distress: self.distress(corrected),
            emotion,
            confidence: confidence.clamp(0.0, 1.0),
            speech_ratio: speech_ratio.clamp(0.0, 1.0),
            baselined: self.speech_frames >= BASELINE_FRAMES,
        };
        let uncorrected = self.distress(smoothed - BASELINE_SHARE * self.population);
        Heard { score, corrected, uncorrected, shift: self.judge(corrected) }
    }

    fn distress(&self, corrected: f32) -> f32 {
        1.0 / (1.0 + ((self.threshold - corrected) / self.scale).exp())
    }

    /// Whether the caller counts as upset now.
    pub const fn is_upset(&self) -> bool {
        self.upset
    }

    fn learn(&mut self, logit: f32, new_speech_frames: u32) {
        if self.speech_frames < BASELINE_FRAMES {
            self.baseline_sum += logit;
            self.baseline_windows += 1.0;
            self.speech_frames = self.speech_frames.saturating_add(new_speech_frames);
        }
    }

    fn baseline(&self) -> f32 {
        let mean = (self.baseline_sum + PRIOR_WINDOWS * self.population) / (self.baseline_windows + PRIOR_WINDOWS);
        mean.min(self.population + MOST_ABOVE)
    }

    fn judge(&mut self, corrected: f32) -> Option<Shift> {
        let against =
            if self.upset { corrected < self.threshold - 0.5 * self.scale } else { corrected >= self.threshold };
        self.run = if against { self.run + 1 } else { 0 };
        if self.run < if self.upset { LEAVE_WINDOWS } else { ENTER_WINDOWS } {
            return None;
        }
        self.run = 0;
        self.upset = !self.upset;
        Some(if self.upset { Shift::Upset } else { Shift::Settled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        Calibration::parse(r#"{"threshold_per_hour":{"1":1.5},"scale":0.8,"population_logit":-2}"#).expect("good")
    }

    fn answer(logit: f32) -> Answer {
        Answer { emotion: [0.7, 0.1, 0.1, 0.1, 0.0, 0.0], anger: 1.0 / (1.0 + (-logit).exp()), ..Answer::default() }
    }

    fn hear(listening: &mut Listening, logit: f32, windows: usize) -> Vec<Heard> {
        (0..windows).map(|_| listening.handle_window(&answer(logit), 0.8, 40)).collect()
    }

    #[test]
    fn a_calm_caller_who_turns_angry_is_noticed_within_seconds() {
        let mut listening = Listening::new(&calibration(), 1.0);
        assert!(hear(&mut listening, -2.5, 20).iter().all(|h| h.score.distress < 0.2 && h.shift.is_none()));
        let after = hear(&mut listening, 3.0, 10);
        let noticed = after.iter().position(|h| h.shift == Some(Shift::Upset)).expect("noticed");
        assert!(noticed <= 5, "after {noticed} windows");
        assert!(after[9].score.distress > 0.8 && listening.is_upset());
    }

    #[test]
    fn a_single_spike_changes_nothing() {
        let mut listening = Listening::new(&calibration(), 1.0);
        hear(&mut listening, -2.0, 15);
        let spike = hear(&mut listening, 4.0, 1)[0];
        let after = hear(&mut listening, -2.0, 10);
        assert!(spike.shift.is_none() && spike.score.distress < 0.5 && spike.score.anger > 0.9);
        assert!(after.iter().all(|h| h.shift.is_none()));
    }

    #[test]
    fn a_naturally_sharp_voice_is_judged_by_its_own_baseline() {
        let mut sharp = Listening::new(&calibration(), 1.0);
        let late = hear(&mut sharp, -0.5, 40)[39];
        assert!(late.score.distress < 0.3 && late.score.baselined, "{late:?}");
    }

    #[test]
    fn one_who_begins_furious_does_not_pass_for_calm() {
        let mut listening = Listening::new(&calibration(), 1.0);
        let heard = hear(&mut listening, 4.0, 15);
        assert!(heard.iter().any(|h| h.shift == Some(Shift::Upset)));
        assert!(heard[14].score.distress > 0.5);
    }

    #[test]
    fn settling_needs_several_calm_windows_and_hovering_does_not_flutter() {
        let mut listening = Listening::new(&calibration(), 1.0);
        hear(&mut listening, -2.0, 15);
        hear(&mut listening, 3.0, 8);
        let mut shifts = 0;
        // The corrected logit hovers around the threshold (1.5): logits about -0.1 with a baseline of -2.
        for i in 0..60 {
            shifts += hear(&mut listening, if i % 2 == 0 { 0.3 } else { -0.5 }, 1)
                .iter()
                .filter(|h| h.shift.is_some())
                .count();
        }
        assert!(shifts <= 1, "{shifts} shifts");
        let calm = hear(&mut listening, -3.0, 20);
        assert!(!listening.is_upset() && calm[19].score.distress < 0.1);
    }

    #[test]
    fn the_baseline_is_complete_after_ten_seconds_of_speech_and_not_of_silence() {
        let mut listening = Listening::new(&calibration(), 1.0);
        assert!(!hear(&mut listening, -2.0, 12)[11].score.baselined);
        assert!(hear(&mut listening, -2.0, 1)[0].score.baselined);
    }
}
