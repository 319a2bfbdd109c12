//! Who plays in a storm: what everybody does by themselves, and what the operator has set.

use super::Dice;
use crate::network::Link;
use crate::setup::Setup;
use call_core::profile::{self, Profile};
use call_core::{
    Abilities, AcceptGate, Choreography, CoPilot, HandBack, Handover, Introduce, Manual, OnBotClose, OnBotRefusal,
    OnHumanGone, Release, Timers, WhileConsulting,
};
use call_model::Codec;
use core::time::Duration;
use phone::{Answer, Arrival, OnRefer};
use sip_proto::Transport;
use std::sync::{Arc, LazyLock};

pub(super) fn setup(seed: u64, dice: &mut Dice<'_>) -> Setup {
    let transport = dice.pick(&[Transport::Udp, Transport::Udp, Transport::Tcp]);
    let bot = arrival(dice, 16, 500);
    let mut desk = [arrival(dice, 5, 2_500), arrival(dice, 5, 2_500)];
    let no_progress = if dice.chance(10) { hesitate(&mut desk, dice) } else { Timers::default().no_progress };
    let number = dice.chance(12).then_some("tel:+44-20-7946-0000;ext=12");
    // A number that we have no address for is the trunk's to call.
    let callable = number.is_none() || dice.chance(2);
    let mut handover = if callable { [handover(dice), handover(dice)] } else { [Handover::Refer; 2] };
    // Now and then, without a throw of the dice, only the second desk is the trunk's.
    let desk_address = [callable, callable && seed % 17 != 2];
    if !desk_address[1] {
        handover[1] = Handover::Refer;
    }
    let timers = Timers {
        ring_timeout: dice.millis(2_000, 7_000),
        accept_timeout: dice.millis(1_000, 6_000),
        release_after: dice.millis(200, 3_500),
        refer_result_timeout: dice.millis(2_000, 10_000),
        bot_timeout: dice.millis(1_500, 5_000),
        no_progress,
        ..Timers::default()
    };
    Setup {
        seed,
        transport,
        release: dice.pick(&[Release::Auto, Release::Stay, Release::Refer, Release::Refer, Release::Refer]),
        while_consulting: dice.pick(&[WhileConsulting::Bot, WhileConsulting::Music]),
        accept: dice.pick(&[AcceptGate::KeyOrPage, AcceptGate::KeyOrPage, AcceptGate::Auto]),
        stream_bot: dice.chance(3),
        desks: if dice.chance(12) { 0 } else { 1 + dice.below(2) as usize },
        codecs: codecs(dice),
        bot,
        desk,
        trunk_abilities: abilities(dice),
        desk_abilities: abilities(dice),
        on_refer: on_refer(dice),
        desk_on_refer: on_refer(dice),
        ears: false,
        dozes: !dice.chance(32),
        sip_link: link(dice, 4, 250),
        // A caller who loses a tenth of the packets still has something to hear every 500 ms.
        rtp_link: link(dice, 2, 100),
        choreography: choreography(dice),
        handover,
        desk_uri: [number, None],
        desk_address,
        desks_may_take_over: dice.chance(3),
        on_human_gone: dice.pick(&[OnHumanGone::Bot, OnHumanGone::Bot, OnHumanGone::NextDesk]),
        on_close: dice.pick(&[OnBotClose::HangUp, OnBotClose::Handoff, OnBotClose::Handoff]),
        on_refusal: dice.pick(&[OnBotRefusal::Refuse, OnBotRefusal::Handoff, OnBotRefusal::Handoff]),
        timers,
        profile: product(seed),
        ..Setup::default()
    }
}

/// Caller and desk understand each other without us, as a rule.
fn codecs(dice: &mut Dice<'_>) -> [Codec; 3] {
    let [trunk, bot, other] = [(); 3].map(|()| dice.pick(&[Codec::Pcmu, Codec::Pcma]));
    [trunk, bot, if dice.chance(4) { other } else { trunk }]
}

/// As a rule the human is asked first.
fn handover(dice: &mut Dice<'_>) -> Handover {
    let blind = if dice.chance(2) { Handover::Refer } else { Handover::Cold };
    if dice.chance(6) { blind } else { Handover::Warm }
}

/// The bot introduces the human, or stays on; the human may give the caller back, or may not.
fn choreography(dice: &mut Dice<'_>) -> Choreography {
    Choreography {
        introduce: if dice.chance(6) { Introduce::ThreeWay } else { Introduce::None },
        co_pilot: if dice.chance(6) { dice.pick(&[CoPilot::Silent, CoPilot::Heard]) } else { CoPilot::Off },
        hand_back: dice.pick(&[HandBack::Yes, HandBack::Yes, HandBack::Yes, HandBack::Required, HandBack::No]),
        ..Choreography::default()
    }
}

/// Telephones that say nothing for longer than is waited before the next one rings as well.
fn hesitate(desk: &mut [Arrival; 2], dice: &mut Dice<'_>) -> Duration {
    for desk in desk {
        if let Arrival::Ring { after, .. } = desk {
            *after = dice.millis(20, 2_000);
        }
    }
    dice.millis(300, 1_200)
}

/// What the operator says, true or not.
fn abilities(dice: &mut Dice<'_>) -> Abilities {
    let words = [Manual::Learn, Manual::Learn, Manual::Yes, Manual::No];
    Abilities { refer: dice.pick(&words), replaces: dice.pick(&words) }
}

/// Most of them do it, one way or another.
fn on_refer(dice: &mut Dice<'_>) -> OnRefer {
    let refuse = dice.pick(&[400, 403, 405, 420, 429, 481, 491, 500, 501, 503, 603]);
    let report = dice.pick(&[200, 403, 404, 480, 481, 486, 503, 603]);
    let spacing = |dice: &mut Dice<'_>| {
        let micros = dice.pick(&[0, 20, 1_000, 500_000, 5_000_000]);
        (!dice.chance(6)).then(|| Duration::from_micros(micros))
    };
    match dice.below(20) {
        0 | 1 => OnRefer::Refuse(refuse),
        2 => OnRefer::Forget,
        3 => OnRefer::Report(report),
        4 => OnRefer::HangUp,
        5 => dice.pick(&[OnRefer::Stall, OnRefer::Ignore]),
        6 => OnRefer::RefuseFirst(refuse, 1),
        // Somebody has to say something: one who takes the caller without a word keeps our line for ever.
        7..=8 => match (spacing(dice), spacing(dice)) {
            (None, None) => OnRefer::Stall,
            (notify, bye) => OnRefer::Slowly { notify, bye },
        },
        _ => OnRefer::Follow,
    }
}

/// Any product's, without a throw of the dice.
fn product(seed: u64) -> Arc<Profile> {
    static PRODUCTS: LazyLock<Vec<Arc<Profile>>> =
        LazyLock::new(|| profile::names().filter_map(profile::built_in).map(Arc::new).collect());
    PRODUCTS.get((seed % PRODUCTS.len() as u64) as usize).cloned().unwrap_or_default()
}

/// What a party does when called; one in `bad` does something else than answer.
fn arrival(dice: &mut Dice<'_>, bad: u64, slowest: u64) -> Arrival {
    let after = dice.millis(50, slowest);
    let ring = |then| Arrival::Ring { after: Duration::from_millis(20), then };
    if !dice.chance(bad) {
        return ring(Answer::After(after));
    }
    match dice.below(8) {
        0 => Arrival::Ignore,
        1 | 2 => Arrival::Refuse(dice.pick(&[486, 415, 420, 488, 503, 302, 600, 480, 404])),
        3 | 4 => ring(Answer::Never),
        _ => ring(Answer::Refuse(after, dice.pick(&[486, 480, 603, 500, 503, 404, 488]))),
    }
}

/// A good link as a rule; one in `bad` loses up to `worst` per mille, reorders and repeats.
fn link(dice: &mut Dice<'_>, bad: u64, worst: u64) -> Link {
    if !dice.chance(bad) {
        return Link { delay: dice.millis(1, 60), ..Link::GOOD };
    }
    Link {
        delay: dice.millis(1, 60),
        jitter: dice.millis(1, 40),
        loss: dice.below(worst) as u16,
        repeat: dice.below(50) as u16,
    }
}
