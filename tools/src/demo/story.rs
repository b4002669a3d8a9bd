//! The story: thirteen scenes, each with what must come out of it and where that is read from.

mod writing;

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::frame::Frame;
use protocol::id::handle::Handle;
use protocol::id::party::PartyId;
use protocol::ledger::leaf::Leaf;
use protocol::ledger::proof::Evidence;
use protocol::machine::{Ask, Ending, Wish};
use protocol::message::{Outcome, Staff};
use protocol::refusal::Told;
use serde_json::{Value, json};
use simulations::population::Invented;

use super::laptop;
use super::stage::{CITY, HELPERS, HOSPITAL, PLANNER, REVOKED, Stage, TOWN, is_client};
use crate::ledger;
use crate::line::wait_until;

/// One scene.
#[derive(Debug)]
pub struct Scene {
    /// Its number.
    pub id: u8,
    /// Its name, as a municipal officer reads it.
    pub name: &'static str,
    /// What must come out of it.
    pub expected: &'static str,
    /// Plays it.
    pub play: fn(&mut Stage) -> Result<Step, String>,
}

/// What came out of a scene.
#[derive(Debug)]
pub struct Step {
    /// In one word each.
    pub outcome: String,
    /// What was seen, in sentences.
    pub seen: Vec<String>,
    expected: &'static str,
    /// How long it took.
    pub ms: u128,
}

impl Step {
    fn new(expected: &'static str, outcome: String, seen: Vec<String>) -> Self {
        Self { outcome, seen, expected, ms: 0 }
    }

    /// A scene that could not be played to its end.
    pub fn broken(why: String) -> Self {
        Self::new("", format!("broken: {why}"), Vec::new())
    }

    /// Whether it came out as it must.
    pub fn is_as_it_must(&self) -> bool {
        self.outcome == self.expected
    }
}

/// The story.
pub const SCENES: &[Scene] = &[
    Scene {
        id: 1,
        name: "介護支援専門員が、担当する利用者の認定結果と認定調査を読む",
        expected: READ,
        play: care_manager_reads,
    },
    Scene {
        id: 2,
        name: "訪問介護事業所が同じ人の認定調査を求め、断られる",
        expected: REFUSED,
        play: helpers_are_refused,
    },
    Scene {
        id: 3,
        name: "病院は意見書の依頼がなければ断られ、依頼があれば答えを得る。一人は医療保険の番号だけで見つかる",
        expected: HOSPITAL_STORY,
        play: hospital_with_and_without_order,
    },
    Scene {
        id: 4,
        name: "同意のない人については、隠された項目つきで答えが返る",
        expected: MASKED,
        play: no_consent_is_masked,
    },
    Scene {
        id: 5,
        name: "支援措置を受けている人の住所と居所は、どこにも出ない",
        expected: HIDDEN,
        play: protected_person,
    },
    Scene {
        id: 6,
        name: "盗み取った照会を別の者が送る・期限後に送る・本人がもう一度送る",
        expected: REPLAYED,
        play: captured_request,
    },
    Scene { id: 7, name: "照会の1ビットが変わっている", expected: FLIPPED, play: one_flipped_bit },
    Scene {
        id: 8, name: "資格証を失効させた事業所が照会する", expected: NOT_ADMITTED, play: revoked_office
    },
    Scene {
        id: 9,
        name: "負荷の最中に自治体のノードを強制終了し、再起動する",
        expected: NOTHING_LOST,
        play: killed_in_mid_load,
    },
    Scene {
        id: 10,
        name: "自治体職員が隣人を見る。その人の閲覧履歴に残る",
        expected: IN_HISTORY,
        play: officer_looks_up_a_neighbour,
    },
    Scene {
        id: 11,
        name: "自治体が区分変更をさかのぼって決定する。三つの時点について、それぞれ正しく答える",
        expected: writing::CHANGED,
        play: writing::level_is_changed,
    },
    Scene {
        id: 12,
        name: "介護支援専門員がケアプランを提出し、訂正する。訪問介護事業所は書けない",
        expected: writing::WRITTEN,
        play: writing::plan_is_written,
    },
    Scene {
        id: 13,
        name: "すべての台帳を検証し、立会の署名と受領証ひとつを手元で確かめる",
        expected: VERIFIED,
        play: everything_is_verified,
    },
];

const READ: &str = "answered";
const REFUSED: &str = "refused:not-permitted";
const HOSPITAL_STORY: &str = "refused:not-permitted answered answered";
const MASKED: &str = "answered masked";
const HIDDEN: &str = "answered hidden";
const REPLAYED: &str = "dropped same-receipt one-entry refused:not-fresh";
const FLIPPED: &str = "dropped no-entry";
const NOT_ADMITTED: &str = "answered not-admitted no-entry";
const NOTHING_LOST: &str = "nothing-lost";
const IN_HISTORY: &str = "answered in-history";
const VERIFIED: &str = "ledgers-verified witnessed receipt-good";

/// A scene as it is printed.
pub fn paragraph(scene: &Scene, step: &Step) -> String {
    let mark = if step.is_as_it_must() { "✓" } else { "✗" };
    let mut text = format!("{mark} {:>2}. {}\n", scene.id, scene.name);
    for line in &step.seen {
        text.push_str(&format!("       {line}\n"));
    }
    if !step.is_as_it_must() {
        text.push_str(&format!("       期待: {}\n       結果: {}\n", scene.expected, step.outcome));
    }
    text
}

/// The last line.
pub fn closing(is_good: bool, took: Duration) -> String {
    let verdict = if is_good {
        "すべて、あるべきとおりになりました。"
    } else {
        "あるべきとおりにならなかった場面があります。"
    };
    format!("{verdict}({:.1} 秒)", took.as_secs_f64())
}

fn care_manager_reads(stage: &mut Stage) -> Result<Step, String> {
    let client = stage.person(CITY, |person| has_survey(person) && is_client(person, PLANNER))?;
    let kinds = ["certification-result", "certification-survey"];
    let answer = stage.line(PLANNER)?.ask(&question(&client, "care-manager", "care-planning", &kinds))?;
    let records = answer.get("records").and_then(Value::as_array).map_or(0, Vec::len);
    let seen = vec![format!("記録 {records} 種、受領証は {} の台帳の {} 番", responder(&answer), leaf(&answer))];
    stage.receipts.push(answer.clone());
    Ok(Step::new(READ, word(&answer), seen))
}

fn helpers_are_refused(stage: &mut Stage) -> Result<Step, String> {
    let client = stage.person(CITY, |person| has_survey(person) && is_client(person, HELPERS))?;
    let before = stage.line(CITY)?.ledger_size()?;
    let ask = question(&client, "care-worker", "service-provision", &["certification-survey"]);
    let answer = stage.line(HELPERS)?.ask(&ask)?;
    let after = stage.line(CITY)?.ledger_size()?;
    Ok(Step::new(REFUSED, word(&answer), vec![format!("断りも台帳に残る: {before} → {after} 件")]))
}

fn hospital_with_and_without_order(stage: &mut Stage) -> Result<Step, String> {
    let has_order = |person: &Invented| is_client(person, HOSPITAL);
    let without = stage.person(CITY, |person| !tied(person, HOSPITAL) && person.care_level().is_some())?;
    let with = stage.person(CITY, has_order)?;
    let by_medical = stage
        .person(CITY, |person| has_order(person) && person.medical().is_some() && person.insured() != with.insured())?;
    let line = stage.line(HOSPITAL)?;
    let ask = |person: &Invented| question(person, "doctor", "medical-opinion", &["insurance-card"]);
    let refused = line.ask(&ask(&without))?;
    let answered = line.ask(&ask(&with))?;
    let medical = by_medical.medical().ok_or("no medical number")?.expose();
    let registered = stage.line(CITY)?.ask(&json!({
        "staff": { "id": "officer-1", "job": "municipal-officer" }, "purpose": "benefit-administration",
        "person": { "medical": medical }, "register": { "home": "131235", "from": "2025-04-01", "number": 1 } }))?;
    let mut found = ask(&by_medical);
    set(&mut found, "person", json!({ "medical": medical }));
    let found = line.ask(&found)?;
    let seen = vec![
        format!("依頼のない人: {} / 依頼のある人: {}", word(&refused), word(&answered)),
        format!(
            "所在の登録: {}、医療保険の番号だけで照会: {} ({})",
            word(&registered),
            word(&found),
            responder(&found)
        ),
    ];
    Ok(Step::new(HOSPITAL_STORY, format!("{} {} {}", word(&refused), word(&answered), word(&found)), seen))
}

fn no_consent_is_masked(stage: &mut Stage) -> Result<Step, String> {
    let person = stage.person(CITY, |person| {
        tied(person, PLANNER)
            && !person.has_consented()
            && person.protection().is_none()
            && person.care_level().is_some()
    })?;
    let ask = question(&person, "care-manager", "care-planning", &["certification-result"]);
    let answer = stage.line(PLANNER)?.ask(&ask)?;
    let masked = masked_fields(&answer);
    let outcome = if masked.is_empty() { word(&answer) } else { format!("{} masked", word(&answer)) };
    let some: Vec<_> = masked.iter().take(4).cloned().collect();
    Ok(Step::new(MASKED, outcome, vec![format!("隠された項目 {} 個: {} …", masked.len(), some.join("、"))]))
}

fn protected_person(stage: &mut Stage) -> Result<Step, String> {
    let person = stage.person(CITY, |person| tied(person, PLANNER) && person.protection().is_some())?;
    let ask = question(&person, "care-manager", "care-planning", &["insurance-card"]);
    let answer = stage.line(PLANNER)?.ask(&ask)?;
    let text = answer.to_string();
    let leaked = text.contains(person.address()) || text.contains(person.phone());
    let masked = masked_fields(&answer);
    let hides_address = masked.iter().any(|field| field.contains("address"));
    let outcome = if !leaked && hides_address { format!("{} hidden", word(&answer)) } else { word(&answer) };
    Ok(Step::new(HIDDEN, outcome, vec![format!("隠された項目: {}", masked.join("、"))]))
}

/// A laptop asks, and its own request is then misused in three ways.
fn captured_request(stage: &mut Stage) -> Result<Step, String> {
    let city = party(CITY)?;
    let client = stage.person(CITY, |person| is_client(person, PLANNER))?;
    let mut laptop = stage.laptop()?;
    if !laptop.knows(&city, Duration::from_secs(10))? {
        return Err("the laptop does not know the city".to_owned());
    }
    let first = match laptop.ask(reading(&client))? {
        Ending::Answered(answered) => answered,
        Ending::Failed(failure) => return Err(failure.to_string()),
    };
    let frame = laptop.captured().ok_or("nothing was captured")?;
    let line = stage.line(CITY)?;
    let size = line.ledger_size()?;
    let dropped_before = line.figure("tsunagi_drops_total", "not_admitted")?;
    let heard = laptop::send_as_stranger(&stage.address(CITY)?, &frame, Duration::from_secs(3))?;
    let was_answered = heard.iter().any(|frame| matches!(frame, Frame::Answer(..)));
    let dropped = line.figure("tsunagi_drops_total", "not_admitted")? - dropped_before;
    let from_another = if dropped >= 1.0 && !was_answered { "dropped" } else { "answered" };

    let again = laptop.send_again(&frame, Duration::from_secs(5))?.ok_or("the repeat got no answer")?;
    let again = again.map_err(|error| error.to_string())?;
    let is_same = again.leaf == first.leaf && again.body_bytes == first.body;
    let entries = if line.ledger_size()? == size { "one-entry" } else { "more-entries" };

    let life = Duration::from_millis(laptop::LIFE.ms());
    let decided = again.body.decided;
    wait_until(life + Duration::from_secs(2), || super::stage::now().since(decided) > laptop::LIFE);
    let late = laptop.send_again(&frame, Duration::from_secs(5))?.ok_or("the late repeat got no answer")?;
    let late = late.map_err(|error| error.to_string())?;
    let told = match late.body.outcome {
        Outcome::Refused(Told::NotFresh) => "refused:not-fresh".to_owned(),
        other => format!("{other:?}"),
    };
    let same = if is_same { "same-receipt" } else { "other-receipt" };
    let seen = vec![
        format!("別の者から: 開かれもせず捨てられた (捨てた数 +{dropped})"),
        format!("本人からもう一度: 同じ受領証 ({} 番)、台帳は増えない", again.leaf),
        format!("期限のあと: {told} ({} 番に断りが残る)", late.leaf),
    ];
    Ok(Step::new(REPLAYED, format!("{from_another} {same} {entries} {told}"), seen))
}

fn one_flipped_bit(stage: &mut Stage) -> Result<Step, String> {
    let client = stage.person(CITY, |person| is_client(person, PLANNER))?;
    let mut laptop = stage.laptop()?;
    laptop.knows(&party(CITY)?, Duration::from_secs(10))?;
    laptop.ask(reading(&client))?;
    let frame = laptop.captured().ok_or("nothing was captured")?;
    let flipped = laptop::flip_one_bit(&frame).ok_or("could not flip a bit")?;
    let line = stage.line(CITY)?;
    let (size, before) = (line.ledger_size()?, line.figure("tsunagi_drops_total", "")?);
    let answer = laptop.send_again(&flipped, Duration::from_secs(2))?;
    let dropped = line.figure("tsunagi_drops_total", "")? - before;
    let outcome = if answer.is_none() && dropped >= 1.0 { "dropped" } else { "answered" };
    let entry = if line.ledger_size()? == size { "no-entry" } else { "an-entry" };
    Ok(Step::new(FLIPPED, format!("{outcome} {entry}"), vec![format!("捨てた数 +{dropped}、台帳は {size} 件のまま")]))
}

fn revoked_office(stage: &mut Stage) -> Result<Step, String> {
    // A client of its own, so that it loses an answer it had.
    let person = stage.person(CITY, |person| is_client(person, REVOKED))?;
    let ask = question(&person, "care-manager", "care-planning", &["insurance-card"]);
    let line = stage.line(REVOKED)?;
    let before = line.ask(&ask)?;
    stage.revoke(REVOKED)?;
    let city = stage.line(CITY)?;
    let mut size = city.ledger_size()?;
    let mut after = Value::Null;
    let told = wait_until(Duration::from_secs(10), || {
        size = city.ledger_size().unwrap_or(0);
        after = line.ask(&ask).unwrap_or(Value::Null);
        word(&after) == "failed"
    });
    let code = after.pointer("/failure/code").and_then(Value::as_str).unwrap_or("").to_owned();
    let refused = if told && code == NOT_ADMITTED_CODE { "not-admitted" } else { "still-answered" };
    let entry = if city.ledger_size()? == size { "no-entry" } else { "an-entry" };
    let seen = vec![format!("失効の前: {}、後: {} {code}", word(&before), word(&after))];
    Ok(Step::new(NOT_ADMITTED, format!("{} {refused} {entry}", word(&before)), seen))
}

fn killed_in_mid_load(stage: &mut Stage) -> Result<Step, String> {
    let client = stage.person(TOWN, |person| is_client(person, PLANNER))?;
    let ask = question(&client, "care-manager", "care-planning", &["insurance-card"]);
    let line = stage.line(PLANNER)?.clone();
    let answers = Mutex::new(Vec::new());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        for _asker in 0..4 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                    if let (Ok(answer), Ok(mut answers)) = (line.ask(&ask), answers.lock()) {
                        answers.push(answer);
                    }
                }
            });
        }
        let count = || answers.lock().map_or(0, |answers| answers.len());
        wait_until(Duration::from_secs(10), || count() >= 100);
        let killed = stage.kill_and_restart(TOWN, &[]);
        let until = count() + 20;
        wait_until(Duration::from_secs(20), || count() >= until);
        is_over.store(true, std::sync::atomic::Ordering::Release);
        killed
    });
    let (before, after) = killed?;
    let answers = answers.into_inner().map_err(|_poisoned| "an asker panicked")?;
    let told: Vec<_> = answers.iter().filter(|answer| word(answer) == "answered").collect();
    let town = stage.line(TOWN)?;
    let leaves = town.leaves(0, town.ledger_size()?)?;
    let lost = told.iter().filter(|answer| !is_in(&leaves, answer)).count();
    let outcome =
        if lost == 0 && told.len() >= 100 { NOTHING_LOST.to_owned() } else { format!("{lost} lost of {}", told.len()) };
    let seen = vec![format!(
        "プロセス {before} を SIGKILL、{after} として再起動。受領証のある答え {} 件、台帳 {} 件、失われたもの {lost} 件",
        told.len(),
        leaves.len()
    )];
    Ok(Step::new(NOTHING_LOST, outcome, seen))
}

fn officer_looks_up_a_neighbour(stage: &mut Stage) -> Result<Step, String> {
    let neighbour = stage.person(CITY, |person| person.care_level().is_some() && person.protection().is_none())?;
    let line = stage.line(CITY)?;
    let mut ask = question(&neighbour, "municipal-officer", "certification", &["insurance-card"]);
    set(&mut ask, "staff", json!({ "id": "officer-nosy", "job": "municipal-officer" }));
    let answer = line.ask(&ask)?;
    set(&mut ask, "history", json!(true));
    let history = line.ask(&ask)?;
    let looks = history.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = looks.iter().find(|look| {
        look.get("staff").and_then(Value::as_str) == Some("officer-nosy")
            && look.get("leaf").and_then(Value::as_u64) == Some(leaf(&answer))
    });
    let outcome = if found.is_some() { format!("{} in-history", word(&answer)) } else { word(&answer) };
    Ok(Step::new(IN_HISTORY, outcome, vec![format!("閲覧履歴 {} 件、台帳の {} 番", looks.len(), leaf(&answer))]))
}

fn everything_is_verified(stage: &mut Stage) -> Result<Step, String> {
    let ledgers = stage.ledgers();
    let good = ledgers.iter().filter(|ledger| ledger.verified).count();
    let entries: u64 = ledgers.iter().map(|ledger| ledger.entries).sum();
    let verified = if good == ledgers.len() { "ledgers-verified" } else { "ledgers-broken" };
    let mut size = 0;
    let is_witnessed = wait_until(Duration::from_secs(15), || {
        size = stage.witnessed(CITY).unwrap_or(0);
        size > 0
    });
    let witnessed = if is_witnessed { "witnessed" } else { "not-witnessed" };
    let answer = stage.receipts.first().ok_or("no receipt was kept")?;
    let receipt = ledger::receipt::check_receipt(answer, &stage.rosters());
    let held = if receipt.is_ok() { "receipt-good" } else { "receipt-bad" };
    let seen = vec![
        format!("台帳 {good}/{} 冊、葉 {entries} 枚を計算し直した", ledgers.len()),
        format!("立会が署名した江戸川区の台帳の大きさ: {size}"),
        format!(
            "受領証ひとつを手元で検証: {}",
            receipt.map_or_else(|why| why, |proven| format!("大きさ {} の台帳に含まれる", proven.size))
        ),
    ];
    Ok(Step::new(VERIFIED, format!("{verified} {witnessed} {held}"), seen))
}

/// The code of an ask that was not admitted.
const NOT_ADMITTED_CODE: &str = "TSG-2011";

fn question(person: &Invented, job: &str, purpose: &str, kinds: &[&str]) -> Value {
    json!({ "staff": { "id": "staff-1", "job": job }, "purpose": purpose,
        "person": { "insurer": person.insurer().to_string(), "insured": person.insured().expose() }, "kinds": kinds })
}

fn reading(person: &Invented) -> Ask {
    Ask {
        staff: Staff { id: "staff-1".to_owned(), job: Job::CareManager, proof: None },
        purpose: Purpose::CarePlanning,
        person: Handle::Care(protocol::id::person::PersonId::new(person.insurer(), person.insured().clone())),
        wish: Wish::Records { kinds: vec![RecordKind::InsuranceCard], valid_on: None, known_at: None, versions: None },
    }
}

fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(name.to_owned(), to);
    }
}

fn word(answer: &Value) -> String {
    let outcome = answer.get("outcome").and_then(Value::as_str).unwrap_or("nothing");
    match answer.get("told").and_then(Value::as_str) {
        Some(told) => format!("{outcome}:{told}"),
        None => outcome.to_owned(),
    }
}

fn responder(answer: &Value) -> &str {
    answer.get("responder").and_then(Value::as_str).unwrap_or("?")
}

fn leaf(answer: &Value) -> u64 {
    answer.pointer("/receipt/leaf").and_then(Value::as_u64).unwrap_or(u64::MAX)
}

fn is_in(leaves: &[Leaf], answer: &Value) -> bool {
    let evidence = answer.pointer("/receipt/evidence").and_then(Value::as_str);
    let evidence = evidence.and_then(|text| STANDARD.decode(text).ok());
    let evidence: Option<Evidence> = evidence.and_then(|bytes| cbor::decode(&bytes).ok());
    evidence.is_some_and(|evidence| {
        let at = usize::try_from(evidence.index).ok().and_then(|at| leaves.get(at));
        at.is_some_and(|leaf| leaf.to_bytes() == evidence.leaf)
    })
}

fn masked_fields(answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_masked(answer, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect_masked(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(masked) = fields.get("masked").and_then(Value::as_array) {
                found.extend(masked.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            fields.values().for_each(|inner| collect_masked(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_masked(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tied(person: &Invented, office: &str) -> bool {
    person.relationships().iter().any(|tie| tie.party.to_string() == office && tie.until.is_none())
}

fn has_survey(person: &Invented) -> bool {
    person.records().iter().any(|record| record.kind == RecordKind::CertificationSurvey)
}

fn party(text: &str) -> Result<PartyId, String> {
    PartyId::parse(text).ok_or_else(|| format!("not a party: {text}"))
}
