//! What operators get told.

use super::*;
use call_core::{AcceptGate, HandBack, Profile};
use sip_proto::Transport;

fn checked(text: &str) -> Result<Settings, Vec<String>> {
    parse(text, "test.toml", Path::new(".")).map_err(|error| match error {
        ConfigError::Wrong { complaints, .. } => complaints.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    })
}

const SMALL: &str = r#"
[[trunks]]
name = "t"
addresses = ["127.0.0.11"]
[[bots]]
name = "b"
sip = "sip:{user}@127.0.0.12:5091"
[[routes]]
dialled = "*"
bot = "b"
"#;

#[test]
fn the_shipped_file_is_valid_and_holds_the_documented_defaults() {
    let settings = checked(DEFAULT).expect("the default must be valid");
    assert_eq!(settings.http.bind.to_string(), "127.0.0.1:8088");
    assert_eq!(settings.switchboard.rtp_ports, (20_000, 29_999));
    let [main] = settings.switchboard.interfaces.all().collect::<Vec<_>>()[..] else { panic!("more than one") };
    assert_eq!(main.sip.udp.expect("udp").to_string(), "127.0.0.1:5060");
    assert_eq!(main.sip.tcp.expect("tcp").to_string(), "127.0.0.1:5060");
    let asked = std::time::Duration::from_secs(30);
    let timers = call_core::Timers { ping_every: Some(asked), ..call_core::Timers::default() };
    assert_eq!(settings.switchboard.timers, timers);
    assert!(settings.warnings.iter().any(|warning| warning.contains("release")), "{:?}", settings.warnings);
}

#[test]
fn a_route_says_how_a_caller_comes_back_to_the_bot() {
    let of = |more: &str| {
        let settings = checked(&format!("{SMALL}{more}")).expect("valid");
        settings.switchboard.routes[0].choreography.clone()
    };
    assert_eq!(of(""), call_core::Choreography::default());
    let given = of("hand_back = \"required\"\nhand_back_keys = \"**#\"");
    assert_eq!((given.hand_back, given.hand_back_keys.as_str()), (HandBack::Required, "**#"));
    assert_eq!(of("hand_back_keys = \"\"").hand_back_keys, "");
    for keys in ["9", "123456789", "*9 "] {
        let complaints = checked(&format!("{SMALL}hand_back_keys = \"{keys}\"")).expect_err("no such keys");
        assert!(complaints[0].starts_with("routes[0].hand_back_keys"), "{complaints:?}");
    }
}

#[test]
fn who_gets_a_caller_and_who_waits_is_said_or_named() {
    let routed = "[routes.queue]\nmax_wait_s = 60\n[routing]\nbetween_equals = \"longest_idle\"\nvip_ahead_s = 7\n";
    let desk = "[[desks]]\nname = \"d\"\nsip = \"sip:d@192.0.2.9\"\nlanguages = [\"es\", \"pt-BR\"]\nseniority = 3\n";
    let board = checked(&format!("{SMALL}{routed}{desk}")).expect("valid").switchboard;
    let queue = board.routes[0].queue.expect("they wait");
    assert_eq!((queue.max_wait.as_secs(), queue.max_length), (60, 50));
    assert_eq!((board.order, board.head_starts.vip.as_secs()), (call_core::Order::LongestIdle, 7));
    assert_eq!(board.head_starts.emergency, call_core::HeadStarts::default().emergency);
    assert_eq!((board.desks[0].languages.len(), board.desks[0].seniority), (2, 3));
    assert_eq!(checked(SMALL).expect("valid").switchboard.routes[0].queue, None);
    let wrong = format!(
        "{SMALL}[routes.queue]\nmax_wait_s = 1\nlength = 2\n[routing]\nbetween_equals = \"fair\"\n{}",
        desk.replace("pt-BR", "Portuguese")
    );
    let complaints = checked(&wrong).expect_err("wrong").join("\n");
    for part in
        ["routes[0].queue.max_wait_s", "routes[0].queue.length", "routing.between_equals", "desks[0].languages[1]"]
    {
        assert!(complaints.contains(part), "{part} in {complaints}");
    }
}

#[test]
fn the_shipped_file_mentions_every_setting() {
    let complaints = Complaints::default();
    let table = toml::from_str(DEFAULT).expect("TOML");
    sections::read(Section::root(table, &complaints), &complaints, Path::new(".")).expect("valid");
    let settings = complaints.asked();
    assert!(settings.len() > 40, "{settings:?}");
    for key in settings {
        let documented = DEFAULT.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{key} ="))
                || line.starts_with(&format!("[{key}]"))
                || line.starts_with(&format!("[sip.{key}]"))
                || line.starts_with(&format!("[[{key}]]"))
                || line.ends_with(&format!(".{key}]"))
                || line.ends_with(&format!(".{key}]]"))
                || line.contains(&format!("Or {key} ="))
        });
        assert!(documented, "{key} is not in config/warmline.toml");
    }
}

#[test]
fn what_is_left_out_has_the_value_of_the_shipped_file() {
    let (small, shipped) = (checked(SMALL).expect("valid"), checked(DEFAULT).expect("valid"));
    assert_eq!(small.switchboard.timers, shipped.switchboard.timers);
    assert_eq!(small.switchboard.call_limit, shipped.switchboard.call_limit);
    assert_eq!(small.switchboard.interfaces, shipped.switchboard.interfaces);
    assert_eq!(small.drain_max, shipped.drain_max);
    assert_eq!(small.sip.max_connections, shipped.sip.max_connections);
    assert_eq!(small.sip.idle_timeout, shipped.sip.idle_timeout);
    assert_eq!(small.listen.workers, shipped.listen.workers);
    assert_eq!(small.switchboard.trunks[0].release, shipped.switchboard.trunks[0].release);
    assert_eq!(small.switchboard.routes[0].listen, shipped.switchboard.routes[0].listen);
}

#[test]
fn every_complaint_is_listed_at_once_with_its_path() {
    let complaints = checked(
        r#"
        colour = "red"
        [sip]
        listen = ["udp:0.0.0.0:5060", "sctp:1.2.3.4:5060"]
        max_conections = 4
        [rtp]
        ports = [30000, 20000]
        [http]
        listen = "0.0.0.0:8088"
        admin_token = "env:WARMLINE_SURELY_NOT_SET"
        [[trunks]]
        name = "a b"
        addresses = ["carrier.example"]
        release = "maybe"
        refer = "perhaps"
        [[bots]]
        name = "b"
        [[desks]]
        name = "d"
        sip = "tel:+44"
        [[routes]]
        dialled = "1*2"
        bot = "nobody"
        hand_back = "perhaps"
        hand_back_keys = "*A"
        [timers]
        ring_timeout_s = "long"
        "#,
    )
    .expect_err("all wrong");
    for path in [
        "colour",
        "sip.listen[0]",
        "sip.listen[1]",
        "sip.max_conections: is not a setting; did you mean `max_connections`?",
        "rtp.ports",
        "http.admin_token",
        "http.listen",
        "trunks[0].name",
        "trunks[0].addresses[0]",
        "trunks[0].release",
        "trunks[0].refer",
        "bots[0].sip",
        "desks[0].sip",
        "routes[0].dialled",
        "routes[0].hand_back: `perhaps`",
        "routes[0].hand_back_keys: `*A`",
        "timers.ring_timeout_s",
    ] {
        assert!(complaints.iter().any(|complaint| complaint.starts_with(path)), "{path} missing in {complaints:#?}");
    }
}

#[test]
fn a_trunk_that_must_refer_and_cannot_is_a_contradiction() {
    let text = SMALL.replace("[[trunks]]", "[[trunks]]\nrelease = \"refer\"\nreplaces = \"no\"");
    let complaints = checked(&text).expect_err("which is it?");
    assert!(complaints.iter().any(|complaint| complaint.starts_with("trunks[0].release")), "{complaints:?}");
    let text = SMALL.replace("[[trunks]]", "[[trunks]]\nrefer = \"yes\"");
    let settings = checked(&text).expect("a known ability");
    assert_eq!(settings.switchboard.trunks[0].abilities.refer, call_core::Manual::Yes);
}

#[test]
fn credentials_come_whole_and_are_never_printed() {
    let with = |keys: &str| checked(&SMALL.replace("[[trunks]]", &format!("[[trunks]]\n{keys}")));
    let account = "username = \"us\"\npassword = \"hunter2\"\nrealm = \"carrier\"";
    let auth = "auth = { username = \"them\", password = \"hunter3\", realm = \"ours\" }";
    let settings = with(&format!("{account}\n{auth}")).expect("valid");
    let signalling = &settings.switchboard.trunks[0].signalling;
    assert_eq!(signalling.account.as_ref().map(|one| one.realm.as_str()), Some("carrier"));
    assert_eq!(signalling.admits.as_ref().map(|one| one.username.as_str()), Some("them"));
    assert!(!format!("{:?}", settings.switchboard).contains("hunter"));
    for (keys, path) in [("username = \"us\"", "trunks[0].username"), ("auth = { realm = \"r\" }", "trunks[0].auth")] {
        let complaints = with(keys).expect_err("half of it");
        assert!(complaints.iter().any(|complaint| complaint.starts_with(path)), "{complaints:?}");
    }
}

#[test]
fn keys_of_srtp_go_over_tls_only() {
    let with = |srtp: &str| checked(&SMALL.replace("[[bots]]", &format!("[[bots]]\nsrtp = \"{srtp}\"")));
    for (srtp, path) in [("required", "bots[0].srtp"), ("sometimes", "bots[0].srtp")] {
        let complaints = with(srtp).expect_err("not so");
        assert!(complaints.iter().any(|complaint| complaint.starts_with(path)), "{complaints:?}");
    }
    with("off").expect("valid");
    let settings = with("dtls").expect("a certificate may be read by everybody");
    assert!(matches!(settings.switchboard.bots[0].signalling.srtp, call_model::SrtpUse::Dtls(_)));
    let trunk = SMALL.replace("[[trunks]]", "[[trunks]]\nsrtp = \"optional\"");
    let complaints = checked(&trunk).expect_err("nobody can reach us by TLS");
    assert!(complaints[0].starts_with("trunks[0].srtp"), "{complaints:?}");
}

#[test]
fn a_route_to_nobody_names_the_choices() {
    let complaints = checked(&SMALL.replace("bot = \"b\"", "bot = \"c\"")).expect_err("no such bot");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("configured: b"), "{complaints:?}");
}

#[test]
fn what_is_wrong_in_one_way_keeps_its_name() {
    let text = SMALL.replace("127.0.0.12:5091", "nowhere:at:all");
    let complaints = checked(&text).expect_err("no such address");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with("bots[0].sip"), "{complaints:?}");
    let twice = format!("{text}\n[[bots]]\nname = \"b\"\nsip = \"sip:b@127.0.0.12:5091\"");
    let complaints = checked(&twice).expect_err("the same name twice");
    assert!(complaints.iter().any(|complaint| complaint.starts_with("bots[1].name: `b` is taken")), "{complaints:?}");
}

#[test]
fn routes_that_are_never_reached_are_told() {
    let warned = |dialled: [&str; 2]| {
        let more = dialled.map(|dialled| format!("[[routes]]\ndialled = \"{dialled}\"\nbot = \"b\"\n")).concat();
        let settings = checked(&SMALL.replace("[[routes]]\ndialled = \"*\"\nbot = \"b\"\n", &more)).expect("valid");
        settings.warnings.iter().any(|warning| warning.starts_with("routes[1] is never reached: routes[0]"))
    };
    for shadowed in [["*", "7*"], ["*", "7001"], ["*", "*"], ["7*", "70*"], ["7*", "7001"], ["7001", "7001"]] {
        assert!(warned(shadowed), "{shadowed:?}");
    }
    for open in [["7*", "*"], ["70*", "7*"], ["7001", "7*"], ["7001", "7002"]] {
        assert!(!warned(open), "{open:?}");
    }
}

const DESK: &str = "\n[[desks]]\nname = \"d\"\nsip = \"sip:d@127.0.0.13:5092\"\n";

#[test]
fn a_desk_has_the_profile_it_names_and_its_gate_unless_it_says_otherwise() {
    let desk = |more: &str| checked(&format!("{SMALL}{DESK}{more}")).expect("valid").switchboard.desks[0].clone();
    assert_eq!(*desk("").profile, Profile::default());
    let genesys = desk("profile = \"genesys-cloud-byoc\"");
    assert_eq!((genesys.profile.name.as_str(), genesys.accept), ("genesys-cloud-byoc", AcceptGate::Auto));
    assert_eq!(desk("profile = \"genesys-cloud-byoc\"\naccept = \"key\"").accept, AcceptGate::KeyOrPage);
}

#[test]
fn a_profile_of_ones_own_is_read_from_a_file_and_every_complaint_about_it_is_listed() {
    let file = std::env::temp_dir().join(format!("warmline-profile-{}.toml", std::process::id()));
    let desk = format!("{SMALL}{DESK}profile = \"{}\"", file.display());
    std::fs::write(&file, "name = \"mine\"\n[headers]\nid = \"X-Mine\"").expect("a temporary directory");
    let read = checked(&desk).expect("valid").switchboard.desks[0].profile.headers.id.clone();
    std::fs::write(&file, "name = \"mine\"\ncolour = 1\nrefer = 2").expect("a temporary directory");
    let complaints = checked(&desk).expect_err("two mistakes");
    std::fs::remove_file(&file).expect("it is ours");
    assert_eq!(read.as_deref(), Some("X-Mine"));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().all(|complaint| complaint.starts_with("desks[0].profile (")), "{complaints:?}");

    for (more, what) in [
        ("profile = \"genesis\"", "is not built in: one of generic-pbx"),
        ("profile = \"no-such.toml\"", "cannot read"),
        ("profile = \"five9\"\nmultipart = true", "desks[0].multipart: the profile five9"),
    ] {
        let complaints = checked(&format!("{SMALL}{DESK}{more}")).expect_err(what);
        assert!(complaints[0].contains(what), "{complaints:?}");
    }
}

#[test]
fn a_guessable_token_may_not_face_a_network() {
    let text = format!(
        "{SMALL}\n[http]\nlisten = \"0.0.0.0:8088\"\npublic_url = \"http://a.example\"\nadmin_token = \"short\""
    );
    let complaints = checked(&text).expect_err("guessable");
    assert!(complaints[0].starts_with("http.admin_token"), "{complaints:?}");
}

#[test]
fn a_page_in_a_network_is_encrypted_or_warned_of() {
    let http = |more: &str| checked(&format!("{SMALL}\n[http]\n{more}"));
    let warned = |more: &str| {
        let warnings = http(more).unwrap_or_else(|error| panic!("{error:?}")).warnings;
        warnings.iter().any(|warning| warning.contains("without encryption"))
    };
    assert!(warned("listen = \"192.0.2.1:8088\""));
    assert!(!warned("listen = \"192.0.2.1:8088\"\npublic_url = \"https://a.example\""), "a proxy is there");
    assert!(!warned("https_listen = \"192.0.2.1:8443\""));
    let own = http("https_listen = \"0.0.0.0:8443\"\nhost_names = [\"desk.example\"]")
        .expect("valid")
        .http
        .https
        .expect("HTTPS");
    assert_eq!(
        (own.certificate, own.names, own.own),
        (None, vec!["desk.example".to_owned()], "./warmline-self-signed".into())
    );

    let complaint = |more: &str| http(more).expect_err("wrong")[0].clone();
    assert!(complaint("certificate = \"a.pem\"").contains("belong together"));
    assert!(complaint("certificate = \"a.pem\"\nkey = \"a.key\"").starts_with("http.https_listen"));
    assert!(
        complaint("https_listen = \"[::1]:1\"\ncertificate = \"none.pem\"\nkey = \"none.key\"").contains("none.key")
    );
    assert!(complaint("listen = \"127.0.0.1:81\"\nhttps_listen = \"127.0.0.1:81\"").contains("port of its own"));
    let weak = "https_listen = \"192.0.2.1:8443\"\nadmin_token = \"short\"";
    assert!(complaint(weak).starts_with("http.admin_token"));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let text = format!("{SMALL}\n[http]\nadmin_token = \"correct-horse-battery\"");
    let settings = checked(&text).expect("valid");
    assert!(!format!("{settings:?}").contains("correct-horse"));
}

#[test]
fn a_syntax_error_shows_its_line() {
    let complaints = checked("[sip\nlisten = 3").expect_err("no TOML");
    assert!(complaints[0].contains("line 1"), "{complaints:?}");
}

#[test]
fn desks_that_only_the_trunk_can_call_and_numbers_with_an_address() {
    let desk = |lines: &str| {
        let text = format!("{SMALL}\n[[desks]]\nname = \"d\"\n{lines}\n");
        checked(&text).map(|settings| settings.switchboard.desks[0].clone())
    };
    let tel = desk("sip = \"tel:+44-20-7946-0000\"\naddress = \"tcp:192.0.2.7:5070\"").expect("valid");
    assert_eq!(
        (tel.uri.as_str(), tel.targets[0].address),
        ("tel:+44-20-7946-0000", "192.0.2.7:5070".parse().expect("one"))
    );
    assert!(desk("sip = \"tel:+44\"").is_err(), "no address");
    assert!(desk("sip = \"sips:q@192.0.2.7\"").is_err(), "sips");
    for uri in ["tel:+44", "sips:q@cc.invalid", "sip:q@only-the-trunk.invalid;transport=tls"] {
        let blind = desk(&format!("sip = \"{uri}\"\nhandover = \"refer\"")).expect("valid");
        assert_eq!((blind.uri.as_str(), blind.targets.len()), (uri, 0));
    }
    assert!(desk("sip = \"http://x\"\nhandover = \"refer\"").is_err(), "scheme");
}

#[test]
fn keys_and_recordings_are_read_or_named() {
    let desk = "[[desks]]\nname = \"d\"\nsip = \"sip:conf@192.0.2.9,wW1#\"\ndtmf = \"info_plain\"";
    let settings = checked(&format!("{SMALL}{desk}")).expect("valid");
    let desk = &settings.switchboard.desks[0];
    assert_eq!((desk.uri.as_str(), desk.post_digits.len()), ("sip:conf@192.0.2.9", 4));
    assert_eq!(desk.signalling.keys, call_core::KeysOut::InfoPlain);
    let wrong = "[[desks]]\nname = \"d\"\nsip = \"sip:conf@192.0.2.9\"\ndtmf = \"morse\"\npost_digits = \"12p\"\n\
                 [prompts]\nmusic = \"no-such.wav\"\nhello = \"x.wav\"";
    let complaints = checked(&format!("{SMALL}{wrong}")).expect_err("wrong").join("\n");
    for part in ["desks[0].dtmf", "desks[0].post_digits", "prompts.music", "no-such.wav", "prompts.hello"] {
        assert!(complaints.contains(part), "{part} in {complaints}");
    }
}

#[test]
fn a_trunk_that_is_registered_at_is_reached_and_known() {
    let account = "username = \"1234\"\npassword = \"p\"\nrealm = \"r\"\n";
    let with = |keys: &str| checked(&SMALL.replace("[[trunks]]", &format!("[[trunks]]\n{account}{keys}")));
    let settings = with("register = { registrar = \"sip:127.0.0.11;transport=tcp\" }").expect("valid");
    let register = settings.switchboard.trunks[0].signalling.register.clone().expect("it is there");
    assert_eq!((register.aor.as_str(), register.expires), ("sip:1234@127.0.0.11", 3600));
    assert_eq!((register.transport, register.address), (Transport::Tcp, "127.0.0.11:5060".parse().unwrap()));
    let named =
        with("register = { registrar = \"sip:127.0.0.11\", aor = \"sip:+44@carrier.example\", expires_s = 60 }");
    let named = named.expect("valid").switchboard.trunks[0].signalling.register.clone().expect("it is there");
    assert_eq!((named.aor.as_str(), named.expires), ("sip:+44@carrier.example", 60));
    for (keys, complaint) in [
        ("register = { expires_s = 60 }", "trunks[0].register.registrar: is missing"),
        (
            "register = { registrar = \"sip:127.0.0.12\" }",
            "trunks[0].register.registrar: is at 127.0.0.12, which is not",
        ),
        ("register = { registrar = \"sips:127.0.0.11\" }", "trunks[0].register.registrar: needs tls"),
        ("register = { registrar = \"sip:127.0.0.11\", aor = \"sip:h\" }", "trunks[0].register.aor: `sip:h` is no"),
        ("register = { registrar = \"sip:127.0.0.11\", expires_s = 5 }", "trunks[0].register.expires_s: is 5"),
        ("register = { registar = \"sip:127.0.0.11\" }", "trunks[0].register.registar: is not a setting; did you mean"),
    ] {
        let complaints = with(keys).expect_err(keys);
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint} is not in {complaints:#?}");
    }
}

#[test]
fn a_desk_whose_telephones_register_says_who_and_where_they_may_be() {
    let desk = |lines: &str| checked(&format!("{SMALL}\n[[desks]]\nname = \"d\"\n{lines}\n"));
    let settings = desk("register = { user = \"ada\", password = \"p\", from = [\"192.0.2.0/24\"] }").expect("valid");
    let ada = &settings.switchboard.desks[0];
    assert_eq!((ada.signalling.seat.as_ref().map(|seat| seat.user.as_str()), ada.targets.len()), (Some("ada"), 0));
    let peers = call_core::Peers::from_config(&settings.switchboard);
    assert!(peers.knows("192.0.2.77".parse().unwrap()) && !peers.knows("192.0.3.77".parse().unwrap()));
    let ada = "register = { user = \"ada\", password = \"p\", from = [\"192.0.2.0/24\"] }";
    for (lines, complaint) in [
        ("register = { user = \"ada\" }".to_owned(), "desks[0].register.password: is missing"),
        ("register = { user = \"ada\", password = \"p\" }".to_owned(), "desks[0].register.from: names nobody"),
        (ada.replace("ada", "a b"), "desks[0].register.user: `a b`"),
        (format!("{ada}\nsip = \"sip:a@192.0.2.1\""), "desks[0].sip: and register are both given"),
        (format!("{ada}\naddress = \"192.0.2.1:5060\""), "desks[0].address: and register are both given"),
        (format!("{ada}\nhandover = \"refer\""), "desks[0].handover: is \"refer\", but the trunk"),
        (format!("{ada}\n[[desks]]\nname = \"e\"\n{ada}"), "desks[1].register.user: is also that of desk d"),
        (
            format!("{ada}\n[sip.registrar]\nmin_expires_s = 90\nmax_expires_s = 60"),
            "sip.registrar.min_expires_s: is 90",
        ),
        (format!("{ada}\n[sip.registrar]\nrealm = \"\""), "sip.registrar.realm: is empty"),
    ] {
        let complaints = desk(&lines).expect_err(complaint);
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint} is not in {complaints:#?}");
    }
}

#[test]
fn recordings_need_a_place_and_a_key_that_is_one() {
    let key = "0123456789abcdef".repeat(4);
    let with = |lines: &str, more: &str| checked(&format!("{more}\n[recording]\n{lines}\n"));
    let place = format!("directory = \"r\"\nkey = \"{key}\"\n");
    let asked = "calls = \"while_here\"\nconsent = \"asked\"\nconsent_key = \"5\"\nwhat = \"mixed\"";
    let settings = with(&format!("{place}{asked}"), SMALL).expect("valid");
    let recording = settings.switchboard.recording;
    assert_eq!((recording.calls, recording.consent_key), (call_core::Record::WhileHere, Some('5')));
    let kept = settings.recordings.as_ref().expect("a place");
    assert_eq!(kept.retention, Some(std::time::Duration::from_secs(90 * 86_400)));
    assert!(!format!("{settings:?}").contains(&key), "the key does not show");
    assert!(checked(SMALL).expect("valid").recordings.is_none());
    let route = SMALL.replace("[[routes]]", "[[routes]]\nrecord = \"always\"");
    assert_eq!(with(&place, &route).expect("valid").switchboard.routes[0].record, Some(call_core::Record::Always));
    for (lines, more, complaint) in [
        ("directory = \"r\"", SMALL, "recording.key: is missing"),
        ("directory = \"r\"\nkey = \"abc\"", SMALL, "recording.key: has 3 characters, should be 64"),
        ("directory = \"r\"\nkey = \"file:no-such\"", SMALL, "recording.key: cannot read no-such"),
        ("calls = \"always\"", SMALL, "recording.calls: asks for recordings, which have no place"),
        ("", &route, "routes[0].record: asks for recordings, which have no place"),
        ("calls = \"yes\"", SMALL, "recording.calls: `yes` is not known"),
        ("consent_key = \"5\"", SMALL, "recording.consent_key: is given, but nobody is asked"),
        ("consent = \"asked\"\nconsent_key = \"55\"", SMALL, "recording.consent_key: `55` is not one key"),
    ] {
        let complaints = with(lines, more).expect_err(complaint);
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint} is not in {complaints:#?}");
    }
}

#[test]
fn an_external_recorder_is_read_or_named() {
    let with = |lines: &str, more: &str| checked(&format!("{more}\n[recording]\n{lines}\n"));
    let srs = "[recording.recorder]\nsip = \"sip:srs@127.0.0.9\"";
    let to_recorder = SMALL.replace("[[routes]]", "[[routes]]\nrecord_to = \"recorder\"");
    let sent = with(&format!("calls = \"always\"\nto = \"recorder\"\n{srs}"), SMALL).expect("valid without a place");
    let recorder = sent.switchboard.recorder.expect("a recorder");
    assert_eq!((recorder.targets.len(), recorder.codecs.len()), (1, 2));
    let [both, open, inside] =
        [format!("to = \"both\"\n{srs}"), format!("{srs}\nsrtp = \"required\""), format!("{srs}\ninterface = \"no\"")];
    for (lines, more, complaint) in [
        ("to = \"tape\"", SMALL, "recording.to: `tape` is not known"),
        ("to = \"recorder\"", SMALL, "recording.to: sends recordings to a recorder, and there is none"),
        ("", &to_recorder, "routes[0].record_to: sends recordings to a recorder, and there is none"),
        (&both, SMALL, "recording.to: keeps recordings, which have no place"),
        ("[recording.recorder]\nsrtp = \"off\"", SMALL, "recording.recorder.sip: is missing"),
        (&open, SMALL, "recording.recorder.srtp: sends its keys over udp"),
        (&inside, SMALL, "recording.recorder.interface: `no` is no interface"),
        ("[recording.recorder]\nsip = \"sip:srs@127.0.0.9;transport=tls\"", SMALL, "recording.recorder.sip: needs tls"),
    ] {
        let complaints = with(lines, more).expect_err(complaint);
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint} is not in {complaints:#?}");
    }
}

const INSIDE: &str = r#"
[[interfaces]]
name = "inside"
listen = ["udp:10.0.0.5:5060", "tcp:10.0.0.5:5060"]
advertised = "192.0.2.5"
rtp_address = "10.0.0.6"
rtp_advertised = "192.0.2.6"
networks = ["10.0.0.0/8"]
[[interfaces]]
name = "six"
listen = ["udp:[2001:db8::5]:5060"]
"#;

#[test]
fn further_interfaces_have_addresses_of_their_own() {
    let desk = "[[desks]]\nname = \"d\"\nsip = \"sip:d@198.51.100.1\"\ninterface = \"inside\"\n";
    let settings = checked(&format!("{SMALL}{INSIDE}{desk}")).expect("valid");
    let all: Vec<_> = settings.switchboard.interfaces.all().collect();
    let told: Vec<String> =
        all.iter().map(|one| format!("{} {} {}", one.name, one.sip.udp.unwrap(), one.media_ip)).collect();
    assert_eq!(
        told,
        ["main 127.0.0.1:5060 127.0.0.1", "inside 192.0.2.5:5060 192.0.2.6", "six [2001:db8::5]:5060 2001:db8::5"]
    );
    let bound: Vec<String> = settings.rtp.bind.iter().map(ToString::to_string).collect();
    assert_eq!(bound, ["127.0.0.1", "10.0.0.6", "2001:db8::5"]);
    assert_eq!(settings.sip.listen.len(), 5);
    assert_eq!(settings.switchboard.desks[0].signalling.interface.as_deref(), Some("inside"));
}

#[test]
fn everything_wrong_with_interfaces_is_listed() {
    let main = "[[interfaces]]\nname = \"main\"\nlisten = [\"udp:127.0.0.9:5060\"]\n";
    let inside = "[[interfaces]]\nname = \"inside\"\n";
    for (lines, complaint) in [
        (format!("{INSIDE}{main}"), "interfaces[2].name: `main` is taken"),
        (format!("{INSIDE}{inside}listen = [\"udp:127.0.0.9:5060\"]"), "interfaces[2].name: `inside` is taken"),
        (inside.to_owned(), "interfaces[0].listen: is empty"),
        (format!("{inside}listen = [\"udp:127.0.0.1:5060\"]"), "interfaces[0].listen: udp:127.0.0.1:5060 is bound"),
        (format!("{inside}listen = [\"udp:0.0.0.0:5060\"]"), "interfaces[0].listen[0]: 0.0.0.0:5060 means every"),
        (
            format!("{inside}listen = [\"udp:127.0.0.9:5060\"]\nadvertised = \"127.0.0.1\""),
            "interfaces[0].advertised: udp:127.0.0.9:5060 is told as 127.0.0.1:5060",
        ),
        (
            format!("{inside}listen = [\"udp:10.0.0.1:1\", \"udp:10.0.0.1:2\"]"),
            "interfaces[0].listen: holds more than one udp",
        ),
        (
            format!("{inside}listen = [\"tls:10.0.0.1:5061\"]"),
            "interfaces[0].listen: holds tls:, which needs [sip.tls]",
        ),
        (
            format!("{inside}listen = [\"udp:10.0.0.1:5060\"]\nlisten_rtp = 1"),
            "interfaces[0].listen_rtp: is not a setting",
        ),
        (
            format!("{inside}listen = [\"udp:10.0.0.1:5060\"]\nrtp_address = \"::\""),
            "interfaces[0].rtp_address: :: means",
        ),
        (
            format!("{INSIDE}[[interfaces]]\nname = \"c\"\nlisten = [\"udp:10.7.0.1:1\"]\nnetworks = [\"10.0.0.0/8\"]"),
            "interfaces[2].networks: 10.0.0.0/8 is also another's",
        ),
        (
            "[[desks]]\nname = \"d\"\nsip = \"sip:d@198.51.100.1\"\ninterface = \"insid\"".to_owned(),
            "desks[0].interface: `insid` is no interface: there are main",
        ),
        (
            format!("{INSIDE}[[desks]]\nname = \"d\"\nsip = \"sip:d@198.51.100.1;transport=tcp\"\ninterface = \"six\""),
            "desks[0].sip: needs tcp, but interface six has no such address",
        ),
    ] {
        let complaints = checked(&format!("{SMALL}{lines}\n")).expect_err(complaint);
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint} is not in {complaints:#?}");
    }
}

#[test]
fn a_desk_without_a_telephone_is_its_page_and_nothing_that_is_about_telephones() {
    let desk = |more: &str| {
        let text = format!(
            "{SMALL}\n[[desks]]\nname = \"p\"\naudio = \"browser\"\npage_token = \"only-for-tests-01\"\n{more}"
        );
        checked(&text)
    };
    let settings = desk("").expect("valid");
    let page = &settings.switchboard.desks[0];
    assert!(page.browser && page.require_page && page.is_callable() && page.targets.is_empty());
    assert!(matches!(page.signalling.srtp, call_model::SrtpUse::Dtls(_)), "{page:?}");
    assert!(settings.http.api.desks[0].browser);
    let complaint = |more: &str| desk(more).expect_err("wrong")[0].clone();
    for (more, key) in [
        ("sip = \"sip:a@192.0.2.9\"", "desks[0].sip"),
        ("address = \"192.0.2.9:5060\"", "desks[0].address"),
        ("post_digits = \"1\"", "desks[0].post_digits"),
        ("require_page = false", "desks[0].require_page"),
        ("capacity = 2", "desks[0].capacity"),
        ("[[routes]]\ndialled = \"9\"\ndesk = \"p\"", "routes[1].desk"),
    ] {
        assert!(complaint(more).starts_with(key), "{} for {more}", complaint(more));
    }
    let without = format!("{SMALL}\n[[desks]]\nname = \"p\"\naudio = \"browser\"");
    assert!(checked(&without).expect_err("no page")[0].starts_with("desks[0].require_page"));

    let servers = |more: &str| checked(&format!("{SMALL}\n[[http.ice_servers]]\n{more}"));
    let turn = "urls = [\"turn:t.example:3478\", \"stun:t.example:3478\"]\nusername = \"u\"\ncredential = \"c\"";
    assert_eq!(servers(turn).expect("valid").http.api.ice_servers[0].urls.len(), 2);
    for (more, key) in [
        ("urls = [\"http://t.example\"]", "http.ice_servers[0].urls[0]"),
        ("urls = [\"turn:t.example\"]", "http.ice_servers[0].username"),
        ("", "http.ice_servers[0].urls"),
    ] {
        let complaints = servers(more).expect_err("wrong");
        assert!(complaints[0].starts_with(key), "{complaints:?}");
    }
}

const CALLS_BACK: &str = r#"
[ledger]
path = "ledger.sqlite"
[callbacks]
allowed = ["+44", "020"]
time_zone = "Europe/London"
"#;

#[test]
fn who_is_called_back_is_said_or_named() {
    let out = "number = \"+442079460000\"\ncall_out = \"sip:{number}@127.0.0.11:5080\"\n[[bots]]";
    let with = |more: &str| checked(&format!("{}{CALLS_BACK}{more}", SMALL.replacen("[[bots]]", out, 1)));
    let settings = with("hours = [\"mon-fri 09:00-17:30\"]\nclosed = [\"2026-12-25\"]\nattempts = 5\n").expect("valid");
    let callbacks = settings.switchboard.callbacks.as_ref().expect("they are on");
    assert_eq!((callbacks.attempts, callbacks.per_number, callbacks.hours.spans.len()), (5, 2, 1));
    let outbound = settings.switchboard.trunks[0].outbound.as_ref().expect("a way out");
    assert_eq!(outbound.target.address.to_string(), "127.0.0.11:5080");
    assert!(checked(SMALL).expect("valid").switchboard.callbacks.is_none(), "off unless it is asked for");
    for (lines, complaint) in [
        ("hours = [\"weekdays\"]", "callbacks.hours[0]: `weekdays` should be like"),
        ("closed = [\"Christmas\"]", "callbacks.closed[0]: `Christmas` is no date"),
        ("forbidden = [\"+44x\"]", "callbacks.forbidden[0]: `+44x` begins no number"),
        ("trunk = \"other\"", "callbacks.trunk: there is no trunk `other` with call_out"),
        ("attempts = 0", "callbacks.attempts: is 0"),
    ] {
        let complaints = with(lines).expect_err(lines);
        assert!(complaints.iter().any(|one| one.starts_with(complaint)), "{complaints:?}");
    }
    let complaints = checked(&format!("{SMALL}{CALLS_BACK}")).expect_err("no way out");
    assert!(complaints[0].contains("needs a trunk that takes our calls"), "{complaints:?}");
    let otherwise = "[[routes.otherwise]]\nurgency = \"high\"\nhours = \"closed\"\nthen = \"callback\"\n";
    let complaints = checked(&format!("{SMALL}{otherwise}")).expect_err("nobody may be called back");
    assert!(complaints[0].starts_with("routes[0].otherwise: has callers called back"), "{complaints:?}");
    let complaints = checked(&format!("{SMALL}{}", otherwise.replace("closed", "late"))).expect_err("no such hours");
    assert!(complaints[0].starts_with("routes[0].otherwise[0].hours: `late` is not known"), "{complaints:?}");
    let message = otherwise.replace("\"callback\"", "\"voicemail\"");
    let complaints = checked(&format!("{SMALL}{message}")).expect_err("nobody leaves messages");
    assert!(complaints[0].starts_with("routes[0].otherwise: asks for messages"), "{complaints:?}");
    let complaints = checked(&format!("{SMALL}{message}[voicemail]\nmax_s = 60\n")).expect_err("no place");
    assert!(complaints[0].starts_with("voicemail: keeps messages with the recordings"), "{complaints:?}");
    let elsewhere = format!("{}{CALLS_BACK}", SMALL.replacen("[[bots]]", &out.replace("0.0.11", "0.0.99"), 1));
    let complaints = checked(&elsewhere).expect_err("none of its addresses");
    assert!(complaints[0].starts_with("trunks[0].call_out: leads to 127.0.0.99"), "{complaints:?}");
    let forgets = SMALL.replacen("[[bots]]", out, 1) + &CALLS_BACK.replace("ledger.sqlite", ":memory:");
    let complaints = checked(&forgets).expect_err("no disk");
    assert!(complaints[0].contains("a ledger in memory forgets"), "{complaints:?}");
    let nobody =
        with("").map(|_| ()).and(checked(&format!("{SMALL}[callbacks]\ntime_zone = \"Mars/Olympus\"\n")).map(|_| ()));
    let complaints = nobody.expect_err("nothing is right");
    assert!(complaints.iter().any(|one| one.contains("no time zone")), "{complaints:?}");
    assert!(complaints.iter().any(|one| one.starts_with("callbacks.allowed: is empty")), "{complaints:?}");
}
