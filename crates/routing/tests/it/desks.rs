//! Desks: whatever comes and goes, one desk has one caller, and the choice is free, fit, untried and explained.

use call_model::{DeskId, HandoffId, Instant, Trigger, Urgency};
use proptest::prelude::*;
use routing::{Desk, Desks, Order, Presence, Wanted};

#[derive(Clone, Debug)]
enum Step {
    /// A caller wants somebody, and has tried the first so many desks.
    Want {
        wanted: Wanted,
        tried: usize,
    },
    /// The handoff that has had its desk longest gives it back.
    Finish,
    Presence(usize, Presence),
    Reachable(usize, bool),
}

const DESKS: usize = 6;

fn id(n: usize) -> DeskId {
    DeskId(format!("desk-{n}"))
}

fn desk(n: usize) -> Desk {
    let skills = [vec![], vec!["billing".to_owned()], vec!["distress".to_owned()]][n % 3].clone();
    let languages = [vec!["en".to_owned()], vec![], vec!["es".to_owned(), "en".to_owned()]][n / 2].clone();
    Desk { skills, languages, seniority: (n / 2) as u8, ..Desk::new(format!("desk-{n}")) }
}

pub(crate) fn wanted() -> impl Strategy<Value = Wanted> {
    let trigger = prop_oneof![Just(Trigger::Asked), Just(Trigger::Distress), Just(Trigger::Vip)];
    let urgency = prop_oneof![Just(Urgency::Normal), Just(Urgency::High), Just(Urgency::Emergency)];
    let skill = proptest::option::of(prop_oneof![Just("billing".to_owned()), Just("tax".to_owned())]);
    let language =
        proptest::option::of(prop_oneof![Just("es".to_owned()), Just("en-GB".to_owned()), Just("fr".to_owned())]);
    let named = proptest::option::weighted(0.2, (0..DESKS).prop_map(id));
    (trigger, urgency, skill, language, named).prop_map(|(trigger, urgency, skill, language, desk)| Wanted {
        trigger,
        urgency,
        skill,
        desk,
        language,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let presence = prop_oneof![Just(Presence::Available), Just(Presence::Away), Just(Presence::Unknown)];
    prop_oneof![
        4 => (wanted(), 0..DESKS).prop_map(|(wanted, tried)| Step::Want { wanted, tried }),
        2 => Just(Step::Finish),
        1 => (0..DESKS, presence).prop_map(|(n, presence)| Step::Presence(n, presence)),
        1 => (0..DESKS, any::<bool>()).prop_map(|(n, reachable)| Step::Reachable(n, reachable)),
    ]
}

fn fits(n: usize, wanted: &Wanted) -> bool {
    let skills = desk(n).skills;
    wanted.desk.as_ref().is_none_or(|named| *named == id(n))
        && wanted.skill.as_ref().is_none_or(|skill| skills.is_empty() || skills.contains(skill))
}

/// Whether the caller's language is spoken there; nothing where one of the two is not known.
fn speaks(n: usize, wanted: &Wanted) -> Option<bool> {
    let (language, all) = (wanted.language.as_deref()?, desk(n).languages);
    (!all.is_empty()).then(|| all.iter().any(|one| language.starts_with(one.as_str())))
}

proptest! {
    #[test]
    fn one_desk_has_one_caller_and_the_choice_is_free_fit_untried_and_explained(
        steps in proptest::collection::vec(step(), 0..120),
        longest_idle in any::<bool>(),
    ) {
        let order = if longest_idle { Order::LongestIdle } else { Order::Configured };
        let mut desks = Desks::new((0..DESKS).map(desk)).ordered(order);
        let mut held: Vec<(DeskId, HandoffId)> = Vec::new();
        let mut there = [(Presence::Unknown, true); DESKS];
        for (n, step) in steps.into_iter().enumerate() {
            let now = Instant::from_millis(n as u64 * 1_000);
            match step {
                Step::Presence(n, presence) => {
                    there[n].0 = presence;
                    prop_assert!(desks.set_presence(&id(n), presence, now));
                }
                Step::Reachable(n, reachable) => {
                    there[n].1 = reachable;
                    prop_assert!(desks.set_reachable(&id(n), reachable, now));
                }
                Step::Finish if held.is_empty() => {}
                Step::Finish => {
                    let (desk, handoff) = held.remove(0);
                    prop_assert!(desks.release(&desk, handoff, now));
                    prop_assert!(!desks.release(&desk, handoff, now), "once");
                }
                Step::Want { wanted, tried } => {
                    let tried: Vec<DeskId> = (0..tried).map(id).collect();
                    let free = |n: &usize| {
                        let (presence, reachable) = there[*n];
                        held.iter().all(|(held, _)| *held != id(*n))
                            && presence != Presence::Away
                            && reachable
                            && !tried.contains(&id(*n))
                            && fits(*n, &wanted)
                    };
                    let candidates: Vec<usize> = (0..DESKS).filter(free).collect();
                    let choice = desks.choose(&wanted, &tried, now);
                    prop_assert_eq!(&choice, &desks.clone().choose(&wanted, &tried, now), "the same again");
                    prop_assert_eq!(choice.is_some(), !candidates.is_empty(), "somebody is found while somebody fits");
                    let Some(choice) = choice else {
                        prop_assert!(!desks.why_none(&wanted, &tried, &[]).contains("is free"));
                        continue;
                    };
                    let chosen = candidates.iter().copied().find(|n| id(*n) == choice.desk);
                    prop_assert!(chosen.is_some() && !choice.because.is_empty());
                    if candidates.iter().any(|n| speaks(*n, &wanted) == Some(true)) {
                        prop_assert_eq!(chosen.and_then(|n| speaks(n, &wanted)), Some(true), "{}", choice.because);
                    }
                    let handoff = HandoffId(n as u128 + 1);
                    prop_assert!(desks.reserve(&choice.desk, handoff).is_ok());
                    prop_assert!(desks.reserve(&choice.desk, HandoffId(u128::MAX)).is_err(), "one caller");
                    held.push((choice.desk, handoff));
                }
            }
        }
    }
}
