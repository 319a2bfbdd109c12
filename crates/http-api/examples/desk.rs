//! The desk page with a sample call, without a gateway: `cargo run --release -p http-api --example desk`.
//!
//! Accepting joins after two seconds; declining withdraws the pop, and then somebody of whom little is known calls.
//! `-- 8099` picks another port.

#[path = "../tests/it/support/sample.rs"]
mod sample;

use call_model::{
    CallId, DeskAction, DeskId, DeskState, Disposition, FactKind, HandoffId, HandoffRefused, HandoffRequest, Instant,
    PopUpdate, RecordingWish, Secret, WallAnchor,
};
use http_api::{
    AbilityView, Api, ApiConfig, Control, DeskLogin, Hub, HubConfig, PeerView, QueueView, Readiness, Refused, Reply,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Pretend {
    hub: Hub,
    wall: WallAnchor,
}

impl Control for Pretend {
    fn desk_action(&self, desk: &DeskId, action: DeskAction) -> Reply<Result<(), Refused>> {
        let (hub, desk, wall) = (self.hub.clone(), desk.clone(), self.wall);
        tokio::spawn(async move {
            match action {
                DeskAction::Acknowledged(_) => {}
                DeskAction::Accepted(handoff) => {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    hub.pop(&PopUpdate::Joined { desk, handoff });
                }
                DeskAction::HandBack { handoff, .. } => {
                    hub.pop(&PopUpdate::Retracted { desk, handoff, why: "handed back" });
                }
                DeskAction::Hold { handoff, on } => {
                    hub.pop(&PopUpdate::Controls { desk, handoff, held: on, muted: false });
                }
                DeskAction::Mute { handoff, on } => {
                    hub.pop(&PopUpdate::Controls { desk, handoff, held: false, muted: on });
                }
                DeskAction::PassOn { handoff, .. } => {
                    hub.pop(&PopUpdate::NotPassedOn { desk, handoff, why: "nobody answered" });
                }
                DeskAction::Keys { .. } => {}
                DeskAction::End(handoff) => {
                    hub.pop(&PopUpdate::Retracted { desk, handoff, why: "the call is over" });
                }
                DeskAction::Declined { handoff, .. } => {
                    hub.pop(&PopUpdate::Retracted { desk, handoff, why: "another desk rings now" });
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    hub.pop(&sample::offered(sample::stranger(handoff.0 + 1, &wall, now(&wall))));
                }
            }
        });
        done()
    }

    fn desk_offer(&self, _: &DeskId, _: HandoffId, _: String) -> Reply<Result<String, Refused>> {
        tokio::sync::oneshot::channel().1
    }

    fn desk_state(&self, desk: &DeskId, state: DeskState) -> Reply<Result<(), Refused>> {
        self.hub.pop(&PopUpdate::State { desk: desk.clone(), state, until: None });
        done()
    }

    fn disposition(&self, _: &DeskId, _: (CallId, HandoffId), _: Disposition) -> Reply<Result<(), Refused>> {
        done()
    }

    fn peers(&self) -> Reply<Vec<PeerView>> {
        let (tell, reply) = tokio::sync::oneshot::channel();
        let colleague = |(name, skill, state, busy): (&str, &str, DeskState, usize)| PeerView {
            trunk: false,
            name: name.into(),
            up: Some(true),
            targets: Vec::new(),
            busy,
            state,
            skills: vec![skill.into()],
            languages: vec![],
            seniority: 0,
            presence: None,
            refer: unknown(),
            replaces: unknown(),
            blind: None,
            registration: None,
            telephones: None,
            resting_until: None,
            handoffs: 0,
            early_drops: 0,
        };
        let all = [
            ("ben", "claims", DeskState::Available, 0),
            ("chloe", "cancellation", DeskState::Available, 1),
            ("dev", "second_line", DeskState::Away, 0),
        ];
        let _ = tell.send(all.map(colleague).into());
        reply
    }

    fn queue(&self) -> Reply<QueueView> {
        let (tell, reply) = tokio::sync::oneshot::channel();
        let _ = tell.send(QueueView::default());
        reply
    }

    fn desk_page(&self, _: &DeskId, _: bool) {}

    fn parse_control(&self, _: &[u8]) -> Result<Vec<FactKind>, String> {
        Err("there is no call here".into())
    }

    fn control(&self, _: CallId, _: Secret, _: Vec<FactKind>) -> Reply<Result<(), Refused>> {
        tokio::sync::oneshot::channel().1
    }

    fn request_handoff(
        &self,
        _: CallId,
        _: Option<Secret>,
        _: HandoffRequest,
    ) -> Reply<Result<HandoffId, HandoffRefused>> {
        tokio::sync::oneshot::channel().1
    }

    fn check_token(&self, _: CallId, _: Secret) -> Reply<Result<(), HandoffRefused>> {
        tokio::sync::oneshot::channel().1
    }

    fn rules(&self) -> http_api::RulesView {
        http_api::RulesView::default()
    }

    fn reload_rules(&self) -> Reply<Result<http_api::RulesView, http_api::RulesRefusal>> {
        tokio::sync::oneshot::channel().1
    }

    fn recording(&self, _: CallId, _: RecordingWish) -> Reply<Result<(), Refused>> {
        tokio::sync::oneshot::channel().1
    }

    fn callbacks(&self) -> Reply<Vec<call_model::Callback>> {
        let (tell, reply) = tokio::sync::oneshot::channel();
        let _ = tell.send(Vec::new());
        reply
    }

    fn change_callback(&self, _: call_model::CallbackId, _: http_api::CallbackChange) -> Reply<Result<(), Refused>> {
        done()
    }

    fn readiness(&self) -> Readiness {
        Readiness::NotReady("this is an example".into())
    }
}

fn unknown() -> AbilityView {
    let (evidence, setting, because) = ("unknown", "learn", String::new());
    AbilityView { evidence, setting, usable: false, because, since: None, until: None }
}

fn done() -> Reply<Result<(), Refused>> {
    let (tell, reply) = tokio::sync::oneshot::channel();
    let _ = tell.send(Ok(()));
    reply
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn now(wall: &WallAnchor) -> Instant {
    wall.at + Duration::from_millis(unix_ms().saturating_sub(wall.unix_ms))
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8099u16);
    let wall = WallAnchor { at: Instant::from_millis(100_000), unix_ms: unix_ms() };
    let hub = Hub::new(HubConfig::new(wall));
    let login = DeskLogin {
        desk: sample::desk(),
        display: Some("Anna, Billing".into()),
        token: Secret::new("sample"),
        skills: vec!["billing".into(), "english".into()],
        browser: false,
    };
    let config = ApiConfig {
        desks: vec![login],
        admin_token: Some(Secret::new("admin")),
        host_names: Vec::new(),
        dispositions: ["resolved", "follow_up", "callback_promised"].map(str::to_owned).into(),
        ice_servers: Vec::new(),
    };
    let control = Arc::new(Pretend { hub: hub.clone(), wall });
    let api = Api {
        config: Arc::new(config),
        hub: hub.clone(),
        control,
        ledger: None,
        sessions: http_api::Sessions::default(),
    };
    hub.pop(&sample::offered(sample::package(1, &wall, Instant::from_millis(4_000))));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("open http://{}/desk#desk=anna&token=sample", listener.local_addr()?);
    http_api::serve(listener, None, api, std::future::pending()).await
}
