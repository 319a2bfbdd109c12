//! What legs sounded like, counted by trunk, bot and desk as they end.

use crate::metrics::{COUNTER, escape, family, line};
use call_model::{LegStats, Role};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Upper bounds of mean opinion scores in tenths: all users dissatisfied, nearly all, many, some, satisfied (ITU-T G.109).
const BOUNDS: [u32; 5] = [26, 31, 36, 40, 43];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Audio(BTreeMap<(&'static str, String), Sums>);

#[derive(Debug, Default)]
struct Sums {
    received: u64,
    lost: u64,
    refused: u64,
    heard: Scores,
    heard_there: Scores,
}

/// A histogram of scores.
#[derive(Debug, Default)]
struct Scores {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Audio {
    pub(crate) fn leg_ended(&mut self, role: Role, name: &str, stats: &LegStats) {
        let kind = match role {
            Role::Caller => "trunk",
            Role::Bot => "bot",
            Role::Desk => "desk",
            Role::Recorder => "recorder",
        };
        let sums = self.0.entry((kind, name.to_owned())).or_default();
        sums.received += stats.received;
        sums.lost += stats.lost;
        sums.refused += stats.refused;
        sums.heard.observe(stats.mos);
        sums.heard_there.observe(stats.remote_mos);
    }

    pub(crate) fn render(&self, out: &mut String) {
        for (what, help, value) in [
            ("received", "RTP packets received on legs that ended.", (|sums| sums.received) as fn(&Sums) -> u64),
            ("lost", "RTP packets expected and not received on legs that ended.", |sums| sums.lost),
            ("refused", "RTP packets refused on legs that ended.", |sums| sums.refused),
        ] {
            let name = format!("warmline_leg_packets_{what}_total");
            family(out, &name, COUNTER, help);
            for (peer, sums) in &self.0 {
                line(out, &name, &labels(peer), value(sums));
            }
        }
        let name = "warmline_leg_mos";
        family(out, name, "histogram", "Mean opinion score of legs that ended (ITU-T G.107).");
        for (peer, sums) in &self.0 {
            sums.heard.render(out, name, &format!("{},heard=\"here\"", labels(peer)));
            sums.heard_there.render(out, name, &format!("{},heard=\"there\"", labels(peer)));
        }
    }
}

fn labels((kind, name): &(&'static str, String)) -> String {
    format!("peer=\"{kind}\",name=\"{}\"", escape(name))
}

impl Scores {
    fn observe(&mut self, mos: Option<f32>) {
        let Some(mos) = mos else { return };
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(mos * 10.0 <= bound as f32);
        }
        self.count += 1;
        self.sum += f64::from(mos);
    }

    fn render(&self, out: &mut String, name: &str, labels: &str) {
        let bucket = format!("{name}_bucket");
        for (count, bound) in self.buckets.iter().zip(BOUNDS) {
            line(out, &bucket, &format!("{labels},le=\"{}.{}\"", bound / 10, bound % 10), *count);
        }
        line(out, &bucket, &format!("{labels},le=\"+Inf\""), self.count);
        let _ = writeln!(out, "{name}_sum{{{labels}}} {:.3}", self.sum);
        line(out, &format!("{name}_count"), labels, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_counted_by_peer_and_end() {
        let mut audio = Audio::default();
        let stats = LegStats { received: 90, lost: 10, mos: Some(3.5), remote_mos: Some(4.4), ..LegStats::default() };
        audio.leg_ended(Role::Caller, "carrier", &stats);
        audio.leg_ended(Role::Caller, "carrier", &stats);
        audio.leg_ended(Role::Desk, "front", &LegStats::default());
        let mut out = String::new();
        audio.render(&mut out);
        for expected in [
            "warmline_leg_packets_lost_total{peer=\"trunk\",name=\"carrier\"} 20",
            "warmline_leg_mos_bucket{peer=\"trunk\",name=\"carrier\",heard=\"here\",le=\"3.1\"} 0",
            "warmline_leg_mos_bucket{peer=\"trunk\",name=\"carrier\",heard=\"here\",le=\"3.6\"} 2",
            "warmline_leg_mos_bucket{peer=\"trunk\",name=\"carrier\",heard=\"there\",le=\"4.3\"} 0",
            "warmline_leg_mos_sum{peer=\"trunk\",name=\"carrier\",heard=\"here\"} 7.000",
            "warmline_leg_mos_count{peer=\"desk\",name=\"front\",heard=\"here\"} 0",
        ] {
            assert!(out.lines().any(|line| line == expected), "{expected} not in {out}");
        }
    }
}
