//! Turns on a storage that shows a message late, or is away for a while; and clients that do not wait.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use mosaic_core::memory::MemoryStorage;
use mosaic_core::{Batch, CountingIds, Hit, Loaded, Page, Query, Search, State, SystemClock, Timestamp, Token, TokenHash, Tokens, User};
use tokio::sync::Notify;

use super::*;

/// A storage that answers as told for a while.
#[derive(Default)]
struct Troubled {
    inner: MemoryStorage,
    /// So many gets of a message find nothing.
    blind: AtomicUsize,
    /// So many applies of the system do not reach it.
    away: AtomicUsize,
}

/// Whether a count had something left.
fn takes_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[mosaic_core::async_trait]
impl Storage for Troubled {
    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        if kind == Kind::Message && takes_one(&self.blind) {
            return Ok(None);
        }
        self.inner.get(scope, kind, id).await
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        self.inner.list(scope, query).await
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        self.inner.search(scope, search).await
    }

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        if scope == Scope::System && takes_one(&self.away) {
            return Err(Error::new(ErrorKind::Unavailable, "the storage is away"));
        }
        self.inner.apply(scope, batch).await
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        self.inner.export(after, limit, tokens).await
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        self.inner.load(records, state).await
    }

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        self.inner.authenticate(hash).await
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        self.inner.touch_token(id, at).await
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        self.inner.state(name).await
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        self.inner.put_state(write).await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// A gateway whose model server is not there, on a storage that begins without trouble.
async fn gateway() -> (Arc<Troubled>, Arc<Turns>, Session) {
    let storage = Arc::new(Troubled::default());
    storage.load(&world_records(), None).await.unwrap();
    let section = json!({ "base_url": "http://127.0.0.1:9/v1", "model": "tiny", "attempts": 1 });
    let model = Chat::new(&serde_json::from_value(section).unwrap(), Path::new("")).unwrap();
    let shared: Arc<dyn Storage> = Arc::clone(&storage) as _;
    let records = Records { storage: Arc::clone(&shared), clock: Arc::new(SystemClock), ids: Arc::new(CountingIds::default()) };
    let turns = Turns::new(TurnsParts {
        records,
        searcher: Searcher { storage: shared, vectors: None, meaning: None },
        model: Some(Arc::new(model)),
        sharing: Sharing::Shared,
        tasks: TaskTracker::new(),
        stopping: CancellationToken::new(),
    });
    let session = storage.get(Scope::System, Kind::Session, SESSION).await.unwrap().unwrap();
    (storage, turns, Session::try_from(session).unwrap())
}

/// What a follower is told until it is told no more.
async fn all_of(mut follower: Follower) -> (Vec<Message>, Option<Ended>) {
    let (mut messages, mut end) = (Vec::new(), None);
    while let Some(event) = follower.next().await.unwrap() {
        match event {
            Event::Message(message) => messages.push(Arc::unwrap_or_clone(message)),
            Event::End(ended) => end = Some(ended),
            Event::Draft(_) | Event::Piece(_) => {}
        }
    }
    (messages, end)
}

/// Two gateways get the same message; one has run its turn by the time that the other, which had seen nothing of it, begins.
#[tokio::test]
async fn a_message_whose_turn_was_run_meanwhile_begins_no_second_one() {
    let (storage, turns, session) = gateway().await;
    let id = Id::from_u128(0xbeef_0001);
    let first = all_of(turns.begin(session.clone(), Some(id), "Hello".into()).await.unwrap()).await;
    assert_eq!((first.0.len(), first.1.as_ref().and_then(|ended| ended.finish)), (2, Some(Finish::Failed)));
    storage.blind.store(1, Ordering::SeqCst);
    let again = all_of(turns.begin(session.clone(), Some(id), "Hello".into()).await.unwrap()).await;
    assert_eq!(again, first, "it is told as it was");
    assert!(claim::read(&*storage, SESSION).await.unwrap().is_none(), "and the session is free");
    let next = all_of(turns.begin(session, None, "And now?".into()).await.unwrap()).await;
    assert_eq!(next.0.iter().map(|message| message.seq).collect::<Vec<_>>(), [3, 4]);
}

#[tokio::test]
async fn the_end_of_a_turn_waits_for_a_storage_that_is_away() {
    let (storage, turns, session) = gateway().await;
    // Longer than any one write waits for it.
    storage.away.store(22, Ordering::SeqCst);
    let (messages, end) = all_of(turns.begin(session, None, "Hello".into()).await.unwrap()).await;
    assert_eq!((messages.len(), end.and_then(|ended| ended.finish)), (2, Some(Finish::Failed)));
    assert_eq!(storage.away.load(Ordering::SeqCst), 0);
    assert!(claim::read(&*storage, SESSION).await.unwrap().is_none());
}

/// The turn is one that another gateway runs, which hears of it through the storage.
#[tokio::test]
async fn a_session_that_is_closed_by_a_client_who_left_has_its_turn_stopped() {
    let (storage, turns, session) = gateway().await;
    let message = World::said(1, MessageRole::User, "Hello");
    let place = (Scope::User(ADA), SESSION, message.id);
    let shared: Arc<dyn Storage> = Arc::clone(&storage) as _;
    let stop = CancellationToken::new();
    let claim = Claim::take(shared, Arc::new(SystemClock), Id::from_u128(0xf1), stop, place, Change::Create(message.into())).await;
    drop(claim.unwrap());
    let (is_under_way, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tells, waits) = (Arc::clone(&is_under_way), Arc::clone(&goes_on));
    let change = async move {
        tells.notify_one();
        waits.notified().await;
        Ok(())
    };
    let asker = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move { turns.ending(session.id, change, |()| true).await }
    });
    is_under_way.notified().await;
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    goes_on.notify_one();
    let asked = async {
        while !claim::read(&*storage, SESSION).await.unwrap().unwrap().0.stop {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("the turn is asked to stop");
}
