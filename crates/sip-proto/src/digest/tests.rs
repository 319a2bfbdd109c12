use super::*;
use call_model::Secret;
use proptest::prelude::*;

const AT: fn(u64) -> Instant = Instant::from_millis;

fn credentials() -> Credentials {
    Credentials { realm: "carrier".to_owned(), username: "acct".to_owned(), password: Secret::new("pass:word") }
}

fn account() -> Vec<Account> {
    vec![Account { peer: vec![(ip("192.0.2.0"), 24)], credentials: credentials() }]
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn challenge(code: u16, values: &[&str]) -> Message {
    let mut response = Message::response(code, "");
    for value in values {
        response.headers.push(if code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" }, *value);
    }
    response
}

fn request() -> Message {
    Message::request(sip_wire::Method::Invite, sip_wire::Uri::parse("sip:+442079460000@gw.example.com").unwrap())
}

fn signed(challenges: &mut Challenges) -> Message {
    let mut request = request();
    challenges.sign(&account(), &mut request, &mut IdSource::from_u64(1));
    request
}

/// RFC 2617 §3.5.
#[test]
fn the_example_of_the_standard_comes_out() {
    let answer = DigestResponse {
        username: "Mufasa".to_owned(),
        realm: "testrealm@host.com".to_owned(),
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".to_owned(),
        uri: "/dir/index.html".to_owned(),
        response: String::new(),
        algorithm: DigestAlgorithm::Md5,
        opaque: None,
        counted: Some((1, "0a4f113b".to_owned())),
    };
    assert_eq!(response(&answer, "Circle Of Life", "GET"), "6629fae49393a05397450978507c4ef1");
}

proptest! {
    /// Another implementation hashes the same values to the same digest.
    #[test]
    fn rsip_computes_the_same(user in "[a-z]{1,9}", password in "[ -~]{0,20}", nonce in "[0-9a-f.]{1,40}", sha in any::<bool>(),
        count in prop::option::of(1_u8..9), method in prop::sample::select(vec!["INVITE", "REFER", "BYE", "UPDATE", "PRACK"])) {
        let uri = "sip:gw@203.0.113.10:5060";
        let answer = DigestResponse {
            username: user.clone(), realm: "carrier".to_owned(), nonce: nonce.clone(), uri: uri.to_owned(),
            response: String::new(), opaque: None, counted: count.map(|count| (count.into(), "0a4f".to_owned())),
            algorithm: if sha { DigestAlgorithm::Sha256 } else { DigestAlgorithm::Md5 },
        };
        let qop = count.map(|nc| rsip::headers::auth::AuthQop::Auth { cnonce: "0a4f".to_owned(), nc });
        let theirs = rsip::services::DigestGenerator {
            username: &user, password: &password, nonce: &nonce, uri: &rsip::Uri::try_from(uri).unwrap(), realm: "carrier",
            method: &method.parse().unwrap(), qop: qop.as_ref(),
            algorithm: if sha { rsip::headers::auth::Algorithm::Sha256 } else { rsip::headers::auth::Algorithm::Md5 },
        };
        prop_assert_eq!(response(&answer, &password, method), theirs.compute());
    }

    #[test]
    fn no_credentials_break_the_doorkeeper(value in "\\PC{0,80}", nonce in "[0-9a-f.-]{0,40}") {
        let mut door = Doorkeeper::new(&mut IdSource::from_u64(2), Duration::from_secs(60));
        for value in [value, format!("Digest username=acct, realm=carrier, nonce={nonce:?}, uri=\"sip:x\", response=\"0\"")] {
            let mut request = request();
            request.headers.push("Authorization", value);
            prop_assert_ne!(door.judge(&credentials(), ip("192.0.2.1"), &request, AT(5)), Verdict::Right);
        }
    }
}

#[test]
fn only_the_configured_realm_and_peer_are_answered() {
    for (peer, realm, answered) in
        [("192.0.2.7", "carrier", true), ("192.0.3.7", "carrier", false), ("192.0.2.7", "Carrier", false)]
    {
        let response = challenge(401, &[&format!("Digest realm=\"{realm}\", nonce=\"n\"")]);
        let mut challenges = Challenges::default();
        assert_eq!(challenges.learn(&account(), ip(peer), &response, &mut Vec::new()), answered, "{peer} {realm}");
        assert_eq!(signed(&mut challenges).headers.contains("Authorization"), answered);
    }
}

#[test]
fn the_first_hash_that_we_know_is_taken() {
    let sha = "Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";
    let md5 = "Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\", algorithm=MD5";
    let unknown = "Digest realm=\"carrier\", nonce=\"n\", algorithm=SHA-512-256";
    for (list, name) in [([unknown, sha, md5], "SHA-256"), ([unknown, md5, sha], "MD5")] {
        let mut challenges = Challenges::default();
        assert!(challenges.learn(&account(), ip("192.0.2.7"), &challenge(401, &list), &mut Vec::new()));
        let request = signed(&mut challenges);
        assert_eq!(request.headers.get_all("Authorization").count(), 1);
        assert_eq!(
            DigestResponse::parse(request.headers.get("Authorization").unwrap()).unwrap().algorithm.as_str(),
            name
        );
    }
}

#[test]
fn a_refused_password_is_not_tried_again_and_an_old_nonce_is_but_not_for_ever() {
    let (mut challenges, mut tried) = (Challenges::default(), Vec::new());
    let mut learn = |code, stale| {
        let value = format!("Digest realm=\"carrier\", nonce=\"n\", stale={stale}");
        challenges.learn(&account(), ip("192.0.2.7"), &challenge(code, &[&value]), &mut tried)
    };
    assert!(learn(407, false), "the proxy asks");
    assert!(learn(401, false), "so does the peer behind it");
    assert!(!learn(401, false), "the password is wrong");
    assert!(learn(401, true), "the nonce was old");
    assert!(!learn(401, true), "enough");
}

#[test]
fn each_use_of_a_nonce_is_counted_and_good_once() {
    let (mut ids, peer) = (IdSource::from_u64(3), ip("192.0.2.7"));
    let mut door = Doorkeeper::new(&mut ids, Duration::from_secs(60));
    let mut challenges = Challenges::default();
    let hashes = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
    let asked = door.challenges((&credentials(), &hashes), peer, false, AT(1_000));
    let [sha, md5] = &asked[..] else { panic!("{asked:?}") };
    assert!(challenges.learn(&account(), peer, &challenge(401, &[sha, md5]), &mut Vec::new()));
    let (first, second) = (signed(&mut challenges), signed(&mut challenges));
    let mut judge = |request: &Message, from: &str, at| door.judge(&credentials(), ip(from), request, AT(at));
    assert_eq!(judge(&request(), "192.0.2.7", 2_000), Verdict::Missing);
    assert_eq!(judge(&first, "192.0.2.8", 2_000), Verdict::Stale, "made for another address");
    assert_eq!(judge(&first, "192.0.2.7", 2_000), Verdict::Right);
    assert_eq!(judge(&first, "192.0.2.7", 2_001), Verdict::Stale, "heard before");
    assert_eq!(judge(&second, "192.0.2.7", 61_000), Verdict::Right);
    assert_eq!(judge(&signed(&mut challenges), "192.0.2.7", 61_001), Verdict::Stale, "a minute is over");
    let mut other = credentials();
    other.password = Secret::new("other");
    assert_eq!(door.judge(&other, peer, &second, AT(2_000)), Verdict::Wrong);
}

#[test]
fn wrong_credentials_are_counted_by_source() {
    let mut door = Doorkeeper::new(&mut IdSource::from_u64(3), Duration::from_secs(60));
    assert_eq!([1, 1, 2].map(|last| door.note_wrong(ip(&format!("192.0.2.{last}")))), [1, 2, 1]);
}
