//! The whole table of who sees what: vectors of facts against the rules written down a second time in
//! plain Rust.
//!
//! The product of all facts has 784,080 vectors for each kind. The table tests take every
//! `STEP`th of them (the step shares no factor with the length of any list, so each value meets all
//! others), and around a hundred permitted ones everything that differs in a single fact. The ignored
//! test takes every vector there is (`--release -- --ignored`; minutes).

#![expect(clippy::indexing_slicing, reason = "a number out of range shall fail the test")]

use protocol::code::act::Act;
use protocol::code::field_group::FieldGroup::{self, Card, Contact, Content, Narrative, Place};
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::fact::Nature;
use protocol::fact::vector::{ConsentState, Facts, ProtectionState, ServiceClass};
use protocol::id::party::PartyKind;
use protocol::policy::judge::{Judge, PolicyError};
use protocol::policy::ruling::Denial;

/// Of how many vectors one is taken.
const STEP: usize = 331;

/// Around how many permitted vectors every neighbour is taken.
const PERMITTED: usize = 100;

// ── the rules, a second time ──

fn officer(f: &Facts) -> bool {
    f.role == PartyKind::Insurer && f.own_insurer && f.job == Job::MunicipalOfficer && !f.by_self
}

fn officer_at_work(f: &Facts) -> bool {
    officer(f) && matches!(f.purpose, Purpose::Certification | Purpose::BenefitAdministration)
}

fn officer_reads(f: &Facts) -> bool {
    officer_at_work(f) || officer(f) && f.purpose == Purpose::Handover
}

fn no_asker(f: &Facts) -> bool {
    let machine = matches!(f.job, Job::Maintenance | Job::System);
    let own_side = matches!(f.job, Job::InsuredPerson | Job::Representative) || f.purpose == Purpose::OwnRecord;
    machine || own_side && !f.by_self
}

fn tied_office(f: &Facts) -> bool {
    let tie = matches!(f.relationship, Some(Nature::CarePlanning | Nature::FacilityPlanning | Nature::Service));
    f.role == PartyKind::Office && tie
}

fn plan_making_office(f: &Facts) -> bool {
    let plans = [
        (ServiceClass::CarePlanning, Some(Nature::CarePlanning)),
        (ServiceClass::Facility, Some(Nature::FacilityPlanning)),
    ];
    f.role == PartyKind::Office && plans.contains(&(f.service, f.relationship))
}

fn ordered_hospital(f: &Facts, jobs: &[Job]) -> bool {
    f.role == PartyKind::Hospital && f.relationship == Some(Nature::OpinionOrder) && jobs.contains(&f.job)
}

/// Whether an emergency or disaster is claimed by somebody who may claim it for this kind.
fn emergency(f: &Facts) -> bool {
    let disaster = f.purpose == Purpose::Disaster;
    if f.purpose != Purpose::Emergency && !disaster {
        return false;
    }
    let medical = f.role == PartyKind::Hospital && matches!(f.job, Job::Doctor | Job::Nurse);
    let care = f.role == PartyKind::Office && matches!(f.job, Job::CareManager | Job::Nurse);
    let neighbour = disaster && f.role == PartyKind::Insurer && f.job == Job::MunicipalOfficer;
    match f.kind {
        RecordKind::InsuranceCard | RecordKind::CarePlan => medical || care || neighbour,
        RecordKind::DoctorsOpinion => medical,
        _ => false,
    }
}

fn by_self(f: &Facts) -> bool {
    let open = !matches!(
        f.kind,
        RecordKind::CertificationSurvey
            | RecordKind::DoctorsOpinion
            | RecordKind::CertificationProgress
            | RecordKind::CertificationApplication
            | RecordKind::RecipientEntry
            | RecordKind::InfectiousDiseaseReport
            | RecordKind::CertificateDocument
    );
    open && f.protection != ProtectionState::Withheld
}

fn ordinarily(f: &Facts) -> bool {
    let manager = plan_making_office(f) && f.job == Job::CareManager;
    let all = [Job::Doctor, Job::Nurse, Job::Clerk];
    let healing = [Job::Doctor, Job::Nurse];
    officer_reads(f)
        || match f.kind {
            RecordKind::InsuranceCard => {
                let tie = matches!(f.relationship, Some(Nature::OpinionOrder | Nature::Service));
                let hospital = f.role == PartyKind::Hospital && tie && all.contains(&f.job);
                tied_office(f) || hospital && f.consent == ConsentState::Given
            }
            RecordKind::BurdenRatioCard | RecordKind::BurdenLimitCertificate => tied_office(f),
            RecordKind::CertificationResult | RecordKind::CertificationSurvey => manager,
            RecordKind::CareConference | RecordKind::SupportCourse => manager,
            RecordKind::CertificationProgress => manager || ordered_hospital(f, &all),
            RecordKind::DoctorsOpinion => manager || ordered_hospital(f, &healing),
            RecordKind::CarePlan
            | RecordKind::LifeAssessment
            | RecordKind::ServiceUsePlan
            | RecordKind::PreventionPlan => tied_office(f) || ordered_hospital(f, &healing),
            RecordKind::CertificationApplication
            | RecordKind::RecipientEntry
            | RecordKind::Vaccination
            | RecordKind::HealthScreening
            | RecordKind::MaternalCheckup
            | RecordKind::InfantCheckup
            | RecordKind::MedicalSubsidy
            | RecordKind::InfectiousDiseaseReport
            | RecordKind::CertificateDocument
            | RecordKind::ClaimStatement => false,
            RecordKind::BenefitManagement => plan_making_office(f) && f.service == ServiceClass::CarePlanning,
            RecordKind::EquipmentBalance => {
                let seller = f.service == ServiceClass::Equipment && f.relationship == Some(Nature::Service);
                plan_making_office(f) || f.role == PartyKind::Office && seller
            }
        }
}

fn expected(f: &Facts) -> Result<Vec<FieldGroup>, Denial> {
    let claims = matches!(f.purpose, Purpose::Emergency | Purpose::Disaster);
    let believed = f.staff_proven && (f.purpose == Purpose::Emergency || f.disaster);
    let stranger = f.relationship.is_none() && !officer(f) && !f.by_self;
    let reads = !no_asker(f) && if f.by_self { by_self(f) } else { ordinarily(f) || emergency(f) };
    if stranger && !(reads && claims && believed) {
        return Err(Denial::Unrelated);
    }
    if !reads || claims && !believed {
        return Err(Denial::NotPermitted);
    }
    let consent = f.consent == ConsentState::Given || officer(f) || f.by_self;
    let places = f.protection == ProtectionState::None || officer_at_work(f);
    let shown = |group: &FieldGroup| match group {
        Card => true,
        Content => consent,
        Contact | Place => places,
        Narrative => consent && places && !(f.by_self && f.kind == RecordKind::InfantCheckup),
    };
    Ok(FieldGroup::ALL.into_iter().filter(shown).collect())
}

// ── every vector ──

/// Every shape of an asking organisation: (role, own insurer, service class). The witness stands for
/// the parties that never ask; they have a test of their own.
const ORGANISATIONS: [(PartyKind, bool, ServiceClass); 9] = [
    (PartyKind::Insurer, true, ServiceClass::None),
    (PartyKind::Insurer, false, ServiceClass::None),
    (PartyKind::Hospital, false, ServiceClass::None),
    (PartyKind::Witness, false, ServiceClass::None),
    (PartyKind::Office, false, ServiceClass::None),
    (PartyKind::Office, false, ServiceClass::CarePlanning),
    (PartyKind::Office, false, ServiceClass::Facility),
    (PartyKind::Office, false, ServiceClass::Equipment),
    (PartyKind::Office, false, ServiceClass::Care),
];

const TIES: [Option<Nature>; 5] = [
    None,
    Some(Nature::CarePlanning),
    Some(Nature::FacilityPlanning),
    Some(Nature::OpinionOrder),
    Some(Nature::Service),
];

/// How many values each fact has, in the order of [`vector`].
const VALUES: [usize; 9] = [ORGANISATIONS.len(), Job::ALL.len(), Purpose::ALL.len(), TIES.len(), 3, 3, 2, 2, 2];

/// How many vectors there are for each kind: the product of [`VALUES`].
const VECTORS: usize = 784_080;

/// The vector with this number, below [`VECTORS`].
fn vector(kind: RecordKind, number: usize) -> Facts {
    let mut rest = number;
    let [shape, job, purpose, tie, consent, protection, proven, disaster, own] = VALUES.map(|values| {
        let value = rest % values;
        rest /= values;
        value
    });
    let (role, own_insurer, service) = ORGANISATIONS[shape];
    Facts {
        role,
        own_insurer,
        service,
        job: Job::ALL[job],
        purpose: Purpose::ALL[purpose],
        kind,
        relationship: TIES[tie],
        consent: ConsentState::ALL[consent],
        protection: ProtectionState::ALL[protection],
        staff_proven: proven == 1,
        disaster: disaster == 1,
        by_self: own == 1,
    }
}

/// The numbers of all vectors that differ from this one in a single fact.
fn neighbours(number: usize) -> Vec<usize> {
    let mut weight = 1;
    let mut found = Vec::new();
    for values in VALUES {
        let value = number / weight % values;
        found.extend((0..values).filter(|it| *it != value).map(|it| number - value * weight + it * weight));
        weight *= values;
    }
    found
}

fn shown(judge: &mut Judge, facts: &Facts) -> Result<Vec<FieldGroup>, Denial> {
    judge.judge(facts).verdict.map(|groups| groups.iter().collect())
}

fn hold_the_table(kind: RecordKind, step: usize) {
    let mut judge = Judge::shipped();
    for number in (0..VECTORS).step_by(step) {
        hold_the_vector(&mut judge, &vector(kind, number));
    }
}

fn hold_the_vector(judge: &mut Judge, facts: &Facts) {
    let ruling = judge.judge(facts);
    let shown = ruling.verdict.map(|groups| groups.iter().collect());
    assert_eq!(shown, expected(facts), "{facts:?} because {:?}", ruling.reasons);
}

/// Holds a sample of all vectors, and around a sample of the permitted ones every vector that differs
/// in one fact: there lie the edges of the rules.
fn hold_the_edges(kind: RecordKind) {
    hold_the_table(kind, STEP);
    let permitted: Vec<usize> = (0..VECTORS).filter(|it| expected(&vector(kind, *it)).is_ok()).collect();
    let mut judge = Judge::shipped();
    let step = permitted.len() / PERMITTED + 1;
    let taken: Vec<usize> = permitted.into_iter().step_by(step).collect();
    assert!(taken.len() > PERMITTED / 2, "{}", taken.len());
    for number in taken {
        for near in neighbours(number).into_iter().chain([number]) {
            hold_the_vector(&mut judge, &vector(kind, near));
        }
    }
}

#[test]
fn the_product_of_all_facts_is_as_large_as_said() {
    assert_eq!(VALUES.iter().product::<usize>(), VECTORS);
    assert_eq!(neighbours(0).len(), VALUES.iter().map(|values| values - 1).sum::<usize>());
    assert!(VALUES.iter().all(|values| !STEP.is_multiple_of(*values) && !values.is_multiple_of(STEP)));
}

#[test]
fn the_insurance_card_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::InsuranceCard);
}

#[test]
fn the_burden_ratio_card_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::BurdenRatioCard);
}

#[test]
fn the_certification_result_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::CertificationResult);
}

#[test]
fn the_progress_of_certification_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::CertificationProgress);
}

#[test]
fn the_survey_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::CertificationSurvey);
}

#[test]
fn the_doctors_opinion_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::DoctorsOpinion);
}

#[test]
fn the_care_plan_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::CarePlan);
}

#[test]
fn the_balance_of_equipment_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::EquipmentBalance);
}

#[test]
fn the_assessment_for_scientific_care_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::LifeAssessment);
}

#[test]
fn the_plan_of_a_month_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::ServiceUsePlan);
}

#[test]
fn the_application_is_shown_to_the_insurer_alone() {
    hold_the_edges(RecordKind::CertificationApplication);
}

#[test]
fn the_slip_of_planned_units_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::BenefitManagement);
}

#[test]
fn the_entry_of_a_recipient_is_shown_to_the_insurer_alone() {
    hold_the_edges(RecordKind::RecipientEntry);
}

#[test]
fn the_certificate_of_limits_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::BurdenLimitCertificate);
}

#[test]
fn a_vaccination_is_shown_to_the_person_and_the_insurer() {
    hold_the_edges(RecordKind::Vaccination);
}

#[test]
fn a_screening_is_shown_to_the_person_and_the_insurer() {
    hold_the_edges(RecordKind::HealthScreening);
}

#[test]
fn a_check_up_in_pregnancy_is_shown_to_the_person_and_the_insurer() {
    hold_the_edges(RecordKind::MaternalCheckup);
}

#[test]
fn a_childs_check_up_is_shown_to_the_insurer_and_without_words_to_the_parent() {
    hold_the_edges(RecordKind::InfantCheckup);
}

#[test]
fn a_medical_subsidy_is_shown_to_the_person_and_the_insurer() {
    hold_the_edges(RecordKind::MedicalSubsidy);
}

#[test]
fn the_report_of_a_disease_is_shown_to_the_insurer_alone() {
    hold_the_edges(RecordKind::InfectiousDiseaseReport);
}

#[test]
fn a_doctors_document_is_shown_to_the_insurer_alone() {
    hold_the_edges(RecordKind::CertificateDocument);
}

#[test]
fn the_plan_of_support_is_shown_as_the_table_says() {
    hold_the_edges(RecordKind::PreventionPlan);
}

#[test]
fn tables_4_and_5_of_the_plan_are_shown_to_whoever_makes_it() {
    hold_the_edges(RecordKind::CareConference);
    hold_the_edges(RecordKind::SupportCourse);
}

#[test]
fn the_claim_is_shown_to_the_person_and_the_insurer() {
    hold_the_edges(RecordKind::ClaimStatement);
}

#[test]
#[ignore = "18 million vectors: minutes, in release only"]
fn every_single_vector_is_answered_as_the_table_says() {
    RecordKind::ALL.into_iter().for_each(|kind| hold_the_table(kind, 1));
}

// ── what must hold whatever the table says ──

fn care_manager() -> Facts {
    Facts {
        role: PartyKind::Office,
        own_insurer: false,
        service: ServiceClass::CarePlanning,
        job: Job::CareManager,
        purpose: Purpose::CarePlanning,
        kind: RecordKind::CarePlan,
        relationship: Some(Nature::CarePlanning),
        consent: ConsentState::Given,
        protection: ProtectionState::None,
        staff_proven: true,
        disaster: false,
        by_self: false,
    }
}

/// Who may write a kind, a second time.
fn may_write(f: &Facts) -> bool {
    let planner = plan_making_office(f) && f.job == Job::CareManager;
    let by_rule = match f.kind {
        RecordKind::DoctorsOpinion => {
            ordered_hospital(f, &[Job::Doctor]) && matches!(f.purpose, Purpose::MedicalOpinion | Purpose::Certification)
        }
        RecordKind::CarePlan
        | RecordKind::ServiceUsePlan
        | RecordKind::PreventionPlan
        | RecordKind::CareConference
        | RecordKind::SupportCourse => planner && f.purpose == Purpose::CarePlanning,
        RecordKind::CertificationApplication => planner && f.purpose == Purpose::Certification,
        RecordKind::BenefitManagement => {
            let at_home = plan_making_office(f) && f.service == ServiceClass::CarePlanning;
            at_home && matches!(f.job, Job::CareManager | Job::Clerk) && f.purpose == Purpose::BenefitAdministration
        }
        RecordKind::LifeAssessment => {
            let provides = matches!(f.relationship, Some(Nature::Service | Nature::FacilityPlanning));
            let care = [Job::CareManager, Job::Nurse, Job::Therapist, Job::Dietitian, Job::CareWorker, Job::Consultant];
            let gives = f.role == PartyKind::Office && provides && f.purpose == Purpose::ServiceProvision;
            gives && care.contains(&f.job)
        }
        _ => false,
    };
    officer_reads(f) || by_rule && !f.by_self
}

#[test]
fn every_kind_is_written_by_whom_the_table_says_and_by_nobody_else() {
    let mut judge = Judge::shipped();
    for kind in RecordKind::ALL {
        let mut permitted = 0;
        let mut hold = |facts: &Facts| {
            let stranger = facts.relationship.is_none() && !officer(facts) && !facts.by_self;
            let expected = match may_write(facts) {
                _ if stranger => Err(Denial::Unrelated),
                true => Ok(()),
                false => Err(Denial::NotPermitted),
            };
            let found = judge.judge_act(Act::Write, facts).verdict.map(drop);
            assert_eq!(found, expected, "{facts:?}");
            expected.is_ok()
        };
        for number in (0..VECTORS).step_by(STEP) {
            if hold(&vector(kind, number)) && permitted < PERMITTED {
                permitted += 1;
                neighbours(number).into_iter().for_each(|near| {
                    hold(&vector(kind, near));
                });
            }
        }
        assert!(permitted > 0, "{kind:?} is written by nobody");
    }
}

#[test]
fn only_an_officer_who_administers_benefits_erases_whatever_the_kind() {
    let mut judge = Judge::shipped();
    let mut permitted = 0;
    for kind in RecordKind::ALL {
        for facts in (0..VECTORS).step_by(STEP).map(|number| vector(kind, number)) {
            let expected = officer(&facts) && facts.purpose == Purpose::BenefitAdministration;
            assert_eq!(judge.judge_act(Act::Erase, &facts).verdict.is_ok(), expected, "{facts:?}");
            permitted += usize::from(expected);
        }
    }
    assert!(permitted >= RecordKind::ALL.len() / 2, "{permitted}");
}

#[test]
fn a_stranger_gets_one_answer_for_every_kind_consent_and_protection() {
    let mut judge = Judge::shipped();
    let unrelated = judge.judge(&Facts { relationship: None, ..care_manager() });
    assert_eq!(unrelated.verdict, Err(Denial::Unrelated));
    let mut strangers = 0;
    for kind in RecordKind::ALL {
        for facts in (0..VECTORS).step_by(7).map(|number| vector(kind, number)) {
            if facts.relationship.is_none() && !officer(&facts) && !facts.by_self && !facts.is_break_glass() {
                assert_eq!(judge.judge(&facts), unrelated, "{facts:?}");
                strangers += 1;
            }
        }
    }
    assert!(strangers > 10_000, "{strangers}");
}

#[test]
fn a_refused_emergency_of_a_stranger_looks_like_any_stranger() {
    let mut judge = Judge::shipped();
    let facts = Facts { relationship: None, purpose: Purpose::Emergency, ..care_manager() };
    assert!(judge.judge(&facts).verdict.is_ok());
    let unrelated = judge.judge(&Facts { relationship: None, ..care_manager() });
    assert_eq!(judge.judge(&Facts { staff_proven: false, ..facts }), unrelated);
    assert_eq!(judge.judge(&Facts { kind: RecordKind::CertificationSurvey, ..facts }), unrelated);
    assert_eq!(judge.judge(&Facts { purpose: Purpose::Disaster, ..facts }), unrelated);
}

#[test]
fn no_emergency_unmasks_the_places_of_a_protected_person() {
    let mut judge = Judge::shipped();
    let mut permitted = 0;
    for kind in [RecordKind::InsuranceCard, RecordKind::CarePlan, RecordKind::DoctorsOpinion] {
        for facts in (0..VECTORS).step_by(97).map(|number| vector(kind, number)) {
            if !facts.is_break_glass() || facts.protection == ProtectionState::None {
                continue;
            }
            let Ok(groups) = judge.judge(&facts).verdict else { continue };
            assert!([Contact, Place, Narrative].iter().all(|it| !groups.contains(*it)), "{facts:?}");
            permitted += 1;
        }
    }
    assert!(permitted > 10, "{permitted}");
}

#[test]
fn parties_that_never_ask_see_nothing() {
    let mut judge = Judge::shipped();
    for role in PartyKind::ALL {
        let asks = matches!(role, PartyKind::Insurer | PartyKind::Office | PartyKind::Hospital);
        for facts in (0..VECTORS).step_by(4999).map(|number| vector(RecordKind::CarePlan, number)) {
            let facts = Facts { role, own_insurer: false, by_self: false, ..facts };
            assert!(asks || judge.judge(&facts).verdict.is_err(), "{facts:?}");
        }
    }
}

#[test]
fn an_insurers_own_forbid_narrows_and_never_widens() {
    let local = r#"
        @id("no-narrative-at-night-school")
        forbid (principal == Organisation::"office", action == Action::"seeNarrative", resource);
        @id("no-plan-for-nurses")
        forbid (principal, action == Action::"read", resource == RecordKind::"care-plan")
        when { context.job == Job::"nurse" };
    "#;
    let mut shipped = Judge::shipped();
    let mut narrowed = Judge::shipped().with_local(local).unwrap();
    assert_eq!(shipped.digest(), narrowed.digest());
    assert_ne!(narrowed.digest_in_force(), narrowed.digest());
    assert_eq!(shown(&mut narrowed, &care_manager()), Ok(vec![Card, Content, Contact, Place]));
    assert!(narrowed.judge(&care_manager()).reasons.contains(&"local/no-narrative-at-night-school".to_owned()));
    let mut fewer = 0;
    for facts in (0..VECTORS).step_by(997).map(|number| vector(RecordKind::CarePlan, number)) {
        let before = shown(&mut shipped, &facts).unwrap_or_default();
        let after = shown(&mut narrowed, &facts).unwrap_or_default();
        assert!(after.iter().all(|group| before.contains(group)), "{facts:?}");
        fewer += usize::from(after.len() < before.len());
    }
    assert!(fewer > 5, "{fewer}");
}

#[test]
fn an_insurers_own_permit_is_refused() {
    let widening = r#"@id("all") permit (principal, action, resource);"#;
    assert_eq!(Judge::shipped().with_local(widening).err(), Some(PolicyError::Widens("all".into())));
}

#[test]
fn a_rule_that_errs_denies_instead_of_being_skipped() {
    let erring = r#"
        @id("overflow")
        forbid (principal, action == Action::"seePlace", resource == RecordKind::"care-plan")
        when { 9223372036854775807 + 1 < 0 };
    "#;
    let mut judge = Judge::shipped().with_local(erring).unwrap();
    let broken = judge.judge(&care_manager());
    assert_eq!(broken.verdict, Err(Denial::PolicyBroken));
    assert!(judge.judge(&Facts { kind: RecordKind::InsuranceCard, ..care_manager() }).verdict.is_ok());
}

#[test]
fn a_fact_the_schema_has_no_word_for_denies() {
    let schema = include_str!("../policy/schema.cedarschema").replace(r#""social-worker", "#, "");
    let common = ("common", include_str!("../policy/common.cedar"));
    let mut judge = Judge::load(&[common], &schema).unwrap();
    let verdict = |job| judge.judge(&Facts { job, ..care_manager() }).verdict;
    assert_eq!([Job::Nurse, Job::SocialWorker].map(verdict), [Err(Denial::NotPermitted), Err(Denial::PolicyBroken)]);
}

#[test]
fn reasons_are_sorted_and_name_the_rules() {
    let reasons = Judge::shipped().judge(&care_manager()).reasons;
    assert_eq!(reasons, ["1.3/plan-offices", "1.3/reading-shows-all-groups"]);
}

#[test]
fn a_policy_that_does_not_fit_is_not_loaded() {
    let refusal = |local: &str| Judge::shipped().with_local(local).err().unwrap();
    let body = r#"forbid (principal, action, resource) when { context.job == Job::"mayor" };"#;
    assert!(matches!(refusal(&format!(r#"@id("a") {body}"#)), PolicyError::AgainstSchema(_)));
    assert!(matches!(refusal(r"forbid (principal, action, resource);"), PolicyError::Unnamed(_)));
    assert!(matches!(refusal(r#"@id("a b") forbid (principal, action, resource);"#), PolicyError::Unnamed(_)));
    assert!(matches!(refusal(r#"@id("a") forbid (principal"#), PolicyError::Unreadable { .. }));
    let twice = r#"@id("a") forbid (principal, action, resource);"#.repeat(2);
    assert!(matches!(refusal(&twice), PolicyError::Unnamed(_)));
    let template = r#"@id("a") forbid (principal == ?principal, action, resource);"#;
    assert!(matches!(refusal(template), PolicyError::Template(_)));
    assert!(matches!(refusal(&"(".repeat(100_000)), PolicyError::TooLarge(_)));
}

#[test]
fn the_same_files_in_another_order_have_the_same_digest() {
    let schema = include_str!("../policy/schema.cedarschema");
    let common = ("common", include_str!("../policy/common.cedar"));
    let card = ("insurance_card", include_str!("../policy/insurance_card.cedar"));
    let digest = |sources: &[(&str, &str)]| Judge::load(sources, schema).unwrap().digest();
    assert_eq!(digest(&[common, card]), digest(&[card, common]));
    assert_ne!(digest(&[common, card]), digest(&[common]));
}
