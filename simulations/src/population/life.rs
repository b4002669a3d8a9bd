//! How a person lives: at home or in a facility, who cares for them, what they agreed to, and whether
//! the place of their home is protected.

use super::course::Course;
use super::dice::Dice;
use super::identity::Identity;
use super::lot::Lot;
use super::setting::Setting;
use super::{Consent, Nature, Protection, Relationship};
use protocol::code::care_level::CareLevel;
use protocol::date::Date;
use protocol::id::party::{PartyId, PartyKind};

/// Kinds of service at home, from 要介護1 and for 要支援.
const HOME_KINDS: (&[&str], &[&str]) = (&["11", "13", "15", "16", "17", "21"], &["63", "66", "67", "A2", "A6"]);
/// Kinds of community-based service, likewise.
const COMMUNITY_KINDS: (&[&str], &[&str]) = (&["73", "78", "76", "72"], &["75", "74"]);
/// Kinds of facility.
const FACILITY_KINDS: &[&str] = &["51", "51", "52", "54", "55"];

/// Where a certified person is cared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Uses no service.
    Nowhere,
    /// At home (居宅).
    Home,
    /// By a service of the community (地域密着型).
    Community,
    /// In a facility (施設).
    Facility,
}

/// How a person lives.
pub(super) struct Life {
    pub(super) care: Care,
    /// Who writes the care plan.
    pub(super) planner: Option<PartyId>,
    /// Since when.
    pub(super) since: Date,
    /// The services, each with its kind.
    pub(super) services: Vec<(PartyId, &'static str)>,
    pub(super) hospital: Option<PartyId>,
    pub(super) protection: Option<Protection>,
    pub(super) consents: Vec<Consent>,
    pub(super) relationships: Vec<Relationship>,
}

impl Life {
    /// The life of the person `index`.
    pub(super) fn draw(setting: &Setting, index: u64, identity: &Identity, course: &Course, lot: Option<Lot>) -> Self {
        let mut dice = setting.dice(index, "life");
        let mut life = Self {
            care: care(&mut dice, course.latest().map(|latest| latest.level), lot),
            planner: None,
            since: course.episodes.first().map_or(setting.today, |first| first.from),
            services: Vec::new(),
            hospital: identity.certified.then(|| dice.pick(&setting.hospitals).cloned()).flatten(),
            protection: protection(&mut dice, setting.today, lot),
            consents: Vec::new(),
            relationships: Vec::new(),
        };
        let Some(latest) = course.latest() else { return life };
        let support = latest.level < CareLevel::Care1;
        life.engage(&mut dice, setting, support);
        life.consents = consents(&mut dice, setting, &life, course, lot);
        life.relate(course, setting.today);
        life
    }

    fn engage(&mut self, dice: &mut Dice, setting: &Setting, support: bool) {
        let of = |kinds: (&'static [&'static str], &'static [&'static str])| if support { kinds.1 } else { kinds.0 };
        let (kinds, count) = match self.care {
            Care::Nowhere => return,
            Care::Home => (of(HOME_KINDS), dice.weighted(&[(1, 25), (2, 35), (3, 25), (4, 15)], 2)),
            Care::Community => (of(COMMUNITY_KINDS), 1),
            Care::Facility => (FACILITY_KINDS, 1),
        };
        for _ in 0..count {
            let kind = dice.word(kinds);
            let Some(office) = dice.pick(&setting.services).cloned() else { break };
            if self.services.iter().all(|(known, other)| *known != office && *other != kind) {
                self.services.push((office, kind));
            }
        }
        self.planner = match self.care {
            Care::Facility => self.services.first().map(|(office, _)| office.clone()),
            _ => dice.pick(&setting.offices).cloned(),
        };
    }

    fn relate(&mut self, course: &Course, today: Date) {
        let from = self.since.min(today);
        let mut relate = |party: &PartyId, nature, from, until| {
            self.relationships.push(Relationship { party: party.clone(), nature, from, until });
        };
        if let Some(planner) = &self.planner {
            let nature = if self.care == Care::Facility { Nature::FacilityPlanning } else { Nature::CarePlanning };
            relate(planner, nature, from, None);
        }
        if self.care != Care::Facility {
            for (office, _) in &self.services {
                relate(office, Nature::Service, from, None);
            }
        }
        let Some(hospital) = &self.hospital else { return };
        // An order is open until the opinion has served: to the end of the second month after the decision.
        let orders = course.latest().into_iter().chain(&course.pending);
        for order in orders.filter(|order| order.opinion_requested <= today) {
            let until = order.decided.plus_months(2).map(Date::month_end);
            let decided = order.decided <= today;
            relate(hospital, Nature::OpinionOrder, order.opinion_requested, if decided { until } else { None });
        }
    }
}

/// 84 % of the certified use services: 69 % of these at home, 15 % in the community, 16 % in a
/// facility, and these the heavier the more often.
fn care(dice: &mut Dice, level: Option<CareLevel>, lot: Option<Lot>) -> Care {
    let Some(level) = level else { return Care::Nowhere };
    match lot {
        Some(Lot::InFacility) => return Care::Facility,
        Some(_) => return Care::Home,
        None if dice.happens(16, 100) => return Care::Nowhere,
        None => {}
    }
    let (facility, community) = match level {
        CareLevel::Care1 => (6, 20),
        CareLevel::Care2 => (12, 19),
        CareLevel::Care3 => (32, 17),
        CareLevel::Care4 => (41, 13),
        CareLevel::Care5 => (39, 11),
        _ => (0, 10),
    };
    let home = 100_u64.saturating_sub(facility + community);
    dice.weighted(&[(Care::Facility, facility), (Care::Community, community), (Care::Home, home)], Care::Home)
}

/// One in a thousand is protected (支援措置), and of these one in five no longer.
fn protection(dice: &mut Dice, today: Date, lot: Option<Lot>) -> Option<Protection> {
    let dealt = lot == Some(Lot::Protected);
    if !dealt && !dice.happens(1, 1_000) {
        return None;
    }
    let from = today.plus_days(-dice.between(200, 1_000))?;
    let lifted = !dealt && dice.happens(1, 5);
    Some(Protection { from, until: if lifted { today.plus_days(-dice.between(1, 150)) } else { None } })
}

/// All but 3 % consented when they last applied; one in a hundred withdrew.
fn consents(dice: &mut Dice, setting: &Setting, life: &Life, course: &Course, lot: Option<Lot>) -> Vec<Consent> {
    let (without, withdraws) = (dice.happens(3, 100), dice.happens(1, 100));
    let without = if lot.is_some() { lot == Some(Lot::WithoutConsent) } else { without };
    let withdraws = if lot.is_some() { lot == Some(Lot::ConsentWithdrawn) } else { withdraws };
    let Some(latest) = course.latest().filter(|_| !without) else { return Vec::new() };
    let at_office = life.planner.as_ref().filter(|_| dice.happens(3, 10));
    let insurer = || PartyId::new(PartyKind::Insurer, &setting.insurer.to_string());
    let Some(taken_by) = at_office.cloned().or_else(insurer) else { return Vec::new() };
    let withdrawn = if withdraws { setting.today.plus_days(-dice.between(1, 20)) } else { None };
    vec![Consent { taken_by, on: latest.applied, withdrawn }]
}
