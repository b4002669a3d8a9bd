//! Every bound of the network in one place, its unit last in the name.

use crate::time::Span;

/// The longest frame a connection may carry, in bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// The longest request envelope, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = FRAME_BYTES_MAX - 4096;
/// The longest clear header of an envelope, in bytes (an X-Wing `enc` is 1,120).
pub const HEADER_BYTES_MAX: usize = 2048;
/// The longest signed object that is not a request: roster, statement, credential, list.
pub const SIGNED_BYTES_MAX: usize = 512 << 10;

/// How far the wall clock may be set before the node is degraded.
pub const STEP_NOTED: Span = Span::from_s(30);
/// How far it may be set before the node refuses.
pub const STEP_MAX: Span = Span::from_s(120);
/// How far it may be from the clocks of others before the node is not ready.
pub const APART_MAX: Span = Span::from_s(300);
/// How many members that are no offices or hospitals must have been heard before their clocks count.
pub const HEARD_MIN: usize = 3;
/// The most whose clocks are kept in mind.
pub const HEARD_MAX: usize = 64;
/// How often the clock of one of them is looked at.
pub const HEARD_EVERY: Span = Span::from_s(10);
/// How long what was heard counts.
pub const HEARD_LIFE: Span = Span::from_h(1);

/// The longest public sealing key, in bytes (one of X-Wing is 1,216).
pub const SEALING_PUBLIC_BYTES_MAX: usize = 2048;

/// How far a request's issue time may lie from the receiver's clock.
pub const SKEW: Span = Span::from_s(120);
/// The longest life of a request.
pub const REQUEST_LIFE: Span = Span::from_s(120);
/// How long a replay row is kept.
pub const REPLAY_ROW_LIFE: Span = Span::from_h(24);
/// The longest use of one encapsulation.
pub const ENCAPSULATION_LIFE: Span = Span::from_s(600);
/// The most messages under one encapsulation.
pub const ENCAPSULATION_MESSAGES_MAX: u32 = 1000;
/// The most decapsulated contexts kept for one sender.
pub const CONTEXTS_PER_SENDER_MAX: usize = 4;

/// The longest life of a credential and of a status list.
pub const CREDENTIAL_LIFE: Span = Span::from_h(24);
/// The longest life of a pulse.
pub const PULSE_LIFE: Span = Span::from_h(24);
/// How long a node goes on without a fresh pulse, in the state *degraded*.
pub const PULSE_GRACE: Span = Span::from_h(72);
/// The longest life of a statement.
pub const STATEMENT_LIFE: Span = Span::from_h(14 * 24);
/// The longest life of a roster.
pub const ROSTER_LIFE: Span = Span::from_h(30 * 24);
/// How long a node goes on with the roster or the status list it has after the pulse named a newer one.
pub const CATCH_UP: Span = Span::from_s(60);
/// How long a question made under a newer roster than ours waits until we have that roster.
pub const FETCH_WAIT: Span = Span::from_s(5);
/// The most rosters handed out for one fetch; whoever lacks more fetches again.
pub const LINKS_PER_FETCH_MAX: usize = 16;
/// The most members of a roster.
pub const MEMBERS_MAX: usize = 10_000;

/// The most record kinds one question may name: fewer than there are. A question is for what its purpose needs; whoever
/// wants more asks again, and each answer stays short.
pub const KINDS_PER_QUESTION_MAX: usize = 16;
/// How long the records of one answer are together, in bytes: a few kilobytes more than what an answer may be are padding,
/// proofs and what else it says.
pub const RECORDS_BYTES_MAX: usize = ANSWER_BYTES_MAX - 2 * (64 << 10) - (16 << 10);
/// How many bytes each kind of an answer has at least, however long those before it are.
pub const KIND_BYTES: usize = RECORDS_BYTES_MAX / KINDS_PER_QUESTION_MAX / 2;
/// The most answers a municipality puts together from versions of one kind.
pub const VERSIONS_PER_KIND_MAX: usize = 256;
/// The most steps of a person's history in one answer.
pub const HISTORY_STEPS_MAX: usize = 200;
/// About how many persons are counted at once when a day is closed.
pub const DAY_ROWS_PER_STEP: usize = 2048;
/// How far apart, in time, a daily leaf and the first leaf it need not have counted may be. Counting that takes longer
/// is begun anew: at [`DAY_ROWS_PER_STEP`] persons each 100 ms this is time for twelve million.
pub const DAY_COUNTING_MAX: Span = Span::from_s(600);
/// The most blinded points in one question to the pseudonymiser.
pub const POINTS_PER_QUESTION_MAX: usize = 64;

/// The most registrations in one message to a directory.
pub const REGISTRATIONS_PER_QUESTION_MAX: usize = 256;
/// The longest sealed entry of a directory, in bytes.
pub const SEALED_BYTES_MAX: usize = 256;
/// The most bits of a prefix of tags: sixteen million buckets.
pub const PREFIX_BITS_MAX: u8 = 24;
/// The most entries of a bucket on the average; with one more the prefixes get a bit more. Between half of it and all of
/// it lie the 512 that hide a question well and still make a short answer.
pub const BUCKET_ENTRIES_MEAN_MAX: u64 = 724;
/// The most entries of a bucket. Tags are evenly spread, so no bucket comes near it unless somebody makes tags up: at the
/// largest mean it lies thirty standard deviations away.
pub const BUCKET_ENTRIES_MAX: usize = 1_536;
/// The longest bucket, in bytes: each entry with four lengths, a number, a tag and the sealed value.
pub const BUCKET_BYTES_MAX: usize = BUCKET_ENTRIES_MAX * (1 + 34 + 9 + 3 + SEALED_BYTES_MAX) + 16;
/// The longest delta of a bucket, in bytes: it may take out all entries and put in as many.
pub const DELTA_BYTES_MAX: usize = BUCKET_BYTES_MAX + BUCKET_ENTRIES_MAX * 3 + 16;
/// The most registrants' words a directory keeps under one prefix, those that withdrew counted.
pub const HOLDINGS_PER_BUCKET_MAX: usize = 8_192;
/// The most registrants of one directory.
pub const REGISTRANTS_MAX: usize = 65_535;

/// The most receipts in one question that submits them again.
pub const RECEIPTS_PER_QUESTION_MAX: usize = 6;
/// About how many bytes of receipts one question submits: request and envelope share a row while it is open.
pub const RECEIPTS_BYTES_MAX: usize = 16 << 10;
/// The most versions of records submitted at once.
pub const PAPERS_PER_QUESTION_MAX: usize = 16;
/// How long they are together, in bytes: request and envelope share a row while the question is open.
pub const SUBMISSION_BYTES_MAX: usize = 24 << 10;
/// The longest receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 10_000;
/// The most heads besides the last cosigned one that the beginning of an epoch names.
pub const OTHER_HEADS_MAX: usize = 12;
/// Of how many epochs before an opening tells how much is kept; all that it names fit.
pub const EPOCHS_BEFORE_MAX: usize = OTHER_HEADS_MAX + 4;
/// How far the number of a new epoch may lie above that of the last cosigned head's: room for beginnings that were
/// given up, and no way to the end of the numbers.
pub const EPOCH_STEP_MAX: u32 = 64;
/// How many openings of one party a gate keeps; it hands out the newest.
pub const OPENINGS_KEPT_MAX: usize = 3;
/// How many notices one portion of an answer to Fetch holds, and how long it may be, in bytes, but for its last notice.
pub const NOTICES_PER_PORTION_MAX: usize = 128;
/// See [`NOTICES_PER_PORTION_MAX`].
pub const PORTION_BYTES_MAX: usize = 512 << 10;
/// How long the next portion waits: a slow line must have taken the one before.
pub const PORTION_EVERY: Span = Span::from_ms(250);
/// The most pseudonymisers a roster may name: a pseudonym takes an evaluation by each.
pub const EVALUATORS_MAX: usize = 3;
/// The most witnesses a roster may name: the lines of a quorum must fit under one head.
pub const WITNESSES_MAX: usize = 21;
/// The longest beginning of an epoch, in bytes: it stands in a row.
pub const OPENING_BYTES_MAX: usize = 59 << 10;
/// The most heads a member is asked at once to lead to a cosigned one.
pub const PROOFS_PER_FRAME_MAX: usize = 64;
/// The most heads of others a seat waits for witnesses of.
pub const UNWITNESSED_HEADS_MAX: usize = 65_536;
/// A head that a witness cosigned so lately is not shown to it again.
pub const COSIGNED_LIFE: Span = Span::from_h(1);
/// So long without a quorum of witnesses, answers are marked.
pub const UNWITNESSED_MARK: Span = Span::from_h(4);
/// So long without one, only cards, emergencies and a person's own view are answered; and by then an asker has a
/// cosigned head for each receipt, or an alarm.
pub const UNWITNESSED_LIMIT: Span = Span::from_h(24);

/// The sizes answers are padded to, in bytes; above the last, multiples of it.
pub const ANSWER_STEPS_BYTES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// How long a connection that somebody else made may speak for nobody.
pub const STRANGER_LIMIT: Span = Span::from_s(10);

/// The time within which faults, and what one peer costs, are counted.
pub const COST_WINDOW: Span = Span::from_s(60);
/// How often one peer may present organisations within [`COST_WINDOW`].
pub const HELLOS_PER_PEER_MAX: u32 = 1_024;
/// How often one peer may ask what is newer within [`COST_WINDOW`]: the answer may be megabytes.
pub const FETCHES_PER_PEER_MAX: u32 = 32;
/// How many pieces of news one peer may bring unasked within [`COST_WINDOW`]: more than all members' statements in a
/// nation of 1,700 insurers.
pub const NOTICES_PER_PEER_MAX: u32 = 4_096;
/// How many more count as the answer to a question of ours for what is newer, which is asked once within
/// [`COST_WINDOW`]: as many statements as a roster has members, and what goes with them.
pub const NOTICES_PER_FETCH_MAX: u32 = 12_288;

/// How long an asker waits for one attempt.
pub const ATTEMPT_LIMIT: Span = Span::from_s(5);
/// How long an ask may take before it ends with *unreachable*.
pub const ASK_LIMIT: Span = Span::from_s(30);
/// How long a home found in the directory may be used without asking again.
pub const HOME_LIFE: Span = Span::from_h(24);
/// How long a key may be in use that seals asks on the disk, once one of them has ended.
pub const ASK_KEY_LIFE: Span = Span::from_h(24);
/// The most asks open at once in one seat.
pub const OPEN_ASKS_MAX: usize = 4096;

/// The most events handled under one commit.
pub const EVENTS_PER_BATCH_MAX: usize = 256;
/// The longest key of an index row, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// The longest value of an index row, in bytes.
pub const ROW_BYTES_MAX: usize = 60 << 10;
/// The most rows handed to the index at once.
pub const ROWS_PER_APPLY_MAX: usize = 100;
/// How many changed rows wait in memory before the index gets them; at most about twice as many do.
pub const HELD_ROWS_MAX: usize = 8192;
/// How long they may be together, keys and values, in bytes; at most about twice that and one commit.
pub const HELD_BYTES_MAX: usize = 8 << 20;
/// How many rows read of late are remembered; at most twice as many are.
pub const RECENT_ROWS_MAX: usize = 4096;
/// How long they may be together, keys and values, in bytes; at most twice that and one row.
pub const RECENT_BYTES_MAX: usize = 2 << 20;
/// Below this much room a node takes no more work, in bytes.
pub const ROOM_BYTES_MIN: u64 = 64 << 20;

const _: () = assert!(REQUEST_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(SIGNED_BYTES_MAX < FRAME_BYTES_MAX);
const _: () = assert!(OPENING_BYTES_MAX < ROW_BYTES_MAX);
const _: () = assert!(RECEIPTS_PER_QUESTION_MAX * RECEIPT_BYTES_MAX + 4096 < REQUEST_BYTES_MAX);
const _: () = assert!(BUCKET_BYTES_MAX + DELTA_BYTES_MAX + 34 * 24 + 64 < ANSWER_BYTES_MAX);
const _: () = assert!(BUCKET_ENTRIES_MAX < 1 << 16);
const _: () = assert!(REQUEST_LIFE.ms() < REPLAY_ROW_LIFE.ms());
const _: () = assert!(ATTEMPT_LIMIT.ms() < ASK_LIMIT.ms());
const _: () = assert!(FETCH_WAIT.ms() < ASK_LIMIT.ms());
