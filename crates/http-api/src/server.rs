//! The listening server and its routes.

use crate::control::Control;
use crate::hub::Hub;
use call_model::{DeskId, Secret};
use std::future::Future;
use std::io;
use std::sync::Arc;

/// Who may see a desk's pops.
#[derive(Clone, Debug)]
pub struct DeskLogin {
    /// The desk.
    pub desk: DeskId,
    /// The name shown on the page; the desk's own when none.
    pub display: Option<String>,
    /// What the page must present.
    pub token: Secret,
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
}

/// The routes, for tests and for mounting elsewhere.
pub fn router(_api: Api) -> axum::Router {
    axum::Router::new()
}

/// Serves until `stop` resolves; then ends event streams, lets requests in flight finish and returns.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    _listener: tokio::net::TcpListener,
    _api: Api,
    _stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    Ok(())
}
