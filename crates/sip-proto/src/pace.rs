//! How many new requests a source may send: a token bucket per address.

use call_model::Instant;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

/// A source that was quiet may send what it saved up in this time at once.
const BURST: Duration = Duration::from_secs(2);
/// Sources remembered. Above it, those that have saved up everything again are forgotten; there is no difference.
const SOURCES: usize = 10_000;

/// Whether a source may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    Yes,
    No {
        /// Refused since this was last told, where it is time to tell it again.
        tell: Option<u32>,
    },
}

/// The buckets of all sources.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two requests of a source that keeps the pace. None: there is no limit.
    apart: Option<Duration>,
    sources: BTreeMap<IpAddr, Source>,
}

#[derive(Debug)]
struct Source {
    /// When the bucket would be full again.
    full_at: Instant,
    refused: u32,
    told: Option<Instant>,
}

impl Pace {
    /// Requests per second and source; 0 for no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        let apart = (per_second > 0).then(|| Duration::from_secs(1) / per_second);
        Self { apart, sources: BTreeMap::new() }
    }

    pub(crate) fn ask(&mut self, source: IpAddr, now: Instant) -> Pass {
        let Some(apart) = self.apart else { return Pass::Yes };
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.sources.retain(|_, source| source.full_at > now);
            if self.sources.len() >= SOURCES {
                return Pass::No { tell: None };
            }
        }
        let entry = self.sources.entry(source).or_insert(Source { full_at: now, refused: 0, told: None });
        let full_at = entry.full_at.max(now) + apart;
        if full_at.since(now) <= BURST.max(apart) {
            entry.full_at = full_at;
            return Pass::Yes;
        }
        entry.refused += 1;
        let due = entry.told.is_none_or(|told| now.since(told) >= Duration::from_secs(1));
        let tell = due.then(|| core::mem::take(&mut entry.refused));
        if due {
            entry.told = Some(now);
        }
        Pass::No { tell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));

    fn passed(pace: &mut Pace, source: IpAddr, times: u32, at: u64) -> usize {
        (0..times).filter(|_| pace.ask(source, Instant::from_millis(at)) == Pass::Yes).count()
    }

    #[test]
    fn a_source_has_its_burst_and_then_its_pace() {
        let mut pace = Pace::new(100);
        assert_eq!(passed(&mut pace, A, 1000, 0), 200);
        assert_eq!(passed(&mut pace, A, 1000, 100), 10);
        assert_eq!(passed(&mut pace, B, 1000, 100), 200, "another source has its own");
        assert_eq!(passed(&mut pace, A, 1000, 60_000), 200, "never more than the burst");
    }

    #[test]
    fn what_was_refused_is_told_once_a_second() {
        let mut pace = Pace::new(1);
        let told: Vec<u32> = (0..3_000)
            .filter_map(|at| match pace.ask(A, Instant::from_millis(at)) {
                Pass::No { tell } => tell,
                Pass::Yes => None,
            })
            .collect();
        assert_eq!(told.len(), 3);
        assert_eq!(told[0], 1);
        assert!(told[1..].iter().all(|count| (990..=1000).contains(count)), "{told:?}");
    }

    #[test]
    fn without_a_limit_everything_passes_and_nothing_is_kept() {
        let mut pace = Pace::new(0);
        assert_eq!(passed(&mut pace, A, 10_000, 0), 10_000);
        assert!(pace.sources.is_empty());
    }

    #[test]
    fn the_sources_remembered_are_bounded() {
        let mut pace = Pace::new(1);
        for n in 0..30_000_u32 {
            pace.ask(IpAddr::V4(core::net::Ipv4Addr::from_bits(n)), Instant::from_millis(u64::from(n)));
        }
        assert!(pace.sources.len() <= SOURCES);
    }
}
