//! Logins of desk pages: a short-lived cookie in place of the desk's token, and a second secret that only the page itself
//! can send along, so that no other page acts in its name.

use axum::http::{HeaderMap, header};
use call_model::{DeskId, Secret};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session ends when nothing was asked in it for so long. An open page asks every minute.
pub(crate) const IDLE: Duration = Duration::from_secs(15 * 60);
/// And so long after the login in any case: a shift.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// At once; then the one that was idle longest ends.
const MOST: usize = 8192;

/// How a cookie's name begins over HTTPS; browsers hold such ones to Secure, to this host and to `Path=/`. Plain HTTP goes
/// without, as browsers refuse it there.
const GUARD: &str = "__Host-";

/// All of them. Clones share one content.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    open: Arc<Mutex<BTreeMap<String, Session>>>,
}

#[derive(Debug)]
struct Session {
    desk: DeskId,
    page: Secret,
    began: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now - self.used > IDLE || now - self.began > LONGEST
    }
}

/// A login that was just made.
pub(crate) struct Login {
    /// For the cookie.
    pub(crate) id: String,
    /// For the header `X-Warmline-Page`.
    pub(crate) page: String,
}

impl Sessions {
    /// # Errors
    /// The system gave no randomness.
    pub(crate) fn begin(&self, desk: &DeskId, now: Instant) -> std::io::Result<Login> {
        let login = Login { id: random()?, page: random()? };
        let mut open = self.open();
        open.retain(|_, session| !session.is_over(now));
        if open.len() >= MOST
            && let Some(idle) = open.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| id.clone())
        {
            open.remove(&idle);
        }
        let session = Session { desk: desk.clone(), page: Secret::new(&login.page), began: now, used: now };
        open.insert(login.id.clone(), session);
        Ok(login)
    }

    /// Whether the page of that desk's session sent this, which then counts as used.
    pub(crate) fn speaks(&self, id: &str, desk: &DeskId, page: &str, now: Instant) -> bool {
        let mut open = self.open();
        let Some(session) = open.get_mut(id).filter(|session| !session.is_over(now)) else { return false };
        let speaks = session.desk == *desk && session.page.matches(page);
        if speaks {
            session.used = now;
        }
        speaks
    }

    /// What its page sends along; other pages cannot read the answer that holds it.
    pub(crate) fn page(&self, id: &str, desk: &DeskId, now: Instant) -> Option<String> {
        let open = self.open();
        let session = open.get(id).filter(|session| session.desk == *desk && !session.is_over(now))?;
        Some(session.page.expose().to_owned())
    }

    pub(crate) fn is_open(&self, id: &str, now: Instant) -> bool {
        self.open().get(id).is_some_and(|session| !session.is_over(now))
    }

    pub(crate) fn end(&self, id: &str) {
        self.open().remove(id);
    }

    /// A poisoned lock means that somebody panicked between two whole changes.
    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of a desk's sessions, among the request's cookies: plain and encrypted pages share one jar.
pub(crate) fn cookies(headers: &HeaderMap, desk: &DeskId) -> impl Iterator<Item = String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let named = all.flat_map(|line| line.split(';')).filter_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        let of = name.strip_prefix(GUARD).unwrap_or(name).strip_prefix("warmline-")?;
        (of == desk.0).then(|| value.to_owned())
    });
    named.collect::<Vec<_>>().into_iter()
}

/// Sets a desk's cookie, or with nothing takes it away.
pub(crate) fn set_cookie(desk: &DeskId, id: Option<&str>, secure: bool) -> String {
    let age = if id.is_some() { LONGEST.as_secs() } else { 0 };
    let (guard, secure) = if secure { (GUARD, "; Secure") } else { ("", "") };
    let id = id.unwrap_or_default();
    format!("{guard}warmline-{desk}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

fn random() -> std::io::Result<String> {
    let mut octets = [0; 24];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(octets.iter().fold(String::with_capacity(48), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> DeskId {
        DeskId("anna".to_owned())
    }

    #[test]
    fn a_session_ends_when_idle_and_in_any_case_after_a_shift() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let login = sessions.begin(&anna(), start).expect("randomness");
        let mut now = start;
        while now < start + LONGEST - IDLE {
            now += IDLE;
            assert!(sessions.speaks(&login.id, &anna(), &login.page, now));
        }
        let later = start + LONGEST + Duration::from_secs(1);
        assert!(!sessions.speaks(&login.id, &anna(), &login.page, later) && !sessions.is_open(&login.id, later));
        let idle = sessions.begin(&anna(), start).expect("randomness");
        assert!(!sessions.speaks(&idle.id, &anna(), &idle.page, start + IDLE + Duration::from_secs(1)));
    }

    #[test]
    fn only_its_own_page_and_desk_speak_for_a_session() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [one, two] = [0; 2].map(|_| sessions.begin(&anna(), now).expect("randomness"));
        assert!(sessions.speaks(&one.id, &anna(), &one.page, now));
        let ben = DeskId("ben".to_owned());
        for (id, desk, page) in
            [(&one.id, &anna(), &two.page), (&one.id, &anna(), &String::new()), (&one.id, &ben, &one.page)]
        {
            assert!(!sessions.speaks(id, desk, page, now));
        }
        assert_eq!(
            (sessions.page(&one.id, &anna(), now), sessions.page(&one.id, &ben, now)),
            (Some(one.page.clone()), None)
        );
        sessions.end(&one.id);
        assert!(!sessions.speaks(&one.id, &anna(), &one.page, now));
    }

    #[test]
    fn the_oldest_idle_session_makes_room() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let first = sessions.begin(&anna(), start).expect("randomness");
        let now = start + Duration::from_secs(1);
        let second = sessions.begin(&anna(), now).expect("randomness");
        (2..=MOST).for_each(|_| drop(sessions.begin(&anna(), now).expect("randomness")));
        assert!(!sessions.is_open(&first.id, now) && sessions.is_open(&second.id, now));
    }

    #[test]
    fn a_desks_cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; warmline-anna=12; warmline-ben=3; c".parse().expect("a value"));
        headers.append(header::COOKIE, "__Host-warmline-anna=34".parse().expect("a value"));
        assert_eq!(cookies(&headers, &anna()).collect::<Vec<_>>(), ["12", "34"]);
        let gone = "__Host-warmline-anna=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure";
        assert_eq!(set_cookie(&anna(), None, true), gone);
    }
}
