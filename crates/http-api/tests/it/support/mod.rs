//! A server on a loopback port, a gateway that records what it is asked, and a client that speaks raw HTTP/1.1.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

pub(crate) mod sample;

use call_model::{
    CallId, Callback, CallbackId, DeskAction, DeskId, DeskState, Disposition, FactKind, HandoffId, HandoffRefused,
    HandoffRequest, Instant, Layer, RecordingWish, Secret, Trigger, WallAnchor,
};
use http_api::{
    Api, ApiConfig, CallbackChange, Control, DeskLogin, Hub, HubConfig, IceServer, PeerView, QueueView, Readiness,
    Refused, Reply, RulesRefusal, RulesView, Sessions,
};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub(crate) const WALL: WallAnchor = WallAnchor { at: Instant::ZERO, unix_ms: 1_795_250_000_000 };
pub(crate) const CALL_TOKEN: &str = "the-call's-own";

/// Records, and answers what the test wants.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) callbacks: Mutex<Vec<Callback>>,
    pub(crate) changes: Mutex<Vec<(CallbackId, CallbackChange)>>,
    pub(crate) wishes: Mutex<Vec<(CallId, RecordingWish)>>,
    pub(crate) actions: Mutex<Vec<(String, DeskAction)>>,
    pub(crate) facts: Mutex<Vec<(CallId, FactKind)>>,
    pub(crate) pages: tokio::sync::watch::Sender<Vec<(String, bool)>>,
    pub(crate) states: Mutex<Vec<(String, DeskState)>>,
    pub(crate) dispositions: Mutex<Vec<(String, CallId, HandoffId, Disposition)>>,
    pub(crate) peers: Mutex<Vec<PeerView>>,
    pub(crate) queue: Mutex<QueueView>,
    pub(crate) requests: Mutex<Vec<(CallId, HandoffRequest)>>,
    pub(crate) refuse_handoff: Mutex<Option<HandoffRefused>>,
    pub(crate) refuse: Mutex<Option<Refused>>,
    pub(crate) silent: Mutex<bool>,
    pub(crate) rules_refused: Mutex<Vec<String>>,
    pub(crate) not_ready: Mutex<Option<String>>,
}

impl Control for Recorder {
    fn desk_action(&self, desk: &DeskId, action: DeskAction) -> Reply<Result<(), Refused>> {
        self.actions.lock().unwrap().push((desk.0.clone(), action));
        let (tell, reply) = oneshot::channel();
        if !*self.silent.lock().unwrap() {
            let _ = tell.send(self.refuse.lock().unwrap().clone().map_or(Ok(()), Err));
        }
        reply
    }

    fn desk_offer(&self, desk: &DeskId, _: HandoffId, sdp: String) -> Reply<Result<String, Refused>> {
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(self.refuse.lock().unwrap().clone().map_or(Ok(format!("answer of {desk} to {sdp}")), Err));
        reply
    }

    fn desk_state(&self, desk: &DeskId, state: DeskState) -> Reply<Result<(), Refused>> {
        self.states.lock().unwrap().push((desk.0.clone(), state));
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(Ok(()));
        reply
    }

    fn disposition(
        &self,
        desk: &DeskId,
        (call, handoff): (CallId, HandoffId),
        disposition: Disposition,
    ) -> Reply<Result<(), Refused>> {
        self.dispositions.lock().unwrap().push((desk.0.clone(), call, handoff, disposition));
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(Ok(()));
        reply
    }

    fn peers(&self) -> Reply<Vec<PeerView>> {
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(self.peers.lock().unwrap().clone());
        reply
    }

    fn queue(&self) -> Reply<QueueView> {
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(self.queue.lock().unwrap().clone());
        reply
    }

    fn desk_page(&self, desk: &DeskId, open: bool) {
        self.pages.send_modify(|pages| pages.push((desk.0.clone(), open)));
    }

    fn parse_control(&self, body: &[u8]) -> Result<Vec<FactKind>, String> {
        match body {
            b"{\"event\":\"ask\"}" => Ok(vec![FactKind::AskedForHuman]),
            _ => Err("unknown event".into()),
        }
    }

    fn control(&self, call: CallId, token: Secret, facts: Vec<FactKind>) -> Reply<Result<(), Refused>> {
        let (tell, reply) = oneshot::channel();
        let right = token.matches(CALL_TOKEN);
        if right {
            self.facts.lock().unwrap().extend(facts.into_iter().map(|fact| (call, fact)));
        }
        let _ = tell.send(if right { Ok(()) } else { Err(Refused::BadToken) });
        reply
    }

    fn request_handoff(
        &self,
        call: CallId,
        token: Option<Secret>,
        request: HandoffRequest,
    ) -> Reply<Result<HandoffId, HandoffRefused>> {
        let (tell, reply) = oneshot::channel();
        let refused = self.refuse_handoff.lock().unwrap().clone();
        let wrong = token.is_some_and(|token| !token.matches(CALL_TOKEN)).then_some(HandoffRefused::WrongToken);
        self.requests.lock().unwrap().push((call, request));
        let _ = tell.send(wrong.or(refused).map_or(Ok(HandoffId(7)), Err));
        reply
    }

    fn check_token(&self, _: CallId, token: Secret) -> Reply<Result<(), HandoffRefused>> {
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(if token.matches(CALL_TOKEN) { Ok(()) } else { Err(HandoffRefused::WrongToken) });
        reply
    }

    fn rules(&self) -> RulesView {
        let refused = self.rules_refused.lock().unwrap().clone();
        let rules = vec![("caller-asked".to_owned(), Trigger::Asked, Layer::Hard)];
        RulesView { file: Some("rules.toml".to_owned()), version: "0123456789abcdef".to_owned(), rules, refused }
    }

    fn reload_rules(&self) -> Reply<Result<RulesView, RulesRefusal>> {
        let (tell, reply) = oneshot::channel();
        let refused = self.rules_refused.lock().unwrap().clone();
        let _ = tell.send(if refused.is_empty() { Ok(self.rules()) } else { Err(RulesRefusal::Wrong(refused)) });
        reply
    }

    fn recording(&self, call: CallId, wish: RecordingWish) -> Reply<Result<(), Refused>> {
        let (tell, reply) = oneshot::channel();
        self.wishes.lock().unwrap().push((call, wish));
        let _ = tell.send(self.refuse.lock().unwrap().clone().map_or(Ok(()), Err));
        reply
    }

    fn callbacks(&self) -> Reply<Vec<Callback>> {
        let (tell, reply) = oneshot::channel();
        let _ = tell.send(self.callbacks.lock().unwrap().clone());
        reply
    }

    fn change_callback(&self, callback: CallbackId, change: CallbackChange) -> Reply<Result<(), Refused>> {
        let (tell, reply) = oneshot::channel();
        self.changes.lock().unwrap().push((callback, change));
        let _ = tell.send(self.refuse.lock().unwrap().clone().map_or(Ok(()), Err));
        reply
    }

    fn readiness(&self) -> Readiness {
        self.not_ready.lock().unwrap().clone().map_or(Readiness::Ready, Readiness::NotReady)
    }
}

/// Stops when dropped.
pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) control: Arc<Recorder>,
    pub(crate) ledger: Arc<ledger::Ledger>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) server: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Desks anna and ben, an admin, and rings of `ring` events.
pub(crate) fn api(ring: usize) -> (Api, Arc<Recorder>) {
    let mut config = HubConfig::new(WALL);
    (config.desk_ring, config.trace_ring) = (ring, ring);
    let control = Arc::new(Recorder::default());
    let login = |name: &str| DeskLogin {
        desk: DeskId(name.into()),
        display: Some(format!("Desk of {name}")),
        token: Secret::new(format!("{name}-token")),
        skills: vec!["billing".into()],
        browser: name == "ben",
    };
    let config_of_api = ApiConfig {
        desks: vec![login("anna"), login("ben")],
        admin_token: Some(Secret::new("admin-token")),
        host_names: vec!["desk.example.com".into()],
        dispositions: vec!["resolved".into(), "follow_up".into()],
        ice_servers: vec![IceServer { urls: vec!["stun:192.0.2.1:3478".into()], ..IceServer::default() }],
    };
    let api = Api {
        config: Arc::new(config_of_api),
        hub: Hub::new(config),
        control: Arc::clone(&control) as Arc<dyn Control>,
        ledger: Some(Arc::new(ledger::Ledger::open(&ledger::Place::Memory, WALL).unwrap())),
        sessions: Sessions::default(),
    };
    (api, control)
}

pub(crate) async fn world_with_ring(ring: usize) -> World {
    let (api, control) = api(ring);
    let (hub, ledger) = (api.hub.clone(), api.ledger.clone().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(http_api::serve(listener, None, api, async {
        let _ = stopped.await;
    }));
    World { hub, control, ledger, address, stop: Some(stop), server }
}

pub(crate) async fn world() -> World {
    world_with_ring(1024).await
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Checks that it is an error of the documented shape with something in every field.
    pub(crate) fn error_code(&self) -> String {
        let json = self.json();
        for field in ["code", "message", "fix"] {
            assert!(json["error"][field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {json}");
        }
        json["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.request("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"").await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &[u8]) -> Answer {
        self.request("POST", path, &[("Authorization", &format!("Bearer {token}"))], body).await
    }

    pub(crate) async fn post_from_tab(&self, path: &str, token: &str, tab: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        self.request("POST", path, &[("Authorization", &authorization), ("X-Warmline-Tab", tab)], b"").await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // The server may have answered, and closed, before it took a body that is too large.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Opens an event stream.
    pub(crate) async fn events(&self, path: &str, token: &str, last: Option<&str>) -> Events {
        let last = last.map(|id| format!("\r\nLast-Event-ID: {id}")).unwrap_or_default();
        self.events_with(path, &format!("Authorization: Bearer {token}{last}")).await
    }

    /// The same with headers of one's own.
    pub(crate) async fn events_with(&self, path: &str, headers: &str) -> Events {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).await.unwrap() > 0, "closed after {head:?}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");
        Events { reader, rest: String::new() }
    }
}

/// An open event stream.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    rest: String,
}

/// One event of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    /// The next event, or nothing at the end of the stream. Comments are passed over.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                if let Some(sent) = parse(&block) {
                    return Some(sent);
                }
                continue;
            }
            let chunk = self.chunk().await?;
            self.rest += &chunk;
        }
    }

    /// One chunk (RFC 9112 §7.1), or nothing after the last.
    async fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.reader.read_line(&mut size).await.ok().filter(|read| *read > 0)?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(size);
        (size > 0).then(|| String::from_utf8(bytes).unwrap())
    }
}

fn parse(block: &str) -> Option<Sent> {
    let field = |name: &str| {
        let prefix = format!("{name}: ");
        let lines: Vec<_> = block.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        lines.join("\n")
    };
    let data = field("data");
    (!data.is_empty()).then(|| Sent {
        id: field("id"),
        name: field("event"),
        data: serde_json::from_str(&data).unwrap(),
    })
}
