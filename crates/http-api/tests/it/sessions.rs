//! Logins of pages: a cookie and a second secret in place of the token, and a record of who saw what.

use crate::support::{Answer, WALL, World, sample, world};
use call_model::{CallId, HandoffId, Instant, Redacted, TraceEvent, TraceKind};

const SESSION: &str = "/v1/desks/anna/session";
const DESK: &str = "/v1/desks/anna";

/// What a browser keeps of a login.
struct Login {
    cookie: String,
    page: String,
}

async fn sign_in(world: &World) -> Login {
    let answer = world.post(SESSION, "anna-token", b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = set_cookie(&answer);
    assert!(set.contains("; httponly; samesite=strict") && set.contains("; path=/;"), "{set}");
    let cookie = set.split(';').next().expect("a pair").to_owned();
    Login { cookie, page: answer.json()["page"].as_str().expect("a secret").to_owned() }
}

fn set_cookie(answer: &Answer) -> &str {
    answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie")
}

impl Login {
    async fn asks(&self, world: &World, method: &str, path: &str) -> Answer {
        let headers = [("Cookie", self.cookie.as_str()), ("X-Warmline-Page", self.page.as_str())];
        world.request(method, path, &headers, b"").await
    }
}

fn offer(world: &World, id: u128) -> HandoffId {
    world.hub.pop(&sample::offered(sample::package(id, &WALL, Instant::from_millis(1000))));
    HandoffId(id)
}

#[tokio::test]
async fn a_page_needs_cookie_and_secret_and_only_for_its_own_desk() {
    let world = world().await;
    let login = sign_in(&world).await;
    assert_eq!(login.asks(&world, "GET", DESK).await.json()["desk"], "anna");
    let id = offer(&world, 1);
    assert_eq!(login.asks(&world, "POST", &format!("{DESK}/handoffs/{id}/ack")).await.status, 200);
    assert_eq!(login.asks(&world, "GET", &format!("/v1/handoffs/{id}")).await.status, 200);
    assert_eq!(login.asks(&world, "GET", "/v1/desks/ben").await.status, 401);
    assert_eq!(login.asks(&world, "GET", "/v1/calls").await.status, 401);

    // Another site can make a browser send the cookie, but not read the secret.
    for headers in [
        vec![("Cookie", login.cookie.as_str())],
        vec![("X-Warmline-Page", login.page.as_str())],
        vec![("Cookie", login.cookie.as_str()), ("X-Warmline-Page", "")],
        vec![("Cookie", "warmline-anna="), ("X-Warmline-Page", "")],
    ] {
        for (method, path) in [("GET", DESK), ("POST", "/v1/desks/anna/state"), ("POST", SESSION)] {
            assert_eq!(world.request(method, path, &headers, b"{}").await.status, 401, "{method} {path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_loaded_again_finds_its_session_until_it_signs_out() {
    let world = world().await;
    let login = sign_in(&world).await;
    let answer = world.request("GET", "/v1/session", &[("Cookie", &login.cookie)], b"").await;
    assert_eq!(answer.json(), serde_json::json!({"desk": "anna", "page": login.page}));
    assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);

    // Nobody signs somebody else out.
    assert_eq!(world.request("DELETE", SESSION, &[("Cookie", &login.cookie)], b"").await.status, 401);
    let answer = login.asks(&world, "DELETE", SESSION).await;
    assert_eq!(answer.status, 200);
    assert!(set_cookie(&answer).starts_with("warmline-anna=; ") && set_cookie(&answer).contains("max-age=0"));
    assert_eq!(login.asks(&world, "GET", DESK).await.status, 401);
    assert_eq!(world.request("GET", "/v1/session", &[("Cookie", &login.cookie)], b"").await.status, 401);
}

#[tokio::test]
async fn an_event_stream_ends_with_its_session() {
    let world = world().await;
    let login = sign_in(&world).await;
    let headers = format!("Cookie: {}\r\nX-Warmline-Page: {}", login.cookie, login.page);
    let mut events = world.events_with("/v1/desks/anna/events", &headers).await;
    assert_eq!(events.next().await.expect("a snapshot").name, "snapshot");
    assert_eq!(login.asks(&world, "DELETE", SESSION).await.status, 200);
    offer(&world, 1);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn over_https_the_cookie_is_held_to_it() {
    let world = world().await;
    let headers = [("Authorization", "Bearer anna-token"), ("Origin", "https://desk.example.com")];
    let answer = world.request("POST", SESSION, &headers, b"").await;
    let set = set_cookie(&answer);
    assert!(set.starts_with("__host-warmline-anna=") && set.ends_with("; secure"), "{set}");
}

#[tokio::test]
async fn every_view_of_a_story_is_written_down_once_for_each_who_saw_it() {
    let world = world().await;
    let package = sample::package(1, &WALL, Instant::from_millis(1000));
    let (call, began) = (
        package.call,
        TraceKind::Began {
            from: Redacted::new("a"),
            to: Redacted::new("b"),
            trunk: "t".into(),
            session_id: "s".into(),
        },
    );
    world.ledger.record(&TraceEvent { at: Instant::ZERO, call: Some(call), kind: began });
    let mut events = world.events("/v1/desks/anna/events", "anna-token", None).await;
    events.next().await.expect("a snapshot");
    let id = offer(&world, 1);
    assert_eq!(events.next().await.expect("a pop").name, "offered");
    let mut amended = package;
    amended.version += 1;
    world.hub.pop(&call_model::PopUpdate::Amended { desk: sample::desk(), package: Box::new(amended) });
    assert_eq!(events.next().await.expect("an amendment").name, "amended");
    let login = sign_in(&world).await;
    let path = format!("/v1/handoffs/{id}");
    assert_eq!(login.asks(&world, "GET", &path).await.status, 200);
    assert_eq!(world.get(&path, "admin-token").await.status, 200);
    assert_eq!(world.get(&path, "ben-token").await.status, 404);

    let viewed = viewed(&world, call);
    let seen = |who: &str| format!("{id}: {who} from 127.0.0.1");
    assert_eq!(viewed, [seen("anna by token"), seen("anna by page"), seen("operator")]);
}

fn viewed(world: &World, call: CallId) -> Vec<String> {
    let story = world.ledger.call(call).expect("a ledger").expect("a call");
    story.events.into_iter().filter(|event| event.kind == "viewed").map(|event| event.what).collect()
}
