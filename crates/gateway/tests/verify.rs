//! `warmline verify` against a scripted desk on real sockets: a telephone that shows what a contact centre's emulator
//! makes of the INVITE, and types the score from there.

use call_model::{Codec, IdSource, Instant};
use contact_centres::receive;
use phone::{Answer, Arrival, OnRefer, Phone, PhoneConfig, PhoneEvent, PhoneOutput, Source};
use sip_proto::{Flow, Transport};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the human does with what the screen shows.
#[derive(Clone, Copy)]
enum Types {
    TheScore,
    SomethingElse,
    Nothing,
}

/// A desk that runs until it is dropped.
struct Desk {
    sip: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    fn start(product: &'static str, arrival: Arrival, types: Types) -> Self {
        let sip = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        sip.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
        rtp.set_nonblocking(true).expect("a mode");
        let address = sip.local_addr().expect("bound");
        let config = PhoneConfig {
            sip: address,
            transport: Transport::Udp,
            rtp: rtp.local_addr().expect("bound"),
            user: "desk".to_owned(),
            codecs: vec![Codec::Pcmu],
            source: Source::Silence,
            tones: vec![],
            arrival,
            on_refer: OnRefer::Refuse(603),
            habits: sip_proto::EndpointConfig::default(),
        };
        let over = Arc::new(AtomicBool::new(false));
        let (watch, (ready, wait)) = (Arc::clone(&over), mpsc::channel());
        let thread = std::thread::spawn(move || {
            ready.send(()).expect("somebody waits");
            answer(product, Phone::new(config, IdSource::from_u64(5)), &sip, &rtp, types, &watch);
        });
        wait.recv().expect("it runs");
        Self { sip: address, over, thread: Some(thread) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the desk panicked");
        }
    }
}

fn answer(product: &str, mut phone: Phone, sip: &UdpSocket, rtp: &UdpSocket, types: Types, over: &AtomicBool) {
    let began = std::time::Instant::now();
    let now = || Instant::from_nanos(began.elapsed().as_nanos() as u64);
    let local = sip.local_addr().expect("bound");
    let (mut buffer, mut score) = ([0; 65_536], String::new());
    while !over.load(Ordering::Relaxed) {
        if let Ok((len, remote)) = sip.recv_from(&mut buffer) {
            if buffer.starts_with(b"INVITE ")
                && let Some(Ok(screen)) = receive(product, &buffer[..len])
            {
                score = screen.fact("s").unwrap_or_default().to_owned();
                assert!(screen.fact("h").is_none_or(|id| id.starts_with("0000000000TEST")), "{screen:?}");
            }
            phone.handle_datagram(Flow { transport: Transport::Udp, local, remote }, &buffer[..len], now());
        }
        while let Ok((len, from)) = rtp.recv_from(&mut buffer) {
            phone.handle_rtp(from, &buffer[..len], now());
        }
        phone.handle_timeout(now());
        while let Some(output) = phone.poll_output() {
            match output {
                PhoneOutput::Sip { flow, bytes, .. } => drop(sip.send_to(&bytes, flow.remote)),
                PhoneOutput::Rtp { to, bytes } => drop(rtp.send_to(&bytes, to)),
                PhoneOutput::Event(PhoneEvent::Up) => {
                    let keys = match types {
                        Types::TheScore => score.clone(),
                        Types::SomethingElse => if score == "11" { "12" } else { "11" }.to_owned(),
                        Types::Nothing => String::new(),
                    };
                    keys.chars().for_each(|key| phone.press(key));
                }
                PhoneOutput::Event(_) => {}
            }
        }
    }
}

const AT_ONCE: Arrival = Arrival::Ring { after: Duration::ZERO, then: Answer::After(Duration::from_millis(20)) };

fn verify(desk: SocketAddr, profile: &str, more: &[&str]) -> (Option<i32>, String) {
    let file = std::env::temp_dir().join(format!("warmline-verify-{}-{}.toml", std::process::id(), desk.port()));
    let text = format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[[trunks]]\nname = \"t\"\naddresses = [\"127.0.0.11\"]\n\
         [[bots]]\nname = \"b\"\nsip = \"sip:b@127.0.0.12\"\n[[desks]]\nname = \"d\"\nsip = \"sip:care@{desk}\"\n\
         profile = \"{profile}\"\n[[routes]]\ndialled = \"*\"\nbot = \"b\"\n"
    );
    std::fs::write(&file, text).expect("a temporary directory");
    let path = file.to_str().expect("plain characters");
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_warmline"))
        .args(["verify", "d", "--config", path])
        .args(more)
        .output()
        .expect("the binary runs");
    std::fs::remove_file(&file).expect("it is ours");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn the_score_arrives_by_way_of_every_product_that_shows_one() {
    for product in call_core::profile::names().filter(|name| *name != "microsoft-teams") {
        let desk = Desk::start(product, AT_ONCE, Types::TheScore);
        let (status, said) = verify(desk.sip, product, &[]);
        assert_eq!(status, Some(0), "{product}: {said}");
        for part in ["ARRIVED", "answer    180 ringing", "answer    200 answered", "REFER yes, Replaces yes", "PCMU"] {
            assert!(said.contains(part), "{product}: {part} is missing in {said}");
        }
        assert!(!said.contains("nothing was heard"), "{product}: audio both ways: {said}");
    }
}

#[test]
fn a_profile_of_another_product_is_found_out() {
    // The generic form at Genesys' strips nothing it needs; Avaya's finds no information element of its own.
    let desk = Desk::start("avaya", AT_ONCE, Types::TheScore);
    let (status, said) = verify(desk.sip, "generic-pbx", &["--wait-s", "2"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("NOT PROVEN: nothing was typed in time"), "{said}");
}

#[test]
fn wrong_digits_and_none_are_told_apart() {
    let desk = Desk::start("genesys-cloud-byoc", AT_ONCE, Types::SomethingElse);
    let (status, said) = verify(desk.sip, "genesys-cloud-byoc", &["--json"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("\"outcome\":\"wrong\"") && said.contains("\"trigger\":\"verify\""), "{said}");
    let desk = Desk::start("five9", AT_ONCE, Types::Nothing);
    let (status, said) = verify(desk.sip, "five9", &["--wait-s", "1", "--trigger", "distress"]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("NOT PROVEN") && said.contains("X-Handoff-Trigger: distress"), "{said}");
}

#[test]
fn where_nothing_can_be_shown_it_says_so() {
    let desk = Desk::start("microsoft-teams", AT_ONCE, Types::Nothing);
    let (status, said) = verify(desk.sip, "microsoft-teams", &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("nothing to prove") && said.contains("desk page alone"), "{said}");
}

#[test]
fn refusals_are_told_with_what_to_do() {
    for (code, what) in
        [(404, "does not know the number"), (403, "does not take calls from us"), (603, "REFUSED with 603")]
    {
        let desk = Desk::start("generic-pbx", Arrival::Refuse(code), Types::Nothing);
        let (status, said) = verify(desk.sip, "genesys-cloud-byoc", &[]);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(what), "{code}: {said}");
    }
    let desk = Desk::start("generic-pbx", Arrival::Refuse(488), Types::Nothing);
    let (status, said) = verify(desk.sip, "generic-pbx", &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("INVITE (rich)") && said.contains("INVITE (plain)"), "once more: {said}");
    let never = Arrival::Ring { after: Duration::ZERO, then: Answer::Never };
    let desk = Desk::start("generic-pbx", never, Types::Nothing);
    let (status, said) = verify(desk.sip, "generic-pbx", &["--ring-s", "1"]);
    assert_eq!((status, said.contains("NO ANSWER")), (Some(3), true), "{said}");
}

#[test]
fn an_unknown_desk_or_trigger_names_the_choices() {
    let nobody = "127.0.0.1:9".parse().expect("an address");
    let (status, said) = verify(nobody, "generic-pbx", &["--trigger", "whim"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("`whim` is no trigger: verify (the default) or one of asked"), "{said}");
    let run = Command::new(env!("CARGO_BIN_EXE_warmline")).args(["verify", "nobody"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("there is no desk `nobody`") && said.contains("alice"), "{said}");
}
