//! The envelopes and answers in `tests/vectors/envelope/`, good and spoiled, one case a file: what a second
//! implementation must open, and what it must drop, for which reason.
//!
//! A file has one `name: value` a line; `#` begins a remark. `network` names the file that says whom the
//! receiver believes, which keys it holds and what its clock says. `expect` is `good` or the name of the
//! error. The files are written anew by `cargo test -p protocol --test envelope_vectors -- --ignored`,
//! after a change of format only. Requests go through the real host, from frame to verified request; what
//! is sealed in a spoiled one is sealed here, by hand, as the specification says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use protocol::batch::Batch;
use protocol::cbor;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::credential::Credential;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::disk::{Disk, DiskError, FileName};
use protocol::envelope::{self, Header, SealedAnswer};
use protocol::exchange::{self, Decided};
use protocol::frame::Frame;
use protocol::gate::{Gate, Notice, Presentation};
use protocol::host::{Effect, Host, Input, Office};
use protocol::id::exchange::ExchangeId;
use protocol::id::handle::Handle;
use protocol::id::party::{PartyId, PartyKind};
use protocol::index::{Changes, Index, IndexError, Row};
use protocol::key::{KeyId, KeyUse, PublicKey};
use protocol::keyring::Keyring;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::leaf::{Contents, Leaf, LeafKind, Salt, Salts};
use protocol::ledger::origin::Origin;
use protocol::ledger::proof::{Evidence, VerifiedNotes};
use protocol::ledger::tree::{self, Nodes};
use protocol::limits;
use protocol::machine::{Answer, Done, Event, Pending, Work};
use protocol::message::{Body, Outcome, Question, Reading, Request, Staff};
use protocol::primitives::{self, Channel, Primitives as _, Real, Secret, Suite};
use protocol::refusal::Told;
use protocol::requester::{Identity, Requester};
use protocol::roster::{Chain, IssuerLimits, Link, Member, Roster, Signers};
use protocol::sign1::{self, Label};
use protocol::status::StatusList;
use protocol::store::staged::Staged;
use protocol::store::{Seat, Signer, Store, StoreSecret};
use protocol::time::{Now, Span, Steady, Timestamp};
use protocol::vault;
use protocol::verify::Verified;
use rand_core::SeedableRng as _;

const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);
const CITY: &str = "insurer:131235";
const TOWN: &str = "insurer:122069";
const ISSUER: &str = "issuer:1";
const OFFICE: &str = "office:1370101238";
const OTHER_OFFICE: &str = "office:1370101246";
const SEAT: Seat = Seat::new(0);

/// The file of the network in which X25519 is good enough, and of the one in which it is not.
const NETWORK: &str = "network.txt";
const X_WING_ONLY: &str = "network-x-wing-only.txt";

#[test]
fn every_vector_ends_as_its_file_says() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = Lines::read(&text);
        if lines.one("expect").is_none() {
            continue;
        }
        assert_eq!(run(&lines), lines.one("expect").unwrap(), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, files().len() - 2, "two of the files are networks");
}

#[test]
fn the_files_are_the_ones_this_program_writes() {
    for (name, text) in files() {
        let kept = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert_eq!(kept, text, "{name}: the format has changed");
    }
}

#[test]
#[ignore = "writes the vectors anew; for a change of format"]
fn write_the_vectors() {
    for (name, text) in files() {
        std::fs::write(folder().join(name), text).unwrap();
    }
}

// ── running a case ──

struct Lines<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Lines<'a> {
    fn read(text: &'a str) -> Self {
        let mut values = BTreeMap::<&str, Vec<&str>>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once(": ").unwrap();
            values.entry(name).or_default().push(value);
        }
        Self(values)
    }

    fn one(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.first().copied()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.one(name).unwrap_or_else(|| panic!("no line {name}"))).unwrap()
    }

    fn all(&self, name: &str) -> Vec<Vec<u8>> {
        self.0[name].iter().map(|value| hex::decode(value).unwrap()).collect()
    }

    fn secret(&self, name: &str) -> Secret {
        Secret::from_bytes(self.bytes(name).try_into().unwrap())
    }

    fn digest(&self, name: &str) -> Digest {
        Digest::parse(self.one(name).unwrap()).unwrap()
    }

    fn time(&self, name: &str) -> Timestamp {
        Timestamp::from_unix_ms(self.one(name).unwrap().parse().unwrap())
    }
}

fn run(lines: &Lines<'_>) -> String {
    match lines.one("case").unwrap() {
        "request" => run_requests(lines),
        "retry" => run_retry(lines),
        "answer" => run_answer(lines),
        other => panic!("{other}"),
    }
}

/// Every envelope of the case must end alike; good ones must give the secret and digest the file says.
fn run_requests(lines: &Lines<'_>) -> String {
    let mut receiver = Receiver::new(&network_file(lines));
    let mut ends: Vec<_> = Vec::new();
    for (place, envelope) in lines.all("envelope").iter().enumerate() {
        match receiver.receive(envelope) {
            Ok(verified) => {
                assert_eq!(lines.all("answer secret")[place], verified.answer_secret().expose());
                assert_eq!(lines.0["request digest"][place], verified.digest().to_string());
                assert_eq!(lines.all("request")[place], cbor::encode(verified.request()));
                ends.push("good".to_owned());
            }
            Err(reason) => ends.push(reason),
        }
    }
    ends.dedup();
    ends.join(", then ")
}

/// The first envelope is decided and remembered; what does the memory say of the second?
fn run_retry(lines: &Lines<'_>) -> String {
    let mut receiver = Receiver::new(&network_file(lines));
    let envelopes = lines.all("envelope");
    let [first, second] = [0, 1].map(|place| receiver.receive(&envelopes[place]).unwrap());
    let store = empty_store();
    let (mut staged, mut dice) = (Staged::new(), dice(90));
    let mut batch = Batch::new(now(NOW), SEAT, &store, &mut staged, &mut dice).unwrap();
    let (asker, exchange) = (&first.request().sender, &first.request().exchange);
    let nothing = Digest::of(b"");
    let decided = Decided {
        request: first.digest(),
        leaf: 0,
        at: NOW,
        answer: nothing,
        policy: nothing,
        label: vault::Label::GENERAL,
        unwitnessed_since: None,
        told: None,
    };
    exchange::remember(&mut batch, asker, exchange, &decided).unwrap();
    let again = second.request();
    let seen = exchange::seen(&batch, &again.sender, &again.exchange, &second.digest(), again.issued).unwrap();
    match seen {
        exchange::Seen::Repeated(_) => "Repeated".to_owned(),
        other => format!("{other:?}"),
    }
}

fn run_answer(lines: &Lines<'_>) -> String {
    let pending = Pending {
        exchange: ExchangeId::from_bytes([0; 16]),
        request: lines.digest("request digest"),
        responder: party(lines.one("responder").unwrap()),
        origin: Origin::parse(lines.one("origin").unwrap()).unwrap(),
        logs: vec![PublicKey::from_bytes(lines.bytes("log key").try_into().unwrap())],
        named: None,
        notes: Arc::new(VerifiedNotes::new(1)),
        secret: lines.secret("answer secret"),
        asked: lines.time("asked"),
    };
    let work = Work::OpenAnswer { pending: Arc::new(pending), bytes: lines.bytes("answer") };
    match work.perform(SEAT, now(NOW), &mut dice(91), &Real) {
        Done::Event(_, Event::Answered(_, Ok(accepted))) => {
            assert_eq!(accepted.body_bytes, lines.bytes("body"));
            "good".to_owned()
        }
        Done::Event(_, Event::Answered(_, Err(error))) => format!("{error:?}"),
        other => panic!("{other:?}"),
    }
}

/// The host of the municipality, with one connection on which the office was admitted.
struct Receiver {
    host: Host,
    now: Now,
}

impl Receiver {
    fn new(text: &str) -> Self {
        let lines = Lines::read(text);
        let now = now(lines.time("now"));
        let link: Link = cbor::decode(&lines.bytes("roster")).unwrap();
        let chain = Chain::begin(lines.digest("network"), &link, &Real).unwrap();
        let gate = Gate::begin(chain, vec![Arc::new(link)]);
        let list = Notice::StatusList(lines.bytes("status list").into());
        let gate = gate.learn(&list, now.wall, &Real).unwrap().unwrap();
        let mut keys = Keyring::default();
        for (suite, name) in [(Suite::X25519, "sealing secret x25519"), (Suite::XWing, "sealing secret x-wing")] {
            let key = Real.sealing_key(suite, &lines.secret(name)).unwrap();
            keys.hold(suite, key.into(), None);
        }
        let office = Office {
            requester: Requester::new(identity(lines.one("recipient").unwrap())),
            machine: None,
            keys,
            statement: None,
            cosigning: None,
            noting: protocol::noting::Noting::new(now.steady),
        };
        let network = gate.network();
        let host = Host::new(gate, Arc::new(Real), BTreeMap::from([(SEAT, office)]));
        let mut receiver = Self { host, now };
        let peer = PublicKey::from_bytes(lines.bytes("transport key").try_into().unwrap());
        receiver.host.receive(Input::Opened { connection: 1, peer, outbound: false }, now, &mut Vec::new());
        let hello = Presentation {
            network,
            party: party(lines.one("sender").unwrap()),
            statement: None,
            credential: Some(lines.bytes("credential").into()),
            roster: 1,
        };
        let end = receiver.frame(&Frame::Hello(1, cbor::encode(&hello).into()));
        assert!(end.is_ok_and(|event| event.is_none()), "the office is not admitted");
        receiver
    }

    /// The verified request, or the name of the reason why there is none.
    fn receive(&mut self, envelope: &[u8]) -> Result<Box<Verified>, String> {
        match self.frame(&Frame::Request(2, envelope.to_vec().into()))? {
            Some(Event::Request(verified, _route)) => Ok(verified),
            other => panic!("{other:?}"),
        }
    }

    /// Takes a frame, and does the work that comes of it.
    fn frame(&mut self, frame: &Frame) -> Result<Option<Event>, String> {
        let mut input = Input::Frame { connection: 1, bytes: cbor::encode(frame) };
        loop {
            let mut effects = Vec::new();
            if let Some((_seat, event)) = self.host.receive(input, self.now, &mut effects) {
                return Ok(Some(event));
            }
            let mut work = None;
            for effect in effects {
                match effect {
                    Effect::Work(seat, given) => work = Some((seat, given)),
                    Effect::Dropped(reason) => return Err(format!("{reason:?}")),
                    _ => {}
                }
            }
            let Some((seat, work)) = work else { return Ok(None) };
            input = Input::Done(work.perform(seat, self.now, &mut dice(92), &Real));
        }
    }
}

// ── making the cases ──

/// Every file with its text.
fn files() -> Vec<(&'static str, String)> {
    let network = Network::new(Suite::X25519);
    let strict = Network::new(Suite::XWing);
    let mut files = vec![(NETWORK, network.write()), (X_WING_ONLY, strict.write())];
    files.extend(requests(&network, &strict));
    files.extend(retries(&network));
    files.extend(answers(&network));
    files
}

/// Whom the receiver believes, and everybody's keys.
struct Network {
    link: Link,
    list: Vec<u8>,
    credential: Vec<u8>,
    other_credential: Vec<u8>,
}

impl Network {
    fn new(suite_min: Suite) -> Self {
        let authority = public("authority");
        let member = |name: &str, issues| Member {
            party: party(name),
            name: name.to_owned(),
            signing: vec![public(&format!("{name} signing"))],
            log: vec![public(&format!("{name} log"))],
            epoch: 0,
            insurers: Vec::new(),
            participates_from: Date::parse("2026-04-01").unwrap(),
            issues,
            oblivious: None,
            cosigning: None,
        };
        let planning = ServiceKind::parse("43").unwrap();
        let issues =
            IssuerLimits { kind: PartyKind::Office, prefixes: vec!["13".to_owned()], services: vec![planning] };
        let roster = Roster {
            network: None,
            version: 1,
            issued: NOW.minus(Span::from_h(24)),
            expires: NOW.plus(Span::from_h(24)),
            signers: Signers { threshold: 1, keys: vec![authority] },
            next_signers: Signers { threshold: 1, keys: vec![authority] },
            pulse: public("pulse"),
            suite_min,
            policy: Digest::of(b"policy"),
            witness_quorum: 0,
            members: vec![member(TOWN, None), member(CITY, None), member(ISSUER, Some(issues))],
        };
        let link = Link::sign(&roster, &Real, &[(authority, &secret("authority"))]);
        let (issuing, issuing_public) = (secret("issuer:1 signing"), public("issuer:1 signing"));
        let list = StatusList {
            network: link.digest(),
            issuer: party(ISSUER),
            number: 1,
            issued: NOW,
            expires: NOW.plus(Span::from_h(24)),
            revoked: Vec::new(),
        };
        let credential = |serial| Credential {
            network: link.digest(),
            party: party(OFFICE),
            name: "つなぎ居宅介護支援事業所".to_owned(),
            services: vec![planning],
            signing: public("office signing"),
            next_signing: Digest::of(public("office next signing").as_bytes()),
            transport: vec![public("office transport")],
            log: public("office log"),
            issuer: party(ISSUER),
            serial,
            issued: NOW,
            expires: NOW.plus(Span::from_h(24)),
        };
        let sign = |serial| credential(serial).sign(&Real, &issuing_public, &issuing);
        Self { list: list.sign(&Real, &issuing_public, &issuing), credential: sign(1), other_credential: sign(2), link }
    }

    fn write(&self) -> String {
        let mut out = "# Whom the receiver believes, the keys it holds, and its clock in milliseconds.\n".to_owned();
        out += &format!("network: {}\nnow: {}\n", self.link.digest(), NOW.unix_ms());
        out += &format!("recipient: {CITY}\nsender: {OFFICE}\n");
        out += &format!("roster: {}\n", hex::encode(cbor::encode(&self.link)));
        out += &format!("status list: {}\n", hex::encode(&self.list));
        out += &format!("credential: {}\n", hex::encode(&self.credential));
        out += &format!("transport key: {}\n", hex::encode(public("office transport").as_bytes()));
        for (suite, word) in [(Suite::X25519, "x25519"), (Suite::XWing, "x-wing")] {
            out += &format!("sealing secret {word}: {}\n", hex::encode(sealing_secret(suite).expose()));
            let key = Real.sealing_key(suite, &sealing_secret(suite)).unwrap();
            out += &format!("sealing key id {word}: {}\n", KeyId::of(KeyUse::sealing(suite), &key.public()));
        }
        out
    }

    fn request(&self, exchange: u8) -> Request {
        Request {
            sender: party(OFFICE),
            recipient: party(CITY),
            exchange: ExchangeId::from_bytes([exchange; 16]),
            issued: NOW,
            expires: NOW.plus(limits::REQUEST_LIFE),
            credential: Some(Digest::of(&self.credential)),
            roster: 1,
            seen: None,
            staff: Staff { id: "planner-1".to_owned(), job: Job::CareManager, proof: None },
            purpose: Purpose::CarePlanning,
            question: Question::Read(Reading {
                person: Handle::parse("ltc:131235:0000012345").unwrap(),
                kinds: vec![RecordKind::InsuranceCard, RecordKind::CertificationResult],
                valid_on: None,
                known_at: None,
                versions: None,
            }),
        }
    }

    /// A header without its `enc`, which the encapsulation gives it.
    fn header(&self, suite: Suite, nonce: u8) -> Header {
        let key = Real.sealing_key(suite, &sealing_secret(suite)).unwrap();
        Header {
            network: self.link.digest(),
            suite,
            sender: party(OFFICE),
            recipient: party(CITY),
            signing_key: public("office signing").id(KeyUse::Signing),
            sealing_key: KeyId::of(KeyUse::sealing(suite), &key.public()),
            enc: Vec::new(),
            nonce: [nonce; 16],
        }
    }
}

/// One encapsulation, whose messages may be good or spoiled.
struct Sending {
    header: Header,
    channel: Box<dyn Channel>,
}

impl Sending {
    /// To the receiver's key of the header's suite.
    fn begin(mut header: Header, seed: u8) -> Self {
        let key = Real.sealing_key(header.suite, &sealing_secret(header.suite)).unwrap();
        let (enc, channel) = Real.encapsulate(header.suite, &key.public(), &header.info(), &mut dice(seed)).unwrap();
        header.enc = enc;
        Self { header, channel }
    }

    fn send(&self, request: &Request) -> envelope::Outgoing {
        let request = cbor::encode(request);
        envelope::seal(
            &self.header,
            self.channel.as_ref(),
            &request,
            Real.signing_key(&secret("office signing")).as_ref(),
        )
    }

    /// Seals signed bytes by hand, as the specification says.
    fn seal(&self, header: &[u8], signed: &[u8]) -> Vec<u8> {
        let nonce = minicbor::bytes::ByteArray::from(self.header.nonce);
        let key = self.channel.export(&cbor::encode(&("tsunagi request", 3_u16, nonce)));
        wire(header, &primitives::seal(&key, header, signed))
    }
}

/// An envelope: an array of two byte strings.
fn wire(header: &[u8], sealed: &[u8]) -> Vec<u8> {
    let parts = [header, sealed].map(|part| minicbor::bytes::ByteVec::from(part.to_vec()));
    cbor::encode(&parts)
}

fn sign(secret: &Secret, key: KeyId, header: &[u8], request: &Request) -> Vec<u8> {
    sign1::sign(&Real, secret, key, Label::Request, header, &cbor::encode(request))
}

fn good(name: &'static str, remark: &str, sent: &[&(Request, envelope::Outgoing)]) -> (&'static str, String) {
    let mut out = format!("# {remark}\ncase: request\nexpect: good\nnetwork: {NETWORK}\n");
    for (request, outgoing) in sent {
        out += &format!("envelope: {}\n", hex::encode(&outgoing.bytes));
        out += &format!("request: {}\n", hex::encode(cbor::encode(request)));
        out += &format!("request digest: {}\n", outgoing.digest);
        out += &format!("answer secret: {}\n", hex::encode(outgoing.answer_secret.expose()));
    }
    (name, out)
}

fn spoiled(name: &'static str, remark: &str, network: &str, expect: &str, bytes: &[u8]) -> (&'static str, String) {
    let bytes = hex::encode(bytes);
    (name, format!("# {remark}\ncase: request\nexpect: {expect}\nnetwork: {network}\nenvelope: {bytes}\n"))
}

fn requests(network: &Network, strict: &Network) -> Vec<(&'static str, String)> {
    let request = network.request(1);
    let x_wing = Sending::begin(network.header(Suite::XWing, 1), 1);
    let usual = Sending::begin(network.header(Suite::X25519, 2), 2);
    let usual_header = cbor::encode(&usual.header);
    let (office, office_key) = (secret("office signing"), usual.header.signing_key);
    let signed = sign(&office, office_key, &usual_header, &request);
    assert_eq!(usual.seal(&usual_header, &signed), usual.send(&request).bytes, "by hand as by the program");

    let first = (request.clone(), x_wing.send(&request));
    let second_request = network.request(2);
    let second = Sending { header: Header { nonce: [3; 16], ..x_wing.header.clone() }, channel: x_wing.channel };
    let second = (second_request.clone(), second.send(&second_request));

    // The same signed bytes, sealed again by somebody else to the same key under another encapsulation.
    let resealed = Sending::begin(network.header(Suite::X25519, 2), 4);
    let resealed_bytes = resealed.seal(&cbor::encode(&resealed.header), &signed);
    // A header that says X25519 and names the X-Wing key.
    let x_wing_key = network.header(Suite::XWing, 0).sealing_key;
    let downgraded = Sending::begin(Header { sealing_key: x_wing_key, ..network.header(Suite::X25519, 5) }, 5);
    let weak = Sending::begin(strict.header(Suite::X25519, 6), 6);
    let elsewhere = Sending::begin(Header { recipient: party(TOWN), ..network.header(Suite::X25519, 7) }, 7);
    let foreign = Header { network: Digest::of(b"another network"), ..network.header(Suite::X25519, 8) };
    let foreign = Sending::begin(foreign, 8);
    let stranger = Header { sender: party(OTHER_OFFICE), ..network.header(Suite::X25519, 9) };
    let stranger = Sending::begin(stranger, 9);

    let of_usual =
        |request: &Request, secret: &Secret, key| usual.seal(&usual_header, &sign(secret, key, &usual_header, request));
    let changed = |change: &dyn Fn(&mut Request)| {
        let mut request = request.clone();
        change(&mut request);
        of_usual(&request, &office, office_key)
    };
    let other_key = public("somebody signing").id(KeyUse::Signing);
    let flipped = |part: usize| {
        let mut parts = [usual_header.clone(), primitives_part(&usual.send(&request).bytes)];
        let last = parts[part].len() - 1;
        parts[part][last] ^= 1;
        wire(&parts[0], &parts[1])
    };
    let mut long = usual.send(&request).bytes;
    long.splice(0..1, [0x98, 0x02]);
    let other_label = sign1::sign(&Real, &office, office_key, Label::Statement, &usual_header, &cbor::encode(&request));
    let says = |name, remark: &str, expect: &str, bytes: &[u8]| spoiled(name, remark, NETWORK, expect, bytes);

    vec![
        good("good-x-wing.txt", "A request under the default suite.", &[&first]),
        good("good-x25519.txt", "A request under the second suite.", &[&(request.clone(), usual.send(&request))]),
        good(
            "good-second-under-one-encapsulation.txt",
            "Two requests with one `enc` and two nonces.",
            &[&first, &second],
        ),
        says(
            "spoiled-sealed-again.txt",
            "The signed request of good-x25519.txt, sealed again under another `enc`.",
            "Unfit(Forged)",
            &resealed_bytes,
        ),
        says(
            "spoiled-suite-downgraded.txt",
            "The header says X25519 and names the receiver's X-Wing key.",
            "UnknownKey",
            &downgraded.send(&request).bytes,
        ),
        spoiled(
            "spoiled-suite-below-the-minimum.txt",
            "All is in order, but the roster wants X-Wing.",
            X_WING_ONLY,
            "UnknownKey",
            &weak.send(&strict.request(1)).bytes,
        ),
        says(
            "spoiled-another-recipient.txt",
            "Addressed, outside and inside, to a municipality that is not here.",
            "NobodyHere",
            &elsewhere.send(&Request { recipient: party(TOWN), ..request.clone() }).bytes,
        ),
        says(
            "spoiled-another-recipient-inside.txt",
            "Signed for another municipality than the header names.",
            "Unfit(Misaddressed)",
            &changed(&|request| request.recipient = party(TOWN)),
        ),
        says(
            "spoiled-another-sender-inside.txt",
            "The signed sender is not the one of the header.",
            "Unfit(Misaddressed)",
            &changed(&|request| request.sender = party(OTHER_OFFICE)),
        ),
        says(
            "spoiled-sender-not-admitted.txt",
            "The header names an office that was not admitted on this connection.",
            "NotAdmitted",
            &stranger.send(&request).bytes,
        ),
        says(
            "spoiled-another-network.txt",
            "Of a network of another name.",
            "OtherNetwork",
            &foreign.send(&request).bytes,
        ),
        says(
            "spoiled-flipped-header.txt",
            "One bit of the header's nonce is flipped.",
            "Unfit(DoesNotOpen)",
            &flipped(0),
        ),
        says("spoiled-flipped-seal.txt", "One bit of what is sealed is flipped.", "Unfit(DoesNotOpen)", &flipped(1)),
        says(
            "spoiled-signed-by-another-key.txt",
            "Signed with another key, under the name of the right one.",
            "Unfit(Forged)",
            &of_usual(&request, &secret("somebody signing"), office_key),
        ),
        says(
            "spoiled-signed-under-another-name.txt",
            "Signed with another key, under that key's name.",
            "Unfit(Misaddressed)",
            &of_usual(&request, &secret("somebody signing"), other_key),
        ),
        says(
            "spoiled-signed-as-a-statement.txt",
            "Signed with the right key, under the label of a statement.",
            "Unfit(Forged)",
            &usual.seal(&usual_header, &other_label),
        ),
        says(
            "spoiled-another-credential.txt",
            "Names another credential of the same office than the connection was admitted with.",
            "Unfit(Misaddressed)",
            &changed(&|request| request.credential = Some(Digest::of(&network.other_credential))),
        ),
        says(
            "spoiled-lives-too-long.txt",
            "Expires a millisecond more than 120 seconds after it was issued.",
            "Unfit(Malformed)",
            &changed(&|request| request.expires = request.expires.plus(Span::from_ms(1))),
        ),
        says(
            "spoiled-second-spelling.txt",
            "The length of the outer array is written in two bytes.",
            "MalformedEnvelope",
            &long,
        ),
    ]
}

/// The sealed part of an envelope.
fn primitives_part(envelope: &[u8]) -> Vec<u8> {
    let [_header, sealed]: [minicbor::bytes::ByteVec; 2] = cbor::decode(envelope).unwrap();
    sealed.to_vec()
}

fn retries(network: &Network) -> Vec<(&'static str, String)> {
    let sending = Sending::begin(network.header(Suite::X25519, 20), 20);
    let again = Sending {
        header: Header { nonce: [21; 16], ..sending.header.clone() },
        channel: Sending::begin(network.header(Suite::X25519, 20), 20).channel,
    };
    let first = sending.send(&network.request(20)).bytes;
    let other = again.send(&network.request(20)).bytes;
    let case = |name, remark: &str, expect: &str, second: &[u8]| {
        let (first, second) = (hex::encode(&first), hex::encode(second));
        let head = format!("# {remark}\ncase: retry\nexpect: {expect}\nnetwork: {NETWORK}\n");
        (name, format!("{head}envelope: {first}\nenvelope: {second}\n"))
    };
    vec![
        case("good-retry.txt", "The very same bytes twice: a retry.", "Repeated", &first),
        case(
            "spoiled-retry-with-other-bytes.txt",
            "The same exchange id in other bytes: here only the nonce differs.",
            "Reused",
            &other,
        ),
    ]
}

/// A ledger of five leaves, the third about the exchange.
struct Ledger {
    origin: Origin,
    log: Secret,
    leaves: Vec<(Leaf, Salts)>,
    nodes: Memory,
}

struct Memory(Vec<Digest>);

impl Nodes for Memory {
    type Error = u64;
    fn node(&self, index: u64) -> Result<Digest, u64> {
        self.0.get(usize::try_from(index).unwrap()).copied().ok_or(index)
    }
}

impl Ledger {
    fn new(network: &Network, owner: &str, request: Digest, answer: Digest) -> Self {
        let origin = Origin::new(&network.link.digest(), &party(owner), 0);
        let mut ledger = Self { origin, log: secret(&format!("{owner} log")), leaves: vec![], nodes: Memory(vec![]) };
        for index in 0..5_u64 {
            let of = |what: &str| Digest::of(format!("{what} {index}").as_bytes());
            let salt = |what: &str| Salt::from_bytes(*of(what).as_bytes());
            let salts = Salts {
                request: salt("request salt"),
                answer: salt("answer salt"),
                detail: salt("detail salt"),
                person: salt("person salt"),
            };
            let (request, answer) = if index == 2 { (request, answer) } else { (of("request"), of("answer")) };
            let contents = Contents { request, answer, detail: of("detail"), person: of("person") };
            let leaf = Leaf::new(LeafKind::Exchange, NOW, &salts, &contents);
            let appended = tree::nodes_of_leaf(index, leaf.hash(), &ledger.nodes).unwrap();
            ledger.nodes.0.extend(appended);
            ledger.leaves.push((leaf, salts));
        }
        ledger
    }

    fn evidence(&self) -> Evidence {
        let (leaf, salts) = self.leaves[2].clone();
        let head = Checkpoint { origin: self.origin.clone(), size: 5, root: tree::root(5, &self.nodes).unwrap() };
        Evidence {
            request_salt: salts.request,
            answer_salt: salts.answer,
            leaf: leaf.to_bytes(),
            index: 2,
            inclusion: tree::inclusion(2, 5, &self.nodes).unwrap(),
            checkpoint: head.sign(&Real, &self.log).as_bytes().to_vec(),
            consistency: Vec::new(),
        }
    }
}

fn answers(network: &Network) -> Vec<(&'static str, String)> {
    let sending = Sending::begin(network.header(Suite::X25519, 40), 40);
    let asked = sending.send(&network.request(40));
    let other = Sending { header: Header { nonce: [41; 16], ..sending.header.clone() }, channel: sending.channel };
    let other = other.send(&network.request(41));
    let origin = Origin::new(&network.link.digest(), &party(CITY), 0);
    let body = Body {
        request: asked.digest,
        responder: party(CITY),
        origin: origin.to_string(),
        decided: NOW,
        policy: Digest::of(b"policy"),
        outcome: Outcome::Refused(Told::NotPermitted),
        unwitnessed_since: None,
    };
    let evidence_of = |owner: &str, request: Digest, body: &Body| {
        Ledger::new(network, owner, request, Digest::of(&cbor::encode(body))).evidence()
    };
    let case =
        |name: &'static str, remark: &str, expect: &str, body: &Body, evidence: Evidence, to: &envelope::Outgoing| {
            let body = cbor::encode(body);
            let answer = cbor::encode(&Answer { body: body.clone(), evidence });
            let sealed = SealedAnswer::seal(&answer, &to.answer_secret, &to.digest, &mut dice(50));
            let mut out = format!("# {remark}\ncase: answer\nexpect: {expect}\n");
            out += &format!("request digest: {}\n", asked.digest);
            out += &format!("answer secret: {}\n", hex::encode(asked.answer_secret.expose()));
            out += &format!("responder: {CITY}\norigin: {origin}\nasked: {}\n", NOW.unix_ms());
            out += &format!("log key: {}\n", hex::encode(public("insurer:131235 log").as_bytes()));
            out += &format!("body: {}\n", hex::encode(body));
            (name, out + &format!("answer: {}\n", hex::encode(cbor::encode(&sealed))))
        };
    let spoil = |change: &dyn Fn(&mut Body)| {
        let mut body = body.clone();
        change(&mut body);
        body
    };
    let of_other = spoil(&|body| body.request = other.digest);
    let by_town = spoil(&|body| body.responder = party(TOWN));
    let late = spoil(&|body| body.decided = NOW.plus(limits::SKEW).plus(Span::from_ms(1)));
    let granted = spoil(&|body| body.outcome = Outcome::Registered);
    let usual = evidence_of(CITY, asked.digest, &body);
    vec![
        case("good-answer.txt", "A refusal, with its receipt.", "good", &body, usual.clone(), &asked),
        case(
            "spoiled-answer-to-another-request.txt",
            "The answer to another request under the same encapsulation, with its receipt.",
            "DoesNotOpen",
            &of_other,
            evidence_of(CITY, other.digest, &of_other),
            &other,
        ),
        case(
            "spoiled-body-of-another-request.txt",
            "Sealed for this request, but the body names another.",
            "Misdirected",
            &of_other,
            evidence_of(CITY, asked.digest, &of_other),
            &asked,
        ),
        case(
            "spoiled-body-of-another-responder.txt",
            "The body names another municipality than was asked.",
            "Misdirected",
            &by_town,
            evidence_of(CITY, asked.digest, &by_town),
            &asked,
        ),
        case(
            "spoiled-receipt-of-another-ledger.txt",
            "The receipt proves this very answer in the ledger of another municipality.",
            "Receipt(Checkpoint(OtherOrigin))",
            &body,
            evidence_of(TOWN, asked.digest, &body),
            &asked,
        ),
        case(
            "spoiled-leaf-of-another-answer.txt",
            "The body says something else than what the leaf commits to.",
            "Receipt(OtherAnswer)",
            &granted,
            usual,
            &asked,
        ),
        case(
            "spoiled-leaf-of-another-request.txt",
            "The leaf commits to another request.",
            "Receipt(OtherRequest)",
            &body,
            evidence_of(CITY, other.digest, &body),
            &asked,
        ),
        case(
            "spoiled-decided-in-the-future.txt",
            "Decided a millisecond more than the skew after the asker's clock.",
            "Implausible",
            &late,
            evidence_of(CITY, asked.digest, &late),
            &asked,
        ),
    ]
}

// ── small things ──

fn network_file(lines: &Lines<'_>) -> String {
    std::fs::read_to_string(folder().join(lines.one("network").unwrap())).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/envelope")
}

fn party(name: &str) -> PartyId {
    PartyId::parse(name).unwrap()
}

fn now(wall: Timestamp) -> Now {
    Now { wall, steady: Steady::from_ms(0) }
}

fn dice(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// Everybody's keys follow from their names.
fn secret(name: &str) -> Secret {
    Secret::from_bytes(*Digest::of(name.as_bytes()).as_bytes())
}

fn public(name: &str) -> PublicKey {
    PublicKey::from_bytes(Real.signing_public(&secret(name)))
}

fn sealing_secret(suite: Suite) -> Secret {
    secret(match suite {
        Suite::X25519 => "city x25519",
        Suite::XWing => "city x-wing",
        Suite::Toy => panic!("not a suite of the wire"),
    })
}

/// The receiver asks nobody, so nothing of this is used but the name.
fn identity(name: &str) -> Identity {
    Identity {
        seat: SEAT,
        party: party(name),
        signing: Real.signing_key(&secret("city signing")).into(),
        signing_public: public("city signing"),
        credential: None,
        label: secret("city label"),
        suite: Suite::X25519,
        fresh_encapsulations: true,
        life: limits::REQUEST_LIFE,
    }
}

/// A store with nothing in it, on a disk and an index in memory.
fn empty_store() -> Store {
    let origin = Origin::new(&Digest::of(b"network"), &party(CITY), 0);
    let signer = Signer { seat: SEAT, origin, log_secret: secret("city log") };
    let secret = StoreSecret::derive(&secret("store"));
    Store::open(Box::new(Files::default()), Box::new(Rows::default()), &secret, vec![signer], Arc::new(Real)).unwrap().0
}

#[derive(Default)]
struct Files(BTreeMap<FileName, Vec<u8>>);

impl Disk for Files {
    fn append(&mut self, file: &FileName, bytes: &[u8]) -> Result<u64, DiskError> {
        let kept = self.0.entry(file.clone()).or_default();
        let at = u64::try_from(kept.len()).unwrap();
        kept.extend_from_slice(bytes);
        Ok(at)
    }
    fn sync(&mut self, _file: &FileName) -> Result<(), DiskError> {
        Ok(())
    }
    fn read(&self, file: &FileName, at: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let at = usize::try_from(at).unwrap();
        Ok(self.0[file][at..at + len].to_vec())
    }
    fn truncate(&mut self, file: &FileName, len: u64) -> Result<(), DiskError> {
        self.0.get_mut(file).unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }
    fn publish(&mut self, draft: &FileName, name: &FileName) -> Result<(), DiskError> {
        let bytes = self.0.remove(draft).unwrap();
        self.0.insert(name.clone(), bytes);
        Ok(())
    }
    fn list(&self) -> Result<Vec<(FileName, u64)>, DiskError> {
        Ok(self.0.iter().map(|(name, bytes)| (name.clone(), u64::try_from(bytes.len()).unwrap())).collect())
    }
    fn remove(&mut self, file: &FileName) -> Result<(), DiskError> {
        self.0.remove(file);
        Ok(())
    }
    fn room(&self) -> Result<u64, DiskError> {
        Ok(1 << 40)
    }
}

#[derive(Default)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>, u64);

impl Index for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.0.get(key).cloned())
    }
    fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError> {
        let rows = self.0.range(from.to_vec()..to.to_vec()).take(rows_max);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
    fn apply(&mut self, changes: &Changes, position: u64) -> Result<(), IndexError> {
        for (key, value) in changes {
            match value {
                Some(value) => self.0.insert(key.clone(), value.clone()),
                None => self.0.remove(key),
            };
        }
        self.1 = position;
        Ok(())
    }
    fn position(&self) -> Result<u64, IndexError> {
        Ok(self.1)
    }
    fn clear(&mut self) -> Result<(), IndexError> {
        *self = Self::default();
        Ok(())
    }
}
