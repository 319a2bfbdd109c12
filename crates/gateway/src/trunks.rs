//! `warmline trunks`: what trunks and desks are known to be able to do, how we know, and how they are doing.

use serde_json::Value;

const TEACH: &str = "\
yes: counted upon now. no: not now; callers and humans then stay connected through us, and notice nothing.
Set by hand what was learned wrongly, under [[trunks]] or [[desks]], and restart:
  refer = \"yes\" | \"no\" | \"learn\"        it follows REFER (warmline asks it to take the call away)
  replaces = \"yes\" | \"no\" | \"learn\"     it takes an INVITE with Replaces (it lets itself be taken over)
blind: a trunk follows a REFER without Replaces, for desks with handover = \"refer\"; tried until it is refused.";

const HEAD: [&str; 8] = ["", "calls", "REFER", "Replaces", "blind", "answers", "handoffs", "early drops"];

pub(crate) fn render(value: &Value) -> String {
    let now = value["now_unix_ms"].as_u64().unwrap_or(0);
    let mut out = String::new();
    for (title, list) in [("TRUNKS", &value["trunks"]), ("DESKS", &value["desks"])] {
        let peers = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows[0][0] = title.to_owned();
        rows.extend(peers.iter().map(|peer| row(peer, now)));
        let widths: [usize; 8] =
            std::array::from_fn(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0));
        for (nth, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            out += &format!("{}\n", cells.join("  ").trim_end());
            if let Some(peer) = nth.checked_sub(1).and_then(|nth| peers.get(nth)) {
                out += &places(peer);
                out += &reasons(peer, now);
            }
        }
        out.push('\n');
    }
    out + TEACH + "\n"
}

fn row(peer: &Value, now: u64) -> [String; 8] {
    let text = |name: &str| peer[name].as_str().unwrap_or_default().to_owned();
    let count = |name: &str| peer[name].as_u64().map_or("-".to_owned(), |count| count.to_string());
    let health = match peer["resting_until_unix_ms"].as_u64() {
        Some(until) => format!("overloaded, left alone for {}", span(until.saturating_sub(now))),
        None => health(&peer["up"]).to_owned(),
    };
    let handoffs = match (peer["released"].as_u64(), peer["refer_refused"].as_u64()) {
        (Some(released), Some(refused)) => format!("{released} released, {refused} refused"),
        _ => count("handoffs"),
    };
    let [refer, replaces, blind] = ["refer", "replaces", "blind"].map(|name| ability(&peer[name], now));
    [text("name"), count("calls"), refer, replaces, blind, health, handoffs, count("early_drops")]
}

/// `yes, proven`, `no, refused (again in 23 h)`; `-` where there is nothing to know.
fn ability(ability: &Value, now: u64) -> String {
    if ability.is_null() {
        return "-".to_owned();
    }
    let usable = if ability["usable"] == true { "yes" } else { "no" };
    let setting = ability["setting"].as_str().unwrap_or_default();
    if setting != "learn" {
        return format!("{usable}, set");
    }
    let evidence = ability["evidence"].as_str().unwrap_or_default();
    let again =
        ability["until_unix_ms"].as_u64().map(|until| format!(" (again in {})", span(until.saturating_sub(now))));
    format!("{usable}, {evidence}{}", again.unwrap_or_default())
}

/// Where it is called, when there is more than one place.
fn places(peer: &Value) -> String {
    let targets = peer["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |target: &Value| format!("  {}: {}\n", target["at"].as_str().unwrap_or_default(), health(&target["up"]));
    if targets.len() < 2 { String::new() } else { targets.iter().map(line).collect() }
}

fn health(up: &Value) -> &'static str {
    match up.as_bool() {
        Some(true) => "up",
        Some(false) => "DOWN",
        None => "not asked",
    }
}

/// How we know, one line for each ability of which something is known.
fn reasons(peer: &Value, now: u64) -> String {
    let line = |name: &str, label: &str| {
        let because = peer[name]["because"].as_str().filter(|because| !because.is_empty())?;
        let since = peer[name]["since_unix_ms"].as_u64();
        let since = since.map(|since| format!(", {} ago", span(now.saturating_sub(since))));
        Some(format!("  {label}: {because}{}\n", since.unwrap_or_default()))
    };
    let abilities = [line("refer", "REFER"), line("replaces", "Replaces"), line("blind", "blind")];
    registration(&peer["registration"], now)
        + &telephones(&peer["telephones"], now)
        + &abilities.into_iter().flatten().collect::<String>()
}

fn registration(value: &Value, now: u64) -> String {
    let text = |name: &str| value[name].as_str();
    let left = |name: &str| value[name].as_u64().map(|at| span(at.saturating_sub(now)));
    let (Some(registrar), Some(aor)) = (text("registrar"), text("aor")) else { return String::new() };
    let mut out = match left("until_unix_ms") {
        Some(left) => format!("  registered at {registrar} as {aor}, for another {left}"),
        None => format!("  NOT REGISTERED at {registrar} as {aor}"),
    };
    if let Some(because) = text("because") {
        let again = left("again_unix_ms").map_or("now".to_owned(), |left| format!("in {left}"));
        out += &format!(": {because}; asked again {again}");
    }
    out + "\n"
}

fn telephones(value: &Value, now: u64) -> String {
    let Some(all) = value.as_array() else { return String::new() };
    if all.is_empty() {
        return "  no telephone is registered: it gets no caller\n".to_owned();
    }
    let one = |telephone: &Value| {
        let since = now.saturating_sub(telephone["since_unix_ms"].as_u64().unwrap_or(now));
        let (at, agent) = (telephone["at"].as_str()?, telephone["agent"].as_str()?);
        Some(format!("  telephone {at} ({agent}), registered {} ago\n", span(since)))
    };
    all.iter().filter_map(one).collect()
}

/// In the largest unit that is at least one.
fn span(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_says_what_is_counted_upon_why_and_what_to_do() {
        let hour = 3_600_000;
        let able = |evidence: &str, setting: &str, usable: bool, because: &str, until: Option<u64>| {
            let since = (!because.is_empty()).then_some(10 * hour - 5_000);
            json!({
                "evidence": evidence, "setting": setting, "usable": usable, "because": because,
                "since_unix_ms": since, "until_unix_ms": until,
            })
        };
        let value = json!({
            "now_unix_ms": 10 * hour,
            "trunks": [{
                "name": "carrier", "calls": 3, "up": null, "resting_until_unix_ms": null, "early_drops": null,
                "refer": able("refused", "learn", false, "603 to REFER", Some(33 * hour)),
                "replaces": able("unknown", "learn", false, "", None), "released": 12, "refer_refused": 1,
                "blind": able("refused", "learn", false, "603 to blind", Some(12 * hour)),
                "registration": {
                    "registrar": "sip:carrier.example", "aor": "sip:1@carrier.example", "until_unix_ms": null,
                    "because": "403 Forbidden", "again_unix_ms": 10 * hour + 40_000,
                },
            }],
            "desks": [{
                "name": "anna", "calls": 1, "up": false, "resting_until_unix_ms": null, "early_drops": 2, "handoffs": 40,
                "targets": [{"at": "192.0.2.7:5060/udp", "up": false}, {"at": "192.0.2.8:5060/tcp", "up": true}],
                "refer": able("unknown", "yes", true, "", None),
                "replaces": able("proven", "learn", true, "took one", None), "blind": null,
                "telephones": [{"at": "udp 192.0.2.9:5060", "agent": "baresip", "since_unix_ms": 10 * hour - 9_000}],
            }],
        });
        let text = render(&value);
        let expected = [
            "TRUNKS calls REFER Replaces blind answers handoffs early drops",
            "carrier 3 no, refused (again in 23 h) no, unknown no, refused (again in 2 h) not asked 12 released, 1 refused -",
            "  NOT REGISTERED at sip:carrier.example as sip:1@carrier.example: 403 Forbidden; asked again in 40 s",
            "  REFER: 603 to REFER, 5 s ago",
            "  telephone udp 192.0.2.9:5060 (baresip), registered 9 s ago",
            "  blind: 603 to blind, 5 s ago",
            "DESKS calls REFER Replaces blind answers handoffs early drops",
            "anna 1 yes, set yes, proven - DOWN 40 2",
            "  192.0.2.7:5060/udp: DOWN",
            "  192.0.2.8:5060/tcp: up",
            "  Replaces: took one, 5 s ago",
        ];
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for line in expected {
            assert!(text.lines().any(|have| squeeze(have) == squeeze(line)), "{line}\nis not in\n{text}");
        }
        assert!(text.contains("refer = \"yes\" | \"no\" | \"learn\""), "{text}");
    }
}
