//! Against bots on real sockets: good, slow, rude and dead.

use super::*;
use crate::inbox::{Outlet, inbox};
use crate::media::{MediaSetup, MediaThreads};
use bot_proto::twilio::MAX_FRAME;
use call_model::{CallId, FactKind, Redacted, Secret};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const LEG: LegId = LegId { call: CallId(7), index: 1 };
/// Long enough for a busy machine; every wait ends as soon as the answer is there.
const PATIENCE: Duration = Duration::from_secs(10);

struct World {
    runtime: Runtime,
    bots: BotStreams,
    outlet: Outlet,
    _media: MediaThreads,
    _poll: mio::Poll,
}

impl World {
    fn new(connect_within: Duration) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let poll = mio::Poll::new().expect("epoll");
        let (inbox, outlet) = inbox(mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let clock = Clock::start();
        let mut ids = IdSource::from_u64(1);
        let setup = MediaSetup {
            bind: vec!["127.0.0.1".parse().expect("an address")],
            threads: 1,
            engine: rtp_proto::EngineConfig::new("test"),
            clock,
            ears: crate::recording::Ears::default(),
        };
        let media =
            MediaThreads::start(setup, &mut ids, || Box::new(rtp_proto::NoTap), |_| {}, |_, _| {}).expect("threads");
        let routes: StreamRoutes = Arc::new(DashMap::new());
        let handle = runtime.handle().clone();
        let public = "http://127.0.0.1:1".to_owned();
        let bots = BotStreams::new((routes, media.handle(), inbox), (clock, handle, ids), connect_within, public);
        Self { runtime, bots, outlet, _media: media, _poll: poll }
    }

    fn dial(&mut self, address: SocketAddr) {
        let dial = BotCommand::Dial {
            url: format!("ws://{address}/media"),
            from: Redacted::new("+441632960001"),
            to: Redacted::new("+441632960000"),
            session_id: "0".repeat(32),
            call: LEG.call,
            control_token: Secret::new("secret"),
            resumed: None,
        };
        self.bots.command(LEG, dial);
    }

    fn listen(&self) -> (TcpListener, SocketAddr) {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    fn next(&mut self) -> BotEvent {
        let received = self.runtime.block_on(async { timeout(PATIENCE, self.outlet.inputs.recv()).await });
        match received.expect("in time") {
            Some(Input::Bot { leg: LEG, event }) => event,
            other => panic!("{other:?}"),
        }
    }
}

async fn text(socket: &mut WebSocketStream<TcpStream>) -> serde_json::Value {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("sound");
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}

/// A bot that greets us, does `then`, and is dropped.
fn bot<F>(world: &World, then: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let (listener, address) = world.listen();
    world.runtime.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        let mut socket = accept_async(stream).await.expect("a WebSocket");
        assert_eq!(text(&mut socket).await["event"], "connected");
        let start = text(&mut socket).await;
        let custom = &start["start"]["customParameters"];
        let url = custom["warmline_control_url"].as_str().expect("a control url");
        assert!(url.starts_with("http://127.0.0.1:1/v1/calls/") && url.ends_with("/control"), "{url}");
        assert_eq!(custom["warmline_control_token"], "secret");
        then(socket).await;
    });
    address
}

#[test]
fn a_normal_close_is_a_finished_bot_and_an_error_code_is_a_dead_one() {
    assert_eq!(closed(None), BotEvent::Finished);
    assert_eq!(closed(Some((CloseCode::Normal, String::new()))), BotEvent::Finished);
    let down = closed(Some((CloseCode::Error, "out of memory".to_owned())));
    assert_eq!(down, BotEvent::Down { why: "closed with code 1011: out of memory".to_owned() });
}

#[test]
fn a_bot_that_is_not_there_is_down_and_the_reason_names_its_address() {
    let mut world = World::new(PATIENCE);
    let (listener, address) = world.listen();
    drop(listener);
    world.dial(address);
    let BotEvent::Down { why } = world.next() else { panic!("it is not there") };
    assert!(why.contains(&address.to_string()), "{why}");
}

#[test]
fn a_bot_that_never_answers_is_down_after_the_deadline() {
    let mut world = World::new(Duration::from_millis(200));
    let (listener, address) = world.listen();
    world.dial(address);
    let BotEvent::Down { why } = world.next() else { panic!("it said nothing") };
    assert!(why.contains("no answer"), "{why}");
    drop(listener);
}

#[test]
fn facts_pass_nonsense_does_not_and_a_close_in_good_order_is_the_end() {
    let mut world = World::new(PATIENCE);
    let address = bot(&world, |mut socket| async move {
        for nonsense in ["", "{", "[]", "null", r#"{"event":"media"}"#, r#"{"event":"warmline","turm":{}}"#] {
            socket.send(Message::text(nonsense)).await.expect("open");
        }
        socket.send(Message::binary(vec![0; 160])).await.expect("open");
        socket.send(Message::text(r#"{"event":"warmline","asked_for_human":true}"#)).await.expect("open");
        socket.close(None).await.expect("open");
    });
    world.dial(address);
    assert_eq!(world.next(), BotEvent::Up);
    assert_eq!(world.next(), BotEvent::Fact(FactKind::AskedForHuman));
    assert_eq!(world.next(), BotEvent::Finished);
}

#[test]
fn a_bot_that_vanishes_or_fails_is_down() {
    let mut world = World::new(PATIENCE);
    let address = bot(&world, |socket| async move { drop(socket) });
    world.dial(address);
    assert_eq!(world.next(), BotEvent::Up);
    assert!(matches!(world.next(), BotEvent::Down { .. }));

    let address = bot(&world, |mut socket| async move {
        let frame = CloseFrame { code: CloseCode::Error, reason: "crashed".into() };
        socket.close(Some(frame)).await.expect("open");
    });
    world.dial(address);
    assert_eq!(world.next(), BotEvent::Up);
    assert_eq!(world.next(), BotEvent::Down { why: "closed with code 1011: crashed".to_owned() });
}

#[test]
fn a_frame_too_large_to_hold_ends_that_bot_only() {
    let mut world = World::new(PATIENCE);
    let address = bot(&world, |mut socket| async move {
        // The gateway may hang up while we still write.
        let _ = socket.send(Message::text("x".repeat(MAX_FRAME * 3))).await;
    });
    world.dial(address);
    assert_eq!(world.next(), BotEvent::Up);
    assert!(matches!(world.next(), BotEvent::Down { .. }));
}

#[test]
fn the_bot_hears_keys_and_news_and_a_goodbye() {
    let mut world = World::new(PATIENCE);
    let (done, finished) = tokio::sync::oneshot::channel();
    let address = bot(&world, |mut socket| async move {
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(text(&mut socket).await);
        }
        let closed = timeout(PATIENCE, socket.next()).await.expect("in time");
        done.send((heard, matches!(closed, Some(Ok(Message::Close(_)))))).expect("the test waits");
    });
    world.dial(address);
    assert_eq!(world.next(), BotEvent::Up);
    world.bots.command(LEG, BotCommand::Digit('5'));
    world.bots.command(LEG, BotCommand::Tell(BotUpdate::HandoffAccepted));
    world.bots.command(LEG, BotCommand::Close);
    let heard = world.runtime.block_on(async { timeout(PATIENCE, finished).await });
    let (heard, closed) = heard.expect("in time").expect("a bot");
    assert_eq!(heard[0]["dtmf"]["digit"], "5");
    assert_eq!(heard[1]["type"], "handoff.accepted");
    assert_eq!(heard[2]["event"], "stop");
    assert!(closed);
}
