//! When somebody is there: opening hours in a time zone, with its summer time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Whoever is closed for longer is never open.
const LOOK_AHEAD_DAYS: i32 = 400;

/// When somebody is there. Without spans: always, but on days that are closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hours {
    /// The zone that the spans, and times without a zone, are in.
    pub zone: TimeZone,
    /// From when to when, on which days.
    pub spans: Vec<OpenSpan>,
    /// Nobody is there on these days.
    pub closed: Vec<Date>,
}

/// Hours that are the same on some days of the week.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSpan {
    /// Monday first.
    days: [bool; 7],
    /// Minutes of the day.
    from: i32,
    to: i32,
}

impl OpenSpan {
    /// `mon-fri 09:00-17:30`, `sat 10:00-24:00`.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` should be like \"mon-fri 09:00-17:30\" or \"sat 10:00-14:00\"");
        let (days, hours) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (first, last) = day(first).zip(day(last)).ok_or_else(wrong)?;
        let (from, to) = hours.trim().split_once('-').ok_or_else(wrong)?;
        let (from, to) = minutes(from).zip(minutes(to)).filter(|(from, to)| from < to).ok_or_else(wrong)?;
        let within = |day| if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last };
        Ok(Self { days: core::array::from_fn(within), from, to })
    }
}

/// `17:30`, as minutes of the day; 24:00 is its end.
fn minutes(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':')?;
    let part = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i32::from);
    let of_day = part(hour)? * 60 + part(minute).filter(|minute| *minute < 60)?;
    (of_day <= 24 * 60).then_some(of_day)
}

impl Hours {
    /// Always open, in this zone.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn always(zone: &str) -> Result<Self, String> {
        let unknown = |_| format!("`{zone}` is no time zone: write a name such as \"Europe/London\" or \"UTC\"");
        Ok(Self { zone: TimeZone::get(zone).map_err(unknown)?, spans: Vec::new(), closed: Vec::new() })
    }

    /// This moment when somebody is there, else the next one that somebody is.
    pub fn next_open(&self, unix_ms: u64) -> Option<u64> {
        let first = self.local(unix_ms)?.date();
        (0..LOOK_AHEAD_DAYS).find_map(|ahead| {
            let date = first.checked_add(jiff::Span::new().days(ahead)).ok()?;
            self.open_on(date).into_iter().find(|(_, to)| unix_ms < *to).map(|(from, _)| from.max(unix_ms))
        })
    }

    /// Local time with zone, in the form of RFC 9557.
    pub fn show(&self, unix_ms: u64) -> String {
        let zoned = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        zoned.map(|at| at.to_zoned(self.zone.clone()).to_string()).unwrap_or_default()
    }

    /// A time as somebody wrote it: with an offset, or local. One that the clocks skip is later, one that comes twice the
    /// first.
    pub(super) fn read(&self, text: &str, zone: Option<&str>) -> Option<u64> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return u64::try_from(at.as_millisecond()).ok();
        }
        let zone = match zone {
            Some(name) => TimeZone::get(name).ok()?,
            None => self.zone.clone(),
        };
        in_zone(text.parse::<DateTime>().ok()?, &zone)
    }

    fn local(&self, unix_ms: u64) -> Option<DateTime> {
        let at = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
        Some(at.to_zoned(self.zone.clone()).datetime())
    }

    /// From when to when on a day, the earliest first.
    fn open_on(&self, date: Date) -> Vec<(u64, u64)> {
        let whole = [OpenSpan { days: [true; 7], from: 0, to: 24 * 60 }];
        let spans = if self.spans.is_empty() { &whole } else { self.spans.as_slice() };
        let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let moment = |minutes: i32| {
            let date = date.checked_add(jiff::Span::new().days(minutes / (24 * 60))).ok()?;
            let hour = i8::try_from(minutes / 60 % 24).ok()?;
            in_zone(date.at(hour, i8::try_from(minutes % 60).ok()?, 0, 0), &self.zone)
        };
        let open = spans.iter().filter(|span| span.days[weekday] && !self.closed.contains(&date));
        let mut open: Vec<_> = open.filter_map(|span| moment(span.from).zip(moment(span.to))).collect();
        open.sort_unstable();
        open
    }
}

fn in_zone(local: DateTime, zone: &TimeZone) -> Option<u64> {
    u64::try_from(local.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn london() -> Hours {
        let mut hours = Hours::always("Europe/London").expect("a zone");
        hours.spans = ["mon-fri 09:00-17:30", "sat 10:00-14:00"].map(|one| OpenSpan::parse(one).expect(one)).to_vec();
        hours.closed = vec!["2026-12-25".parse().expect("a date")];
        hours
    }

    fn at(text: &str) -> u64 {
        text.parse::<Timestamp>().expect(text).as_millisecond().unsigned_abs()
    }

    #[test]
    fn the_next_opening_is_found_over_nights_weekends_and_holidays() {
        let hours = london();
        for (now, open) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23T17:30:00Z", "2026-11-24T09:00:00Z"),
            ("2026-11-23T03:00:00Z", "2026-11-23T09:00:00Z"),
            ("2026-11-28T14:00:00Z", "2026-11-30T09:00:00Z"),
            ("2026-12-24T18:00:00Z", "2026-12-26T10:00:00Z"),
        ] {
            assert_eq!(hours.next_open(at(now)), Some(at(open)), "{now}");
        }
    }

    #[test]
    fn nine_is_nine_on_both_sides_of_a_change_of_the_clocks() {
        let hours = london();
        // Summer time ends on 25 October 2026 and begins on 29 March 2027.
        assert_eq!(hours.next_open(at("2026-10-24T20:00:00Z")), Some(at("2026-10-26T09:00:00Z")));
        assert_eq!(hours.next_open(at("2026-10-22T20:00:00Z")), Some(at("2026-10-23T08:00:00Z")));
        assert_eq!(hours.next_open(at("2027-03-27T20:00:00Z")), Some(at("2027-03-29T08:00:00Z")));
    }

    #[test]
    fn times_are_read_with_an_offset_with_a_zone_and_in_our_own() {
        let hours = london();
        assert_eq!(hours.read("2026-11-23T10:00:00+01:00", None), Some(at("2026-11-23T09:00:00Z")));
        assert_eq!(hours.read("2026-07-01T10:00", None), Some(at("2026-07-01T09:00:00Z")));
        assert_eq!(hours.read("2026-07-01T10:00", Some("America/New_York")), Some(at("2026-07-01T14:00:00Z")));
        // Half past one does not exist on the night that summer time begins, and comes twice when it ends.
        assert_eq!(hours.read("2027-03-28T01:30", None), Some(at("2027-03-28T01:30:00Z")));
        assert_eq!(hours.read("2026-10-25T01:30", None), Some(at("2026-10-25T00:30:00Z")));
        for nonsense in ["soon", "", "2026-13-01T10:00", "10:00"] {
            assert_eq!(hours.read(nonsense, None), None, "{nonsense}");
        }
        assert_eq!(hours.read("2026-07-01T10:00", Some("Mars/Olympus")), None);
    }

    #[test]
    fn who_is_never_there_is_never_open() {
        let mut hours = london();
        hours.spans = vec![OpenSpan { days: [false; 7], from: 0, to: 1 }];
        assert_eq!(hours.next_open(at("2026-11-23T10:00:00Z")), None);
        let always = Hours::always("UTC").expect("a zone");
        assert_eq!(always.next_open(12_345), Some(12_345));
        assert_eq!(always.show(0), "1970-01-01T00:00:00+00:00[UTC]");
        for wrong in ["mon", "mon 9-17", "mon 17:00-09:00", "xyz 09:00-17:00", "mon 09:00-24:01", "mon 09:60-10:00"] {
            assert!(OpenSpan::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(OpenSpan::parse("sat-mon 00:00-24:00").map(|span| span.days[6]), Ok(true));
    }
}
