//! Moves between two backends in memory: dropped at every point, begun twice, and with sides that differ.

mod turning;

use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use mosaic_core::memory::{MemoryStorage, MemoryVectors};
use mosaic_core::{
    Backend, Batch, Change, Embedding, Error, ErrorKind, Id, Kind, Record, Result, Scope, Sharing, StateWrite, Storage, Tokens, Vector,
    VectorIndex, memory,
};
use serde_json::json;

use super::document::{Document, Fence, FenceState, Journal, JournalState};
use super::progress::Progress;
use super::run::{Files, advance};
use super::side::Side;
use super::*;
use crate::config::{Config, Successor};
use crate::documents::{CURSOR_KEY, MIGRATION};
use crate::presence::{self, Presence};
use crate::services::Services;
use turning::{TurningStorage, TurningVectors};

/// Two backends, and the directory of the configs.
struct World {
    source: Arc<MemoryStorage>,
    target: Arc<MemoryStorage>,
    sharing: Sharing,
    successor: Successor,
    directory: tempfile::TempDir,
}

fn record(kind: &str, number: u128, more: serde_json::Value) -> Record {
    let mut fields = json!({ "kind": kind, "id": Id::from_u128(number), "created_at": "2026-01-01T00:00:00Z" });
    more.as_object().unwrap().iter().for_each(|(name, value)| fields[name] = value.clone());
    serde_json::from_value(fields).unwrap()
}

fn records() -> Vec<Record> {
    let owner = Id::from_u128(1);
    let note = |n: u128| record("note", n, json!({ "owner_id": owner, "title": n.to_string() }));
    let hash = "04544ee19d3b2d68b7afe3df5c56d3a60843fea59320c81e13e9defd28af5d55";
    let mut records = vec![
        record("user", 1, json!({ "login": "ada", "name": "Ada" })),
        record("token", 2, json!({ "user_id": owner, "name": "laptop", "scopes": ["read"], "hash": hash })),
    ];
    records.extend((10..22).map(note));
    records
}

fn embeddings() -> Vec<Embedding> {
    let embedding = |n: u128| Embedding {
        kind: Kind::Note,
        id: Id::from_u128(n),
        revision: 1,
        vector: Vector { model: "m".into(), components: vec![n as f32, -0.0] },
    };
    (10..22).map(embedding).collect()
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("team.json");
        std::fs::write(&config, r#"{ "tier": "local" }"#).unwrap();
        let successor = Successor::of(&Config::load(Some(&config)).unwrap(), "federated").await.unwrap();
        let world = Self { source: Arc::default(), target: Arc::default(), sharing: Sharing::Shared, successor, directory };
        world.source.load(&records(), None).await.unwrap();
        put_key(&world.source, "the source's").await;
        MemoryVectors::new(Arc::clone(&world.source)).load(&embeddings(), None).await.unwrap();
        world
    }

    async fn side(&self, tier: &str, storage: &Arc<MemoryStorage>) -> Side {
        let mut backend: Backend = memory::open();
        backend.storage = Arc::new(TurningStorage(Arc::clone(storage)));
        backend.vectors = Some(Arc::new(TurningVectors(MemoryVectors::new(Arc::clone(storage)))));
        backend.place.name = tier.to_owned();
        backend.place.sharing = self.sharing;
        Side::new(tier, backend, Services::start(Vec::new())).await.unwrap()
    }

    /// One run of the move, as a process of its own would do it.
    async fn run(&self) -> Result<Outcome> {
        let (mut source, mut target) = (self.side("local", &self.source).await, self.side("federated", &self.target).await);
        let seen = standing::standing(source.slot.document(), target.slot.document(), &source.end, &target.end)?.id();
        let files = Files { config: Some(self.directory.path().join("team.json")), successor: &self.successor };
        advance(&mut source, &mut target, &files, seen, &Progress(&|_, _, _| {})).await
    }

    async fn document(&self, storage: &Arc<MemoryStorage>) -> Option<Document> {
        self.side("any", storage).await.slot.document().cloned()
    }

    /// Whether gateways start on the source, and on the target.
    async fn admits(&self) -> (bool, bool) {
        (admit(&*self.source, Purpose::Write).await.is_ok(), admit(&*self.target, Purpose::Write).await.is_ok())
    }

    async fn assert_moved(&self) {
        assert_eq!(all(&self.source).await, all(&self.target).await);
        assert_eq!(self.admits().await, (false, true));
        assert!(self.successor.path.exists());
        assert_eq!(std::fs::read_dir(self.directory.path()).unwrap().count(), 2, "the two configs, and nothing else");
    }
}

/// Gives a storage this key of cursors, in place of any.
async fn put_key(storage: &Arc<MemoryStorage>, key: &str) {
    let expect = storage.state(CURSOR_KEY).await.unwrap().map_or(0, |state| state.version);
    storage.put_state(&StateWrite { name: CURSOR_KEY.into(), value: Some(json!(key)), expect }).await.unwrap();
}

async fn key(storage: &Arc<MemoryStorage>) -> serde_json::Value {
    storage.state(CURSOR_KEY).await.unwrap().unwrap().value
}

/// Everything that a storage holds.
async fn all(storage: &Arc<MemoryStorage>) -> (Vec<Record>, Vec<Embedding>) {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = storage.export(after, 1_000, Tokens::WithHashes).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.kind(), last.id()));
        records.extend(page);
    }
    (records, MemoryVectors::new(Arc::clone(storage)).export(None, 1_000).await.unwrap())
}

/// Gives a future so many turns, and drops it.
struct Turns<F> {
    future: F,
    left: usize,
}

impl<F: Future + Unpin> Future for Turns<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.left.checked_sub(1) {
            None => Poll::Ready(None),
            Some(left) => {
                self.left = left;
                Pin::new(&mut self.future).poll(context).map(Some)
            }
        }
    }
}

#[tokio::test]
async fn a_move_that_is_dropped_at_any_point_goes_on_where_it_was() {
    let mut cut_off = 0;
    for turns in 0.. {
        let world = World::new().await;
        let done = Turns { future: pin!(world.run()), left: turns }.await;
        if let Some(outcome) = done {
            assert!(matches!(outcome.unwrap(), Outcome::Moved(_)));
            world.assert_moved().await;
            break;
        }
        cut_off += 1;
        let Some(Document::Target(journal)) = world.document(&world.target).await else {
            assert_eq!(world.admits().await, (true, true), "nothing was begun");
            continue;
        };
        assert_eq!(world.admits().await.1, journal.state == JournalState::CutOver, "no gateway starts on what is half there");
        assert!(matches!(world.run().await.unwrap(), Outcome::Moved(_)));
        world.assert_moved().await;
    }
    assert!(cut_off > 60, "a move that waits {cut_off} times is no test");
}

#[tokio::test]
async fn a_move_that_is_over_changes_nothing() {
    let world = World::new().await;
    let Outcome::Moved(first) = world.run().await.unwrap() else { panic!() };
    assert_eq!(first.total().records, (records().len() + embeddings().len()) as u64);
    let before = (world.document(&world.source).await, world.document(&world.target).await);
    let over = standing::standing(before.0.as_ref(), before.1.as_ref(), &first.from, &first.to).unwrap();
    assert_eq!(over.reached(), Some(JournalState::CutOver));
    assert!(matches!(before.0, Some(Document::Source(Fence { state: FenceState::Moved, .. }))));
}

#[tokio::test]
async fn what_differs_is_named_and_nothing_is_cut_over() {
    let world = World::new().await;
    // Up to where everything was copied: the place of the new config is taken.
    std::fs::write(&world.successor.path, "mine").unwrap();
    assert_eq!(world.run().await.map(|_| ()).unwrap_err().kind(), ErrorKind::Conflict);
    let mut target = world.side("federated", &world.target).await;
    let Some(Document::Target(mut journal)) = target.slot.document().cloned() else { panic!() };
    journal.state = JournalState::Copying;
    target.slot.put(Document::Target(journal)).await.unwrap();
    std::fs::remove_file(&world.successor.path).unwrap();

    let Some(Record::Note(mut note)) = world.target.get(Scope::System, Kind::Note, Id::from_u128(12)).await.unwrap() else { panic!() };
    note.title = "changed".into();
    let extra = record("note", 99, json!({ "owner_id": Id::from_u128(1), "title": "extra" }));
    let remove = Change::Delete { kind: Kind::Note, id: Id::from_u128(11), revision: None };
    let changes = vec![Change::Update(note.into()), Change::Create(extra), remove];
    world.target.apply(Scope::System, &Batch { at: "2026-02-01T00:00:00Z".parse().unwrap(), changes, state: None }).await.unwrap();

    let Outcome::Different(differences) = world.run().await.unwrap() else { panic!() };
    let said: Vec<_> = differences.iter().map(ToString::to_string).collect();
    let id = |n: u128| Id::from_u128(n);
    assert_eq!(
        said,
        [
            format!("note {} is missing in the target", id(11)),
            format!("note {} is not the same in revision, title, updated_at", id(12)),
            format!("note {} is in the target alone", id(99)),
            format!("embedding of the note {} is missing in the target", id(11)),
        ]
    );
    assert!(!world.successor.path.exists());
    assert_eq!(world.admits().await, (false, false));
}

#[tokio::test]
async fn a_source_with_somebody_inside_is_not_fenced_and_a_target_not_taken() {
    for (inside, nobody) in [(true, false), (false, true)] {
        let world = World::new().await;
        let at: Arc<dyn Storage> = if inside { world.source.clone() } else { world.target.clone() };
        let presence = Presence::new(at, Arc::new(mosaic_core::SystemClock), &mosaic_core::RandomIds, "serve", Some("http://there"));
        presence.say().await.unwrap();
        let refusal = world.run().await.map(|_| ()).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::InUse, "{refusal:?} {nobody}");
        assert!(refusal.hint_text().unwrap().contains("http://there"));
        assert_eq!(world.admits().await, (true, true), "neither is left fenced");
        presence.leave().await;
        world.run().await.unwrap();
        world.assert_moved().await;
    }
}

#[tokio::test]
async fn whoever_comes_in_says_so_before_looking_at_the_fence() {
    let world = World::new().await;
    let presence = Presence::new(world.source.clone(), Arc::new(mosaic_core::SystemClock), &mosaic_core::RandomIds, "import", None);
    enter(&*world.source, &presence).await.unwrap();
    let refusal = world.run().await.map(|_| ()).unwrap_err();
    assert_eq!((refusal.kind(), refusal.get("command")), (ErrorKind::InUse, Some("import")));
    presence.leave().await;
    world.run().await.unwrap();
    let refusal = enter(&*world.source, &presence).await.unwrap_err();
    assert!(refusal.hint_text().unwrap().contains(world.successor.path.to_str().unwrap()), "{refusal:?}");
    assert!(presence::there(&*world.source, &mosaic_core::SystemClock).await.unwrap().is_empty(), "who is not let in is not there");
    admit(&*world.source, Purpose::Read).await.unwrap();
}

#[tokio::test]
async fn a_target_of_somebody_elses_is_refused() {
    let world = World::new().await;
    world.target.load(&records()[..1], None).await.unwrap();
    let refusal = world.run().await.map(|_| ()).unwrap_err();
    assert_eq!((refusal.kind(), refusal.get("holds")), (ErrorKind::Conflict, Some("1 user")));
    assert_eq!(world.admits().await, (true, true));
}

#[tokio::test]
async fn what_is_not_known_of_a_move_keeps_writers_out() {
    for (side, reads) in [("between", false), ("target", false), ("source", true)] {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        let odd = StateWrite { name: MIGRATION.into(), value: Some(json!({ "side": side })), expect: 0 };
        storage.put_state(&odd).await.unwrap();
        let refusal: Error = admit(&*storage, Purpose::Write).await.unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::Corrupt);
        assert_eq!(admit(&*storage, Purpose::Read).await.is_ok(), reads, "{side}");
    }
}

#[tokio::test]
async fn a_target_that_another_source_has_taken_is_left_to_it() {
    let world = World::new().await;
    let mut turns = 0;
    let taken = loop {
        let world = World::new().await;
        let _ = Turns { future: pin!(world.run()), left: turns }.await;
        match world.document(&world.target).await {
            Some(Document::Target(journal)) => break journal,
            _ => turns += 1,
        }
    };
    assert_eq!(taken.state, JournalState::Planned);
    let theirs = Journal { from: End { tier: "local".into(), place: "elsewhere".into() }, ..taken };
    world.side("federated", &world.target).await.slot.put(Document::Target(theirs.clone())).await.unwrap();
    let refusal = world.run().await.map(|_| ()).unwrap_err();
    assert_eq!((refusal.kind(), refusal.get("place")), (ErrorKind::Config, Some("elsewhere")));
    assert_eq!(world.document(&world.target).await, Some(Document::Target(theirs)));
}

#[tokio::test]
async fn a_run_that_is_overtaken_leaves_one_move_to_go_on_with() {
    let mut turns = 0;
    loop {
        let world = World::new().await;
        let (mut source, mut target) = (world.side("local", &world.source).await, world.side("federated", &world.target).await);
        let files = Files { config: None, successor: &world.successor };
        // It lies still, another one takes over, and it goes on.
        let slow = advance(&mut source, &mut target, &files, None, &Progress(&|_, _, _| {}));
        let mut slow = pin!(slow);
        if (Turns { future: slow.as_mut(), left: turns }).await.is_some() {
            assert!(turns > 60, "a move that waits {turns} times is no test");
            return;
        }
        let other = world.run().await;
        assert!(matches!(other, Ok(Outcome::Moved(_))), "{other:?} after {turns} turns");
        assert_eq!(key(&world.target).await, "the source's");
        put_key(&world.target, "that of a gateway there").await;
        let _ = slow.await;
        assert_eq!(key(&world.target).await, "that of a gateway there");
        assert!(matches!(world.run().await.unwrap(), Outcome::Moved(_)));
        world.assert_moved().await;
        turns += 1;
    }
}

#[test]
fn the_commands_name_the_config_that_the_move_was_begun_with() {
    assert_eq!(document::command("federated", None, ""), "mosaic migrate tier --to federated");
    let with = document::command("federated", Some(Path::new("/srv/team.json")), "--abort");
    assert_eq!(with, "mosaic migrate tier --to federated --config /srv/team.json --abort");
}

#[tokio::test]
async fn whoever_slept_while_the_data_was_moved_leaves() {
    let world = World::new().await;
    let presence = Presence::new(world.source.clone(), Arc::new(mosaic_core::SystemClock), &mosaic_core::RandomIds, "serve", None);
    // It said so too long ago.
    world.run().await.unwrap();
    let refusal = stay(&*world.source, &presence).await;
    assert!(refusal.to_string().starts_with("this data was moved to another tier"), "{refusal}");
}
