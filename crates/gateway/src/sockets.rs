//! Binds every socket that is listened on.

use crate::config::Settings;
use crate::running::StartError;
use crate::sip_udp;
use sip_proto::Transport;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub(crate) struct Sockets {
    /// With what peers are told.
    pub(crate) udp: Vec<(mio::net::UdpSocket, SocketAddr)>,
    pub(crate) streams: Vec<((Transport, SocketAddr), TcpListener)>,
    pub(crate) http: TcpListener,
    pub(crate) https: Option<TcpListener>,
    pub(crate) sip: Vec<(Transport, SocketAddr)>,
}

impl Sockets {
    /// Binds everything and writes the ports the system chose into the settings.
    pub(crate) fn open(settings: &mut Settings, runtime: &Runtime) -> Result<Self, StartError> {
        let (mut udp, mut streams, mut sip) = (Vec::new(), Vec::new(), Vec::new());
        for listen in &settings.sip.listen {
            let (transport, bind) = (listen.transport, listen.bind);
            let refused = |source| taken(transport.as_str(), bind, source);
            let told = |at: SocketAddr| SocketAddr::new(listen.told().ip(), at.port());
            let advertised = if transport == Transport::Udp {
                let socket = sip_udp::bind(bind).map_err(refused)?;
                let advertised = told(socket.local_addr()?);
                udp.push((socket, advertised));
                advertised
            } else {
                let listener = runtime.block_on(TcpListener::bind(bind)).map_err(refused)?;
                let advertised = told(listener.local_addr()?);
                streams.push(((transport, advertised), listener));
                advertised
            };
            settings.switchboard.interfaces.get_mut(listen.interface).sip.set(transport, advertised);
            sip.push((transport, advertised));
        }
        let http = runtime.block_on(TcpListener::bind(settings.http.bind));
        let http = http.map_err(|source| taken("HTTP", settings.http.bind, source))?;
        let https = match &settings.http.https {
            Some(https) => Some(
                runtime.block_on(TcpListener::bind(https.bind)).map_err(|source| taken("HTTPS", https.bind, source))?,
            ),
            None => None,
        };
        Ok(Self { https, udp, streams, http, sip })
    }
}

fn taken(what: &'static str, address: SocketAddr, source: io::Error) -> StartError {
    let setting = match what {
        "HTTP" => "http.listen",
        "HTTPS" => "http.https_listen",
        _ => "sip.listen",
    };
    let advice = match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "another program holds it (see: ss -lptun 'sport = :{}'): stop it, or change {setting}",
                address.port()
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}: change {setting} to one of `ip addr`", address.ip())
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or change {setting}")
        }
        _ => format!("change {setting}"),
    };
    StartError::Listen { what, address, advice, source }
}
