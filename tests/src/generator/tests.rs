//! That what is made is as it was asked for, allowed, the same each time, and everything.

use std::collections::BTreeSet;

use mosaic_core::model::{BODY_BYTES, EMAIL_CHARS, NAME_CHARS, SLUG_CHARS, TAG_CHARS, TITLE_CHARS};
use mosaic_core::vectors::{MAX_DIMENSIONS, MODEL_CHARS};
use mosaic_core::{Embedding, Id, Kind, Record, Timestamp, TokenHash, UserRole, memory};
use sha2::{Digest, Sha256};

use super::*;

const SEED: u64 = 7;

fn small() -> Generator {
    Generator::new(SEED, Size::small())
}

/// The SHA-256 of records as JSON, a line each.
fn hash_of_records(records: impl IntoIterator<Item = Record>) -> String {
    let mut hash = Sha256::new();
    for record in records {
        hash.update(serde_json::to_string(&record).unwrap());
        hash.update("\n");
    }
    TokenHash(hash.finalize().into()).to_hex()
}

fn hash_of_embeddings(embeddings: impl IntoIterator<Item = Embedding>) -> String {
    let mut hash = Sha256::new();
    for Embedding { kind, id, revision, vector } in embeddings {
        hash.update(format!("{kind} {id} {revision} {}", vector.model));
        for component in vector.components {
            hash.update(component.to_le_bytes());
        }
    }
    TokenHash(hash.finalize().into()).to_hex()
}

/// A change of the generator changes what benchmarks measure: it is to be meant.
#[test]
fn the_same_seed_makes_the_same() {
    assert_eq!(hash_of_records(small().records()), "14963b3b0459d119a090ba8a388191a932651fbb43b245cc3e3457ccc2952213");
    assert_eq!(hash_of_embeddings(small().embeddings()), "2dfbdec36c3665ed9586133e42cb5ec4e0452f509a4066da92a4191bef3af76c");
    let HostileData { records, embeddings } = hostile(SEED);
    assert_eq!(hash_of_records(records), "421e91e999e8cbdae170cf2cdc70a547540cac118870dafcd0011fe7052a74fe");
    assert_eq!(hash_of_embeddings(embeddings), "7e9f15b38f31fcbde72aaea8cfe7ecb79a01873137b11670d6157ca455f91f2b");
    assert_ne!(hash_of_records(Generator::new(8, Size::small()).records()), hash_of_records(small().records()));
}

#[test]
fn every_record_and_embedding_is_allowed() {
    let HostileData { records, embeddings } = hostile(SEED);
    for record in small().records().chain(records) {
        let (kind, id) = (record.kind(), record.id());
        record.validate().unwrap_or_else(|error| panic!("{kind} {id}: {error}"));
        let text = serde_json::to_string(&record).unwrap();
        assert!(Record::from_json_bytes(text.as_bytes()).unwrap() == record, "{kind} {id} is another when it is read from JSON");
    }
    for embedding in small().embeddings().chain(embeddings) {
        embedding.check(None).unwrap();
    }
}

#[test]
fn there_is_as_much_as_was_asked_for() {
    let uneven = Size { users: 7, teams: 9, tasks: 10, notes: 1, sessions: 4, messages: 3, embeddings: 28, dimensions: 1 };
    let lonely = Size { users: 1, teams: 0, tasks: 1, notes: 0, sessions: 0, messages: 0, embeddings: 1, dimensions: 3 };
    for size in [Size::small(), uneven, lonely, Size::of(20, 4, 2), Size::of(5_000, 700, 2)] {
        let made = Generator::new(SEED, size);
        let records: Vec<_> = made.records().collect();
        assert_eq!(records.len(), size.records());
        for kind in Kind::ALL {
            assert_eq!(records.iter().filter(|record| record.kind() == *kind).count(), size.count(*kind), "{size:?} {kind}");
        }
        assert!(records.is_sorted_by_key(Record::kind), "in dependency order");
        let embeddings: Vec<_> = made.embeddings().collect();
        assert_eq!(embeddings.len(), size.embeddings);
        let dimensions: BTreeSet<_> = embeddings.iter().map(|e| (e.vector.model.as_str(), e.vector.components.len())).collect();
        assert_eq!(dimensions.len(), 2.min(size.embeddings), "of two models, each of its dimensions: {dimensions:?}");
        assert!(dimensions.iter().any(|(_, dimensions)| *dimensions == size.dimensions));
    }
    for records in [20, 999, 5_000, 100_000] {
        assert_eq!(Size::of(records, 0, 1).records(), records);
    }
}

/// A hundred million records are not made before the first of them is used.
#[test]
fn records_are_made_when_they_are_asked_for() {
    let made = Generator::new(SEED, Size::of(100_000_000, 100_000_000, 1_000));
    assert_eq!(made.records().take(5).count() + made.embeddings().take(5).count(), 10);
    assert_eq!(small().records().nth(31).unwrap(), small().record(Kind::Token, 0));
    let last = made.record(Kind::Message, made.size().messages - 1);
    assert_eq!(last.kind(), Kind::Message);
}

/// What of a record is drawn from a few values, so that none of them may be missing.
fn choices(record: &Record) -> String {
    fn there<T>(value: &Option<T>) -> &'static str {
        if value.is_some() { "with" } else { "without" }
    }
    let kind = record.kind();
    // The compiler names this place when a kind is added: both sorts of data are to have it, with all its choices.
    match record {
        Record::User(user) => format!("{kind} {:?} {} email", user.role, there(&user.email)),
        Record::Team(_) => format!("{kind}"),
        Record::Membership(membership) => format!("{kind} {:?}", membership.role),
        Record::Token(token) => format!("{kind} {} end {} use", there(&token.expires_at), there(&token.last_used_at)),
        Record::Task(task) => format!("{kind} {} team {} assignee", there(&task.team_id), there(&task.assignee_id)),
        Record::Note(note) => format!("{kind} {} team", there(&note.team_id)),
        Record::Session(session) => format!("{kind} {:?} {} team", session.status, there(&session.team_id)),
        Record::Message(message) => format!("{kind} {:?} {:?}", message.role, message.finish),
    }
}

/// Further choices of a record, each by itself.
fn further(record: &Record) -> Vec<String> {
    match record {
        Record::Token(token) => token.scopes.iter().map(|scope| format!("token {scope}")).collect(),
        Record::Task(task) => {
            let due = if task.due_at.is_some() { "task due" } else { "task not due" };
            vec![format!("task {:?}", task.status), format!("task {}", task.priority), due.to_owned()]
        }
        _ => Vec::new(),
    }
}

#[test]
fn everything_there_is_occurs() {
    let all =
        |records: Vec<Record>| -> BTreeSet<String> { records.iter().flat_map(|r| further(r).into_iter().chain([choices(r)])).collect() };
    let (usual, awkward) = (all(small().records().collect()), all(hostile(SEED).records));
    assert_eq!(usual, awkward);
    assert_eq!(usual.len(), 4 + 1 + 2 + 4 + 5 + 4 + 5 + 5 + 2 + 2 + 4 + 8, "{usual:#?}");
    for records in [small().records().collect(), hostile(SEED).records] {
        let kinds: BTreeSet<_> = records.iter().map(Record::kind).collect();
        assert!(kinds.iter().eq(Kind::ALL));
        assert!(records.iter().any(|record| record.revision() > 1) && records.iter().any(|record| record.revision() == 1));
    }
}

#[test]
fn what_is_awkward_reaches_every_bound() {
    let HostileData { records, embeddings } = hostile(SEED);
    for kind in Kind::ALL {
        let of_kind = || records.iter().filter(|record| record.kind() == *kind);
        for time in [Timestamp::MIN, Timestamp::MAX] {
            assert!(
                of_kind().any(|record| record.created_at() == time) && of_kind().any(|record| record.updated_at() == time),
                "{kind} {time}"
            );
        }
        assert!(of_kind().any(|record| record.revision() == 1) && of_kind().any(|record| record.revision() == i64::MAX as u64), "{kind}");
        // A user and a team share no id, so that each has one of both.
        let bounds = of_kind().filter(|record| [Id::nil(), Id::max()].contains(&record.id())).count();
        assert_eq!(bounds, if matches!(kind, Kind::User | Kind::Team) { 1 } else { 2 }, "{kind}");
    }
    let characters: BTreeSet<_> = records.iter().flat_map(|record| record.passages().body.chars()).collect();
    assert_eq!(characters.len(), (char::MIN..=char::MAX).count() - 1, "every character but U+0000");
    let bodies = || records.iter().filter(|record| record.kind().is_searched()).map(|record| record.passages().body.len());
    assert_eq!((bodies().min(), bodies().max()), (Some(0), Some(BODY_BYTES)));
    let longest = |text: fn(&Record) -> Option<&str>| records.iter().filter_map(text).map(|text| text.chars().count()).max();
    assert_eq!(longest(|record| Some(record.passages().title)), Some(TITLE_CHARS));
    assert_eq!(longest(|record| record.passages().tags.iter().map(String::as_str).max_by_key(|tag| tag.chars().count())), Some(TAG_CHARS));
    assert_eq!(longest(|record| if let Record::User(user) = record { user.email.as_deref() } else { None }), Some(EMAIL_CHARS));
    assert_eq!(longest(|record| if let Record::User(user) = record { Some(&user.login) } else { None }), Some(SLUG_CHARS));
    assert_eq!(longest(|record| if let Record::Team(team) = record { Some(&team.slug) } else { None }), Some(SLUG_CHARS));
    assert_eq!(longest(|record| if let Record::Team(team) = record { Some(&team.name) } else { None }), Some(NAME_CHARS));
    assert_eq!(longest(|record| if let Record::Session(session) = record { Some(&session.agent) } else { None }), Some(NAME_CHARS));
    let dimensions = || embeddings.iter().map(|embedding| embedding.vector.components.len());
    assert_eq!((dimensions().min(), dimensions().max()), (Some(1), Some(MAX_DIMENSIONS)));
    assert_eq!(embeddings.iter().map(|embedding| embedding.vector.model.chars().count()).max(), Some(MODEL_CHARS));
}

#[test]
fn the_usual_is_of_these_years() {
    let [first, last]: [Timestamp; 2] = ["2019-01-01T00:00:00Z", "2026-12-31T00:00:00Z"].map(|time| time.parse().unwrap());
    for record in Generator::new(SEED, Size::of(5_000, 0, 1)).records() {
        let (made, changed) = (record.created_at(), record.updated_at());
        assert!(first <= made && made <= changed && changed < last, "{record:?}");
        assert_eq!(made == changed, record.revision() == 1, "what has changed has done so later: {record:?}");
    }
}

#[test]
fn messages_are_counted_from_1_without_gaps() {
    let records: Vec<_> = Generator::new(SEED, Size::of(5_000, 0, 1)).records().collect();
    let mut before = None;
    let mut sessions = BTreeSet::new();
    for record in records {
        let Record::Message(message) = record else { continue };
        let expected = before.filter(|(session_id, _)| *session_id == message.session_id).map_or(1, |(_, seq)| seq + 1);
        assert_eq!(message.seq, expected);
        assert!(sessions.insert(message.session_id) || expected > 1, "a session's messages are together");
        before = Some((message.session_id, message.seq));
    }
    assert!(sessions.len() < Size::of(5_000, 0, 1).sessions, "some have none");
}

#[test]
fn a_token_has_the_hash_of_its_secret() {
    let made = small();
    for (number, (id, secret)) in made.secrets().enumerate() {
        let Record::Token(token) = made.record(Kind::Token, number) else { panic!() };
        assert_eq!((id, Some(TokenHash(Sha256::digest(secret.as_bytes()).into()))), (token.id, token.hash));
        assert!(has_shape(&secret), "{secret}");
    }
    let (Record::User(user), Record::Token(token)) = (made.record(Kind::User, 0), made.record(Kind::Token, 0)) else { panic!() };
    assert_eq!((user.role, token.user_id, token.expires_at), (UserRole::Admin, user.id, None));
    assert_eq!(token.scopes, mosaic_core::TokenScope::ALL);
    assert_eq!(token.hash, Some(TokenHash(Sha256::digest(made.administrator_secret().as_bytes()).into())));
}

/// Whether a text has the shape that the gateway asks of a secret.
fn has_shape(secret: &str) -> bool {
    secret
        .strip_prefix("mosaic_")
        .is_some_and(|rest| rest.len() == 43 && rest.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)))
}

#[tokio::test]
async fn what_fills_a_backend_is_read_back() {
    let hostile = hostile(SEED);
    for (records, embeddings) in [(small().records().collect(), small().embeddings().collect()), (hostile.records, hostile.embeddings)] {
        let backend = memory::open();
        fill(&backend, records.clone(), embeddings.clone()).await;
        let read = read_back(&backend).await;
        assert_same_records(records, read.0);
        assert_same_embeddings(embeddings, read.1);
    }
}

#[tokio::test]
#[should_panic(expected = "is refused")]
async fn what_is_refused_is_named() {
    let task = small().record(Kind::Task, 0);
    fill(&memory::open(), [task], []).await;
}

#[test]
fn what_differs_is_named() {
    fn message(of: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(of).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }
    let (user, team) = (small().record(Kind::User, 0), small().record(Kind::Team, 0));
    let mut changed = user.clone();
    changed.stamp(user.created_at(), 99);
    let (one, other) = (user.clone(), changed);
    assert!(message(move || assert_same_records(vec![one], vec![other])).contains("revision"));
    let missing = team.id().to_string();
    assert!(message(move || assert_same_records(vec![user.clone(), team], vec![user])).contains(&missing));
    let mut embedding = small().embeddings().next().unwrap();
    embedding.vector.components[0] = 0.0;
    let mut other = embedding.clone();
    other.vector.components[0] = -0.0;
    assert!(message(move || assert_same_embeddings(vec![embedding], vec![other])).contains("vector"));
}
