//! Two small models, searched to their last state: an exchange over crashes and retries, and a ledger's head, its witness
//! and its epochs. They say what the order of steps is for; that the code takes them in that order the plays say.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use std::collections::BTreeSet;

use stateright::{Checker as _, HasDiscoveries, Model, Property};

/// What is wrong with an exchange, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    /// Nothing.
    None,
    /// The answer leaves before leaf and memory are on the disk.
    AnswersBeforeCommit,
    /// Leaf and memory are written one after the other.
    MemoryApart,
    /// An asker that was restarted makes a new request of its question.
    AsksAnew,
}

/// An asker, a responder and a wire that loses, doubles and reorders.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    slip: Slip,
    crashes: u8,
}

/// What both have on their disks, what is on the wire, and what only lives in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Standing {
    asker: Asker,
    /// The request that a restarted asker makes (`Requester::resume`).
    request: u8,
    /// Which request each leaf is about, on the responder's disk.
    leaves: Vec<u8>,
    /// Which requests the responder remembers, and their leaf, on its disk (`exchange::remember`).
    memory: BTreeSet<(u8, usize)>,
    /// In the responder's memory: what it has decided and not yet sent, or, with a slip, not yet written.
    under_way: Option<u8>,
    /// Everything ever sent. What is never delivered is lost; what is delivered twice was doubled.
    wire: BTreeSet<Frame>,
    crashes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// The question lies in its journal (`table::ASK`) and has not ended.
    Open,
    /// It was answered under this leaf.
    Answered(u8, usize),
    /// Its time is over.
    GaveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Frame {
    Request(u8),
    Answer(u8, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Send,
    Decide(u8),
    /// What was decided is written, or sent.
    GoOn,
    Accept(u8, usize),
    AskerDies,
    ResponderDies,
    TimeIsOver,
}

impl Model for Exchange {
    type State = Standing;
    type Action = Step;

    fn init_states(&self) -> Vec<Standing> {
        vec![Standing {
            asker: Asker::Open,
            request: 0,
            leaves: Vec::new(),
            memory: BTreeSet::new(),
            under_way: None,
            wire: BTreeSet::new(),
            crashes: self.crashes,
        }]
    }

    fn actions(&self, state: &Standing, steps: &mut Vec<Step>) {
        steps.extend([Step::Send, Step::GoOn, Step::TimeIsOver]);
        if state.crashes > 0 {
            steps.extend([Step::AskerDies, Step::ResponderDies]);
        }
        steps.extend(state.wire.iter().map(|frame| match frame {
            Frame::Request(request) => Step::Decide(*request),
            Frame::Answer(request, leaf) => Step::Accept(*request, *leaf),
        }));
    }

    fn next_state(&self, before: &Standing, step: Step) -> Option<Standing> {
        let mut state = before.clone();
        let is_open = state.asker == Asker::Open;
        match step {
            Step::Send if is_open => {
                state.wire.insert(Frame::Request(state.request));
            }
            Step::Decide(request) => self.decide(request, &mut state),
            Step::GoOn => self.go_on(&mut state),
            // An answer to a request that is not open any more is let go.
            Step::Accept(request, leaf) if is_open && request == state.request => {
                state.asker = Asker::Answered(request, leaf);
            }
            Step::AskerDies => {
                state.crashes -= 1;
                if self.slip == Slip::AsksAnew && is_open {
                    state.request += 1;
                }
            }
            Step::ResponderDies => {
                state.crashes -= 1;
                state.under_way = None;
            }
            Step::TimeIsOver if is_open => state.asker = Asker::GaveUp,
            Step::Send | Step::Accept(..) | Step::TimeIsOver => {}
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a request has one leaf", |_, state: &Standing| {
                let distinct: BTreeSet<_> = state.leaves.iter().collect();
                distinct.len() == state.leaves.len()
            }),
            Property::always("a question has one leaf", |_, state: &Standing| state.leaves.len() <= 1),
            Property::always("what was accepted stands in the ledger", |_, state: &Standing| match state.asker {
                Asker::Answered(request, leaf) => state.leaves.get(leaf) == Some(&request),
                Asker::Open | Asker::GaveUp => true,
            }),
            Property::eventually("a question ends", |_, state: &Standing| state.asker != Asker::Open),
            Property::sometimes("a question is answered after a crash", |model: &Self, state: &Standing| {
                matches!(state.asker, Asker::Answered(..)) && state.crashes < model.crashes
            }),
        ]
    }
}

impl Exchange {
    /// `duty::answer`: a repeat gets its first answer, anything else is decided.
    fn decide(&self, request: u8, state: &mut Standing) {
        let known = state.memory.iter().find(|(known, _leaf)| *known == request).copied();
        match (known, self.slip) {
            (Some((_request, leaf)), _) => {
                state.wire.insert(Frame::Answer(request, leaf));
            }
            (None, _) if state.under_way.is_some() => {}
            (None, Slip::AnswersBeforeCommit) => {
                state.wire.insert(Frame::Answer(request, state.leaves.len()));
                state.under_way = Some(request);
            }
            (None, Slip::MemoryApart) => {
                state.leaves.push(request);
                state.under_way = Some(request);
            }
            (None, Slip::None | Slip::AsksAnew) => {
                state.memory.insert((request, state.leaves.len()));
                state.leaves.push(request);
                state.under_way = Some(request);
            }
        }
    }

    /// After the commit the answer leaves (`Store::commit`, then `Outbox::answer`).
    fn go_on(&self, state: &mut Standing) {
        let Some(request) = state.under_way.take() else { return };
        match self.slip {
            Slip::AnswersBeforeCommit => {
                state.memory.insert((request, state.leaves.len()));
                state.leaves.push(request);
            }
            Slip::MemoryApart => {
                let leaf = state.leaves.len() - 1;
                state.memory.insert((request, leaf));
                state.wire.insert(Frame::Answer(request, leaf));
            }
            Slip::None | Slip::AsksAnew => {
                state.wire.insert(Frame::Answer(request, state.leaves.len() - 1));
            }
        }
    }
}

/// What is wrong with a keeper or its witness, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lapse {
    /// Nothing.
    None,
    /// A witness that was restarted does not know what it cosigned.
    WitnessForgets,
    /// A keeper that was set back writes before it asked its witness.
    KeeperGoesOn,
    /// A new epoch need not name what was cosigned of the last.
    NamesNothing,
}

/// A keeper, its disk and one old backup of it, a thief with its log key, and one witness.
#[derive(Clone, Copy, Debug)]
struct Ledger {
    lapse: Lapse,
    leaves_max: u8,
}

/// A head, as what it commits to: its epoch, the head its epoch began after, and its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Head {
    epoch: u8,
    /// The leaves of the epoch before that the opening names.
    names: Vec<u8>,
    leaves: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Books {
    own: Head,
    /// Whether the witness confirmed since the start that nothing is missing (`Cosigning::is_settled`).
    is_settled: bool,
    backup: Option<Head>,
    was_set_back: bool,
    /// The next leaf's content: two histories never write the same.
    next: u8,
    /// What the witness cosigned last (`table::WITNESSED`).
    last: Option<Head>,
    cosigned: BTreeSet<Head>,
    restarts: u8,
    /// Whether the thief has shown a longer ledger.
    was_lengthened: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Write,
    Show,
    BackUp,
    SetBack,
    KeeperRestarts,
    WitnessRestarts,
    ThiefShowsAnother,
    ThiefShowsMore,
}

impl Model for Ledger {
    type State = Books;
    type Action = Turn;

    fn init_states(&self) -> Vec<Books> {
        vec![Books {
            own: Head::default(),
            is_settled: false,
            backup: None,
            was_set_back: false,
            next: 1,
            last: None,
            cosigned: BTreeSet::new(),
            restarts: 2,
            was_lengthened: false,
        }]
    }

    fn actions(&self, _books: &Books, turns: &mut Vec<Turn>) {
        turns.extend([
            Turn::Write,
            Turn::Show,
            Turn::BackUp,
            Turn::SetBack,
            Turn::KeeperRestarts,
            Turn::WitnessRestarts,
            Turn::ThiefShowsAnother,
            Turn::ThiefShowsMore,
        ]);
    }

    fn next_state(&self, before: &Books, turn: Turn) -> Option<Books> {
        let mut books = before.clone();
        match turn {
            Turn::Write if books.is_settled && books.next <= self.leaves_max => {
                books.own.leaves.push(books.next);
                books.next += 1;
            }
            Turn::Show => self.show(&mut books),
            Turn::BackUp if books.backup.is_none() => books.backup = Some(books.own.clone()),
            Turn::SetBack if !books.was_set_back => {
                books.own = books.backup.clone()?;
                books.was_set_back = true;
                books.is_settled &= self.lapse == Lapse::KeeperGoesOn;
            }
            Turn::KeeperRestarts if books.restarts > 0 => {
                books.restarts -= 1;
                books.is_settled = false;
            }
            Turn::WitnessRestarts if books.restarts > 0 => {
                books.restarts -= 1;
                if self.lapse == Lapse::WitnessForgets {
                    books.last = None;
                }
            }
            Turn::ThiefShowsMore if !books.was_lengthened => {
                let mut forged = books.last.clone()?;
                forged.leaves.push(u8::MAX);
                books.was_lengthened = true;
                self.witness(&forged, &mut books);
            }
            Turn::ThiefShowsAnother => {
                let mut forged = books.last.clone()?;
                *forged.leaves.last_mut()? = u8::MAX;
                self.witness(&forged, &mut books);
            }
            Turn::Write
            | Turn::BackUp
            | Turn::SetBack
            | Turn::KeeperRestarts
            | Turn::WitnessRestarts
            | Turn::ThiefShowsMore => {}
        }
        (books != *before).then_some(books)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no two cosigned heads of an epoch contradict each other", |_, books: &Books| {
                let pairs = books.cosigned.iter().flat_map(|one| books.cosigned.iter().map(move |other| (one, other)));
                pairs
                    .filter(|(one, other)| one.epoch == other.epoch)
                    .all(|(one, other)| one.leaves.starts_with(&other.leaves) || other.leaves.starts_with(&one.leaves))
            }),
            Property::always("an epoch names all that was cosigned of the one before", |_, books: &Books| {
                let pairs = books.cosigned.iter().flat_map(|one| books.cosigned.iter().map(move |other| (one, other)));
                pairs
                    .filter(|(one, next)| one.epoch + 1 == next.epoch)
                    .all(|(one, next)| next.names.starts_with(&one.leaves))
            }),
            Property::eventually("when all is over the keeper's head is cosigned", |model: &Self, books: &Books| {
                let is_over = books.was_set_back && books.restarts == 0 && books.next > model.leaves_max;
                is_over && books.cosigned.contains(&books.own)
            }),
            Property::sometimes("who was set back is cosigned again in a new epoch", |_, books: &Books| {
                books.was_set_back && books.own.epoch > 0 && books.cosigned.contains(&books.own)
            }),
        ]
    }
}

impl Ledger {
    /// The keeper shows its head; if the witness stands beyond it, it begins a new epoch that names that head
    /// (`Cosigning::compare`, `Cosigning::begin_epoch`).
    fn show(&self, books: &mut Books) {
        let has_less = books.last.as_ref().is_some_and(|last| {
            last.epoch > books.own.epoch || last.epoch == books.own.epoch && !books.own.leaves.starts_with(&last.leaves)
        });
        if has_less && self.lapse != Lapse::KeeperGoesOn {
            let last = books.last.clone().unwrap_or_default();
            let names = if self.lapse == Lapse::NamesNothing { Vec::new() } else { last.leaves };
            books.own = Head { epoch: last.epoch + 1, names, leaves: Vec::new() };
        }
        let own = books.own.clone();
        books.is_settled |= self.witness(&own, books);
    }

    /// Whether the witness puts its name to a head (`Witness::cosign`).
    fn witness(&self, head: &Head, books: &mut Books) -> bool {
        let follows = books.last.as_ref().is_none_or(|last| {
            let is_next =
                head.epoch == last.epoch + 1 && (head.names == last.leaves || self.lapse == Lapse::NamesNothing);
            is_next || head.epoch == last.epoch && head.leaves.starts_with(&last.leaves)
        });
        if follows {
            books.last = Some(head.clone());
            books.cosigned.insert(head.clone());
        }
        follows
    }
}

/// Every property of which a counter-example, or no example, was found; and how many states there are.
fn searched<M>(model: M) -> (Vec<&'static str>, usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + core::hash::Hash + Eq + Send + Sync + core::fmt::Debug,
    M::Action: Clone + core::fmt::Debug + PartialEq,
{
    let names: Vec<_> =
        model.properties().iter().map(|property| (property.name, property.expectation.clone())).collect();
    let checker = model.checker().finish_when(HasDiscoveries::All).spawn_bfs().join();
    let is_wrong = |name: &'static str, expectation: &stateright::Expectation| {
        let is_found = checker.discovery(name).is_some();
        is_found != matches!(expectation, stateright::Expectation::Sometimes)
    };
    let wrong = names.iter().filter(|(name, expectation)| is_wrong(name, expectation)).map(|(name, _)| *name);
    (wrong.collect(), checker.unique_state_count())
}

#[test]
fn an_exchange_has_one_leaf_over_every_order_of_crashes_retries_and_losses() {
    let (wrong, states) = searched(Exchange { slip: Slip::None, crashes: 4 });
    eprintln!("{states} states of an exchange");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(states > 50, "{states}");
}

#[test]
fn each_slip_of_an_exchange_has_its_counter_example() {
    for (slip, broken) in [
        (Slip::AnswersBeforeCommit, "what was accepted stands in the ledger"),
        (Slip::MemoryApart, "a request has one leaf"),
        (Slip::AsksAnew, "a question has one leaf"),
    ] {
        let (wrong, _states) = searched(Exchange { slip, crashes: 2 });
        assert!(wrong.contains(&broken), "{slip:?}: {wrong:?}");
    }
}

#[test]
fn no_two_cosigned_heads_contradict_over_every_order_of_restarts_backups_and_forgeries() {
    let (wrong, states) = searched(Ledger { lapse: Lapse::None, leaves_max: 4 });
    eprintln!("{states} states of a ledger");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(states > 100, "{states}");
}

#[test]
fn each_lapse_of_a_ledger_has_its_counter_example() {
    for (lapse, broken) in [
        (Lapse::WitnessForgets, "no two cosigned heads of an epoch contradict each other"),
        (Lapse::KeeperGoesOn, "when all is over the keeper's head is cosigned"),
        (Lapse::NamesNothing, "an epoch names all that was cosigned of the one before"),
    ] {
        let (wrong, _states) = searched(Ledger { lapse, leaves_max: 4 });
        assert!(wrong.contains(&broken), "{lapse:?}: {wrong:?}");
    }
}
