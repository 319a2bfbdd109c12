//! Who gets which number, and whether the names in the file fit together.

use super::peers::pattern;
use super::reader::{Complaints, Section};
use super::recording::{record, record_to};
use call_core::{
    Choreography, CoPilot, HandBack, Introduce, OnHumanGone, Otherwise, Pattern, Route, RouteTo, Way, WhileConsulting,
};
use call_model::Urgency;
use std::collections::BTreeSet;

pub(super) fn route(mut section: Section) -> Option<Route> {
    let dialled = section.required("dialled", "\"*\"", pattern);
    let to = match (section.string("bot"), section.string("desk")) {
        (Some(bot), None) => Some(RouteTo::Bot(bot)),
        (None, Some(desk)) => Some(RouteTo::Desk(desk)),
        (Some(_), Some(_)) => {
            section.complain("desk", "and bot are both given: a route leads to one, remove the other");
            None
        }
        (None, None) => {
            section.complain("bot", "is missing: write bot = \"NAME\" or desk = \"NAME\"");
            None
        }
    };
    let listen = section.flag("listen", true);
    let while_consulting = section.text("while_consulting", |text| match text {
        "bot" => Ok(WhileConsulting::Bot),
        "music" => Ok(WhileConsulting::Music),
        _ => Err(format!("`{text}` is not known: bot or music")),
    });
    let choreography = choreography(&mut section);
    let on_human_gone = section.text("on_human_gone", |text| match text {
        "bot" => Ok(OnHumanGone::Bot),
        "next_desk" => Ok(OnHumanGone::NextDesk),
        _ => Err(format!("`{text}` is not known: bot or next_desk")),
    });
    let record = section.text("record", record);
    let record_to = section.text("record_to", record_to);
    let queue = super::routing::queue(section.section("queue"));
    let otherwise = section.sections("otherwise").into_iter().filter_map(otherwise).collect();
    section.finish();
    Some(Route {
        dialled: dialled?,
        to: to?,
        listen,
        while_consulting: while_consulting.unwrap_or_default(),
        choreography,
        on_human_gone: on_human_gone.unwrap_or_default(),
        record,
        record_to,
        queue,
        otherwise,
    })
}

/// What is done for callers whom no human can take.
fn otherwise(mut section: Section) -> Option<Otherwise> {
    let urgency = section.text("urgency", |text| match text {
        "normal" => Ok(Urgency::Normal),
        "high" => Ok(Urgency::High),
        "emergency" => Ok(Urgency::Emergency),
        _ => Err(format!("`{text}` is not known: normal, high or emergency")),
    });
    let open = section.text("hours", |text| match text {
        "open" => Ok(true),
        "closed" => Ok(false),
        _ => Err(format!("`{text}` is not known: open or closed")),
    });
    let wish = section.string("wish");
    let then = section.required("then", "\"callback\"", |text| match text {
        "bot" => Ok(Way::Bot),
        "callback" => Ok(Way::Callback),
        "voicemail" => Ok(Way::Voicemail),
        _ => Err(format!("`{text}` is not known: bot, callback or voicemail")),
    });
    section.finish();
    Some(Otherwise { urgency, open, wish, then: then? })
}

fn choreography(section: &mut Section) -> Choreography {
    let introduce = section.text("introduce", |text| match text {
        "none" => Ok(Introduce::None),
        "three_way" => Ok(Introduce::ThreeWay),
        other => Err(format!("`{other}` is not known: write \"none\" or \"three_way\"")),
    });
    let co_pilot = section.text("co_pilot", |text| match text {
        "off" => Ok(CoPilot::Off),
        "silent" => Ok(CoPilot::Silent),
        "heard" => Ok(CoPilot::Heard),
        other => Err(format!("`{other}` is not known: write \"off\", \"silent\" or \"heard\" (by the human)")),
    });
    let hand_back = section.text("hand_back", |text| match text {
        "no" => Ok(HandBack::No),
        "yes" => Ok(HandBack::Yes),
        "required" => Ok(HandBack::Required),
        other => Err(format!("`{other}` is not known: write \"no\", \"yes\" or \"required\"")),
    });
    let hand_back_keys = section.text("hand_back_keys", keys);
    Choreography {
        introduce: introduce.unwrap_or_default(),
        co_pilot: co_pilot.unwrap_or_default(),
        hand_back: hand_back.unwrap_or_default(),
        hand_back_keys: hand_back_keys.unwrap_or_else(|| Choreography::default().hand_back_keys),
    }
}

/// A sequence of keys on a telephone; none is none.
fn keys(text: &str) -> Result<String, String> {
    let known = text.chars().all(|key| matches!(key, '0'..='9' | '*' | '#'));
    match text.len() {
        _ if !known => Err(format!("`{text}` has keys that no telephone has: use 0 to 9, * and #")),
        1 => Err(format!("`{text}` is pressed too easily by accident: write 2 to 8 keys, or \"\" for none")),
        0 | 2..=8 => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is too long to press: write 2 to 8 keys")),
    }
}

/// The names in the file, also of what is wrong in another way: one mistake is not told as two.
pub(super) struct Names {
    trunks: Vec<Option<String>>,
    bots: Vec<Option<String>>,
    desks: Vec<Option<String>>,
}

impl Names {
    pub(super) fn of(trunks: &[Section], bots: &[Section], desks: &[Section]) -> Self {
        let of =
            |sections: &[Section]| sections.iter().map(|section| section.peek("name").map(str::to_owned)).collect();
        Self { trunks: of(trunks), bots: of(bots), desks: of(desks) }
    }

    /// Names are unique, and those a route mentions exist. `routes`: with their places in the file.
    pub(super) fn check(&self, routes: &[(usize, Route)], complaints: &Complaints) {
        unique("trunks", &self.trunks, complaints);
        unique("bots", &self.bots, complaints);
        unique("desks", &self.desks, complaints);
        for (index, route) in routes {
            let (kind, name, known) = match &route.to {
                RouteTo::Bot(name) => ("bot", name, &self.bots),
                RouteTo::Desk(name) => ("desk", name, &self.desks),
            };
            let known: Vec<&str> = known.iter().flatten().map(String::as_str).collect();
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                complaints.add(
                    format!("routes[{index}].{kind}"),
                    format!("there is no {kind} `{name}`: add [[{kind}s]] name = \"{name}\"; configured: {known}"),
                );
            }
        }
    }
}

fn unique(section: &str, names: &[Option<String>], complaints: &Complaints) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(name) = name.as_ref().filter(|name| !seen.insert(*name)) {
            complaints.add(format!("{section}[{index}].name"), format!("`{name}` is taken: give each its own name"));
        }
    }
}

/// Routes behind one that takes all that they would take: the first that fits has the call.
pub(super) fn never_reached(routes: &[Route]) -> impl Iterator<Item = String> + '_ {
    routes.iter().enumerate().filter_map(|(index, route)| {
        let before = routes[..index].iter().position(|before| covers(&before.dialled, &route.dialled))?;
        Some(format!("routes[{index}] is never reached: routes[{before}] comes before it and takes all it would take"))
    })
}

fn covers(all: &Pattern, part: &Pattern) -> bool {
    match (all, part) {
        (Pattern::Any, _) => true,
        (Pattern::Prefix(all), Pattern::Prefix(part) | Pattern::Exact(part)) => part.starts_with(all.as_str()),
        (Pattern::Exact(all), Pattern::Exact(part)) => all == part,
        (_, Pattern::Any) | (Pattern::Exact(_), Pattern::Prefix(_)) => false,
    }
}
