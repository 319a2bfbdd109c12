//! `warmline verify`: a real test call to a configured desk, and the proof that what its profile says arrives there.
//!
//! The score that the INVITE carries is two random digits. Whoever answers types what the screen shows: only a screen
//! that got our metadata knows them.

mod call;
mod line;
mod report;

use crate::cli::Verify;
use crate::config::{self, Settings};
use crate::resolve;
use anyhow::Context as _;
use call::Plan;
use call_core::{Desk, HandoffFacts};
use call_model::{HandoffId, IdSource, Party, Trigger};
use report::Report;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Whether the proof came, as the exit status of the process.
///
/// # Errors
/// The configuration is wrong, there is no such desk, or no socket can be opened; the text says what to do.
pub fn verify(options: &Verify) -> anyhow::Result<u8> {
    let mut settings = settings(options)?;
    settings.lookups.retain(|lookup| lookup.about == Party::Desk && lookup.name == options.target);
    if let Some((lookup, why)) = resolve::settle(&mut settings).map_err(anyhow::Error::msg)?.first() {
        anyhow::bail!("`{}` cannot be looked up ({why}): check the name, or sip.dns", lookup.host);
    }
    let desk = desk(&settings, &options.target)?;
    let mut ids = IdSource::from_seed(call::seed()?);
    let facts = HandoffFacts {
        id: test_id(&mut ids),
        trigger: trigger(options.trigger.as_deref())?,
        score: u8::try_from(10 + ids.below(90)).unwrap_or(10),
    };
    let plan = Plan {
        desk,
        facts,
        ring: Duration::from_secs(options.ring_s),
        wait: Duration::from_secs(options.wait_s),
        caller: &options.caller,
    };
    let mut say = |line: &str| {
        if !options.json {
            // A reader who has gone away is told nothing more.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let mut report = Report::new(desk, &facts);
    report.opening(&mut say);
    call::place(&settings, &plan, ids, &mut report, &mut say)?;
    report.closing(&mut say);
    if options.json {
        writeln!(std::io::stdout(), "{}", report.json())?;
    }
    Ok(report.outcome.exit_status())
}

fn settings(options: &Verify) -> anyhow::Result<Settings> {
    let usual = Path::new(crate::serve::USUAL);
    let path = options.config.as_deref().or_else(|| Some(usual).filter(|path| path.is_file()));
    Ok(match path {
        Some(path) => config::load(path)?,
        None => config::parse(config::DEFAULT, config::BUILT_IN, Path::new("."))?,
    })
}

fn desk<'a>(settings: &'a Settings, name: &str) -> anyhow::Result<&'a Desk> {
    let known: Vec<&str> = settings.switchboard.desks.iter().map(|desk| desk.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    settings.switchboard.desk(name).with_context(|| {
        format!(
            "there is no desk `{name}`: add [[desks]] name = \"{name}\", or verify one of those configured: {known}"
        )
    })
}

fn trigger(named: Option<&str>) -> anyhow::Result<&'static str> {
    let Some(named) = named else { return Ok("verify") };
    let known = Trigger::ALL.map(Trigger::as_str);
    let found = known.into_iter().find(|known| *known == named);
    found.with_context(|| format!("`{named}` is no trigger: verify (the default) or one of {}", known.join(", ")))
}

/// A handoff id that everybody can tell for a test: its time is that of 1970, and its random part begins with TEST.
fn test_id(ids: &mut IdSource) -> HandoffId {
    let test: u128 = "000000000000000000000TEST0".parse::<HandoffId>().map_or(0, |id| id.0 >> 5);
    HandoffId((test << 60) | u128::from(ids.next_u64() >> 4))
}

#[cfg(test)]
mod tests {
    use super::report::Outcome;
    use super::*;

    #[test]
    fn a_test_is_told_from_a_handoff_by_its_id() {
        let id = test_id(&mut IdSource::from_u64(1)).to_string();
        assert!(id.starts_with("0000000000TEST") && id.len() == 26, "{id}");
    }

    #[test]
    fn only_known_triggers_are_sent() {
        assert_eq!(trigger(None).ok(), Some("verify"));
        assert_eq!(trigger(Some("distress")).ok(), Some("distress"));
        assert!(trigger(Some("a;s=99")).is_err_and(|error| error.to_string().contains("one of asked, dtmf")));
    }

    #[test]
    fn the_exit_status_says_what_happened() {
        let all = [Outcome::Arrived, Outcome::Refused, Outcome::NotReached, Outcome::NoAnswer, Outcome::Wrong];
        assert_eq!(all.map(|outcome| outcome.exit_status()), [0, 3, 3, 3, 4]);
    }
}
