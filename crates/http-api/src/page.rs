//! The desk page: three files inside the binary, no build step, nothing from elsewhere.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Redirect;
use axum::routing::{MethodRouter, get};

const HTML: &str = include_str!("../page/desk.html");
const SCRIPT: &str = include_str!("../page/desk.js");
const STYLE: &str = include_str!("../page/desk.css");
const ICON: &str = include_str!("../page/icon.svg");

pub(crate) fn routes<S: Clone + Send + Sync + 'static>(router: axum::Router<S>) -> axum::Router<S> {
    router
        .route("/", get(|| async { Redirect::temporary("/desk") }))
        .route("/desk", file(HTML, "text/html; charset=utf-8"))
        .route("/desk/desk.js", file(SCRIPT, "text/javascript; charset=utf-8"))
        .route("/desk/desk.css", file(STYLE, "text/css; charset=utf-8"))
        .route("/desk/icon.svg", file(ICON, "image/svg+xml"))
}

fn file<S: Clone + Send + Sync + 'static>(content: &'static str, kind: &'static str) -> MethodRouter<S> {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        // A page of an older version must not talk to a newer gateway.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    get(move || {
        let headers = headers.clone();
        async move { (headers, content) }
    })
}
