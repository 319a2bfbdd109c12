//! Random calls: every one has a handoff in it, and things go wrong at random times.

use crate::network::Link;
use crate::script::{Click, Do, PageHabit};
use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, Setup, TRUNK};
use crate::world::World;
use call_core::profile::{self, Profile};
use call_core::{
    Abilities, AcceptGate, CoPilot, Introduce, Manual, OnBotClose, OnBotRefusal, Release, Timers, WhileConsulting,
};
use call_model::{Codec, Direction, FactKind, IdSource};
use core::time::Duration;
use phone::{AfterRefer, Answer, Arrival, OnRefer};
use sip_proto::Transport;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What decides: a seed, or the octets of a fuzzer, and nothing more happens when they are used up.
#[derive(Debug)]
pub enum Dice<'a> {
    /// Endless.
    Seed(Box<IdSource>),
    /// As long as they last.
    Octets(&'a [u8]),
}

impl Dice<'_> {
    /// Dice of this seed.
    pub fn of_seed(seed: u64) -> Self {
        Self::Seed(Box::new(IdSource::from_u64(seed)))
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        match self {
            Self::Seed(ids) => ids.below(limit),
            Self::Octets(octets) => {
                let width = if limit > 256 { 2 } else { 1 };
                let (now, later) = octets.split_at(width.min(octets.len()));
                *octets = later;
                let number = now.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
                number * (limit / 65_536).max(1) % limit
            }
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == one_in - 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// A call to be played.
#[derive(Clone, Debug)]
pub struct Storm {
    /// The cast.
    pub setup: Setup,
    /// The desk page.
    pub page: PageHabit,
    /// What is done, in milliseconds after the beginning.
    pub script: Vec<(u64, Do)>,
    /// What was put in on purpose, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The caller presses for a human at the latest then.
const WANTS_HUMAN: u64 = 4_000;
/// Whoever is still up then hangs up.
const ENOUGH: u64 = 24_000;
/// When everybody has hung up and every timer of RFC 3261 has run out, a delay of 35 s included.
const END: u64 = 400_000;
/// Nothing of a call is left so long after its end.
const LEFT: u64 = 66_000;

impl Storm {
    /// The storm of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self::new(seed, &mut Dice::of_seed(seed))
    }

    /// The storm that the dice give; `seed` is for names and the network.
    pub fn new(seed: u64, dice: &mut Dice<'_>) -> Self {
        let setup = setup(seed, dice);
        let page = if dice.chance(5) { PageHabit::Closed } else { PageHabit::Acknowledges };
        let mut storm = Self { setup, page, script: Vec::new(), faults: BTreeMap::new() };
        storm.count_faults_of_setup();
        storm.main_line(dice);
        for _ in 0..dice.below(6) {
            storm.fault(dice);
        }
        if dice.chance(4) {
            storm.company(dice);
        }
        storm.choreography(dice);
        for (party, at) in [(TRUNK, 0), (BOT, 500), (DESK, 900), (DESK2, 1_300), (CALLER2, 1_700)] {
            storm.at(ENOUGH + at, Do::HangUp(party));
        }
        // A caller who was put elsewhere, or answered late, hangs up again.
        storm.at(ENOUGH + 10_000, Do::HangUp(TRUNK));
        storm.at(ENOUGH + 10_500, Do::HangUp(CALLER2));
        // A copy of an INVITE that was 35 s on its way rings, and nobody is there to give it up.
        for party in [BOT, DESK, DESK2] {
            storm.at(ENOUGH + 40_000, Do::HangUp(party));
        }
        storm
    }

    /// Plays it to the end, and on until nothing may be left.
    pub fn play(&self) -> World {
        let mut world = World::new(&self.setup);
        world.page = self.page;
        for (at, what) in &self.script {
            world.at(*at, what.clone());
        }
        world.run_out(END);
        let over = world.now().as_nanos() / 1_000_000;
        world.run_until(over + LEFT);
        world
    }

    fn at(&mut self, millis: u64, what: Do) {
        self.script.push((millis, what));
    }

    fn count(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    fn count_faults_of_setup(&mut self) {
        let Setup { bot, desk, sip_link, on_refer, .. } = &self.setup;
        let refuses =
            |arrival: &Arrival| matches!(arrival, Arrival::Refuse(_) | Arrival::Ring { then: Answer::Refuse(..), .. });
        let silent = |arrival: &Arrival| matches!(arrival, Arrival::Ignore | Arrival::Ring { then: Answer::Never, .. });
        let parties = [bot, &desk[0], &desk[1]];
        let (refusing, mute) =
            (parties.iter().filter(|p| refuses(p)).count(), parties.iter().filter(|p| silent(p)).count());
        let reorders = self.setup.transport == Transport::Udp && sip_link.jitter > Duration::from_millis(5);
        let bad_refer = !matches!(
            on_refer,
            OnRefer::Follow | OnRefer::RefuseFirst(..) | OnRefer::Slowly { .. } | OnRefer::Report(200)
        );
        for (kind, count) in [
            ("status code", refusing as u64),
            ("no answer", mute as u64),
            ("reorder", u64::from(reorders)),
            ("refer fails", u64::from(bad_refer && self.setup.release != Release::Stay)),
            ("page closed", u64::from(self.page == PageHabit::Closed)),
        ] {
            if count > 0 {
                *self.faults.entry(kind).or_default() += count;
            }
        }
    }

    /// Dials, asks for a human in one of many ways, and the humans take the call as a rule.
    fn main_line(&mut self, dice: &mut Dice<'_>) {
        let direct = dice.chance(24);
        self.at(0, Do::Dial(if direct { "human" } else { "7001" }));
        let asked = 900 + dice.below(WANTS_HUMAN - 900);
        match dice.below(8) {
            0 => self.at(asked, Do::Fact(FactKind::AskedForHuman)),
            1 => self.at(asked, Do::Fact(FactKind::BotEscalates { because: "cannot help".into() })),
            2 if self.setup.stream_bot => self.at(asked, Do::BotGone { finished: dice.chance(2) }),
            3 if !self.setup.stream_bot => self.at(asked, Do::HangUp(BOT)),
            _ => self.at(asked, Do::Press(TRUNK, '0')),
        }
        // Should the first way have led nowhere.
        self.at(WANTS_HUMAN + 2_500, Do::Fact(FactKind::AskedForHuman));
        for desk in [DESK, DESK2] {
            if !dice.chance(5) {
                let at = asked + 1_600 + dice.below(6_000);
                let by_page = desk == DESK && dice.chance(3);
                self.at(at, if by_page { Do::Page(Click::Accept) } else { Do::Press(desk, '1') });
                self.at(at + 2_000, Do::Press(desk, '1'));
            }
        }
        if dice.chance(2) {
            self.at(8_000 + dice.below(14_000), Do::HangUp(dice.pick(&[TRUNK, TRUNK, DESK])));
        }
    }

    /// Something goes wrong.
    fn fault(&mut self, dice: &mut Dice<'_>) {
        let at = dice.below(ENOUGH - 2_000);
        let anybody = [TRUNK, BOT, DESK, DESK, DESK2];
        let party = dice.pick(&anybody);
        let (kind, what) = match dice.below(16) {
            0 | 1 => ("hang-up", Do::HangUp(party)),
            2 => ("key", Do::Press(party, dice.pick(&['0', '1', '2', '#']))),
            3 => {
                let direction = dice.pick(&[Direction::SendOnly, Direction::Inactive]);
                self.at(at + 1_000 + dice.below(4_000), Do::Hold(party, Direction::SendRecv));
                ("hold", Do::Hold(party, direction))
            }
            4 => {
                self.at(at + 500 + dice.below(6_000), Do::Mute(party, false));
                ("silence", Do::Mute(party, true))
            }
            5 => ("decline", Do::Page(Click::Decline)),
            6 => ("accept early", Do::Page(Click::Accept)),
            7 => ("bot dies", Do::BotGone { finished: dice.chance(3) }),
            8 => {
                let whom = ["sip:elsewhere@192.0.2.1", "sip:7002@10.0.0.1", "sip:ada@10.0.0.1", "sip:bob@10.0.0.1"];
                if dice.chance(2) {
                    let wait = Duration::from_micros(dice.pick(&[0, 20, 1_000, 500_000]));
                    let after = dice.pick(&[AfterRefer::HangUpOnceAccepted(wait), AfterRefer::HangUpOnSuccess]);
                    self.at(0, Do::AfterRefer(party, after));
                }
                ("refer", Do::Refer(party, dice.pick(&whom).into()))
            }
            9 => ("crash", Do::Stop { party, loud: true }),
            10 => ("stop", Do::Stop { party, loud: false }),
            11 | 12 => {
                let longest = dice.pick(&[900, 4_000, 35_000]);
                ("delay", Do::Delay(party, dice.chance(2), Duration::from_millis(100 + dice.below(longest))))
            }
            13 => {
                let what = dice.pick(&["BYE", "ACK", "CANCEL", "SIP/2.0 200", "SIP/2.0 180", "NOTIFY", "INVITE"]);
                let times = 1 + dice.below(4) as u32;
                let inward = dice.chance(2);
                ("lost message", if inward { Do::Lose(party, what, times) } else { Do::LoseTo(party, what, times) })
            }
            14 => return self.garbage(party, at, dice),
            _ if dice.chance(3) => ("drain", Do::Drain),
            _ => ("presses twice", Do::Press(DESK, '1')),
        };
        self.count(kind);
        self.at(at, what);
    }

    /// The bot introduces the human, or stays on.
    fn choreography(&mut self, dice: &mut Dice<'_>) {
        let choreography = &mut self.setup.choreography;
        if dice.chance(6) {
            choreography.introduce = Introduce::ThreeWay;
        }
        if dice.chance(6) {
            choreography.co_pilot = dice.pick(&[CoPilot::Silent, CoPilot::Heard]);
        }
        if choreography.introduce == Introduce::ThreeWay && dice.chance(2) {
            self.at(4_000 + dice.below(16_000), Do::Fact(FactKind::Introduced));
        }
    }

    fn garbage(&mut self, party: Party, at: u64, dice: &mut Dice<'_>) {
        self.count("garbage");
        let bytes: Vec<u8> = (0..dice.below(120)).map(|_| dice.below(256) as u8).collect();
        let lines = ["INVITE sip:7001@10.0.0.1 SIP/2.0\r\n", "SIP/2.0 200 OK\r\n", "BYE sip:x SIP/2.0\r\n\r\n", ""];
        let sip = [dice.pick(&lines).as_bytes(), &bytes].concat();
        self.at(at, Do::Datagram(party, sip));
        self.at(at + 300, Do::Noise(party, bytes));
    }

    /// Another caller who wants the same desks.
    fn company(&mut self, dice: &mut Dice<'_>) {
        let begin = dice.below(8_000);
        self.at(begin, Do::DialFrom(CALLER2, "7002"));
        self.at(begin + 1_500 + dice.below(4_000), Do::Press(CALLER2, '0'));
        if dice.chance(2) {
            self.count("hang-up");
            self.at(begin + dice.below(14_000), Do::HangUp(CALLER2));
        }
    }
}

fn setup(seed: u64, dice: &mut Dice<'_>) -> Setup {
    let transport = dice.pick(&[Transport::Udp, Transport::Udp, Transport::Tcp]);
    let bot = arrival(dice, 16, 500);
    let desk = [arrival(dice, 5, 2_500), arrival(dice, 5, 2_500)];
    let codec = |dice: &mut Dice<'_>| dice.pick(&[Codec::Pcmu, Codec::Pcma]);
    let timers = Timers {
        ring_timeout: dice.millis(2_000, 7_000),
        accept_timeout: dice.millis(1_000, 6_000),
        release_after: dice.millis(200, 3_500),
        refer_result_timeout: dice.millis(2_000, 10_000),
        bot_timeout: dice.millis(1_500, 5_000),
        ..Timers::default()
    };
    Setup {
        seed,
        transport,
        release: dice.pick(&[Release::Auto, Release::Stay, Release::Refer]),
        while_consulting: dice.pick(&[WhileConsulting::Bot, WhileConsulting::Music]),
        accept: dice.pick(&[AcceptGate::KeyOrPage, AcceptGate::KeyOrPage, AcceptGate::Auto]),
        stream_bot: dice.chance(3),
        desks: if dice.chance(12) { 0 } else { 1 + dice.below(2) as usize },
        codecs: [codec(dice), codec(dice), codec(dice)],
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
        on_close: dice.pick(&[OnBotClose::HangUp, OnBotClose::Handoff, OnBotClose::Handoff]),
        on_refusal: dice.pick(&[OnBotRefusal::Refuse, OnBotRefusal::Handoff, OnBotRefusal::Handoff]),
        timers,
        profile: product(seed),
        ..Setup::default()
    }
}

/// What the operator says, true or not.
fn abilities(dice: &mut Dice<'_>) -> Abilities {
    let words = [Manual::Learn, Manual::Learn, Manual::Yes, Manual::No];
    Abilities { refer: dice.pick(&words), replaces: dice.pick(&words) }
}

/// Half of them do it, one way or another.
fn on_refer(dice: &mut Dice<'_>) -> OnRefer {
    let refuse = dice.pick(&[400, 403, 405, 420, 429, 481, 491, 500, 501, 503, 603]);
    let report = dice.pick(&[200, 403, 404, 480, 481, 486, 503, 603]);
    let spacing = |dice: &mut Dice<'_>| {
        let micros = dice.pick(&[0, 20, 1_000, 500_000, 5_000_000]);
        (!dice.chance(6)).then(|| Duration::from_micros(micros))
    };
    match dice.below(12) {
        0 | 1 => OnRefer::Refuse(refuse),
        2 => OnRefer::Forget,
        3 => OnRefer::Report(report),
        4 => OnRefer::HangUp,
        5 => dice.pick(&[OnRefer::Stall, OnRefer::Ignore]),
        6 => OnRefer::RefuseFirst(refuse, 1),
        7..=8 => OnRefer::Slowly { notify: spacing(dice), bye: spacing(dice) },
        _ => OnRefer::Follow,
    }
}

/// Any product's, without a throw of the dice.
fn product(seed: u64) -> Arc<Profile> {
    let name = profile::names().nth((seed % profile::names().count() as u64) as usize);
    name.and_then(profile::built_in).map(Arc::new).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_used_up_give_the_mildest_weather() {
        let mut dice = Dice::Octets(&[7, 1, 2]);
        assert_eq!([dice.below(5), dice.below(1_000), dice.below(9)], [2, 258, 0]);
    }
}
