//! The checked configuration: what cannot be nonsense any more.

use crate::recording::RecordingSettings;
use crate::resolve::Lookup;
use crate::sounds::Sounds;
use call_core::SwitchboardConfig;
use call_model::InterfaceId;
use http_api::ApiConfig;
use sip_proto::Transport;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything a gateway needs to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the switchboard is told.
    pub switchboard: SwitchboardConfig,
    /// Host names of desks and SIP bots.
    pub lookups: Vec<Lookup>,
    /// SIP sockets.
    pub sip: SipSettings,
    /// RTP sockets and threads.
    pub rtp: RtpSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// The voice model.
    pub listen: ListenSettings,
    /// Recordings instead of the built-in ones.
    pub sounds: Sounds,
    /// Where the record of calls is kept.
    pub ledger: ledger::Place,
    /// How long it is kept what the rules were told of each call; none: not at all.
    pub keep_facts: Option<Duration>,
    /// Where the rules come from; none: the ones built in.
    pub rules_file: Option<PathBuf>,
    /// Where recordings of calls are kept, if they are.
    pub recordings: Option<RecordingSettings>,
    /// After SIGTERM, calls that are up have so long to end by themselves.
    pub drain_max: Duration,
    /// What an operator should know although it is no mistake.
    pub warnings: Vec<String>,
}

/// SIP sockets.
#[derive(Clone, Debug)]
pub struct SipSettings {
    /// Sockets to open, at most one per interface and transport.
    pub listen: Vec<SipListen>,
    /// Host names that mean us, beside our addresses.
    pub names: Vec<String>,
    /// Who is asked for host names; empty: whom the system asks.
    pub dns: Vec<SocketAddr>,
    /// Connections at once, both directions; one address may hold a quarter of them.
    pub max_connections: usize,
    /// A connection without traffic that its peer opened is closed after this.
    pub idle_timeout: Duration,
    /// Certificates.
    pub tls: TlsSettings,
}

/// Certificates, as PEM files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// Our chain and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Who vouches for the peers we call; `None`: the roots of the Web.
    pub ca: Option<PathBuf>,
    /// Who vouches for the peers that call us; `None`: they need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// One SIP socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SipListen {
    /// Over what.
    pub transport: Transport,
    /// Where to bind; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// The address peers are told, when it is not the one bound.
    pub advertised: Option<IpAddr>,
    /// The side of ours it belongs to.
    pub interface: InterfaceId,
}

impl SipListen {
    /// Where peers find it.
    pub fn told(&self) -> SocketAddr {
        SocketAddr::new(self.advertised.unwrap_or(self.bind.ip()), self.bind.port())
    }
}

/// RTP sockets and threads.
#[derive(Clone, Debug)]
pub struct RtpSettings {
    /// Where RTP sockets bind, by interface.
    pub bind: Vec<IpAddr>,
    /// Media threads; `None`: one per two CPUs the process may use.
    pub threads: Option<usize>,
}

impl RtpSettings {
    /// One media thread per two CPUs the process may use, unless told otherwise: the kernel's half of the work runs
    /// beside it.
    pub(crate) fn media_threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cpus| cpus.get().div_ceil(2)))
    }
}

/// The HTTPS server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpsSettings {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Our chain and its key; `None`: one of our own making.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where that is kept: with `.pem` and `.key` behind it.
    pub own: PathBuf,
    /// Names it is made for, beside localhost and the address.
    pub names: Vec<String>,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where to listen; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// How bots and desks reach it, without a slash at the end; `None`: `http://` and the address bound.
    pub public_url: Option<String>,
    /// Logins and names.
    pub api: ApiConfig,
    /// The same over HTTPS.
    pub https: Option<HttpsSettings>,
}

impl HttpSettings {
    /// How bots and desks reach it when it listens where it was told to.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.bind))
    }
}

/// The voice model.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// The model; `None`: the one built in.
    pub model: Option<PathBuf>,
    /// How to ask a model that does not fulfil the contract.
    pub adapter: Option<PathBuf>,
    /// `libonnxruntime.so`; `None`: the pure-Rust backend.
    pub onnxruntime: Option<PathBuf>,
    /// Scorer threads.
    pub workers: usize,
}

impl ListenSettings {
    pub(crate) fn model_config(&self) -> prosody::ModelConfig {
        prosody::ModelConfig {
            path: self.model.clone(),
            adapter: self.adapter.clone(),
            onnxruntime: self.onnxruntime.clone(),
            ..prosody::ModelConfig::default()
        }
    }
}
