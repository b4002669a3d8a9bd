//! Asks the policy, and the only home of `cedar_policy`.
//!
//! Cedar skips a policy that fails to evaluate; here any failure is a denial. Cedar names reasons in
//! no order; here they are sorted. Everything a policy may be is bounded before it is parsed, and the
//! schema is closed: a misspelt word is refused when the policy is loaded.

use core::str::FromStr as _;
use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    Request, ResourceConstraint, RestrictedExpression, Schema, ValidationMode, Validator,
};

use super::bounds;
use super::ruling::{Denial, Ruling};
use super::shipped;
use crate::code::act::Act;
use crate::code::field_group::{FieldGroup, FieldGroups};
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::fact::Nature;
use crate::fact::vector::Facts;

/// The most rulings remembered; at the next one all are forgotten.
pub const RULINGS_MAX: usize = 4096;

/// The action every question starts with; what it permits is the group [`FieldGroup::Card`].
const READ: &str = "read";

/// Why a policy was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too many files or policies, a file too long, a policy too long or too deep.
    #[error("{0}: larger than a policy may be")]
    TooLarge(String),
    /// Not Cedar, or not a schema.
    #[error("{file}: {cause}")]
    Unreadable {
        /// The name of the file.
        file: String,
        /// What the parser says.
        cause: String,
    },
    /// Against the schema: a word, a fact or a type that does not exist.
    #[error("against the schema: {0}")]
    AgainstSchema(String),
    /// A template; every policy must stand for itself.
    #[error("{0}: templates are not taken")]
    Template(String),
    /// A policy without `@id`, with an id of other letters than `a-z 0-9 . / -`, or with one already taken.
    #[error("{0}: a policy without an id of its own")]
    Unnamed(String),
    /// A policy about something else than one record kind or all.
    #[error("{0}: must name one record kind or none")]
    Resource(String),
    /// A policy of an insurer's own that permits.
    #[error("{0}: an insurer's own policy may only forbid")]
    Widens(String),
}

/// The policies in force, and what they were found to say.
#[derive(Clone)]
pub struct Judge {
    words: Words,
    /// For each record kind the policies that can have a say in it.
    slices: BTreeMap<RecordKind, PolicySet>,
    ids: BTreeSet<String>,
    published: Digest,
    in_force: Digest,
    /// By what is done, none for reading, and the facts.
    rulings: BTreeMap<(Option<Act>, Facts), Ruling>,
    remembered: u64,
}

impl Judge {
    /// Takes the policies of `sources` (file name, text), held against `schema`.
    ///
    /// # Errors
    /// [`PolicyError`]; nothing is taken in part.
    pub fn load(sources: &[(&str, &str)], schema: &str) -> Result<Self, PolicyError> {
        let words = Words::load(schema)?;
        if sources.len() > bounds::SOURCES_MAX {
            return Err(PolicyError::TooLarge("policy".into()));
        }
        let published = digest_of(sources, schema);
        let slices = RecordKind::ALL.into_iter().map(|kind| (kind, PolicySet::new())).collect();
        let mut judge = Self {
            words,
            slices,
            ids: BTreeSet::new(),
            published,
            in_force: published,
            rulings: BTreeMap::new(),
            remembered: 0,
        };
        for (file, text) in sources {
            for policy in judge.words.parse(file, text)? {
                judge.add(file, policy)?;
            }
        }
        Ok(judge)
    }

    /// The policy this crate ships.
    #[expect(clippy::expect_used, reason = "texts of this crate, which every test of the policy loads")]
    pub fn shipped() -> Self {
        Self::load(&shipped::SOURCES, shipped::SCHEMA).expect("the shipped policy loads")
    }

    /// Adds an insurer's own policies. They may only forbid, so whatever they say, nobody sees more;
    /// their ids get `local/` in front.
    ///
    /// # Errors
    /// [`PolicyError`], above all [`PolicyError::Widens`].
    pub fn with_local(mut self, text: &str) -> Result<Self, PolicyError> {
        let file = "local";
        for policy in self.words.parse(file, text)? {
            if policy.effect() != Effect::Forbid {
                return Err(PolicyError::Widens(name_of(&policy).unwrap_or(file).to_owned()));
            }
            let name = name_of(&policy).ok_or_else(|| PolicyError::Unnamed(file.into()))?;
            let local = policy.new_id(PolicyId::new(format!("{file}/{name}")));
            self.add(file, local)?;
        }
        let own = Digest::of(text.as_bytes());
        self.in_force = Digest::of_parts(&[self.in_force.as_bytes(), own.as_bytes()]);
        self.rulings.clear();
        Ok(self)
    }

    /// The digest of the published files and the schema: what the roster names.
    pub const fn digest(&self) -> Digest {
        self.published
    }

    /// The digest of all policies in force. Without policies of the insurer's own it is [`Judge::digest`].
    pub const fn digest_in_force(&self) -> Digest {
        self.in_force
    }

    /// What the policy says about `facts`.
    ///
    /// The relationship comes first: who has none, is not the insurer's officer, not the person and in
    /// no emergency, is told [`Denial::Unrelated`] before any policy is asked; and so is a stranger
    /// whose emergency the policy does not accept.
    pub fn judge(&mut self, facts: &Facts) -> Ruling {
        if facts.is_stranger() && !facts.is_break_glass() {
            return Ruling::denied(Denial::Unrelated);
        }
        self.rule(None, facts)
    }

    /// What the policy says about doing `act` with records under `facts`. No emergency opens a record to strangers for
    /// anything but reading. What may be done is not a matter of groups: a permission names none.
    pub fn judge_act(&mut self, act: Act, facts: &Facts) -> Ruling {
        if facts.is_stranger() {
            return Ruling::denied(Denial::Unrelated);
        }
        self.rule(Some(act), facts)
    }

    fn rule(&mut self, act: Option<Act>, facts: &Facts) -> Ruling {
        if let Some(ruling) = self.rulings.get(&(act, *facts)) {
            self.remembered = self.remembered.saturating_add(1);
            return ruling.clone();
        }
        let ruling = match act.map_or_else(|| self.evaluate(facts), |act| self.evaluate_act(act, facts)) {
            Some(ruling) if facts.is_stranger() && ruling.verdict == Err(Denial::NotPermitted) => {
                Ruling::denied(Denial::Unrelated)
            }
            Some(ruling) => ruling,
            // Not remembered: a rule may have failed for want of stack.
            None => return Ruling::denied(Denial::PolicyBroken),
        };
        if self.rulings.len() >= RULINGS_MAX {
            self.rulings.clear();
        }
        self.rulings.insert((act, *facts), ruling.clone());
        ruling
    }

    /// How many rulings were not made again but remembered.
    pub const fn remembered(&self) -> u64 {
        self.remembered
    }

    /// `None` if anything failed on the way.
    fn evaluate(&self, facts: &Facts) -> Option<Ruling> {
        let slice = self.slices.get(&facts.kind)?;
        let context = self.words.context(facts)?;
        let mut reasons = BTreeSet::new();
        // The schema gives every action the same facts: checking them once is enough.
        let read = self.words.request(facts, READ, context.clone(), Some(&self.words.schema))?;
        if !self.ask(slice, &read, &mut reasons)? {
            return Some(Ruling { verdict: Err(Denial::NotPermitted), reasons: reasons.into_iter().collect() });
        }
        let mut groups = FieldGroups::EMPTY.with(FieldGroup::Card);
        for (group, action) in MASKED {
            let see = self.words.request(facts, action, context.clone(), None)?;
            if self.ask(slice, &see, &mut reasons)? {
                groups = groups.with(group);
            }
        }
        Some(Ruling { verdict: Ok(groups), reasons: reasons.into_iter().collect() })
    }

    /// `None` if anything failed on the way.
    fn evaluate_act(&self, act: Act, facts: &Facts) -> Option<Ruling> {
        let slice = self.slices.get(&facts.kind)?;
        let context = self.words.context(facts)?;
        let mut reasons = BTreeSet::new();
        let request = self.words.request(facts, act.as_str(), context, Some(&self.words.schema))?;
        let is_allowed = self.ask(slice, &request, &mut reasons)?;
        let verdict = if is_allowed { Ok(FieldGroups::EMPTY) } else { Err(Denial::NotPermitted) };
        Some(Ruling { verdict, reasons: reasons.into_iter().collect() })
    }

    /// Whether `request` is allowed; what decided is added to `reasons`.
    fn ask(&self, slice: &PolicySet, request: &Request, reasons: &mut BTreeSet<String>) -> Option<bool> {
        let response = Authorizer::new().is_authorized(request, slice, &Entities::empty());
        if response.diagnostics().errors().next().is_some() {
            return None;
        }
        for reason in response.diagnostics().reason() {
            let reason: &str = reason.as_ref();
            reasons.insert(self.ids.get(reason)?.clone());
        }
        Some(response.decision() == Decision::Allow)
    }

    /// Puts a policy into the slices it has a say in.
    fn add(&mut self, file: &str, policy: Policy) -> Result<(), PolicyError> {
        let id = policy.id().to_string();
        if self.ids.len() >= bounds::POLICIES_MAX {
            return Err(PolicyError::TooLarge(file.to_owned()));
        }
        if !self.ids.insert(id.clone()) {
            return Err(PolicyError::Unnamed(format!("{file}: {id}")));
        }
        let about = match policy.resource_constraint() {
            ResourceConstraint::Any => None,
            ResourceConstraint::Eq(uid) => Some(uid),
            _ => return Err(PolicyError::Resource(id)),
        };
        let mut placed = false;
        for (kind, slice) in &mut self.slices {
            if about.as_ref().is_none_or(|uid| uid.id().unescaped() == kind.as_str()) {
                slice.add(policy.clone()).map_err(|_taken| PolicyError::Unnamed(id.clone()))?;
                placed = true;
            }
        }
        placed.then_some(()).ok_or(PolicyError::Resource(id))
    }
}

impl core::fmt::Debug for Judge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Judge").field("in_force", &self.in_force).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// The groups behind [`FieldGroup::Card`], each with the action that shows it.
const MASKED: [(FieldGroup, &str); 4] = [
    (FieldGroup::Content, "seeContent"),
    (FieldGroup::Contact, "seeContact"),
    (FieldGroup::Place, "seePlace"),
    (FieldGroup::Narrative, "seeNarrative"),
];

/// The schema, and the types of its words.
#[derive(Clone)]
struct Words {
    schema: Schema,
    types: BTreeMap<&'static str, EntityTypeName>,
}

/// The types of words a schema must have.
const TYPES: [&str; 9] =
    ["Action", "Organisation", "RecordKind", "ServiceClass", "Job", "Purpose", "Relationship", "Consent", "Protection"];

impl Words {
    fn load(text: &str) -> Result<Self, PolicyError> {
        let file = "schema";
        let unreadable = |cause: String| PolicyError::Unreadable { file: file.into(), cause };
        if !bounds::keeps_bounds(text) {
            return Err(PolicyError::TooLarge(file.into()));
        }
        let (schema, _warnings) = Schema::from_cedarschema_str(text).map_err(|error| unreadable(error.to_string()))?;
        let types = TYPES
            .into_iter()
            .map(|name| Ok((name, EntityTypeName::from_str(name).map_err(|error| unreadable(error.to_string()))?)))
            .collect::<Result<_, PolicyError>>()?;
        Ok(Self { schema, types })
    }

    /// The policies of a file under the ids they give themselves, all of them fitting the schema.
    fn parse(&self, file: &str, text: &str) -> Result<Vec<Policy>, PolicyError> {
        if !bounds::keeps_bounds(text) {
            return Err(PolicyError::TooLarge(file.to_owned()));
        }
        let set = PolicySet::from_str(text)
            .map_err(|error| PolicyError::Unreadable { file: file.to_owned(), cause: error.to_string() })?;
        if set.num_of_templates() > 0 {
            return Err(PolicyError::Template(file.to_owned()));
        }
        let result = Validator::new(self.schema.clone()).validate(&set, ValidationMode::Strict);
        if !result.validation_passed_without_warnings() {
            let errors = result.validation_errors().map(ToString::to_string);
            let first = errors.chain(result.validation_warnings().map(ToString::to_string)).min();
            return Err(PolicyError::AgainstSchema(format!("{file}: {}", first.unwrap_or_default())));
        }
        let mut policies = Vec::new();
        for policy in set.policies() {
            let name = name_of(policy).ok_or_else(|| PolicyError::Unnamed(file.to_owned()))?;
            policies.push(policy.new_id(PolicyId::new(name)));
        }
        policies.sort_by(|left, right| left.id().cmp(right.id()));
        Ok(policies)
    }

    fn context(&self, facts: &Facts) -> Option<Context> {
        let pairs = [
            ("ownInsurer".to_owned(), RestrictedExpression::new_bool(facts.own_insurer)),
            ("service".to_owned(), self.fact("ServiceClass", facts.service.as_str())?),
            ("job".to_owned(), self.fact("Job", facts.job.as_str())?),
            ("purpose".to_owned(), self.fact("Purpose", facts.purpose.as_str())?),
            ("relationship".to_owned(), self.fact("Relationship", facts.relationship.map_or("none", Nature::as_str))?),
            ("consent".to_owned(), self.fact("Consent", facts.consent.as_str())?),
            ("protection".to_owned(), self.fact("Protection", facts.protection.as_str())?),
            ("staffProven".to_owned(), RestrictedExpression::new_bool(facts.staff_proven)),
            ("disaster".to_owned(), RestrictedExpression::new_bool(facts.disaster)),
            ("bySelf".to_owned(), RestrictedExpression::new_bool(facts.by_self)),
        ];
        Context::from_pairs(pairs).ok()
    }

    fn request(&self, facts: &Facts, action: &str, context: Context, schema: Option<&Schema>) -> Option<Request> {
        let asker = self.word("Organisation", facts.role.as_str())?;
        let kind = self.word("RecordKind", facts.kind.as_str())?;
        Request::new(asker, self.word("Action", action)?, kind, context, schema).ok()
    }

    fn fact(&self, name: &str, word: &str) -> Option<RestrictedExpression> {
        self.word(name, word).map(RestrictedExpression::new_entity_uid)
    }

    fn word(&self, name: &str, word: &str) -> Option<EntityUid> {
        Some(EntityUid::from_type_name_and_id(self.types.get(name)?.clone(), EntityId::new(word)))
    }
}

/// The name a policy gives itself, if it has permitted letters.
fn name_of(policy: &Policy) -> Option<&str> {
    let letters = |name: &str| name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'/' | b'-'));
    policy.annotation("id").filter(|name| (1..=80).contains(&name.len()) && letters(name))
}

/// One digest of the schema and of every file's name and text, in whatever order they were given.
fn digest_of(sources: &[(&str, &str)], schema: &str) -> Digest {
    let files: BTreeSet<_> =
        sources.iter().map(|(name, text)| (Digest::of(name.as_bytes()), Digest::of(text.as_bytes()))).collect();
    let schema = Digest::of(schema.as_bytes());
    let mut parts: Vec<&[u8]> = vec![schema.as_bytes()];
    for (name, text) in &files {
        parts.extend([&name.as_bytes()[..], &text.as_bytes()[..]]);
    }
    Digest::of_parts(&parts)
}
