//! Random calls: every one has a handoff in it, and things go wrong at random times.

mod cast;

use crate::script::{Click, Do, PageHabit};
use crate::setup::{BOT, CALLER2, DESK, DESK2, Party, Setup, TRUNK};
use crate::world::World;
use call_core::{Introduce, Queueing, Release};
use call_model::{Direction, Emotion, FactKind, IdSource, VoiceScore};
use core::time::Duration;
use phone::{AfterRefer, Answer, Arrival, OnRefer};
use sip_proto::Transport;
use std::collections::BTreeMap;

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

    /// The storm of a seed, whose callers wait in line where no desk is free.
    pub fn in_line(seed: u64) -> Self {
        let mut storm = Self::of_seed(seed);
        storm.setup.queue = Some(Queueing { max_wait: Duration::from_secs(2 + seed % 18), max_length: 2 });
        storm
    }

    /// The storm that the dice give; `seed` is for names and the network.
    pub fn new(seed: u64, dice: &mut Dice<'_>) -> Self {
        let setup = cast::setup(seed, dice);
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
            13 if self.setup.transport == Transport::Udp => {
                let what = dice.pick(&["BYE", "ACK", "CANCEL", "SIP/2.0 200", "SIP/2.0 180", "NOTIFY", "INVITE"]);
                let times = 1 + dice.below(4) as u32;
                let inward = dice.chance(2);
                ("lost message", if inward { Do::Lose(party, what, times) } else { Do::LoseTo(party, what, times) })
            }
            14 => return self.garbage(party, at, dice),
            _ => ("presses twice", Do::Press(DESK, '1')),
        };
        self.count(kind);
        self.at(at, what);
    }

    /// What people do on purpose once they talk, and what goes on around them.
    fn choreography(&mut self, dice: &mut Dice<'_>) {
        if self.setup.choreography.introduce == Introduce::ThreeWay && dice.chance(2) {
            self.at(4_000 + dice.below(16_000), Do::Fact(FactKind::Introduced));
        }
        let at = 4_000 + dice.below(18_000);
        match dice.below(12) {
            0 | 1 => {
                self.count("hand-back");
                if dice.chance(2) {
                    let desk = dice.pick(&[DESK, DESK, DESK2]);
                    self.at(at, Do::Press(desk, '*'));
                    self.at(at + 400, Do::Press(desk, '9'));
                } else {
                    self.at(at, Do::HandBack("Refund is booked."));
                }
                // The bot may not be to be had by then.
                if dice.chance(6) {
                    self.at(at - 1_000, Do::Arrival(BOT, dice.pick(&[Arrival::Ignore, Arrival::Refuse(503)])));
                }
                // And the caller wants somebody again.
                if dice.chance(2) {
                    self.at(at + 2_000 + dice.below(3_000), Do::Press(TRUNK, '0'));
                }
            }
            2 => {
                self.count("take-over");
                // A colleague, the same desk at another telephone, or somebody whom it does not concern.
                let (who, whose) =
                    dice.pick(&[(DESK2, DESK), (DESK2, DESK), (DESK, DESK2), (CALLER2, DESK), (BOT, DESK)]);
                self.at(at, Do::TakeOver(who, whose, dice.chance(8)));
                self.at(at + 1_500, Do::Press(who, '1'));
            }
            3 => {
                self.count("asks a colleague");
                self.at(at, Do::Consult(DESK, DESK2));
                self.at(at + 2_000, Do::ReferToConsult(DESK));
            }
            4 => {
                self.count("page closed");
                self.at(dice.below(16_000), Do::PageGone);
            }
            5 => {
                self.count("model gone");
                let (from, to) = (dice.below(4_000), 4_000 + dice.below(16_000));
                (from..to).step_by(1_000).for_each(|at| self.at(at, Do::Fact(FactKind::Voice(calm_voice()))));
                self.at(to, Do::ModelGone);
            }
            6 => {
                self.count("drain");
                self.at(dice.below(ENOUGH), Do::Drain);
            }
            _ => {}
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

/// Nothing that a rule would act upon.
const fn calm_voice() -> VoiceScore {
    VoiceScore {
        anger: 0.1,
        arousal: 0.2,
        distress: 0.1,
        emotion: Emotion::Neutral,
        confidence: 0.9,
        speech_ratio: 0.5,
        baselined: true,
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
