//! The listening server and its routes.

use crate::control::Control;
use crate::error::ApiError;
use crate::hub::Hub;
use crate::metrics::Metric;
use crate::session::Sessions;
use crate::{guard, page, routes};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use call_model::{DeskId, Secret};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Largest request body: a control event or a page's click.
const BODY_LIMIT: usize = 64 * 1024;
/// Connections at once; those beyond are closed at once.
const MOST_CONNECTIONS: usize = 8192;
/// A client that does not send a whole request head in this time is closed; also the rest between two requests, within
/// which pages send something.
const HEAD_LIMIT: Duration = Duration::from_secs(90);
/// How long requests in flight may take once we are told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// A client that has not shaken hands by then is closed.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// After accept failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who may see a desk's pops.
#[derive(Clone, Debug)]
pub struct DeskLogin {
    /// The desk.
    pub desk: DeskId,
    /// The name shown on the page; the desk's own when none.
    pub display: Option<String>,
    /// What the page must present.
    pub token: Secret,
    /// What it is good at, for the page.
    pub skills: Vec<String>,
    /// Its human talks in the page, not with a telephone.
    pub browser: bool,
}

/// A STUN or TURN server for browsers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=tcp`.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN.
    pub credential: Option<Secret>,
}

/// Plain values; the gateway's configuration converts into it.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    /// Desks with a page.
    pub desks: Vec<DeskLogin>,
    /// For `/v1/calls`, `/v1/trace` and, from other hosts, `/metrics`. Without it these answer 403 with the reason.
    pub admin_token: Option<Secret>,
    /// Names besides `localhost` and IP addresses by which the server may be addressed (`Host`), against DNS
    /// rebinding.
    pub host_names: Vec<String>,
    /// What a human may say became of a conversation.
    pub dispositions: Vec<String>,
    /// What browsers need to find a way to us through their network.
    pub ice_servers: Vec<IceServer>,
}

/// What the routes need.
#[derive(Clone)]
pub struct Api {
    /// Logins and names.
    pub config: Arc<ApiConfig>,
    /// What happened.
    pub hub: Hub,
    /// What may be done.
    pub control: Arc<dyn Control>,
    /// The past, when there is a ledger.
    pub ledger: Option<Arc<ledger::Ledger>>,
    /// Pages that are signed in.
    pub sessions: Sessions,
}

/// Where a connection came from, and whether it is encrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) secure: bool,
}

/// The routes, for tests and for mounting elsewhere. `/metrics` then needs the admin token, as the peer is not known.
pub fn router(api: Api) -> Router {
    let routes = [
        routes::desk::routes,
        routes::controls::routes,
        routes::bot::routes,
        routes::handoffs::routes,
        routes::admin::routes,
        routes::cdrs::routes,
        routes::callbacks::routes,
        routes::trunks::routes,
        routes::rules::routes,
    ];
    routes
        .into_iter()
        .fold(page::routes(Router::new()), |router, routes| routes(router))
        .fallback(|| async {
            ApiError::new(StatusCode::NOT_FOUND, "no_route", "Nothing lives here.", "See docs/http-api.md.")
        })
        .method_not_allowed_fallback(|| async {
            let fix = "See docs/http-api.md for the method.";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "Not with this method.", fix)
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(api.clone(), guard::gate))
        .with_state(api)
}

/// Serves until `stop` resolves, over HTTPS where there is an acceptor; then ends event streams, lets requests in flight
/// finish and returns.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    api: Api,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let hub = api.hub.clone();
    let routes = router(api);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "no HTTP connection could be accepted; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            hub.metrics().add(Metric::HttpRefused, 1);
            continue;
        };
        let attended = attend(stream, acceptor.clone(), routes.clone(), peer, graceful.watcher());
        tokio::spawn(async move {
            if let Err(error) = attended.await {
                tracing::debug!(%error, %peer, "HTTP connection ended badly");
            }
            drop(place);
        });
    }
    hub.close();
    if tokio::time::timeout(STOP_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("HTTP requests were still running when the server stopped");
    }
    Ok(())
}

/// One connection, to its end.
async fn attend(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    routes: Router,
    address: SocketAddr,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A pop has 20 ms to arrive and be acknowledged: do not wait to fill a segment.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    let peer = Peer { address, secure: acceptor.is_some() };
    match acceptor {
        None => watcher.watch(connection(stream, routes, peer)).await?,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await??;
            watcher.watch(connection(stream, routes, peer)).await?;
        }
    }
    Ok(())
}

type Connection<S> = http1::Connection<TokioIo<S>, TowerToHyperService<WithPeer>>;

fn connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, routes: Router, peer: Peer) -> Connection<S> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(BODY_LIMIT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(WithPeer { routes, peer }))
}

/// The routes, told where each request came from.
#[derive(Clone)]
struct WithPeer {
    routes: Router,
    peer: Peer,
}

impl tower_service::Service<hyper::Request<hyper::body::Incoming>> for WithPeer {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = axum::routing::future::RouteFuture<Self::Error>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        // A router is always ready.
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: hyper::Request<hyper::body::Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        tower_service::Service::call(&mut self.routes, request)
    }
}

/// The peer went away between its SYN and our accept; the listener is fine.
fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
