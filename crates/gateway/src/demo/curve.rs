//! The caller's voice over time, drawn with characters.

use call_model::VoiceScore;
use std::fmt::Write;

const ROWS: usize = 8;
/// Where the default rule looks for distress.
const THRESHOLD: f32 = 0.70;

/// One column a window, `decided` marked with an arrow; empty without windows.
pub(super) fn plot(voice: &[(f32, VoiceScore)], decided: Option<f32>) -> String {
    if voice.is_empty() {
        return String::new();
    }
    let mut out = String::from("How the caller sounded (distress, 0 to 1; one column a second of speech):\n");
    for row in (0..ROWS).rev() {
        let floor = row as f32 / ROWS as f32;
        let label = format!("{:.2}", (row + 1) as f32 / ROWS as f32);
        let limit = (floor..floor + 1.0 / ROWS as f32).contains(&THRESHOLD);
        let _ = write!(out, "  {label} |");
        for (_, score) in voice {
            out.push(cell(score.distress, floor, limit));
        }
        out.push_str(if limit { " <- the rule's threshold\n" } else { "\n" });
    }
    let _ = write!(out, "       +");
    let at = decided.map(|at| voice.iter().position(|(t, _)| *t >= at - 0.05).unwrap_or(voice.len() - 1));
    for column in 0..voice.len() {
        out.push(if at == Some(column) { '^' } else { '-' });
    }
    if at.is_some() {
        out.push_str(" the rules decided at ^");
    }
    let (first, last) = (voice.first().map_or(0.0, |(t, _)| *t), voice.last().map_or(0.0, |(t, _)| *t));
    let _ = write!(out, "\n        {first:.0} s to {last:.0} s of the call\n");
    out
}

fn cell(value: f32, floor: f32, limit: bool) -> char {
    const LEVELS: [char; 9] =
        [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
    let filled = ((value - floor) * ROWS as f32).clamp(0.0, 1.0);
    match (filled * 8.0).round() as usize {
        0 if limit => '\u{00b7}',
        level => LEVELS[level.min(8)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_score_is_drawn_higher_and_the_decision_is_marked() {
        let score = |distress| VoiceScore { distress, ..VoiceScore::default() };
        let drawn = plot(&[(1.0, score(0.1)), (2.0, score(0.95))], Some(2.0));
        let top = drawn.lines().nth(1).expect("a top row");
        assert!(top.contains('\u{2585}'), "{drawn}");
        assert!(drawn.contains("+-^"), "{drawn}");
        assert_eq!(plot(&[], None), "");
    }
}
