//! Who may ask: names by which we may be addressed, origins, tokens, and a limit on time.

use crate::error::ApiError;
use crate::metrics::Metric;
use crate::server::{Api, ApiConfig, DeskLogin, Peer};
use crate::session;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use call_model::{DeskId, Secret};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// For the whole request up to the response's head; event streams then go on without a limit.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                              img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every request passes here first.
pub(crate) async fn gate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mut response = match checked(&api.config, &request) {
        Err(error) => error.into_response(),
        Ok(()) => match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "The request took longer than 10 s to arrive.",
                "Send the body at once.",
            )
            .into_response(),
        },
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        api.hub.metrics().add(Metric::HttpUnauthorized, 1);
    }
    harden(response.headers_mut());
    response
}

fn harden(headers: &mut HeaderMap) {
    let name = HeaderName::from_static;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (name("permissions-policy"), "microphone=(self), camera=(), geolocation=(), display-capture=()"),
        (name("cross-origin-opener-policy"), "same-origin"),
        (name("cross-origin-resource-policy"), "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn checked(config: &ApiConfig, request: &Request) -> Result<(), ApiError> {
    // Probes by orchestrators come with any Host; they learn nothing but a word.
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    let host = host_of(request).unwrap_or_default();
    if !host_allowed(config, host) {
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "This server does not go by that name.",
            "Use an IP address or localhost, or add the name to [http] host_names.",
        ));
    }
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(());
    }
    same_origin(config, request.headers(), host)
}

fn host_of(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| request.uri().authority().map(|authority| authority.as_str()))
}

/// An attacker's page that rebinds its name to our address still sends its name. Addresses cannot be rebound.
fn host_allowed(config: &ApiConfig, host: &str) -> bool {
    let name = name_of(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    address
        || name.eq_ignore_ascii_case("localhost")
        || config.host_names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// A browser tells where a script came from. Programs send neither header.
fn same_origin(config: &ApiConfig, headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    let refused = ApiError::new(
        StatusCode::FORBIDDEN,
        "other_origin",
        "A page of another origin may not do this.",
        "Open the desk page from this server itself.",
    );
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(refused);
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    // Behind a proxy the Host may be rewritten; the names from the configuration are then the page's.
    let known = config.host_names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name_of(authority)));
    if authority.eq_ignore_ascii_case(host) || known { Ok(()) } else { Err(refused) }
}

/// The host without its port.
fn name_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(authority, |(address, _)| address),
        None => authority.split_once(':').map_or(authority, |(name, _)| name),
    }
}

/// The bearer token (RFC 6750), or nothing.
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

/// An unset token opens nothing.
fn opens(secret: &Secret, offered: &str) -> bool {
    !secret.expose().is_empty() && secret.matches(offered)
}

/// The desk, when the token is its own. A desk that does not exist and a wrong token look alike.
pub(crate) fn desk(api: &Api, name: &str, headers: &HeaderMap) -> Result<DeskId, ApiError> {
    let offered = bearer(headers);
    let login = api.config.desks.iter().find(|login| login.desk.0 == name);
    match login {
        Some(login) if opens(&login.token, offered) => Ok(login.desk.clone()),
        Some(login) if session_of(api, &login.desk, headers).is_some() => Ok(login.desk.clone()),
        _ => Err(ApiError::unauthorized("Send 'Authorization: Bearer' with the token of this desk.")),
    }
}

/// The desks that the token or the sessions open.
pub(crate) fn desks_of_token(api: &Api, headers: &HeaderMap) -> Vec<DeskId> {
    let offered = bearer(headers);
    let open = |login: &&DeskLogin| opens(&login.token, offered) || session_of(api, &login.desk, headers).is_some();
    api.config.desks.iter().filter(open).map(|login| login.desk.clone()).collect()
}

/// The desk's session that this was sent in. A cookie alone is nothing, since browsers send it along for whoever asks: the
/// page of the session names its second secret.
pub(crate) fn session_of(api: &Api, desk: &DeskId, headers: &HeaderMap) -> Option<String> {
    let page = headers.get("x-warmline-page").and_then(|value| value.to_str().ok())?;
    let now = Instant::now();
    session::cookies(headers, desk).find(|id| api.sessions.speaks(id, desk, page, now))
}

pub(crate) fn is_admin(api: &Api, headers: &HeaderMap) -> bool {
    api.config.admin_token.as_ref().is_some_and(|token| opens(token, bearer(headers)))
}

/// # Errors
/// 403 when there is no admin token at all, 401 when it is not this one.
pub(crate) fn admin(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    if api.config.admin_token.as_ref().is_none_or(|token| token.expose().is_empty()) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "no_admin_token",
            "No admin token is configured, so nobody may ask this.",
            "Set [http] admin_token and send it as 'Authorization: Bearer'.",
        ));
    }
    if is_admin(api, headers) {
        Ok(())
    } else {
        Err(ApiError::unauthorized("Send 'Authorization: Bearer' with the admin token of [http]."))
    }
}

/// Open to this machine, by the admin token to others.
pub(crate) fn local_or_admin(api: &Api, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), ApiError> {
    if peer.is_some_and(|peer| peer.address.ip().to_canonical().is_loopback()) {
        return Ok(());
    }
    admin(api, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ApiConfig {
        ApiConfig { host_names: vec!["desk.example.com".into()], ..ApiConfig::default() }
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        for host in ["127.0.0.1:8088", "[::1]:8088", "[::1]", "LOCALHOST", "localhost:1", "Desk.Example.com:443"] {
            assert!(host_allowed(&config(), host), "{host}");
        }
        for host in ["", "evil.test", "evil.test:8088", "desk.example.com.evil.test", "127.0.0.1.evil.test"] {
            assert!(!host_allowed(&config(), host), "{host}");
        }
    }

    #[test]
    fn a_script_of_another_origin_is_refused() {
        let check = |pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
                .collect();
            same_origin(&config(), &headers, "127.0.0.1:8088").is_ok()
        };
        assert!(check(&[]));
        assert!(check(&[("origin", "http://127.0.0.1:8088"), ("sec-fetch-site", "same-origin")]));
        assert!(check(&[("origin", "https://desk.example.com")]));
        assert!(!check(&[("origin", "http://127.0.0.1:9999")]));
        assert!(!check(&[("origin", "null")]));
        assert!(!check(&[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn an_empty_token_opens_nothing() {
        assert!(!opens(&Secret::default(), ""));
        assert!(opens(&Secret::new("a"), "a"));
    }
}
