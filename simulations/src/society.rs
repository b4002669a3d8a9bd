//! The society (社会) of a scenario: insurers, offices, hospitals and invented persons, told twice: to the insurers as
//! import lines, to the oracle as what is true.

use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::machine::{Ask, Wish};
use protocol::message::Staff;
use protocol::record::forms;
use rand_core::Rng;
use serde_json::{Value, json};

use crate::founding::{Plan, party};
use crate::oracle::{Asking, Oracle, Truth};
use crate::scenario::Size;
use crate::seed::{below, pick, stream};

/// Who takes part, and what is true of them.
#[derive(Debug)]
pub struct Society {
    /// Who has a host.
    pub plan: Plan,
    /// What each insurer imports.
    pub imports: Vec<(PartyId, String)>,
    /// What must come of each question.
    pub oracle: Oracle,
    persons: Vec<PersonId>,
    planners: Vec<PartyId>,
    servers: Vec<PartyId>,
    hospitals: Vec<PartyId>,
    insurers: Vec<PartyId>,
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
    /// What.
    pub kind: RecordKind,
}

/// Everything else that takes part.
const SHARED: [&str; 3] = ["directory:1", "pseudonymiser:1", "witness:1"];

impl Society {
    /// The society of one seed.
    pub fn new(seed: u64, size: &Size) -> Self {
        let count = |wanted: &toml::Spanned<u64>| usize::try_from(*wanted.get_ref()).unwrap_or(usize::MAX);
        let insurers: Vec<_> = insurers().take(count(&size.insurers)).collect();
        let offices: Vec<_> = (1..=count(&size.offices)).map(|n| party(&format!("office:13701{n:05}"))).collect();
        let hospitals: Vec<_> = (1..=count(&size.hospitals)).map(|n| party(&format!("hospital:13123{n:05}"))).collect();
        let by_turns = |rest: usize| {
            let own = offices.iter().enumerate().filter(move |(at, _office)| at % 2 == rest);
            own.map(|(_at, office)| office.clone()).collect::<Vec<_>>()
        };
        let (planners, servers) = (by_turns(0), by_turns(1));
        let mut society = Self {
            plan: plan(&insurers, &planners, &servers, &hospitals),
            imports: Vec::new(),
            oracle: Oracle::default(),
            persons: Vec::new(),
            planners,
            servers,
            hospitals,
            insurers: insurers.iter().map(|number| party(&format!("insurer:{number}"))).collect(),
        };
        let mut dice = stream(seed, "society");
        for insurer in insurers {
            let lines: Vec<_> =
                (0..count(&size.persons)).filter_map(|_person| society.invent(insurer, &mut dice)).collect();
            society.imports.push((party(&format!("insurer:{insurer}")), lines.join("\n")));
        }
        society
    }

    /// A question of somebody, most often about one they have to do with.
    pub fn query(&self, dice: &mut dyn Rng) -> Option<Query> {
        let person = pick(dice, &self.persons)?.clone();
        let kind = *pick(dice, &RecordKind::ALL)?;
        let insurer = party(&format!("insurer:{}", person.insurer()));
        let truth = self.oracle.truth(&person)?;
        let (asking, tied, others) = match below(dice, 8) {
            0..=3 => (Asking::CareManager, truth.planner.clone(), &self.planners),
            4 | 5 => (Asking::CareWorker, truth.server.clone(), &self.servers),
            6 => (Asking::Doctor, truth.doctor.clone(), &self.hospitals),
            _ => (Asking::Officer, Some(insurer), &self.insurers),
        };
        let stranger = pick(dice, others).cloned();
        let asker = if below(dice, 5) == 0 { stranger } else { tied.or(stranger) }?;
        Some(Query { asker, asking, person, kind })
    }

    /// Every number on a card: none may be seen by anybody but those who ask and answer.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.persons.iter().map(|person| person.insured().expose())
    }

    /// A person, as an import line.
    fn invent(&mut self, insurer: InsurerNumber, dice: &mut dyn Rng) -> Option<String> {
        let person = PersonId::parse(&format!("{insurer}:{:010}", below(dice, 10_000_000_000)))?;
        let mut one_of = |all: &[PartyId], parts: u64| (below(dice, 8) < parts).then(|| pick(dice, all).cloned());
        let planner = one_of(&self.planners, 7).flatten();
        let server = one_of(&self.servers, 5).flatten();
        let doctor = one_of(&self.hospitals, 4).flatten();
        let truth = Truth { consents: below(dice, 5) > 0, is_protected: below(dice, 6) == 0, planner, server, doctor };
        let line = line(&person, &truth, dice);
        self.oracle.learn(person.clone(), truth);
        self.persons.push(person);
        Some(line)
    }
}

impl Query {
    /// The question as it is put to the asker's own host.
    pub fn ask(&self) -> Ask {
        let (job, purpose) = match self.asking {
            Asking::CareManager => (Job::CareManager, Purpose::CarePlanning),
            Asking::CareWorker => (Job::CareWorker, Purpose::ServiceProvision),
            Asking::Doctor => (Job::Doctor, Purpose::MedicalOpinion),
            Asking::Officer => (Job::MunicipalOfficer, Purpose::Certification),
        };
        Ask {
            staff: Staff { id: "staff-1".into(), job, proof: None },
            purpose,
            person: Handle::Care(self.person.clone()),
            wish: Wish::Records { kinds: vec![self.kind], valid_on: None, known_at: None },
        }
    }
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

fn plan(insurers: &[InsurerNumber], planners: &[PartyId], servers: &[PartyId], hospitals: &[PartyId]) -> Plan {
    let members = insurers.iter().map(|number| format!("insurer:{number}"));
    let holders = [(planners, Some("43")), (servers, Some("11")), (hospitals, None)];
    Plan {
        members: members.chain(SHARED.map(str::to_owned)).map(|text| party(&text)).collect(),
        holders: holders
            .into_iter()
            .flat_map(|(parties, service)| {
                let services: Vec<_> = service.and_then(ServiceKind::parse).into_iter().collect();
                parties.iter().map(move |party| (party.clone(), services.clone()))
            })
            .collect(),
    }
}

/// The import line that makes it true.
fn line(person: &PersonId, truth: &Truth, dice: &mut dyn Rng) -> String {
    let insurer = person.insurer().to_string();
    let ties = [(&truth.planner, "care-planning"), (&truth.server, "service"), (&truth.doctor, "opinion-order")];
    let ties: Vec<_> = ties
        .into_iter()
        .filter_map(|(party, nature)| {
            Some(json!({"party": party.as_ref()?.to_string(), "nature": nature, "from": "2025-01-01", "until": null}))
        })
        .collect();
    let consents: Vec<_> = truth
        .consents
        .then(|| json!({"taken_by": format!("insurer:{insurer}"), "on": "2025-01-01", "withdrawn": null}))
        .into_iter()
        .collect();
    let protection = truth.is_protected.then(|| json!({"from": "2025-01-01", "until": null}));
    let records: Vec<_> = RecordKind::ALL.into_iter().filter_map(|kind| record(kind, person, dice)).collect();
    json!({"insurer": insurer, "insured": person.insured().expose(), "medical": null, "protection": protection,
        "consents": consents, "relationships": ties, "records": records})
    .to_string()
}

/// The first version of a record: its form's example, made out to the person, in force since 2025.
fn record(kind: RecordKind, person: &PersonId, dice: &mut dyn Rng) -> Option<Value> {
    let mut content: Value = serde_json::from_str(forms::form(kind).example).ok()?;
    for (field, value) in
        [("insured_number", person.insured().expose().to_owned()), ("insurer_number", person.insurer().to_string())]
    {
        if let Some(own) = content.get_mut(field) {
            *own = value.into();
        }
    }
    let id = format!("{:016x}{:016x}", dice.next_u64(), dice.next_u64());
    Some(json!({"kind": kind.as_str(), "id": id, "number": 1, "status": "final", "valid_from": "2025-01-01",
        "valid_to": null, "supersedes": null, "content": content}))
}
