//! Digest access authentication (RFC 3261 §22, RFC 7616, RFC 8760): what is hashed, what a client keeps of the challenges
//! it was sent, and how a server knows its own nonces. The hashes themselves are RustCrypto's.

use crate::config::{Account, Credentials, Network, contains};
use call_model::{IdSource, Instant};
use core::fmt::Write as _;
use core::net::IpAddr;
use core::time::Duration;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use sip_wire::{DigestAlgorithm, DigestChallenge, DigestResponse, Message, text};
use std::collections::BTreeMap;

/// Attempts at one request: a proxy and the peer behind it may both ask, and either may call a nonce stale.
const MAX_ATTEMPTS: usize = 4;
/// Nonces in use, and sources of wrong credentials, that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Whether a proxy (407) or the peer itself (401) asked, and for which realm.
pub(crate) type Asked = (bool, String);

/// The challenges that hold within one dialog.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Challenges(Vec<Held>);

#[derive(Clone, PartialEq, Debug)]
struct Held {
    proxy: bool,
    account: usize,
    challenge: DigestChallenge,
    count: u32,
}

impl Challenges {
    /// Takes the challenges of a 401 or 407 from `peer`; says whether they are worth an attempt. `tried` is what the
    /// request was sent for already.
    pub(crate) fn learn(
        &mut self,
        accounts: &[Account],
        peer: IpAddr,
        response: &Message,
        tried: &mut Vec<Asked>,
    ) -> bool {
        let proxy = response.code() == Some(407);
        let name = if proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let mut learnt: Vec<Asked> = Vec::new();
        for challenge in response.headers.get_all(name).filter_map(|value| DigestChallenge::parse(value).ok()) {
            let asked = (proxy, challenge.realm.clone());
            let account =
                accounts.iter().position(|one| one.credentials.realm == challenge.realm && is_of(&one.peer, peer));
            let again = tried.contains(&asked) && !challenge.stale;
            // RFC 8760 §2.4: of several for one realm, the first that we understand.
            let (Some(account), false, false) = (account, again, learnt.contains(&asked)) else { continue };
            self.0.retain(|held| (held.proxy, &held.challenge.realm) != (proxy, &challenge.realm));
            self.0.push(Held { proxy, account, challenge, count: 0 });
            learnt.push(asked);
        }
        let worth = !learnt.is_empty() && tried.len() < MAX_ATTEMPTS - 1;
        tried.extend(learnt);
        worth
    }

    /// Puts credentials on a request, for every challenge that holds.
    pub(crate) fn sign(&mut self, accounts: &[Account], request: &mut Message, ids: &mut IdSource) {
        let (Some(method), Some(uri)) = (request.method().cloned(), request.request_uri().cloned()) else { return };
        for held in &mut self.0 {
            let Some(account) = accounts.get(held.account) else { continue };
            held.count = held.count.saturating_add(1);
            let counted = held.challenge.counts.then(|| (held.count, ids.hex(16)));
            let mut answer = DigestResponse {
                username: account.credentials.username.clone(),
                realm: held.challenge.realm.clone(),
                nonce: held.challenge.nonce.clone(),
                uri: uri.as_str().to_owned(),
                response: String::new(),
                algorithm: held.challenge.algorithm,
                opaque: held.challenge.opaque.clone(),
                counted,
            };
            answer.response = response(&answer, account.credentials.password.expose(), method.as_str());
            let name = if held.proxy { "Proxy-Authorization" } else { "Authorization" };
            request.headers.push(name, answer.to_string());
        }
    }
}

fn is_of(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| contains(*network, ip))
}

/// The hash that proves that the password is known (RFC 7616 §3.4.1).
pub(crate) fn response(answer: &DigestResponse, password: &str, method: &str) -> String {
    let hash = |text: String| hash(answer.algorithm, &text);
    let user = hash(format!("{}:{}:{password}", answer.username, answer.realm));
    let request = hash(format!("{method}:{}", answer.uri));
    match &answer.counted {
        Some((count, own)) => hash(format!("{user}:{}:{count:08x}:{own}:auth:{request}", answer.nonce)),
        None => hash(format!("{user}:{}:{request}", answer.nonce)),
    }
}

fn hash(algorithm: DigestAlgorithm, input: &str) -> String {
    let mut bytes = Vec::with_capacity(input.len());
    text::encode(input, &mut bytes);
    match algorithm {
        DigestAlgorithm::Md5 => hex(&Md5::digest(&bytes)),
        DigestAlgorithm::Sha256 => hex(&Sha256::digest(&bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// What came of looking at a request's credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Right,
    /// None, or none for the realm.
    Missing,
    /// The password is known, the nonce has had its day, or this use of it was seen before.
    Stale,
    Wrong,
}

/// The server's side: knows its nonces by their seal, and remembers only those that were used well.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    key: String,
    lifetime: Duration,
    made: u64,
    used: BTreeMap<String, (Instant, u32)>,
    wrong: BTreeMap<IpAddr, u32>,
}

impl Doorkeeper {
    pub(crate) fn new(ids: &mut IdSource, lifetime: Duration) -> Self {
        Self { key: ids.hex(64), lifetime, made: 0, used: BTreeMap::new(), wrong: BTreeMap::new() }
    }

    /// What a request from `source` is worth.
    pub(crate) fn judge(&mut self, guard: &Credentials, source: IpAddr, request: &Message, now: Instant) -> Verdict {
        let answers = request.headers.get_all("Authorization").filter_map(|value| DigestResponse::parse(value).ok());
        let Some(answer) = answers.into_iter().find(|answer| answer.realm == guard.realm) else {
            return Verdict::Missing;
        };
        let method = request.method().map_or("", |method| method.as_str());
        // Hashed for unknown users as well, so that nobody learns from the time it takes who is known.
        let expected = call_model::Secret::new(response(&answer, guard.password.expose(), method));
        let right = expected.matches(&answer.response.to_ascii_lowercase());
        if !right || answer.username != guard.username {
            return Verdict::Wrong;
        }
        // Without a count a recorded answer would be as good as a new one.
        let Some((count, _)) = answer.counted else { return Verdict::Missing };
        if self.is_current(&answer.nonce, source, now) && self.is_new(answer.nonce, count, now) {
            Verdict::Right
        } else {
            Verdict::Stale
        }
    }

    /// The challenges for a refusal: one for each hash (RFC 8760 §2.3).
    pub(crate) fn challenges(
        &mut self,
        (guard, hashes): (&Credentials, &[DigestAlgorithm]),
        source: IpAddr,
        stale: bool,
        now: Instant,
    ) -> Vec<String> {
        self.made += 1;
        let nonce = self.nonce(&format!("{:x}-{:x}", now.as_millis(), self.made), source);
        let challenge = |algorithm: &DigestAlgorithm| {
            let (realm, nonce, algorithm) = (guard.realm.clone(), nonce.clone(), *algorithm);
            DigestChallenge { realm, nonce, opaque: None, algorithm, counts: true, stale }.to_string()
        };
        hashes.iter().map(challenge).collect()
    }

    /// Counts wrong credentials by where they came from.
    pub(crate) fn note_wrong(&mut self, source: IpAddr) -> u32 {
        if self.wrong.len() >= MAX_REMEMBERED && !self.wrong.contains_key(&source) {
            self.wrong.clear();
        }
        let count = self.wrong.entry(source).or_default();
        *count = count.saturating_add(1);
        *count
    }

    fn nonce(&self, made: &str, source: IpAddr) -> String {
        let seal = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).map(|mut mac| {
            mac.update(format!("{made} {source}").as_bytes());
            hex(&mac.finalize().into_bytes())
        });
        // An HMAC takes a key of any length.
        format!("{made}.{}", seal.unwrap_or_default())
    }

    fn is_current(&self, nonce: &str, source: IpAddr, now: Instant) -> bool {
        let Some((made, _)) = nonce.split_once('.') else { return false };
        let ours = call_model::Secret::new(self.nonce(made, source)).matches(nonce);
        let at = made.split_once('-').and_then(|(at, _)| u64::from_str_radix(at, 16).ok()).map(Instant::from_millis);
        ours && at.is_some_and(|at| now.since(at) <= self.lifetime)
    }

    /// Whether this use of the nonce is a new one.
    fn is_new(&mut self, nonce: String, count: u32, now: Instant) -> bool {
        let lifetime = self.lifetime;
        if self.used.len() >= MAX_REMEMBERED {
            self.used.retain(|_, (since, _)| now.since(*since) <= lifetime);
        }
        let full = self.used.len() >= MAX_REMEMBERED;
        match self.used.get_mut(&nonce) {
            Some((_, last)) if count <= *last => false,
            Some((_, last)) => {
                *last = count;
                true
            }
            None if full => false,
            None => {
                self.used.insert(nonce, (now, count));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
