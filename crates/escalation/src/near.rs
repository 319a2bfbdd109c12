//! How near a rule came that did not fire: what whoever tunes it wants to know.

use crate::evidence::{Evidence, What};
use crate::rules::When;
use call_model::Because;

/// A rule that was not satisfied, and how much of what it wants there was.
#[derive(Clone, PartialEq, Debug)]
pub struct Near {
    /// Its name.
    pub rule: String,
    /// 0..1: the share of what it wants.
    pub share: f32,
    /// The same in words: `1 of 2`, `17 s of 20 s`.
    pub text: String,
    /// What counted.
    pub because: Vec<Because>,
}

/// A single figure that did not count is less than anything that did.
const FIGURE: f32 = 0.3;

impl Near {
    /// Of a rule that is named later.
    pub(crate) fn new(share: f32, text: String, because: Vec<Because>) -> Self {
        Self { rule: String::new(), share, text, because }
    }

    fn of(because: Vec<Because>, times: usize) -> Option<Self> {
        let text = format!("{} of {times}", because.len());
        (!because.is_empty()).then(|| Self::new(because.len() as f32 / times as f32, text, because))
    }
}

impl Evidence {
    /// Rules over facts; those over time are the pulse's.
    pub(crate) fn near(&self, when: &When) -> Option<Near> {
        match when {
            When::Distress(distress) => {
                let (highest, because) = self.extreme.clone()?;
                let Some(run) = self.run else {
                    let text = format!("highest {highest:.2} of {:.2}", distress.threshold);
                    return Some(Near::new(FIGURE * highest, text, vec![because]));
                };
                let (had, wanted) = (run.counted.as_secs_f32(), distress.lasting.as_secs_f32());
                let text = format!("{had:.1} s of {wanted:.1} s");
                Some(Near::new(FIGURE + (1.0 - FIGURE) * (had / wanted.max(0.001)).min(1.0), text, vec![because]))
            }
            When::LowConfidence { below, times, .. } => {
                let most = self.lows.iter().max_by_key(|lows| lows.len()).cloned().unwrap_or_default();
                Near::of(most, *times).or_else(|| {
                    let (lowest, because) = self.extreme.clone()?;
                    let text = format!("lowest {lowest:.2}, low is under {below:.2}");
                    Some(Near::new(FIGURE * (1.0 - lowest + below).min(1.0), text, vec![because]))
                })
            }
            When::SameQuestion { alike, often } | When::Loop { alike, often } => {
                Near::of(self.repeated(*alike), often.times).filter(|near| near.because.len() > 1)
            }
            When::FailedAttempts(often)
            | When::Frustration { often, .. }
            | When::Hedging { often, .. }
            | When::Unclear { often, .. }
            | When::Verification { often, .. }
            | When::SystemError { often, .. } => {
                let counted = self.seen.iter().filter(|seen| !matches!(seen.what, What::Said(_)));
                Near::of(counted.map(|seen| seen.because.clone()).collect(), often.times)
            }
            _ => None,
        }
    }

    /// What was repeated most, each time.
    fn repeated(&self, alike: f32) -> Vec<Because> {
        let same = |one: &What, other: &What| match (one, other) {
            (What::Said(one), What::Said(other)) => one.like(other) >= alike,
            (What::Named(one), What::Named(other)) => one == other,
            _ => false,
        };
        let like = |one: &What| {
            let like = self.seen.iter().filter(|seen| same(one, &seen.what));
            like.map(|seen| seen.because.clone()).collect::<Vec<_>>()
        };
        self.seen.iter().map(|seen| like(&seen.what)).max_by_key(Vec::len).unwrap_or_default()
    }
}
