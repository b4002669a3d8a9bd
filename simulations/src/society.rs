//! The society (社会) of a scenario: insurers, offices, hospitals and invented persons, told twice: to the insurers as
//! import lines, to the oracle as what is true.

pub mod chronicle;

use core::ops::Range;
use std::collections::BTreeMap;

use protocol::binding::Binding;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::medical::MedicalInsuranceId;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::machine::{Ask, Wish};
use protocol::message::{Named, Staff, Versions};
use protocol::record::forms;
use protocol::record::slip::Slip;
use protocol::record::version::{RecordId, Status};
use protocol::time::{Span, Timestamp};
use rand_core::Rng;
use serde_json::{Value, json};

use crate::founding::{Plan, party};
use crate::nation::{self, Area, Shares};
use crate::oracle::{Asking, Expected, Oracle, Truth};
use crate::scenario::Size;
use crate::seed::{below, pick, stream};
use chronicle::Past;

/// The kinds of record that somebody beside the insurer and the person is shown.
const TOLD_TO_OTHERS: [RecordKind; 15] = [
    RecordKind::InsuranceCard,
    RecordKind::BurdenRatioCard,
    RecordKind::CertificationResult,
    RecordKind::CertificationProgress,
    RecordKind::CertificationSurvey,
    RecordKind::DoctorsOpinion,
    RecordKind::CarePlan,
    RecordKind::EquipmentBalance,
    RecordKind::LifeAssessment,
    RecordKind::ServiceUsePlan,
    RecordKind::BenefitManagement,
    RecordKind::BurdenLimitCertificate,
    RecordKind::PreventionPlan,
    RecordKind::CareConference,
    RecordKind::SupportCourse,
];

/// Who takes part, and what is true of them.
#[derive(Debug)]
pub struct Society {
    /// Who has a host.
    pub plan: Plan,
    /// What must come of each question.
    pub oracle: Oracle,
    persons: Vec<PersonId>,
    files: BTreeMap<PersonId, File>,
    planners: Vec<PartyId>,
    servers: Vec<PartyId>,
    hospitals: Vec<PartyId>,
    insurers: Vec<PartyId>,
    /// Of a nation, what each insurer has of all those.
    areas: Vec<Area>,
    /// What may be corrected: nobody is about to.
    written: Vec<Written>,
}

/// Whoever somebody in one place has to do with.
struct Near<'a> {
    planners: &'a [PartyId],
    servers: &'a [PartyId],
    hospitals: &'a [PartyId],
    insurers: &'a [PartyId],
}

/// What an insurer has of a person beside what is true now.
#[derive(Clone, Debug, Default)]
struct File {
    /// The number of the medical insurance, if that is known.
    medical: Option<MedicalInsuranceId>,
    /// The name of the record of each kind.
    records: Vec<[u64; 2]>,
    /// Ties that are over.
    ended: Vec<Value>,
    /// The months since January 2025 in which a consent was given and withdrawn, in their order. After a withdrawal only
    /// a later consent counts.
    consents: Vec<(u64, Option<u64>)>,
}

/// A change of what is true of a person (異動).
#[derive(Debug)]
pub struct Change {
    person: PersonId,
    truth: Truth,
    file: File,
    /// The insurer that has to be told.
    pub insurer: PartyId,
    /// What it is told.
    pub line: String,
}

/// A question somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who asks.
    pub asker: PartyId,
    /// As what.
    pub asking: Asking,
    /// About whom.
    pub person: PersonId,
    /// By which number the asker knows them.
    pub handle: Handle,
    /// What.
    pub kind: RecordKind,
    /// What is submitted, if nothing is asked.
    pub writing: Option<Writing>,
    /// Which record is to be erased, if nothing is asked.
    pub erasing: Option<RecordId>,
    /// The day and the instant it is about, if not today and now.
    pub past: Past,
}

/// A version somebody submits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// The version.
    pub slip: Slip,
    /// Who wrote the version before, if it corrects one.
    pub amends: Option<PartyId>,
    /// New records that are handed in before it, in the same submission.
    pub beside: Vec<Slip>,
}

/// The newest version of a record that somebody submitted and is known to be kept.
#[derive(Clone, Debug)]
struct Written {
    id: RecordId,
    person: PersonId,
    kind: RecordKind,
    number: u32,
    author: PartyId,
}

/// Of how many kinds the oracle tells versions from the beginning.
const KINDS_TOLD: usize = 2;
/// The months from January 2025 until before a play's day.
const CONSENT_MONTHS: u64 = 20;
/// Everything else that takes part.
const SHARED: [&str; 3] = ["directory:1", "pseudonymiser:1", "pseudonymiser:2"];

impl Society {
    /// The society of one seed.
    pub fn new(seed: u64, size: &Size) -> Self {
        let count = |wanted: &toml::Spanned<u64>| usize::try_from(*wanted.get_ref()).unwrap_or(usize::MAX);
        let insurers: Vec<_> =
            if size.nation { nation::insurers() } else { insurers().take(count(&size.insurers)).collect() };
        // A nation's offices and hospitals are too many for numbers that begin alike.
        let (office, hospital) = if size.nation { ("13", "13") } else { ("13701", "13123") };
        let numbered = |kind: &str, first: &str, count| {
            let width = 10_usize.saturating_sub(first.len());
            (1..=count).map(|n| party(&format!("{kind}:{first}{n:0width$}"))).collect::<Vec<_>>()
        };
        let offices = numbered("office", office, count(&size.offices));
        let hospitals = numbered("hospital", hospital, count(&size.hospitals));
        let shares = Shares {
            persons: count(&size.persons).saturating_mul(insurers.len()),
            offices: offices.len(),
            hospitals: hospitals.len(),
        };
        let areas = if size.nation { nation::areas(&insurers, shares, &mut stream(seed, "areas")) } else { Vec::new() };
        let by_turns = |rest: usize| {
            let own = offices.iter().enumerate().filter(move |(at, _office)| at % 2 == rest);
            own.map(|(_at, office)| office.clone()).collect::<Vec<_>>()
        };
        let (planners, servers) = (by_turns(0), by_turns(1));
        let mut society = Self {
            plan: Plan {
                is_nation: size.nation,
                cosign_every: size.cosign_every_s.as_ref().map(|every| Span::from_s(*every.get_ref())),
                ..plan(&insurers, size.witnesses.as_ref().map_or(1, count), (&planners, &servers, &hospitals))
            },
            oracle: Oracle::default(),
            persons: Vec::new(),
            files: BTreeMap::new(),
            planners,
            servers,
            hospitals,
            insurers: insurers.iter().map(|number| party(&format!("insurer:{number}"))).collect(),
            areas,
            written: Vec::new(),
        };
        let mut dice = stream(seed, "society");
        for (at, insurer) in insurers.into_iter().enumerate() {
            let persons = society.areas.get(at).map_or(count(&size.persons), |area| area.persons.len());
            for _person in 0..persons {
                society.invent(insurer, &mut dice);
            }
        }
        society.give_medical_numbers(size.medical.as_ref().map_or(0, count), seed);
        society
    }

    /// All insurers.
    pub fn insurers(&self) -> &[PartyId] {
        &self.insurers
    }

    /// What an insurer imports to know everything that is true.
    pub fn lines(&self, insurer: &PartyId) -> String {
        let own = |person: &&PersonId| insurer.number() == person.insurer().to_string();
        let lines = self
            .persons
            .iter()
            .filter(own)
            .filter_map(|person| Some(line(person, self.oracle.truth(person)?, self.files.get(person)?)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What an insurer imports to know everything that is true of one person.
    pub fn line(&self, person: &PersonId) -> Option<String> {
        Some(line(person, self.oracle.truth(person)?, self.files.get(person)?))
    }

    /// What each insurer asks of the directory to be known as somebody's home, under a number above the last.
    pub fn registrations(&self, number: u64) -> Vec<(PartyId, Ask)> {
        let from = Date::MIN;
        let known = self.files.iter().filter_map(|(person, file)| Some((person, file.medical.clone()?)));
        known
            .map(|(person, medical)| {
                let home = Binding { insurer: person.insurer(), from };
                let ask = Ask {
                    staff: Staff { id: "staff-1".into(), job: Job::MunicipalOfficer, proof: None },
                    purpose: Purpose::BenefitAdministration,
                    person: Handle::Medical(medical),
                    wish: Wish::Registration { home, number },
                };
                (party(&format!("insurer:{}", person.insurer())), ask)
            })
            .collect()
    }

    /// Something that may change of somebody; it is true once [`Society::learn`] is told that the insurer has it.
    pub fn change(&self, dice: &mut dyn Rng) -> Option<Change> {
        let person = pick(dice, &self.persons)?.clone();
        let mut truth = self.oracle.truth(&person)?.clone();
        let mut file = self.files.get(&person)?.clone();
        match below(dice, 7) {
            0 => truth.consents = file.change_mind()?,
            1 => truth.is_protected = !truth.is_protected,
            2 => {
                file.ended.extend(truth.planner.take().map(|party| tie(&party, "care-planning", Some("2026-01-31"))));
                truth.planner = pick(dice, &self.planners).cloned();
            }
            3..=5 => chronicle::go_on(&mut truth, dice)?,
            _ => {
                file.ended.extend(truth.server.take().map(|party| tie(&party, "service", Some("2026-01-31"))));
                truth.server = pick(dice, &self.servers).cloned();
            }
        }
        let (insurer, line) = (party(&format!("insurer:{}", person.insurer())), line(&person, &truth, &file));
        Some(Change { person, truth, file, insurer, line })
    }

    /// From now on the change is true.
    pub fn learn(&mut self, change: Change, at: Timestamp) {
        self.oracle.learn(change.person.clone(), change.truth);
        self.files.insert(change.person, change.file);
        self.oracle.note(at.unix_ms());
    }

    /// Somebody whose insurer erases everything of them, and how its officer says so.
    pub fn farewell(&self, dice: &mut dyn Rng) -> Option<(PersonId, PartyId, Ask)> {
        let known: Vec<_> = self.persons.iter().filter(|person| self.files.contains_key(*person)).collect();
        // A world in which nobody is known any more shows nothing.
        if known.len() <= self.persons.len() / 2 {
            return None;
        }
        let person = (*pick(dice, &known)?).clone();
        let insurer = party(&format!("insurer:{}", person.insurer()));
        let ask = officer(Purpose::BenefitAdministration, &person, Wish::Erasure(None));
        Some((person, insurer, ask))
    }

    /// From now on nothing is known of somebody.
    pub fn forget(&mut self, person: &PersonId) {
        self.oracle.forget(person);
        self.files.remove(person);
        self.written.retain(|written| written.person != *person);
    }

    /// From now on nobody asks about somebody.
    pub fn leave(&mut self, person: &PersonId) {
        self.forget(person);
        self.persons.retain(|other| other != person);
    }

    /// A question of somebody, most often about one they have to do with.
    pub fn query(&self, dice: &mut dyn Rng) -> Option<Query> {
        let place = below(dice, u64::try_from(self.persons.len()).ok()?);
        let place = usize::try_from(place).ok()?;
        let (person, near) = (self.persons.get(place)?.clone(), self.near(place));
        // What nobody but the insurer is shown is asked for now and then only: most questions are to be answered.
        let kind = if below(dice, 8) == 0 { *pick(dice, &RecordKind::ALL)? } else { *pick(dice, &TOLD_TO_OTHERS)? };
        let insurer = party(&format!("insurer:{}", person.insurer()));
        // Nobody has to do with one who was erased.
        let truth = self.oracle.truth(&person);
        let (asking, tied, others) = match below(dice, 8) {
            0..=3 => (Asking::CareManager, truth.and_then(|truth| truth.planner.clone()), near.planners),
            4 | 5 => (Asking::CareWorker, truth.and_then(|truth| truth.server.clone()), near.servers),
            6 => (Asking::Doctor, truth.and_then(|truth| truth.doctor.clone()), near.hospitals),
            _ => (Asking::Officer, Some(insurer), near.insurers),
        };
        let stranger = pick(dice, others).cloned();
        let asker = if below(dice, 5) == 0 { stranger } else { tied.or(stranger) }?;
        // Now and then it is somebody else who works there.
        let other = *pick(dice, &Asking::ALL)?;
        let asking = if below(dice, 8) == 0 { other } else { asking };
        let medical = self.files.get(&person).and_then(|file| file.medical.clone());
        let medical = medical.filter(|_medical| below(dice, 2) == 0);
        let handle = medical.map_or_else(|| Handle::Care(person.clone()), Handle::Medical);
        Some(Query { asker, asking, person, handle, kind, writing: None, erasing: None, past: Past::default() })
    }

    /// A question of somebody who has to do with a person about what held on another day, or was known at another instant.
    pub fn looking_back(&self, now: Timestamp, dice: &mut dyn Rng) -> Option<Query> {
        let is_told_of =
            |person: &&PersonId| self.oracle.truth(person).is_some_and(|truth| truth.told.len() > KINDS_TOLD);
        let told_of: Vec<_> = self.persons.iter().filter(is_told_of).collect();
        let Some(person) = pick(dice, &told_of) else { return self.query(dice) };
        let truth = self.oracle.truth(person)?;
        let (kind, past) = chronicle::look_back(truth, now, dice)?;
        let planner = truth.planner.clone().filter(|_planner| below(dice, 2) == 0);
        let planner = planner.filter(|_planner| kind != RecordKind::ClaimStatement);
        let officer = (party(&format!("insurer:{}", person.insurer())), Asking::Officer);
        let (asker, asking) = planner.map_or(officer, |planner| (planner, Asking::CareManager));
        let (person, handle) = ((*person).clone(), Handle::Care((*person).clone()));
        Some(Query { asker, asking, person, handle, kind, writing: None, erasing: None, past })
    }

    /// The wish to erase a record that somebody submitted, most often of an officer of the person's insurer. Nobody corrects
    /// it any more, whatever comes of it.
    pub fn erasure(&mut self, dice: &mut dyn Rng) -> Option<Query> {
        let query = self.query(dice)?;
        let at = usize::try_from(below(dice, u64::try_from(self.written.len()).ok()?)).ok()?;
        if self.written.is_empty() {
            return Some(query);
        }
        let Written { id, person, kind, .. } = self.written.swap_remove(at);
        let is_officer = below(dice, 4) > 0;
        let officer = (party(&format!("insurer:{}", person.insurer())), Asking::Officer);
        let (asker, asking) = if is_officer { officer } else { (query.asker, query.asking) };
        let handle = Handle::Care(person.clone());
        Some(Query { asker, asking, person, handle, kind, writing: None, erasing: Some(id), past: Past::default() })
    }

    /// A record somebody submits, most often about one they have to do with: a new one, or the correction of one that is
    /// kept. That one is not corrected by anybody else until [`Society::settle`] is told how it ended.
    pub fn writing(&mut self, dice: &mut dyn Rng) -> Option<Query> {
        let query = self.query(dice)?;
        // Every other one is of a kind that its author may well write.
        let fitting = match query.asking {
            Asking::CareManager | Asking::Officer => RecordKind::CarePlan,
            Asking::CareWorker => RecordKind::LifeAssessment,
            Asking::Doctor => RecordKind::DoctorsOpinion,
        };
        let kind = if below(dice, 2) == 0 { fitting } else { query.kind };
        let names = [dice.next_u64(), dice.next_u64()];
        let amends = below(dice, 2) == 0;
        let known = self.written.iter().position(|one| amends && one.person == query.person && one.kind == kind);
        let known = known.map(|at| self.written.remove(at));
        let item = record(kind, &query.person, names)?;
        let mut slip = Slip::read(&item, &query.person).ok()?;
        if let Some(known) = &known {
            (slip.id, slip.number, slip.status) = (known.id, known.number.saturating_add(1), Status::Amended);
        }
        // Now and then something more comes with it: all of it is kept, or nothing.
        let more = if below(dice, 3) == 0 { below(dice, 3) } else { 0 };
        let beside = (0..more).filter_map(|_more| {
            let names = [dice.next_u64(), dice.next_u64()];
            Slip::read(&record(kind, &query.person, names)?, &query.person).ok()
        });
        let beside = beside.collect();
        let writing = Some(Writing { slip, amends: known.map(|known| known.author), beside });
        Some(Query { handle: Handle::Care(query.person.clone()), kind, writing, ..query })
    }

    /// How the submission of a version ended: none if nobody knows whether it is kept.
    pub fn settle(&mut self, query: &Query, outcome: Option<Expected>) {
        let Some(Writing { slip, amends, beside }) = &query.writing else { return };
        if self.oracle.truth(&query.person).is_none() {
            return;
        }
        let newest = match (outcome, amends) {
            (Some(Expected::Kept), _) => Some((slip.number, query.asker.clone())),
            (Some(Expected::Refused | Expected::NotKept), Some(author)) => {
                Some((slip.number.saturating_sub(1), author.clone()))
            }
            _ => None,
        };
        let written =
            |id, number, author| Written { id, person: query.person.clone(), kind: query.kind, number, author };
        self.written.extend(newest.map(|(number, author)| written(slip.id, number, author)));
        if outcome == Some(Expected::Kept) {
            self.written.extend(beside.iter().map(|slip| written(slip.id, slip.number, query.asker.clone())));
        }
    }

    /// How many digits the numbers on cards have: the medical insurance's, and the long-term-care insurance's.
    pub const NUMBER_DIGITS: [usize; 2] = [8, 10];

    /// Every number on a card: none may be seen by anybody but those who ask and answer.
    pub fn numbers(&self) -> impl Iterator<Item = String> {
        let medical = self.files.values().filter_map(|file| file.medical.as_ref());
        let medical = medical.filter_map(|medical| medical.expose().split(':').nth(2).map(str::to_owned));
        self.persons.iter().map(|person| person.insured().expose().to_owned()).chain(medical)
    }

    /// Whom the person at a place of the list has to do with: in a nation, those of their own insurer.
    fn near(&self, place: usize) -> Near<'_> {
        let at = self.areas.partition_point(|area| area.persons.end <= place);
        let Some(area) = self.areas.get(at) else {
            let (planners, servers) = (&self.planners, &self.servers);
            return Near { planners, servers, hospitals: &self.hospitals, insurers: &self.insurers };
        };
        let Range { start, end } = area.offices;
        Near {
            // Every other office plans care, beginning with the first.
            planners: self.planners.get(start.div_ceil(2)..end.div_ceil(2)).unwrap_or_default(),
            servers: self.servers.get(start / 2..end / 2).unwrap_or_default(),
            hospitals: self.hospitals.get(area.hospitals.clone()).unwrap_or_default(),
            insurers: self.insurers.get(at..at.saturating_add(1)).unwrap_or_default(),
        }
    }

    /// A person, and what is true of them.
    fn invent(&mut self, insurer: InsurerNumber, dice: &mut dyn Rng) {
        let person = PersonId::parse(&format!("{insurer}:{:010}", below(dice, 10_000_000_000)));
        let Some(person) = person else { return };
        let near = self.near(self.persons.len());
        let mut one_of = |all: &[PartyId], parts: u64| (below(dice, 8) < parts).then(|| pick(dice, all).cloned());
        let planner = one_of(near.planners, 7).flatten();
        let server = one_of(near.servers, 5).flatten();
        let doctor = one_of(near.hospitals, 4).flatten();
        // In the smallest world, too, somebody never consented and somebody is protected.
        let (consents, is_protected) = (below(dice, 5) > 0, below(dice, 6) == 0);
        let (consents, is_protected) = (consents && self.persons.len() != 1, is_protected || self.persons.len() == 2);
        // Two draws for all kinds, so that one kind more makes no other world.
        let (high, low) = (dice.next_u64(), dice.next_u64());
        let records: Vec<_> = (0_u64..).zip(RecordKind::ALL).map(|(at, _kind)| [high, low.wrapping_add(at)]).collect();
        let told = chronicle::beginning(&records);
        let truth = Truth { consents, is_protected, planner, server, doctor, told };
        let consents = truth.consents.then_some((0, None)).into_iter().collect();
        self.files.insert(person.clone(), File { records, consents, ..File::default() });
        self.oracle.learn(person.clone(), truth);
        self.persons.push(person);
    }

    /// The first so many of every insurer's persons are known by a number of the medical insurance, too.
    fn give_medical_numbers(&mut self, persons: usize, seed: u64) {
        let mut dice = stream(seed, "medical");
        for insurer in self.insurers.clone() {
            let own = self.persons.iter().filter(|person| insurer.number() == person.insurer().to_string());
            for person in own.take(persons) {
                let number = format!("39131008::{:08}:", below(&mut dice, 100_000_000));
                if let Some(file) = self.files.get_mut(person) {
                    file.medical = MedicalInsuranceId::parse(&number);
                }
            }
        }
    }
}

impl Query {
    /// The question as it is put to the asker's own host.
    pub fn ask(&self) -> Ask {
        let (job, purpose) = match self.asking {
            Asking::CareManager => (Job::CareManager, Purpose::CarePlanning),
            Asking::CareWorker => (Job::CareWorker, Purpose::ServiceProvision),
            Asking::Doctor => (Job::Doctor, Purpose::MedicalOpinion),
            Asking::Officer if self.erasing.is_some() => (Job::MunicipalOfficer, Purpose::BenefitAdministration),
            Asking::Officer => (Job::MunicipalOfficer, Purpose::Certification),
        };
        Ask {
            staff: Staff { id: "staff-1".into(), job, proof: None },
            purpose,
            person: self.handle.clone(),
            wish: match (&self.writing, self.erasing) {
                (Some(writing), _) => Wish::Submission(writing.slips().cloned().collect()),
                (None, Some(id)) => {
                    let id = (*id.as_bytes()).into();
                    Wish::Erasure(Some(Named { kind: self.kind, id, number: None }))
                }
                (None, None) => {
                    let Past { on: valid_on, by: known_at } = self.past;
                    Wish::Records { kinds: vec![self.kind], valid_on, known_at, versions: None }
                }
            },
        }
    }

    /// The insurer of the person it is about.
    pub fn insurer(&self) -> PartyId {
        party(&format!("insurer:{}", self.person.insurer()))
    }

    /// Whether what must come of it hangs on what was kept before.
    pub fn hangs_on_what_is_kept(&self) -> bool {
        self.erasing.is_some() || self.writing.as_ref().is_some_and(|writing| writing.amends.is_some())
    }

    /// The question for every version of the kind that the insurer of the person keeps, asked by its own officer.
    pub fn of_every_version(&self) -> Ask {
        of_every_version(&self.person, self.kind)
    }
}

impl Writing {
    /// All that is handed in, in its order.
    pub fn slips(&self) -> impl Iterator<Item = &Slip> {
        self.beside.iter().chain([&self.slip])
    }
}

/// The question for every version of a kind, asked by an officer of the person's insurer.
pub fn of_every_version(person: &PersonId, kind: RecordKind) -> Ask {
    let wish = Wish::Records { kinds: vec![kind], valid_on: None, known_at: None, versions: Some(Versions::All) };
    officer(Purpose::Certification, person, wish)
}

fn officer(purpose: Purpose, person: &PersonId, wish: Wish) -> Ask {
    let staff = Staff { id: "staff-1".into(), job: Job::MunicipalOfficer, proof: None };
    Ask { staff, purpose, person: Handle::Care(person.clone()), wish }
}

impl File {
    /// The person consents if they did not, and withdraws if they did: whether they consent now. None if the months
    /// before a play's day are used up.
    fn change_mind(&mut self) -> Option<bool> {
        let next = |month: u64| month.checked_add(1).filter(|month| *month < CONSENT_MONTHS);
        match self.consents.last_mut() {
            Some((on, withdrawn @ None)) => {
                *withdrawn = Some(next(*on)?);
                Some(false)
            }
            Some((_on, Some(withdrawn))) => {
                let on = next(*withdrawn)?;
                self.consents.push((on, None));
                Some(true)
            }
            None => {
                self.consents.push((0, None));
                Some(true)
            }
        }
    }
}

/// The first day of so many months after January 2025.
fn first_of(month: u64) -> String {
    format!("{}-{:02}-01", 2025 + month / 12, month % 12 + 1)
}

/// Insurer numbers with a right check digit, from the north on.
fn insurers() -> impl Iterator<Item = InsurerNumber> {
    (1..=47_u32).flat_map(|prefecture| {
        let numbers = (0..1000_u32).filter_map(move |rest| {
            InsurerNumber::parse(&format!("{:06}", prefecture.saturating_mul(10_000).saturating_add(rest)))
        });
        numbers.take(1)
    })
}

fn plan(
    insurers: &[InsurerNumber],
    witnesses: usize,
    (planners, servers, hospitals): (&[PartyId], &[PartyId], &[PartyId]),
) -> Plan {
    let witnesses = (1..=witnesses).map(|number| format!("witness:{number}"));
    let members = insurers.iter().map(|number| format!("insurer:{number}"));
    let holders = [(planners, Some("43")), (servers, Some("11")), (hospitals, None)];
    Plan {
        members: members.chain(SHARED.map(str::to_owned)).chain(witnesses).map(|text| party(&text)).collect(),
        holders: holders
            .into_iter()
            .flat_map(|(parties, service)| {
                let services: Vec<_> = service.and_then(ServiceKind::parse).into_iter().collect();
                parties.iter().map(move |party| (party.clone(), services.clone()))
            })
            .collect(),
        ..Plan::default()
    }
}

/// The import line that makes it true.
fn line(person: &PersonId, truth: &Truth, file: &File) -> String {
    let insurer = person.insurer().to_string();
    let ties = [(&truth.planner, "care-planning"), (&truth.server, "service"), (&truth.doctor, "opinion-order")];
    let ties: Vec<_> = ties
        .into_iter()
        .filter_map(|(party, nature)| Some(tie(party.as_ref()?, nature, None)))
        .chain(file.ended.iter().cloned())
        .collect();
    let consents = file.consents.iter().map(|(on, withdrawn)| {
        json!({"taken_by": format!("insurer:{insurer}"), "on": first_of(*on), "withdrawn": withdrawn.map(first_of)})
    });
    let consents: Vec<_> = consents.collect();
    let records = RecordKind::ALL.into_iter().zip(&file.records);
    let first: Vec<_> = records.filter_map(|(kind, name)| record(kind, person, *name)).collect();
    // What was told first stands among both.
    let later = chronicle::items(person, truth).into_iter().filter(|item| !first.contains(item));
    let records: Vec<_> = first.iter().cloned().chain(later).collect();
    let protection = truth.is_protected.then(|| json!({"from": "2025-01-01", "until": null}));
    json!({"insurer": insurer, "insured": person.insured().expose(),
        "medical": file.medical.as_ref().map(MedicalInsuranceId::expose), "protection": protection,
        "consents": consents, "relationships": ties, "records": records})
    .to_string()
}

fn tie(party: &PartyId, nature: &str, until: Option<&str>) -> Value {
    json!({"party": party.to_string(), "nature": nature, "from": "2025-01-01", "until": until})
}

/// The first version of a record: its form's example, made out to the person, in force since 2025.
fn record(kind: RecordKind, person: &PersonId, [high, low]: [u64; 2]) -> Option<Value> {
    let mut content: Value = serde_json::from_str(forms::form(kind).example).ok()?;
    for (field, value) in
        [("insured_number", person.insured().expose().to_owned()), ("insurer_number", person.insurer().to_string())]
    {
        if let Some(own) = content.get_mut(field) {
            *own = value.into();
        }
    }
    let id = format!("{high:016x}{low:016x}");
    Some(json!({"kind": kind.as_str(), "id": id, "number": 1, "status": "final", "valid_from": "2025-01-01",
        "valid_to": null, "supersedes": null, "content": content}))
}
