use call_model::{Decision, DeskId, HandoffId, Instant, Trigger, Urgency};
use core::fmt;
use std::collections::BTreeSet;

/// One human's seat as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desk {
    /// Its name.
    pub id: DeskId,
    /// What it is good at: trigger tokens (`distress`, `compliance`) or names that a route asks for. Empty: anything.
    pub skills: Vec<String>,
    /// What is spoken there: language tags such as `es` or `pt-BR`. Empty: not known.
    pub languages: Vec<String>,
    /// The higher, the more experienced: rung first for delicate callers and last for others.
    pub seniority: u8,
    /// Lower is rung first, where nothing else decides.
    pub priority: u16,
}

/// What decides between desks that are equally good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Their order in the configuration.
    #[default]
    Configured,
    /// Who has been without a caller for longest; who had none yet comes first.
    LongestIdle,
}

impl Desk {
    /// A desk that takes anything.
    pub fn new(name: impl Into<String>) -> Self {
        let id = DeskId(name.into());
        Self { id, skills: Vec::new(), languages: Vec::new(), seniority: 0, priority: 0 }
    }
}

/// Whether the human is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Presence {
    /// Nobody said; a SIP phone without a page. May be rung, after those known to be there.
    #[default]
    Unknown,
    /// A page is open and ready.
    Available,
    /// Nobody is there: no page is open at a desk that must have one. Never rung.
    Away,
}

/// What a caller needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Why a human is needed, the kind.
    pub trigger: Trigger,
    /// How quickly.
    pub urgency: Urgency,
    /// A skill that is asked for, if any.
    pub skill: Option<String>,
    /// This desk and no other, if one is asked for by name.
    pub desk: Option<DeskId>,
    /// What the caller speaks, if it is known: a language tag.
    pub language: Option<String>,
}

impl Wanted {
    /// Whether it takes somebody with experience.
    pub fn is_delicate(&self) -> bool {
        self.urgency > Urgency::Normal || matches!(self.trigger, Trigger::Vip | Trigger::HighValue)
    }
}

impl From<&Decision> for Wanted {
    fn from(decision: &Decision) -> Self {
        Self { trigger: decision.trigger, urgency: decision.urgency, skill: None, desk: None, language: None }
    }
}

impl From<Trigger> for Wanted {
    fn from(trigger: Trigger) -> Self {
        Self { trigger, urgency: Urgency::Normal, skill: None, desk: None, language: None }
    }
}

/// The desk to ring, and why this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Which.
    pub desk: DeskId,
    /// Such as `page open, free for 42 s, first of 2 in order`.
    pub because: String,
}

/// Why a desk was not reserved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotReserved {
    /// No desk of that name is configured.
    Unknown(DeskId),
    /// Another caller has it.
    Taken {
        /// The desk.
        desk: DeskId,
        /// Whose it is.
        by: HandoffId,
    },
}

impl fmt::Display for NotReserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(desk) => write!(f, "no desk named {desk} is configured"),
            Self::Taken { desk, by } => write!(f, "desk {desk} is taken by handoff {by}"),
        }
    }
}

impl core::error::Error for NotReserved {}

/// All desks, in configured order.
#[derive(Clone, Debug, Default)]
pub struct Desks {
    seats: Vec<Seat>,
    order: Order,
}

/// What is known of a desk's human.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whether the human is there.
    pub presence: Presence,
    /// Since when that is so; nothing for what was never otherwise.
    pub since: Option<Instant>,
    /// The telephone can be called.
    pub reachable: bool,
    /// Since when that is so.
    pub reachable_since: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    desk: Desk,
    presence: Presence,
    /// Its telephone can be called.
    reachable: bool,
    /// Since when it can, or cannot: nothing for one that always could.
    reachable_since: Option<Instant>,
    /// Since when the presence is what it is.
    since: Option<Instant>,
    taken: Option<HandoffId>,
    /// When the last caller left it.
    freed: Option<Instant>,
}

impl Desks {
    /// The desks, most wanted first. Of several with the same name the first counts.
    pub fn new(desks: impl IntoIterator<Item = Desk>) -> Self {
        let mut seats: Vec<Seat> = Vec::new();
        for desk in desks {
            if seats.iter().all(|seat| seat.desk.id != desk.id) {
                let (presence, reachable) = (Presence::default(), true);
                let (reachable_since, since, taken, freed) = (None, None, None, None);
                seats.push(Seat { desk, presence, reachable, reachable_since, since, taken, freed });
            }
        }
        Self { seats, order: Order::default() }
    }

    /// The same desks, another way to decide between equals.
    pub fn ordered(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// The human came, went, or is no longer known of. False: no such desk.
    pub fn set_presence(&mut self, desk: &DeskId, presence: Presence, now: Instant) -> bool {
        let Some(seat) = self.seat_mut(desk) else { return false };
        if seat.presence != presence {
            seat.presence = presence;
            seat.since = Some(now);
        }
        true
    }

    /// Its telephone has registered, or no longer is. False: no such desk.
    pub fn set_reachable(&mut self, desk: &DeskId, reachable: bool, now: Instant) -> bool {
        let Some(seat) = self.seat_mut(desk) else { return false };
        if seat.reachable != reachable {
            seat.reachable = reachable;
            seat.reachable_since = Some(now);
        }
        true
    }

    /// What is known of a desk's human.
    pub fn standing(&self, desk: &DeskId) -> Option<Standing> {
        let seat = self.seats.iter().find(|seat| seat.desk.id == *desk)?;
        let Seat { presence, since, reachable, reachable_since, .. } = *seat;
        Some(Standing { presence, since, reachable, reachable_since })
    }

    /// The best free desk that is not in `exclude` (those that were tried for this caller already).
    ///
    /// Rank: speaks the caller's language, has the skill asked for, is known to be there, has the experience that is
    /// needed and not more, priority, then what [`Order`] says. Does not reserve.
    pub fn choose(&self, wanted: &Wanted, exclude: &[DeskId], now: Instant) -> Option<Choice> {
        let tried: BTreeSet<&DeskId> = exclude.iter().collect();
        let free = || self.seats.iter().filter(|seat| seat.is_open(wanted) && !tried.contains(&seat.desk.id));
        let best = free().min_by_key(|seat| seat.rank(wanted, self.order))?;
        let mut because = best.because(wanted, free().count(), exclude.len(), now);
        let out_of_reach = |seat: &&Seat| !seat.reachable && seat.fits(wanted) && !tried.contains(&seat.desk.id);
        for seat in self.seats.iter().filter(out_of_reach) {
            because += &format!(", {} not registered", seat.desk.id);
        }
        Some(Choice { desk: best.desk.id.clone(), because })
    }

    /// Why [`Desks::choose`] finds none, in words for the operator: one clause per desk.
    /// Nothing is said of those in `shut`, which are not free for a reason that is not known here.
    pub fn why_none(&self, wanted: &Wanted, exclude: &[DeskId], shut: &[DeskId]) -> String {
        if self.seats.is_empty() {
            return "no desks are configured".to_owned();
        }
        let said =
            |seat: &&Seat| exclude.contains(&seat.desk.id) || !seat.is_open(wanted) || !shut.contains(&seat.desk.id);
        let clauses: Vec<String> = self.seats.iter().filter(said).map(|seat| seat.why_not(wanted, exclude)).collect();
        clauses.join(", ")
    }

    /// Takes a desk for one handoff. Taking it again for the same handoff is fine.
    pub fn reserve(&mut self, desk: &DeskId, handoff: HandoffId) -> Result<(), NotReserved> {
        let Some(seat) = self.seat_mut(desk) else { return Err(NotReserved::Unknown(desk.clone())) };
        match seat.taken {
            Some(by) if by != handoff => Err(NotReserved::Taken { desk: desk.clone(), by }),
            _ => {
                seat.taken = Some(handoff);
                Ok(())
            }
        }
    }

    /// Gives a desk back. False, and nothing changes, unless this handoff has it: a late release of an old handoff
    /// cannot free the desk under a new caller.
    pub fn release(&mut self, desk: &DeskId, handoff: HandoffId, now: Instant) -> bool {
        match self.seat_mut(desk) {
            Some(seat) if seat.taken == Some(handoff) => {
                seat.taken = None;
                seat.freed = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Whose a desk is at the moment.
    pub fn taken_by(&self, desk: &DeskId) -> Option<HandoffId> {
        self.seats.iter().find(|seat| seat.desk.id == *desk)?.taken
    }

    /// Desks that could be offered a caller now, but for those in `shut`.
    pub(crate) fn open(&self, shut: &[DeskId]) -> impl Iterator<Item = &Seat> {
        let shut: BTreeSet<&DeskId> = shut.iter().collect();
        self.seats.iter().filter(move |seat| seat.is_free() && !shut.contains(&seat.desk.id))
    }

    /// Desks that could take such a caller, once they are free: somebody is there, or may be.
    pub fn staffed(&self, wanted: &Wanted, without: &[DeskId]) -> impl Iterator<Item = &DeskId> {
        let there = |seat: &&Seat| seat.reachable && seat.presence != Presence::Away && seat.fits(wanted);
        let seats = self.seats.iter().filter(there).map(|seat| &seat.desk.id);
        seats.filter(|desk| !without.contains(desk))
    }

    /// All desks in order, with presence and whose they are.
    pub fn iter(&self) -> impl Iterator<Item = (&DeskId, Presence, Option<HandoffId>)> {
        self.seats.iter().map(|seat| (&seat.desk.id, seat.presence, seat.taken))
    }

    fn seat_mut(&mut self, desk: &DeskId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.desk.id == *desk)
    }
}

impl Seat {
    pub(crate) const fn id(&self) -> &DeskId {
        &self.desk.id
    }

    fn is_free(&self) -> bool {
        self.reachable && self.taken.is_none() && self.presence != Presence::Away
    }

    fn is_open(&self, wanted: &Wanted) -> bool {
        self.is_free() && self.fits(wanted)
    }

    /// A skill the route asks for is a must; the trigger's name among the skills is only a preference.
    pub(crate) fn fits(&self, wanted: &Wanted) -> bool {
        if wanted.desk.as_ref().is_some_and(|desk| *desk != self.desk.id) {
            return false;
        }
        let Some(skill) = &wanted.skill else { return true };
        self.desk.skills.is_empty() || self.desk.skills.contains(skill)
    }

    fn specialises(&self, wanted: &Wanted) -> bool {
        let asked = wanted.skill.as_deref();
        self.desk.skills.iter().any(|skill| skill == wanted.trigger.as_str() || Some(skill.as_str()) == asked)
    }

    /// Smaller is better; ties go to configured order.
    fn rank(&self, wanted: &Wanted, order: Order) -> impl Ord + use<> {
        let tongue = match self.speaks(wanted) {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        let seniority = self.desk.seniority;
        let seniority = if wanted.is_delicate() { u8::MAX - seniority } else { seniority };
        let idle_since = self.freed.filter(|_| order == Order::LongestIdle);
        let there = self.presence == Presence::Available;
        (tongue, !self.specialises(wanted), !there, seniority, self.desk.priority, idle_since)
    }

    /// Whether the caller's language is spoken there; nothing where one of the two is not known.
    fn speaks(&self, wanted: &Wanted) -> Option<bool> {
        let wanted = wanted.language.as_deref()?;
        let languages = &self.desk.languages;
        (!languages.is_empty()).then(|| languages.iter().any(|one| primary(one).eq_ignore_ascii_case(primary(wanted))))
    }

    fn because(&self, wanted: &Wanted, open: usize, tried: usize, now: Instant) -> String {
        let mut parts = Vec::new();
        if wanted.desk.is_some() {
            parts.push("asked for by name".to_owned());
        }
        if self.specialises(wanted) {
            let skill = wanted.skill.as_deref().filter(|skill| self.desk.skills.iter().any(|have| have == skill));
            parts.push(format!("takes {}", skill.unwrap_or(wanted.trigger.as_str())));
        }
        if let (Some(speaks), Some(language)) = (self.speaks(wanted), &wanted.language) {
            parts.push(format!("{} {language}", if speaks { "speaks" } else { "does not speak" }));
        }
        let age = |since: Instant| now.since(since).as_secs();
        parts.push(match (self.presence, self.since, self.reachable_since) {
            (Presence::Available, Some(since), _) => format!("page open for {} s", age(since)),
            (_, _, Some(since)) => format!("telephone registered for {} s", age(since)),
            _ => "presence not known".to_owned(),
        });
        if self.desk.seniority > 0 && wanted.is_delicate() {
            parts.push(format!("seniority {}", self.desk.seniority));
        }
        if let Some(freed) = self.freed {
            parts.push(format!("free for {} s", now.since(freed).as_secs()));
        }
        parts.push(if open == 1 { "the only one free".to_owned() } else { format!("first of {open} free") });
        if tried > 0 {
            parts.push(format!("{tried} tried before"));
        }
        parts.join(", ")
    }

    fn why_not(&self, wanted: &Wanted, exclude: &[DeskId]) -> String {
        let why = match self.taken {
            _ if exclude.contains(&self.desk.id) => "was tried".to_owned(),
            Some(_) => "has a caller".to_owned(),
            None if self.presence == Presence::Away => "has no page open".to_owned(),
            None if wanted.desk.as_ref().is_some_and(|desk| *desk != self.desk.id) => "was not asked for".to_owned(),
            None if !self.reachable => "is not registered".to_owned(),
            None if !self.fits(wanted) => format!("does not take {}", wanted.skill.as_deref().unwrap_or_default()),
            None => "is free".to_owned(),
        };
        format!("{} {why}", self.desk.id)
    }
}

/// `pt` of `pt-BR`: somebody who speaks either understands the other.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(60_000);

    #[test]
    fn a_desk_without_a_telephone_is_passed_over_and_it_is_said() {
        let mut desks = desks(["anna", "ben"]);
        assert!(desks.set_reachable(&id("anna"), false, Instant::ZERO));
        let choice = desks.choose(&asked(), &[], NOW);
        let because = "presence not known, the only one free, anna not registered";
        assert_eq!(choice.map(|c| (c.desk.0, c.because)), some("ben", because));
        assert!(desks.set_reachable(&id("ben"), false, Instant::ZERO));
        assert_eq!(desks.why_none(&asked(), &[], &[]), "anna is not registered, ben is not registered");
        assert!(desks.set_reachable(&id("anna"), true, Instant::from_millis(50_000)));
        let choice = desks.choose(&asked(), &[], NOW);
        let because = "telephone registered for 10 s, the only one free, ben not registered";
        assert_eq!(choice.map(|c| (c.desk.0, c.because)), some("anna", because));
    }

    #[test]
    fn the_first_free_desk_in_configured_order_is_chosen() {
        let desks = desks(["anna", "ben"]);
        let choice = desks.choose(&asked(), &[], NOW);
        assert_eq!(choice.map(|c| (c.desk.0, c.because)), some("anna", "presence not known, first of 2 free"));
    }

    #[test]
    fn a_desk_asked_for_by_name_is_the_only_choice() {
        let mut desks = desks(["anna", "ben"]);
        let ben = Wanted { desk: Some(id("ben")), ..asked() };
        let choice = desks.choose(&ben, &[], NOW);
        let because = "asked for by name, presence not known, the only one free";
        assert_eq!(choice.map(|c| (c.desk.0, c.because)), some("ben", because));
        desks.set_presence(&id("ben"), Presence::Away, NOW);
        assert_eq!(desks.choose(&ben, &[], NOW), None);
        assert_eq!(desks.why_none(&ben, &[], &[]), "anna was not asked for, ben has no page open");
    }

    #[test]
    fn a_desk_that_is_there_comes_before_one_nobody_knows_about() {
        let mut desks = desks(["anna", "ben"]);
        desks.set_presence(&id("ben"), Presence::Available, Instant::from_millis(18_000));
        let choice = desks.choose(&asked(), &[], NOW);
        assert_eq!(choice.map(|c| (c.desk.0, c.because)), some("ben", "page open for 42 s, first of 2 free"));
    }

    #[test]
    fn one_desk_is_never_offered_two_callers() {
        let mut desks = desks(["anna"]);
        assert_eq!(desks.reserve(&id("anna"), HandoffId(1)), Ok(()));
        assert_eq!(desks.reserve(&id("anna"), HandoffId(1)), Ok(()));
        assert_eq!(
            desks.reserve(&id("anna"), HandoffId(2)),
            Err(NotReserved::Taken { desk: id("anna"), by: HandoffId(1) })
        );
        assert_eq!(desks.choose(&asked(), &[], NOW), None);
        assert_eq!(desks.why_none(&asked(), &[], &[]), "anna has a caller");
    }

    #[test]
    fn a_late_release_does_not_free_the_desk_under_the_next_caller() {
        let mut desks = desks(["anna"]);
        assert_eq!(desks.reserve(&id("anna"), HandoffId(1)), Ok(()));
        assert!(desks.release(&id("anna"), HandoffId(1), NOW));
        assert_eq!(desks.reserve(&id("anna"), HandoffId(2)), Ok(()));
        assert!(!desks.release(&id("anna"), HandoffId(1), NOW));
        assert_eq!(desks.taken_by(&id("anna")), Some(HandoffId(2)));
    }

    #[test]
    fn those_tried_already_and_those_away_are_passed_over() {
        let mut desks = desks(["anna", "ben", "cleo"]);
        desks.set_presence(&id("ben"), Presence::Away, NOW);
        let choice = desks.choose(&asked(), &[id("anna")], NOW);
        assert_eq!(
            choice.map(|c| (c.desk.0, c.because)),
            some("cleo", "presence not known, the only one free, 1 tried before")
        );
        let tried = [id("anna"), id("cleo")];
        assert_eq!(desks.choose(&asked(), &tried, NOW), None);
        assert_eq!(desks.why_none(&asked(), &tried, &[]), "anna was tried, ben has no page open, cleo was tried");
    }

    #[test]
    fn a_desk_that_takes_the_trigger_is_preferred_and_a_skill_of_the_route_is_a_must() {
        let anna = Desk { skills: vec!["billing".to_owned()], ..Desk::new("anna") };
        let ben = Desk { skills: vec!["distress".to_owned()], ..Desk::new("ben") };
        let desks = Desks::new([anna, ben]);
        let upset = desks.choose(&Trigger::Distress.into(), &[], NOW);
        assert_eq!(
            upset.map(|c| (c.desk.0, c.because)),
            some("ben", "takes distress, presence not known, first of 2 free")
        );
        let billing = Wanted { skill: Some("billing".to_owned()), ..Wanted::from(Trigger::Distress) };
        let chosen = desks.choose(&billing, &[], NOW);
        assert_eq!(
            chosen.map(|c| (c.desk.0, c.because)),
            some("anna", "takes billing, presence not known, the only one free")
        );
        let tax = Wanted { skill: Some("tax".to_owned()), ..asked() };
        assert_eq!(desks.choose(&tax, &[], NOW), None);
        assert_eq!(desks.why_none(&tax, &[], &[]), "anna does not take tax, ben does not take tax");
    }

    #[test]
    fn the_callers_language_goes_before_everything_and_a_stranger_is_better_than_nobody() {
        let speaking = |name: &str, language: &str| Desk { languages: vec![language.to_owned()], ..Desk::new(name) };
        let spanish = Wanted { language: Some("es-MX".to_owned()), ..asked() };
        let mut desks = Desks::new([speaking("anna", "en"), Desk::new("ben"), speaking("cleo", "ES")]);
        desks.set_presence(&id("anna"), Presence::Available, NOW);
        let choice = |desks: &Desks, exclude: &[DeskId]| {
            desks.choose(&spanish, exclude, NOW).map(|choice| (choice.desk.0, choice.because))
        };
        let because = "speaks es-MX, presence not known, first of 3 free";
        assert_eq!(choice(&desks, &[]), some("cleo", because));
        let because = "presence not known, first of 2 free, 1 tried before";
        assert_eq!(choice(&desks, &[id("cleo")]), some("ben", because), "may speak it");
        let because = "does not speak es-MX, page open for 0 s, the only one free, 2 tried before";
        assert_eq!(choice(&desks, &[id("cleo"), id("ben")]), some("anna", because));
    }

    #[test]
    fn experience_is_for_those_who_need_it() {
        let senior = |name: &str, seniority| Desk { seniority, ..Desk::new(name) };
        let desks = Desks::new([senior("anna", 2), senior("ben", 9), senior("cleo", 0)]);
        let urgent = Wanted { urgency: Urgency::High, ..asked() };
        let chosen = |wanted: &Wanted| desks.choose(wanted, &[], NOW).map(|choice| (choice.desk.0, choice.because));
        assert_eq!(chosen(&urgent), some("ben", "presence not known, seniority 9, first of 3 free"));
        assert_eq!(chosen(&Trigger::Vip.into()).map(|(desk, _)| desk), Some("ben".to_owned()));
        assert_eq!(chosen(&asked()), some("cleo", "presence not known, first of 3 free"));
    }

    #[test]
    fn equals_take_turns_where_that_is_wanted_and_priority_goes_first() {
        let late = Desk { priority: 1, ..Desk::new("cleo") };
        let mut desks = Desks::new([late, Desk::new("anna"), Desk::new("ben")]).ordered(Order::LongestIdle);
        let mut order = Vec::new();
        for turn in 1..=4 {
            let now = Instant::from_millis(turn * 1_000);
            let desk = desks.choose(&asked(), &[], now).expect("free").desk;
            assert_eq!(desks.reserve(&desk, HandoffId(turn.into())), Ok(()));
            assert!(desks.release(&desk, HandoffId(turn.into()), now));
            order.push(desk.0);
        }
        assert_eq!(order, ["anna", "ben", "anna", "ben"]);
    }

    #[test]
    fn an_unknown_desk_is_refused_by_name() {
        let mut desks = desks(["anna"]);
        assert!(!desks.set_presence(&id("zoe"), Presence::Available, NOW));
        let refused = desks.reserve(&id("zoe"), HandoffId(1)).map_err(|e| e.to_string());
        assert_eq!(refused, Err("no desk named zoe is configured".to_owned()));
        assert_eq!(Desks::default().why_none(&asked(), &[], &[]), "no desks are configured");
    }

    fn desks<const N: usize>(names: [&str; N]) -> Desks {
        Desks::new(names.map(Desk::new))
    }

    fn id(name: &str) -> DeskId {
        DeskId(name.to_owned())
    }

    fn asked() -> Wanted {
        Trigger::Asked.into()
    }

    fn some(desk: &str, because: &str) -> Option<(String, String)> {
        Some((desk.to_owned(), because.to_owned()))
    }
}
