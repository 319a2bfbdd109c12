//! The desk page: files inside the binary, no build step, nothing from elsewhere.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Redirect;
use axum::routing::{MethodRouter, get};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXTS: &str = "application/json";

/// Where, what, and of which kind.
const FILES: [(&str, &str, &str); 15] = [
    ("/desk", include_str!("../page/desk.html"), HTML),
    ("/desk/desk.js", include_str!("../page/desk.js"), SCRIPT),
    ("/desk/audio.js", include_str!("../page/audio.js"), SCRIPT),
    ("/desk/card.js", include_str!("../page/card.js"), SCRIPT),
    ("/desk/chime.js", include_str!("../page/chime.js"), SCRIPT),
    ("/desk/curve.js", include_str!("../page/curve.js"), SCRIPT),
    ("/desk/draw.js", include_str!("../page/draw.js"), SCRIPT),
    ("/desk/wire.js", include_str!("../page/wire.js"), SCRIPT),
    ("/desk/words.js", include_str!("../page/words.js"), SCRIPT),
    ("/desk/desk.css", include_str!("../page/desk.css"), "text/css; charset=utf-8"),
    ("/desk/icon.svg", include_str!("../page/icon.svg"), "image/svg+xml"),
    ("/desk/lang/en.json", include_str!("../page/lang/en.json"), TEXTS),
    ("/desk/lang/de.json", include_str!("../page/lang/de.json"), TEXTS),
    ("/desk/lang/es.json", include_str!("../page/lang/es.json"), TEXTS),
    ("/desk/lang/fr.json", include_str!("../page/lang/fr.json"), TEXTS),
];

pub(crate) fn routes<S: Clone + Send + Sync + 'static>(router: axum::Router<S>) -> axum::Router<S> {
    let router = router.route("/", get(|| async { Redirect::temporary("/desk") }));
    FILES.into_iter().fold(router, |router, (path, content, kind)| router.route(path, file(content, kind)))
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

#[cfg(test)]
mod tests {
    use super::FILES;
    use call_model::Trigger;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn content(path: &str) -> &'static str {
        FILES.iter().find(|(at, ..)| *at == path).map_or("", |(_, content, _)| content)
    }

    fn texts(language: &str) -> Value {
        serde_json::from_str(content(&format!("/desk/lang/{language}.json"))).expect("JSON")
    }

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    #[test]
    fn every_language_says_everything() {
        let english = texts("en");
        for language in ["de", "es", "fr"] {
            let other = texts(language);
            assert_eq!(keys(&other), keys(&english), "{language}");
            for (key, text) in
                english.as_object().expect("an object").iter().filter_map(|(k, v)| Some((k, v.as_str()?)))
            {
                let values = |text: &str| -> BTreeSet<String> {
                    text.split('{')
                        .skip(1)
                        .filter_map(|rest| rest.split_once('}'))
                        .map(|(name, _)| name.to_owned())
                        .collect()
                };
                assert_eq!(values(other[key].as_str().unwrap_or_default()), values(text), "{language}: {key}");
            }
            for trigger in Trigger::ALL {
                assert!(other["reasons"][trigger.as_str()].is_string(), "{language}: {trigger}");
            }
        }
    }

    #[test]
    fn what_the_page_names_exists() {
        let (english, page) = (texts("en"), content("/desk"));
        let named = page.split("data-t").skip(1).filter_map(|rest| rest.split_once('"')?.1.split_once('"'));
        for (key, _) in named {
            assert!(english[key].is_string(), "desk.html names the text {key}");
        }
        for (path, script, _) in FILES.iter().filter(|(path, ..)| path.ends_with(".js")) {
            for name in script.split("from './").skip(1).filter_map(|rest| rest.split_once('\'')) {
                assert!(FILES.iter().any(|(at, ..)| *at == format!("/desk/{}", name.0)), "{path} imports {}", name.0);
            }
            for key in script.split(" t('").skip(1).filter_map(|rest| rest.split_once('\'')) {
                assert!(english[key.0].is_string(), "{path} says {}", key.0);
            }
            for id in script.split("$('").skip(1).filter_map(|rest| rest.split_once('\'')) {
                assert!(page.contains(&format!("id=\"{}\"", id.0)), "{path} looks for #{}", id.0);
            }
        }
        // A strict content policy forbids both.
        assert!(!page.contains(" style=") && !page.contains(" onclick="));
    }
}
