//! Whether somebody may be called back, at which number and when. The promise itself is kept by
//! `switchboard/callbacks.rs`, the call that is made for it by `calling_back.rs`.

mod hours;

pub use hours::{Hours, OpenSpan};
pub use jiff::civil::Date;

use call_model::{Callback, CallbackWish};
use core::time::Duration;

/// A promise counts against the caps for so long.
pub(crate) const DAY_MS: u64 = 86_400_000;
/// A time that has passed by less is now: somebody was still talking.
const JUST_NOW_MS: u64 = 300_000;
/// Who wants to be called back as soon as possible has to hang up first.
const SOONEST_MS: u64 = 60_000;

/// Who may be called back, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Callbacks {
    /// What a number must begin with. Empty: nobody is called back.
    pub allowed: Vec<String>,
    /// What it must not begin with all the same.
    pub forbidden: Vec<String>,
    /// When somebody is there.
    pub hours: Hours,
    /// By which trunk callers are called back; without it by the one on which they called.
    pub trunk: Option<String>,
    /// Promises to one number within a day.
    pub per_number: usize,
    /// Promises within a day.
    pub per_day: usize,
    /// How often a caller is dialled.
    pub attempts: u8,
    /// And after which time again; also when no human was there.
    pub retry_after: Duration,
    /// How long the caller's telephone rings.
    pub ring: Duration,
    /// A promise that could not be kept for so long is given up.
    pub give_up_after: Duration,
    /// How far ahead callers may choose.
    pub furthest: Duration,
}

/// Why there is no callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallbackRefusal {
    /// The configuration allows none, or the trunk cannot be called.
    Off,
    /// The caller withholds the number and gave none.
    NoNumber,
    /// That is no number.
    BadNumber,
    /// That number is not on the list.
    NotAllowed,
    /// That is no time.
    BadTime,
    /// The time has passed.
    Past,
    /// The time is too far ahead.
    TooFar,
    /// Nobody is there any more.
    Closed,
    /// Too many for that number.
    ManyForNumber,
    /// Too many today.
    ManyToday,
    /// It could not be written down.
    NotKept,
}

impl CallbackRefusal {
    /// The token that bots are told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoNumber => "no_number",
            Self::BadNumber => "bad_number",
            Self::NotAllowed => "not_allowed",
            Self::BadTime => "bad_time",
            Self::Past => "past",
            Self::TooFar => "too_far",
            Self::Closed => "closed",
            Self::ManyForNumber => "many_for_number",
            Self::ManyToday => "many_today",
            Self::NotKept => "not_kept",
        }
    }

    /// In words that a bot can say.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Off => "we cannot call back",
            Self::NoNumber => "the number is withheld: we need one to call back",
            Self::BadNumber => "that is not a telephone number",
            Self::NotAllowed => "we cannot call that number",
            Self::BadTime => "the time was not understood",
            Self::Past => "that time has passed",
            Self::TooFar => "that is too far ahead",
            Self::Closed => "nobody will be there then",
            Self::ManyForNumber => "a callback to that number is promised already",
            Self::ManyToday => "no more callbacks can be promised today",
            Self::NotKept => "the callback could not be written down",
        }
    }
}

/// What can be promised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Promise {
    pub(crate) number: String,
    pub(crate) at_ms: u64,
    /// Later than was asked for.
    pub(crate) moved: bool,
}

impl Callbacks {
    /// What can be promised to a caller whose number is `caller`, given what was promised before.
    pub(crate) fn judge<'a>(
        &self,
        wish: &CallbackWish,
        caller: &str,
        promised: impl Iterator<Item = &'a Callback>,
        now_ms: u64,
    ) -> Result<Promise, CallbackRefusal> {
        let number = match &wish.number {
            Some(text) => plain_number(text).ok_or(CallbackRefusal::BadNumber)?,
            None => plain_number(caller).ok_or(CallbackRefusal::NoNumber)?,
        };
        if !self.allows(&number) {
            return Err(CallbackRefusal::NotAllowed);
        }
        let (at_ms, moved) = self.time(wish, now_ms)?;
        let (mut today, mut to_number) = (0, 0);
        for one in promised.filter(|one| one.asked_ms + DAY_MS > now_ms || one.state.is_open()) {
            today += usize::from(one.asked_ms + DAY_MS > now_ms);
            to_number += usize::from(one.number.reveal() == number);
        }
        match (to_number >= self.per_number, today >= self.per_day) {
            (true, _) => Err(CallbackRefusal::ManyForNumber),
            (_, true) => Err(CallbackRefusal::ManyToday),
            _ => Ok(Promise { number, at_ms, moved }),
        }
    }

    /// The time that can be promised, and whether it is later than was asked for.
    pub(crate) fn time(&self, wish: &CallbackWish, now_ms: u64) -> Result<(u64, bool), CallbackRefusal> {
        let asked = match &wish.at {
            None => now_ms + SOONEST_MS,
            Some(text) => self.hours.read(text.trim(), wish.zone.as_deref()).ok_or(CallbackRefusal::BadTime)?,
        };
        if asked + JUST_NOW_MS < now_ms {
            return Err(CallbackRefusal::Past);
        }
        if asked > now_ms + millis(self.furthest) {
            return Err(CallbackRefusal::TooFar);
        }
        let at = self.hours.next_open(asked.max(now_ms)).ok_or(CallbackRefusal::Closed)?;
        Ok((at, at > asked.max(now_ms)))
    }

    /// Whether the number is on the list.
    pub(crate) fn allows(&self, number: &str) -> bool {
        let begins = |list: &[String]| list.iter().any(|start| number.starts_with(start.as_str()));
        begins(&self.allowed) && !begins(&self.forbidden)
    }
}

/// Digits, with the plus if there is one; nothing else gets into a URI.
pub fn plain_number(text: &str) -> Option<String> {
    let kept: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = kept.strip_prefix('+').unwrap_or(&kept);
    let fine = (3..=15).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    fine.then_some(kept)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_250_000_000;

    fn policy() -> Callbacks {
        Callbacks {
            allowed: vec!["+44".to_owned(), "0".to_owned()],
            forbidden: vec!["+449".to_owned()],
            hours: Hours::always("UTC").expect("a zone"),
            trunk: None,
            per_number: 1,
            per_day: 2,
            attempts: 3,
            retry_after: Duration::from_secs(600),
            ring: Duration::from_secs(30),
            give_up_after: Duration::from_secs(86_400),
            furthest: Duration::from_secs(7 * 86_400),
        }
    }

    fn wish(number: Option<&str>, at: Option<&str>) -> CallbackWish {
        CallbackWish { number: number.map(str::to_owned), at: at.map(str::to_owned), zone: None }
    }

    fn judge(number: Option<&str>, at: Option<&str>) -> Result<Promise, CallbackRefusal> {
        policy().judge(&wish(number, at), "anonymous", core::iter::empty(), NOW)
    }

    #[test]
    fn only_numbers_on_the_list_are_called() {
        let number = |text| judge(Some(text), None).map(|promise| promise.number);
        assert_eq!(number("+44 (20) 7946-0000"), Ok("+442079460000".to_owned()));
        assert_eq!(number("020 7946 0000"), Ok("02079460000".to_owned()));
        for bad in ["", "anonymous", "+44;phone-context=x", "sip:+44207@evil", "+4420@evil", "12", "+44+20794", "*21*1"]
        {
            assert_eq!(number(bad), Err(CallbackRefusal::BadNumber), "{bad}");
        }
        for out in ["+4490912345678", "+19005551234", "9112"] {
            assert_eq!(number(out), Err(CallbackRefusal::NotAllowed), "{out}");
        }
        assert_eq!(judge(None, None), Err(CallbackRefusal::NoNumber));
        assert!(!Callbacks { allowed: vec![], ..policy() }.allows("+442079460000"), "nothing is allowed by default");
    }

    #[test]
    fn only_times_that_somebody_can_wait_for_are_promised() {
        let at = |text| judge(Some("+442079460000"), Some(text)).map(|promise| promise.at_ms);
        assert_eq!(at("2026-11-22T20:00:00Z"), Ok(1_795_377_600_000));
        for (text, refusal) in [
            ("tomorrow", CallbackRefusal::BadTime),
            ("2026-11-20T10:00:00Z", CallbackRefusal::Past),
            ("2027-11-23T10:00:00Z", CallbackRefusal::TooFar),
        ] {
            assert_eq!(at(text), Err(refusal), "{text}");
        }
        let soonest = judge(Some("+442079460000"), None);
        assert_eq!(soonest.map(|one| (one.at_ms, one.moved)), Ok((NOW + SOONEST_MS, false)));
    }
}
