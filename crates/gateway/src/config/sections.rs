//! Section by section from TOML to [`Settings`], then what only shows across sections.

use super::callbacks;
use super::digits;
use super::http;
use super::interfaces;
use super::pages;
use super::peers::{Hop, codec, overlap, reach, refer_to, stream_url, target, via};
use super::prompts;
use super::reader::{Complaints, Section, ip, network, socket};
use super::recording::{self, record};
use super::registering;
use super::routes::{self, Names};
use super::routing::{language, routing};
use super::settings::{ListenSettings, RtpSettings, Settings, SipListen, SipSettings, TlsSettings};
use super::signalling::{admits, caller_id, check_numbers, keys_need_tls, number, pass_headers, signalling};
use super::warnings;
use crate::identity::identity;
use crate::resolve::Lookup;
use crate::sip_streams::Tls;
use call_core::profile::{self, built_in};
use call_core::{
    Abilities, AcceptGate, Bot, BotReach, Desk, Handover, Manual, OnBotClose, OnBotRefusal, Profile, Release, Route,
    Signalling, SwitchboardConfig, Timers, Trunk,
};
use call_model::{Codec, DeskId, InterfaceId, Party, SrtpUse};
use escalation::Rules;
use http_api::DeskLogin;
use sip_proto::{Registrar, Transport};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// `None` only with complaints; with complaints the value is good for nothing but finding further ones.
pub(super) fn read(mut root: Section, complaints: &Complaints, base: &Path) -> Option<Settings> {
    let (mut sip, registrar) = sip(root.section("sip"), base);
    let (bind, threads, media_ip, rtp_ports) = rtp(root.section("rtp"));
    let more = root.sections("interfaces").into_iter().enumerate();
    let more = more.filter_map(|(at, section)| interfaces::another(section, InterfaceId(at + 1)));
    let sides: Vec<_> = core::iter::once(interfaces::first(sip.listen, bind, media_ip)).chain(more).collect();
    interfaces::check_sides(&sides, complaints);
    let (interfaces, listen, bind) = interfaces::interfaces(sides);
    sip.listen = listen;
    need_certificate(&sip, complaints);
    let rtp = RtpSettings { bind, threads };
    let mut http = http::read(root.section("http"), base);
    let [trunks, bots, desks] = ["trunks", "bots", "desks"].map(|key| root.sections(key));
    let names = Names::of(&trunks, &bots, &desks);
    let mut lookups = Vec::new();
    let trunks: Vec<Trunk> = trunks.into_iter().filter_map(|section| trunk(section, &sip)).collect();
    let bots: Vec<Bot> = bots.into_iter().filter_map(|section| bot(section, &mut lookups)).collect();
    let desks = desks.into_iter().filter_map(|section| desk(section, complaints, base, &mut lookups));
    let desks: Vec<(Desk, Option<DeskLogin>)> = desks.collect();
    let routes = root.sections("routes").into_iter().enumerate();
    let routes: Vec<(usize, Route)> = routes.filter_map(|(at, section)| Some((at, routes::route(section)?))).collect();
    names.check(&routes, complaints);
    let routes = routes.into_iter().map(|(_, route)| route).collect();
    let (rules, rules_file) = rules(root.section("rules"), complaints, base);
    let listen = model(root.section("model"), base);
    let sounds = prompts::sounds(root.section("prompts"), base);
    let (ledger, keep_facts) = ledger(root.section("ledger"), base);
    let (recording, recorder, recordings) = recording::recording(root.section("recording"), base, &mut lookups);
    let callbacks = callbacks::callbacks(root.section("callbacks"));
    let voicemail = callbacks::voicemail(root.section("voicemail"));
    let (timers, drain_max, drain_to_human) = timers(root.section("timers"));
    let (order, head_starts) = routing(root.section("routing"));
    let (call_limit, new_requests_per_s) = limits(root.section("limits"));
    root.finish();

    let desk_has_page: Vec<bool> = desks.iter().map(|(_, login)| login.is_some()).collect();
    let (desks, logins): (Vec<Desk>, Vec<Option<DeskLogin>>) = desks.into_iter().unzip();
    http.api.desks = logins.into_iter().flatten().collect();
    let switchboard = SwitchboardConfig {
        trunks,
        bots,
        desks,
        routes,
        interfaces,
        names: sip.names.clone(),
        rtp_ports,
        timers,
        rules,
        package_url_base: http.public_url.as_ref().map(|url| package_url(url)),
        call_limit,
        new_requests_per_s,
        registrar,
        order,
        head_starts,
        places_spoken: sounds.places(),
        recording,
        recorder,
        callbacks,
        voicemail,
        drain_to_human,
        user_agent: user_agent(),
    };
    let mut settings = Settings {
        switchboard,
        lookups,
        sip,
        rtp,
        http,
        listen,
        sounds,
        ledger,
        keep_facts,
        rules_file,
        recordings,
        drain_max,
        warnings: Vec::new(),
    };
    recording::check(&settings.switchboard, settings.recordings.is_some(), complaints);
    interfaces::check_named(&settings, complaints);
    callbacks::check(&settings, complaints);
    reachability(&settings, complaints);
    registering::check(&settings, complaints);
    check_numbers(&settings, complaints);
    exposure(&settings, complaints);
    pages::check_routes(&settings, complaints);
    settings.warnings = warnings::warnings(&settings, &desk_has_page);
    Some(settings)
}

/// Where a package is fetched: the handoff id is appended.
pub(crate) fn package_url(public_url: &str) -> String {
    format!("{public_url}/v1/handoffs/")
}

fn user_agent() -> String {
    format!("Warmline/{}", env!("CARGO_PKG_VERSION"))
}

fn sip(mut section: Section, base: &Path) -> (SipSettings, Registrar) {
    let listen = interfaces::listening(&mut section, InterfaceId::default(), interfaces::usual());
    let settings = SipSettings {
        listen,
        names: section.list("names", own_name).unwrap_or_default(),
        dns: section.list("dns", socket).unwrap_or_default(),
        max_connections: as_size(section.number("max_connections", 1..=100_000, 512)),
        idle_timeout: Duration::from_secs(section.number("idle_timeout_s", 10..=86_400, 600)),
        tls: tls(section.section("tls"), base),
    };
    let registrar = registering::registrar(section.section("registrar"));
    section.finish();
    (settings, registrar)
}

fn need_certificate(sip: &SipSettings, complaints: &Complaints) {
    let secure = |one: &&SipListen| one.transport.is_secure();
    if let Some(one) = sip.listen.iter().find(secure).filter(|_| sip.tls.certificate.is_none()) {
        let path = match one.interface.0.checked_sub(1) {
            None => "sip.listen".to_owned(),
            Some(at) => format!("interfaces[{at}].listen"),
        };
        complaints.add(path, format!("holds {}:, which needs [sip.tls] with certificate and key", one.transport));
    }
}

/// Certificates are read here once, so that a wrong one is a complaint and no surprise.
fn tls(mut section: Section, base: &Path) -> TlsSettings {
    let mut file = |key| section.text(key, |text| Ok(base.join(text)));
    let (certificate, key) = (file("certificate"), file("key"));
    let (ca, client_ca) = (file("ca"), file("client_ca"));
    let missing = match (&certificate, &key) {
        (Some(_), None) => Some("key"),
        (None, Some(_)) => Some("certificate"),
        _ => None,
    };
    if let Some(key) = missing {
        section.complain(key, "is missing: certificate and key belong together");
    }
    let settings = TlsSettings { certificate: certificate.zip(key), ca, client_ca };
    if settings.client_ca.is_some() && settings.certificate.is_none() {
        section.complain(
            "client_ca",
            "asks callers for certificates, but we have none ourselves: set certificate and key",
        );
    }
    if let Err(problem) = Tls::load(&settings) {
        section.complain("certificate", problem);
    }
    section.finish();
    settings
}

/// A host name of ours.
fn own_name(text: &str) -> Result<String, String> {
    match sip_wire::Host::parse(text) {
        Ok(host) if host.ip().is_none() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no host name: write \"gw.example.com\"; our own addresses need not be listed")),
    }
}

fn rtp(mut section: Section) -> (IpAddr, Option<usize>, IpAddr, (u16, u16)) {
    let bind = section.text("address", ip).unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let advertised = section.text("advertised", ip);
    if bind.is_unspecified() && advertised.is_none() {
        section.complain(
            "address",
            format!("{bind} means every address, so peers must be told which: set rtp.advertised"),
        );
    }
    let (low, high) = section.pair("ports", (20_000, 29_999));
    let ports = match (u16::try_from(low), u16::try_from(high)) {
        (Ok(low), Ok(high)) if low >= 1024 && high > low => (low, high),
        _ => {
            section.complain(
                "ports",
                format!("[{low}, {high}] is no range: the first at least 1024, the second higher, at most 65535"),
            );
            (20_000, 29_999)
        }
    };
    if ports.1 - ports.0 < 7 {
        section.complain("ports", "holds fewer than 4 pairs: one call with a handoff needs three");
    }
    let threads = as_size(section.number("threads", 0..=64, 0));
    section.finish();
    (bind, (threads > 0).then_some(threads), advertised.unwrap_or(bind), ports)
}

pub(super) fn codecs(section: &mut Section) -> Vec<Codec> {
    let listed = section.list("codecs", codec);
    if listed.as_ref().is_some_and(Vec::is_empty) {
        section.complain("codecs", "is empty: name at least one codec");
    }
    listed.unwrap_or_else(|| vec![Codec::Pcmu, Codec::Pcma])
}

fn trunk(mut section: Section, sip: &SipSettings) -> Option<Trunk> {
    let name = section.required("name", "\"carrier\"", plain_name);
    let addresses = section.list("addresses", network);
    if addresses.as_ref().is_none_or(Vec::is_empty) {
        section.complain("addresses", "names nobody: list where its SIP comes from, such as [\"192.0.2.0/28\"]");
    }
    let release = section.text("release", |text| match text {
        "auto" => Ok(Release::Auto),
        "stay" => Ok(Release::Stay),
        "refer" => Ok(Release::Refer),
        _ => Err(format!("`{text}` is not known: auto, stay or refer")),
    });
    let abilities = abilities(&mut section);
    let release = release.unwrap_or_default();
    if release == Release::Refer && (abilities.refer == Manual::No || abilities.replaces == Manual::No) {
        section.complain(
            "release",
            "is \"refer\" for a trunk that cannot, as refer or replaces says: one of them is wrong",
        );
    }
    let refer_to = section.text("refer_to", refer_to).unwrap_or_default();
    let allowed_media = section.list("allowed_media", network).unwrap_or_default();
    let codecs = codecs(&mut section);
    let early_media = section.flag("early_media", false);
    let record = section.text("record", record);
    let outbound = callbacks::call_out(&mut section);
    let (admits, register) = (admits(&mut section), registering::register(&mut section));
    let (pass_headers, number) = (pass_headers(&mut section), number(&mut section));
    let signalling = Signalling { admits, register, pass_headers, number, early_media, ..signalling(&mut section) };
    // Which way it comes is known only then; there must be a way that hides the keys.
    let transport = sip.listen.iter().map(|one| one.transport).find(|transport| transport.is_secure());
    keys_need_tls(&section, &signalling, transport.unwrap_or(Transport::Udp));
    section.finish();
    Some(Trunk {
        name: name?,
        addresses: addresses?,
        release,
        abilities,
        refer_to,
        allowed_media,
        codecs,
        record,
        outbound,
        signalling,
    })
}

/// What the operator knows of a peer, where it is not to be learned.
fn abilities(section: &mut Section) -> Abilities {
    let mut one = |key| {
        let word = section.text(key, |text| match text {
            "learn" => Ok(Manual::Learn),
            "yes" => Ok(Manual::Yes),
            "no" => Ok(Manual::No),
            _ => Err(format!("`{text}` is not known: learn, yes or no")),
        });
        word.unwrap_or_default()
    };
    Abilities { refer: one("refer"), replaces: one("replaces") }
}

fn bot(mut section: Section, lookups: &mut Vec<Lookup>) -> Option<Bot> {
    let name = section.required("name", "\"helper\"", plain_name);
    let said = section.peek("sip").or(section.peek("stream")).is_some();
    let sip = section.text("sip", target);
    let stream = section.text("stream", stream_url);
    let transport = sip.as_ref().map(|(_, hop)| hop.transport);
    let mut lookup = None;
    let reach = match (sip, stream) {
        (Some(_), Some(_)) => {
            section.complain("stream", "and sip are both given: a bot is reached one way, remove the other");
            None
        }
        (Some((uri, hop)), None) => {
            lookup = name.as_ref().and_then(|name| hop.lookup(Party::Bot, name, false));
            Some(BotReach::Sip { uri, targets: hop.targets(), host: hop.host() })
        }
        (None, Some(url)) => Some(BotReach::Stream { url }),
        (None, None) if said => None,
        (None, None) => {
            section.complain(
                "sip",
                "is missing: write sip = \"sip:{user}@HOST:PORT\" or stream = \"ws://HOST:PORT/PATH\"",
            );
            None
        }
    };
    let on_close = section.text("on_close", |text| match text {
        "hang_up" => Ok(OnBotClose::HangUp),
        "handoff" => Ok(OnBotClose::Handoff),
        _ => Err(format!("`{text}` is not known: hang_up or handoff")),
    });
    let on_refusal = section.text("on_refusal", |text| match text {
        "refuse" => Ok(OnBotRefusal::Refuse),
        "handoff" => Ok(OnBotRefusal::Handoff),
        _ => Err(format!("`{text}` is not known: refuse or handoff")),
    });
    let allowed_media = section.list("allowed_media", network).unwrap_or_default();
    let codecs = codecs(&mut section);
    let signalling = signalling(&mut section);
    if let Some(transport) = transport {
        keys_need_tls(&section, &signalling, transport);
    }
    section.finish();
    lookups.extend(lookup.map(|lookup| Lookup { interface: signalling.interface.clone(), ..lookup }));
    Some(Bot {
        name: name?,
        reach: reach?,
        codecs,
        on_close: on_close.unwrap_or_default(),
        on_refusal: on_refusal.unwrap_or_default(),
        allowed_media,
        signalling,
    })
}

fn desk(
    mut section: Section,
    complaints: &Complaints,
    base: &Path,
    lookups: &mut Vec<Lookup>,
) -> Option<(Desk, Option<DeskLogin>)> {
    let name = section.required("name", "\"alice\"", plain_name);
    let accept = section.text("accept", |text| match text {
        "key" => Ok(AcceptGate::KeyOrPage),
        "auto" => Ok(AcceptGate::Auto),
        _ => Err(format!("`{text}` is not known: key (press 1, or the page) or auto (answering is accepting)")),
    });
    let handover = handover(&mut section, accept);
    let address = section.text("address", via);
    let by_trunk = handover == Handover::Refer && address.is_none();
    let seat = registering::seat(&mut section);
    let mut post_digits = section.text("post_digits", digits::post_digits);
    let browser = pages::browser(&mut section, (address.is_some(), seat.is_some(), post_digits.is_some()), handover);
    let target = match &seat {
        // Its page says when it is there.
        _ if browser => Some(("sip:page@browser.invalid".to_owned(), None)),
        None => section.required("sip", "\"sip:alice@192.0.2.9:5060\"", |text| {
            let (text, keys) = digits::split_target(text);
            if let Some(keys) = keys {
                post_digits = Some(digits::post_digits(keys)?);
            }
            reach(text, address, handover == Handover::Refer)
        }),
        // Its telephone says where it is.
        Some(seat) => {
            if handover == Handover::Refer {
                section.complain("handover", "is \"refer\", but the trunk does not know telephones that register here");
            }
            let given = [("sip", section.string("sip").is_some()), ("address", address.is_some())];
            for (key, _) in given.iter().filter(|(_, given)| *given) {
                section.complain(key, "and register are both given: a telephone that registers says where it is");
            }
            Some((format!("sip:{}@registered.invalid", seat.user), None))
        }
    };
    if post_digits.is_some() && handover == Handover::Refer {
        section.complain("post_digits", "cannot be pressed where the trunk calls the desk: take them out");
    }
    let profile = profile(&mut section, complaints, base);
    let whisper = section.flag("whisper", profile.whisper);
    let display = section.string("display");
    let page_token = section.secret("page_token");
    let codecs = codecs(&mut section);
    let skills = section.list("skills", |skill| Ok(skill.to_owned())).unwrap_or_default();
    let languages = section.list("languages", language).unwrap_or_default();
    let seniority = section.number("seniority", 0..=100, 0);
    let capacity = section.number("capacity", 1..=10_000, 1);
    let priority = section.number("priority", 0..=1000, 10);
    let after_call = Duration::from_secs(section.number("after_call_s", 0..=3600, 0));
    let require_page = section.flag("require_page", browser);
    if browser && capacity > 1 {
        section.complain("capacity", "is more than 1, but a page talks with one caller at a time: take it out");
    }
    if browser && !require_page {
        section.complain("require_page", "is false, but without its page nobody is at this desk");
    }
    if require_page && page_token.is_none() {
        section.complain("require_page", "needs page_token, or the desk would never be rung".to_owned());
    }
    let replaces_from = section.list("replaces_from", network).unwrap_or_default();
    let multipart = section.flag("multipart", false);
    if multipart && !profile.multipart {
        let what = format!("the profile {} says that it refuses a second part: take it out", profile.name);
        section.complain("multipart", what);
    }
    let abilities = match abilities(&mut section) {
        _ if browser => Abilities { refer: Manual::No, replaces: Manual::No },
        abilities => abilities,
    };
    let allowed_media = section.list("allowed_media", network).unwrap_or_default();
    let mut signalling = Signalling { seat, caller_id: caller_id(&mut section), ..signalling(&mut section) };
    if browser {
        match identity() {
            Ok(identity) => signalling.srtp = SrtpUse::Dtls(identity.fingerprint()),
            Err(error) => section.complain("audio", format!("no certificate can be made for it: {error}")),
        }
    }
    if let Some((_, Some(hop))) = &target {
        keys_need_tls(&section, &signalling, hop.transport);
    }
    section.finish();
    let (name, (uri, hop)) = (name?, target?);
    let lookup = hop.as_ref().and_then(|hop| hop.lookup(Party::Desk, &name, by_trunk));
    lookups.extend(lookup.map(|lookup| Lookup { interface: signalling.interface.clone(), ..lookup }));
    let login = page_token.map(|token| DeskLogin {
        desk: DeskId(name.clone()),
        display,
        token,
        skills: skills.clone(),
        browser,
    });
    let desk = Desk {
        name,
        uri,
        targets: hop.as_ref().map(Hop::targets).unwrap_or_default(),
        host: hop.and_then(|hop| hop.host()),
        browser,
        handover,
        accept: accept.unwrap_or(profile.accept),
        whisper,
        codecs,
        skills,
        languages,
        seniority: u8::try_from(seniority).unwrap_or(u8::MAX),
        capacity: as_u16(capacity),
        priority: as_u16(priority),
        require_page,
        after_call,
        replaces_from,
        multipart,
        post_digits: post_digits.unwrap_or_default(),
        profile: Arc::new(profile),
        abilities,
        allowed_media,
        signalling,
    };
    Some((desk, login))
}

/// How callers get to a desk.
fn handover(section: &mut Section, accept: Option<AcceptGate>) -> Handover {
    let handover = section.text("handover", |text| match text {
        "warm" => Ok(Handover::Warm),
        "cold" => Ok(Handover::Cold),
        "refer" => Ok(Handover::Refer),
        _ => Err(format!(
            "`{text}` is not known: warm (asked first), cold (joined on answer) or refer (the trunk calls it)"
        )),
    });
    let handover = handover.unwrap_or_default();
    if handover != Handover::Warm && accept == Some(AcceptGate::KeyOrPage) {
        let what = "is \"key\", but only a warm handover asks for a key: take it out, or set handover = \"warm\"";
        section.complain("accept", what.to_owned());
    }
    handover
}

/// A built-in profile by its name, or one of the operator's own by its file.
fn profile(section: &mut Section, complaints: &Complaints, base: &Path) -> Profile {
    let path = section.path_of("profile");
    let Some(named) = section.string("profile") else { return Profile::default() };
    if let Some(profile) = built_in(&named) {
        return profile;
    }
    if !named.ends_with(".toml") {
        let known: Vec<&str> = profile::names().collect();
        complaints.add(path, format!("`{named}` is not built in: one of {}, or a file FILE.toml", known.join(", ")));
        return Profile::default();
    }
    let file = base.join(named);
    match std::fs::read_to_string(&file) {
        Err(error) => complaints.add(path, format!("cannot read {}: {error}", file.display())),
        Ok(text) => match Profile::parse(&text) {
            Ok(profile) => return profile,
            Err(found) => {
                for complaint in found {
                    complaints.add(format!("{path} ({})", file.display()), complaint.to_string());
                }
            }
        },
    }
    Profile::default()
}

fn rules(mut section: Section, complaints: &Complaints, base: &Path) -> (Arc<Rules>, Option<PathBuf>) {
    let file = section.text("file", |text| Ok(base.join(text)));
    let path = section.path_of("file");
    section.finish();
    let read = file.as_deref().map_or_else(|| Ok(Rules::default_pack()), crate::rule_files::load);
    let rules = read.unwrap_or_else(|found| {
        for complaint in found {
            complaints.add(path.clone(), complaint);
        }
        Rules::default_pack()
    });
    (Arc::new(rules), file)
}

fn model(mut section: Section, base: &Path) -> ListenSettings {
    let existing = |text: &str| {
        let path = base.join(text);
        if path.is_file() { Ok(path) } else { Err(format!("there is no file {}", path.display())) }
    };
    let settings = ListenSettings {
        model: section.text("path", existing),
        adapter: section.text("adapter", existing),
        onnxruntime: section.text("onnxruntime", existing),
        workers: as_size(section.number("workers", 1..=64, 1)),
    };
    section.finish();
    settings
}

fn ledger(mut section: Section, base: &Path) -> (ledger::Place, Option<Duration>) {
    let place = section.text("path", |text| {
        Ok(if text == ":memory:" { ledger::Place::Memory } else { ledger::Place::File(base.join(text)) })
    });
    let days = section.number("keep_facts_days", 0..=3_650, 30);
    section.finish();
    let place = place.unwrap_or(ledger::Place::Memory);
    let keep = (days > 0 && place != ledger::Place::Memory).then(|| Duration::from_secs(days * 86_400));
    (place, keep)
}

fn timers(mut section: Section) -> (Timers, Duration, bool) {
    let default = Timers::default();
    let mut seconds = |key, range: std::ops::RangeInclusive<u64>, default: Duration| {
        Duration::from_secs(section.number(key, range, default.as_secs()))
    };
    let ring_timeout = seconds("ring_timeout_s", 3..=180, default.ring_timeout);
    let no_progress = seconds("no_progress_s", 1..=60, default.no_progress);
    let queue_timeout = seconds("queue_timeout_s", 3..=3600, default.queue_timeout);
    let accept_timeout = seconds("accept_timeout_s", 2..=60, default.accept_timeout);
    let proof_timeout = seconds("proof_timeout_s", 2..=60, default.proof_timeout);
    let release_after = seconds("release_after_s", 0..=3600, default.release_after);
    let refer_result_timeout = seconds("refer_result_timeout_s", 5..=180, default.refer_result_timeout);
    let introduce_timeout = seconds("introduce_timeout_s", 1..=120, default.introduce_timeout);
    let announcement_max = seconds("announcement_max_s", 0..=60, default.announcement_max);
    let bot_timeout = seconds("bot_timeout_s", 1..=60, default.bot_timeout);
    let drain_max = seconds("drain_max_s", 0..=86_400, Duration::from_secs(300));
    let drain_to_human = section.flag("drain_to_human", false);
    let pop_wait = Duration::from_millis(section.number("pop_wait_ms", 0..=2000, 20));
    let port_drain = Duration::from_millis(section.number("port_drain_ms", 0..=60_000, 5000));
    let mut every =
        |key, most, default| Some(section.number(key, 0..=most, default)).filter(|s| *s > 0).map(Duration::from_secs);
    let ping_every = every("ping_every_s", 3600, 30);
    let reply_timeout = every("reply_timeout_s", 600, 8);
    let session_expires = every("session_expires_s", 86_400, 1800);
    let waiting_prompt_every = every("waiting_prompt_every_s", 600, 20);
    section.finish();
    let timers = Timers {
        ring_timeout,
        no_progress,
        queue_timeout,
        accept_timeout,
        pop_wait,
        proof_timeout,
        release_after,
        refer_result_timeout,
        bot_timeout,
        introduce_timeout,
        announcement_max,
        port_drain,
        reply_timeout,
        waiting_prompt_every,
        session_expires,
        ping_every,
        ..default
    };
    (timers, drain_max, drain_to_human)
}

fn limits(mut section: Section) -> (usize, u32) {
    let calls = as_size(section.number("calls", 1..=100_000, 1000));
    let new_requests = section.number("new_requests_per_s", 0..=100_000, 200);
    section.finish();
    (calls, as_u32(new_requests))
}

/// Somebody can call, something happens, and requests can leave by the transport they need.
fn reachability(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    if board.trunks.is_empty() {
        complaints.add("trunks", "is empty: nobody may call; add [[trunks]] with name and addresses");
    }
    if board.routes.is_empty() {
        complaints.add("routes", "is empty: no call would be taken; add [[routes]] dialled = \"*\" and bot = \"NAME\"");
    }
    for (i, a) in board.trunks.iter().enumerate() {
        for (j, b) in board.trunks.iter().enumerate().skip(i + 1) {
            let same = a.addresses.iter().find(|a| b.addresses.iter().any(|b| overlap(**a, *b) && a.1 == b.1));
            if let Some((address, prefix)) = same {
                complaints.add(
                    format!("trunks[{j}].addresses"),
                    format!(
                        "{address}/{prefix} is also in trunks[{i}] ({}): a call from there could be either's",
                        a.name
                    ),
                );
            }
        }
    }
    let needs = |path: String, signalling: &Signalling, transport: Transport| {
        if let Some(what) = interfaces::unspoken(settings, signalling, transport) {
            complaints.add(path, what);
        }
    };
    let by_name = |about: Party, name: &str| {
        let lookup = settings.lookups.iter().find(|lookup| lookup.about == about && lookup.name == name);
        lookup.filter(|lookup| !lookup.optional).map(|lookup| lookup.transport)
    };
    for (index, trunk) in board.trunks.iter().enumerate() {
        if let Some(outbound) = &trunk.outbound {
            needs(format!("trunks[{index}].call_out"), &trunk.signalling, outbound.target.transport);
        }
    }
    for (index, bot) in board.bots.iter().enumerate() {
        if let BotReach::Sip { targets, .. } = &bot.reach {
            let fixed = targets.first().map(|target| target.transport);
            fixed
                .or_else(|| by_name(Party::Bot, &bot.name))
                .into_iter()
                .for_each(|t| needs(format!("bots[{index}].sip"), &bot.signalling, t));
        }
    }
    if let Some(recorder) = &board.recorder {
        let fixed = recorder.targets.first().map(|target| target.transport);
        let transport = fixed.or_else(|| by_name(Party::Recorder, &recorder.name));
        transport.into_iter().for_each(|t| needs("recording.recorder.sip".to_owned(), &recorder.signalling, t));
    }
    for (index, desk) in board.desks.iter().enumerate() {
        let fixed = desk.targets.first().map(|target| target.transport);
        fixed
            .or_else(|| by_name(Party::Desk, &desk.name))
            .into_iter()
            .for_each(|t| needs(format!("desks[{index}].sip"), &desk.signalling, t));
    }
}

/// Tokens that anybody could guess do not face a network.
fn exposure(settings: &Settings, complaints: &Complaints) {
    let http = &settings.http;
    if http.bind.ip().is_loopback() && http.https.as_ref().is_none_or(|https| https.bind.ip().is_loopback()) {
        return;
    }
    let weak = |token: &call_model::Secret| token.expose().len() < 16;
    let advice = "is shorter than 16 characters while [http] faces a network: use `openssl rand -hex 16`";
    for login in settings.http.api.desks.iter().filter(|login| weak(&login.token)) {
        complaints.add(format!("desks ({}).page_token", login.desk), advice);
    }
    if settings.http.api.admin_token.as_ref().is_some_and(weak) {
        complaints.add("http.admin_token", advice);
    }
}

pub(super) fn plain_name(text: &str) -> Result<String, String> {
    if text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` should be at most 64 of a-z, 0-9, - _ . since it appears in URLs and metrics"))
    }
}

pub(super) fn as_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn as_size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn as_u16(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
