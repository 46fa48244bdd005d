//! Writers and readers at once, who remember what was acknowledged and hold every answer against it.
//! What must not come in: what goes wrong meanwhile.
//!
//! A note has one writer, who counts its changes in its body. So whoever reads it knows between which two counts it must be: the one
//! that was acknowledged before they asked, and the one that was attempted when they had their answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::talk::Talk;
use crate::harness::{Answer, Client, Gateway, JSON, Random};

const WRITERS: usize = 4;
const READERS: usize = 4;
/// Between two requests of one: the machine is to have time for the services too.
pub(super) const PAUSE: Duration = Duration::from_millis(4);

/// What is known of a note.
#[derive(Default)]
struct Note {
    attempted: AtomicU64,
    acknowledged: AtomicU64,
    removal_attempted: AtomicBool,
    removal_acknowledged: AtomicBool,
}

/// What was certain of a note at a moment before it was asked for.
#[derive(Clone, Copy)]
struct Certain {
    acknowledged: u64,
    removed: bool,
}

impl Note {
    fn certain(&self) -> Certain {
        Certain { acknowledged: self.acknowledged.load(Ordering::SeqCst), removed: self.removal_acknowledged.load(Ordering::SeqCst) }
    }

    /// Holds what was found of a note, or that it was not, against what was certain before and is possible now.
    fn check(&self, id: &str, certain: Certain, found: Option<&Value>) {
        let Some(found) = found else {
            let may_be_absent = certain.acknowledged == 0 || self.removal_attempted.load(Ordering::SeqCst);
            assert!(may_be_absent, "note {id} was acknowledged up to {} and is not there", certain.acknowledged);
            return;
        };
        assert!(!certain.removed, "note {id} was removed, and is there: {found}");
        let text = found["body"].as_str().unwrap_or_default();
        let count = text.split(' ').nth(1).and_then(|count| count.parse().ok()).unwrap_or_default();
        assert_eq!(text, body(id, count), "note {id} holds what nobody wrote");
        let attempted = self.attempted.load(Ordering::SeqCst);
        let possible = certain.acknowledged..=attempted;
        assert!(possible.contains(&count), "note {id} is at {count}, and may only be at {possible:?}");
    }
}

fn body(id: &str, count: u64) -> String {
    // Some are large, so that an answer can be broken off in its middle.
    let length = usize::try_from(count.wrapping_mul(0x9e37_79b9) % 8_192).unwrap_or_default();
    format!("{id} {count} {}", "x".repeat(length))
}

/// How requests of a sort went.
#[derive(Default)]
pub(super) struct Outcomes(Mutex<Vec<Outcome>>);

struct Outcome {
    begun: Instant,
    ended: Instant,
    success: bool,
}

impl Outcomes {
    fn add(&self, begun: Instant, success: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Outcome { begun, ended: Instant::now(), success });
    }

    fn with<T>(&self, look: impl FnOnce(&[Outcome]) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the first that was begun after `moment` succeeded.
    pub(super) fn first_success(&self, moment: Instant) -> Option<Instant> {
        self.with(|all| all.iter().filter(|one| one.success && one.begun >= moment).map(|one| one.ended).min())
    }

    /// When the last failed.
    pub(super) fn last_failure(&self) -> Option<Instant> {
        self.with(|all| all.iter().filter(|one| !one.success).map(|one| one.ended).max())
    }

    /// How many failed.
    pub(super) fn failures(&self) -> usize {
        self.with(|all| all.iter().filter(|one| !one.success).count())
    }

    fn slowest(&self) -> Duration {
        self.with(|all| all.iter().map(|one| one.ended - one.begun).max().unwrap_or_default())
    }
}

/// What writers and readers share.
pub(super) struct Shared {
    client: Client,
    notes: Mutex<BTreeMap<String, Arc<Note>>>,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    reads: Arc<Outcomes>,
    pub(super) writes: Arc<Outcomes>,
}

/// Writers and readers at work.
pub(super) struct Load {
    shared: Arc<Shared>,
    talk: Arc<Talk>,
    workers: Vec<JoinHandle<()>>,
    pub(super) reads: Arc<Outcomes>,
    pub(super) writes: Arc<Outcomes>,
}

impl Load {
    /// Sets them to work, as a user of their own.
    pub(super) async fn start(gateway: &Gateway) -> Self {
        let mut random = Random::new("load");
        let client = gateway.person("load").await.client;
        let (reads, writes) = (Arc::<Outcomes>::default(), Arc::<Outcomes>::default());
        let shared = Arc::new(Shared {
            client,
            notes: Mutex::default(),
            stop: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            reads: Arc::clone(&reads),
            writes: Arc::clone(&writes),
        });
        let session = shared.client.create("sessions", json!({ "title": "under load", "agent": "test" })).await;
        let talk = Talk::of(&session);
        let mut workers = Vec::new();
        for speaker in ["ada", "eve"] {
            workers.push(tokio::spawn(Arc::clone(&talk).go_on(Arc::clone(&shared), speaker)));
        }
        for _ in 0..WRITERS {
            workers.push(tokio::spawn(write(Arc::clone(&shared), Random::seeded(random.next()))));
        }
        for _ in 0..READERS {
            workers.push(tokio::spawn(read(Arc::clone(&shared), Random::seeded(random.next()))));
        }
        Self { shared, talk, workers, reads, writes }
    }

    /// How many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        assert!(self.workers.iter().all(|worker| !worker.is_finished()), "an answer was wrong");
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the work, and reads everything back: each note by itself, and all of them by lists.
    pub(super) async fn end(self, name: &str) {
        let acknowledged = self.acknowledged();
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.unwrap();
        }
        let notes = self.shared.notes();
        let client = &self.shared.client;
        let found = futures::stream::iter(&notes).map(|(id, note)| async move {
            let certain = note.certain();
            let answer = client.get(&format!("/api/v1/notes/{id}")).await;
            let found = (answer.status != 404).then(|| answer.expect(200).json());
            note.check(id, certain, found.as_ref());
            found.map(|found| (id.clone(), found))
        });
        let found: BTreeMap<_, _> = found.buffer_unordered(8).filter_map(async |found| found).collect().await;
        assert!(self.shared.list_all("/api/v1/notes").await == found, "{name}: a list is other than its records");
        let messages = self.talk.check(&self.shared).await;
        println!(
            "{name}: {acknowledged} writes acknowledged, none lost; {} of {} notes and {messages} messages are there; {} reads and {} writes refused; slowest {:?} and {:?}",
            found.len(),
            notes.len(),
            self.reads.failures(),
            self.writes.failures(),
            self.reads.slowest(),
            self.writes.slowest(),
        );
        assert!(acknowledged > 100, "too few writes to prove anything: {acknowledged}");
    }
}

impl Shared {
    fn notes(&self) -> BTreeMap<String, Arc<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A list's records by id, page by page.
    pub(super) async fn list_all(&self, list: &str) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut path = format!("{list}?limit=200");
        loop {
            let page = self.client.get(&path).await.expect(200);
            for item in page.items() {
                let id = item["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "{id} is in a list twice");
                all.insert(id, item);
            }
            match page.json()["next_cursor"].as_str() {
                Some(cursor) => path = format!("{list}?limit=200&cursor={cursor}"),
                None => return all,
            }
        }
    }

    pub(super) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn going_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Asks, and sees to it that what is refused is refused as it must be. The gateway itself is there all the time.
    pub(super) async fn ask(&self, outcomes: &Outcomes, method: Method, path: &str, record: Option<Value>) -> Option<Answer> {
        let begun = Instant::now();
        let (headers, body) = record.map_or((&[][..], String::new()), |record| (JSON, record.to_string()));
        let answer = self.client.try_request(method, path, headers, body).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let refused = [503, 504].contains(&answer.status);
        outcomes.add(begun, !refused);
        if !refused {
            return Some(answer);
        }
        answer.problem(answer.status, if answer.status == 503 { "unavailable" } else { "timeout" });
        if answer.status == 503 {
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!(seconds > 0, "{}", answer.request);
        }
        None
    }
}

/// Makes, changes and removes notes of its own. One whose state is not certain any more is left alone.
async fn write(shared: Arc<Shared>, mut random: Random) {
    let mut own: Vec<(String, Arc<Note>)> = Vec::new();
    while shared.going_on() {
        tokio::time::sleep(PAUSE).await;
        let chosen = usize::try_from(random.below(own.len() as u64 + 2)).unwrap();
        let outcome = if let Some((id, note)) = own.get(chosen).cloned() {
            let path = format!("/api/v1/notes/{id}");
            if random.below(6) == 0 {
                note.removal_attempted.store(true, Ordering::SeqCst);
                let answer = shared.ask(&shared.writes, Method::DELETE, &path, None).await.map(|answer| answer.expect(204));
                own.swap_remove(chosen);
                answer.inspect(|_| note.removal_acknowledged.store(true, Ordering::SeqCst)).is_some()
            } else {
                let count = note.attempted.fetch_add(1, Ordering::SeqCst) + 1;
                let patch = json!({ "body": body(&id, count) });
                let answer = shared.ask(&shared.writes, Method::PATCH, &path, Some(patch)).await;
                let taken = answer.is_some();
                match answer {
                    Some(answer) => took(&note, &id, count, &answer.expect(200)),
                    None => drop(own.swap_remove(chosen)),
                }
                taken
            }
        } else {
            let (id, note) = (random.id(), Arc::new(Note::default()));
            note.attempted.store(1, Ordering::SeqCst);
            shared.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::clone(&note));
            let record = json!({ "id": id, "title": "a note", "body": body(&id, 1) });
            let answer = shared.ask(&shared.writes, Method::POST, "/api/v1/notes", Some(record)).await;
            let taken = answer.is_some();
            if let Some(answer) = answer {
                took(&note, &id, 1, &answer.expect(201));
                own.push((id, note));
            }
            taken
        };
        if outcome {
            shared.acknowledge();
        }
    }
}

/// Remembers that a write was acknowledged. The answer shows what was written.
fn took(note: &Note, id: &str, count: u64, answer: &Answer) {
    assert_eq!(answer.json()["body"], body(id, count), "{}", answer.request);
    note.acknowledged.store(count, Ordering::SeqCst);
}

/// Reads notes one by one and by lists, whoever wrote them.
async fn read(shared: Arc<Shared>, mut random: Random) {
    while shared.going_on() {
        tokio::time::sleep(PAUSE).await;
        let notes = shared.notes();
        let certain: BTreeMap<_, _> = notes.iter().map(|(id, note)| (id.as_str(), note.certain())).collect();
        if random.below(8) == 0 {
            let answer = shared.ask(&shared.reads, Method::GET, "/api/v1/notes?order=-updated_at&limit=20", None).await;
            // Who has been made meanwhile is in it too.
            let latest = shared.notes();
            for item in answer.map(|answer| answer.expect(200).items()).unwrap_or_default() {
                let id = item["id"].as_str().unwrap();
                let certain = certain.get(id).copied().unwrap_or(Certain { acknowledged: 0, removed: false });
                latest.get(id).unwrap_or_else(|| panic!("note {id} was made by nobody")).check(id, certain, Some(&item));
            }
        } else if let Some((id, note)) = notes.iter().nth(usize::try_from(random.below(notes.len().max(1) as u64)).unwrap()) {
            let answer = shared.ask(&shared.reads, Method::GET, &format!("/api/v1/notes/{id}"), None).await;
            if let Some(answer) = answer {
                let found = (answer.status != 404).then(|| answer.expect(200).json());
                note.check(id, certain[id.as_str()], found.as_ref());
            }
        }
    }
}
