//! Turns of agents: what follows when a person posts a message to a session, until the agent has answered. A turn is told by the messages that it
//! stores, each before anybody hears of it; one gateway runs it, and everybody may follow it. What must not come in: requests, and how a model server
//! is spoken to.
//!
//! - `claim`: who runs a session's turn, in the storage's state; each write of the turn holds only while the claim does.
//! - `run`: the turn itself; `conversation`: what the model is told; `tools`: what it may call.
//! - `live`: what is told of a turn that runs in this process; `follow`: being told.

mod claim;
mod conversation;
mod follow;
mod live;
mod run;
mod tools;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mosaic_core::{
    Applied, Change, Error, ErrorKind, Finish, Id, Kind, Message, MessageRole, Record, Result, Scope, Session, Sharing, StateWrite,
};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use follow::Follower;
pub use live::{Ended, Event};

use claim::{Claim, Claimed};
use follow::Until;
use live::Live;
use run::Run;

use crate::models::{Chat, ToolDefinition};
use crate::records::Records;
use crate::search::Searcher;

/// How often a write is tried anew when others wrote meanwhile.
const ATTEMPTS: usize = 5;
/// How often it is looked whether a turn that another gateway runs has ended.
const LOOK: Duration = Duration::from_millis(200);

/// What turns are made of.
pub struct TurnsParts {
    /// The records that they read and write.
    pub records: Records,
    /// What they search.
    pub searcher: Searcher,
    /// The model that is asked, if there is one.
    pub model: Option<Arc<Chat>>,
    /// Whether other gateways work on the same data.
    pub sharing: Sharing,
    /// Where turns run; they are waited for when the gateway stops.
    pub tasks: TaskTracker,
    /// Cancelled when the gateway begins to stop.
    pub stopping: CancellationToken,
}

/// The turns of a gateway.
pub struct Turns {
    records: Records,
    searcher: Searcher,
    model: Option<Arc<Chat>>,
    sharing: Sharing,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// This run of this gateway.
    holder: Id,
    tools: Vec<ToolDefinition>,
    room: Arc<Semaphore>,
    running: Mutex<HashMap<Id, Arc<Live>>>,
}

/// Why no turn begins.
#[derive(Debug)]
pub enum Refusal {
    /// No chat model is configured.
    NoModel,
    /// The gateway runs as many turns as it bears.
    NoRoom,
    /// A turn of the session is running.
    Running,
    /// What went wrong.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Who runs a session's turn.
enum Standing {
    None,
    Here(Arc<Live>),
    Elsewhere(Claimed),
}

impl Turns {
    /// The turns of this gateway.
    pub fn new(parts: TurnsParts) -> Arc<Self> {
        let TurnsParts { records, searcher, model, sharing, tasks, stopping } = parts;
        let holder = records.ids.next(records.clock.now());
        let room = Arc::new(Semaphore::new(model.as_ref().map_or(0, |model| model.section().turns)));
        let (tools, running) = (tools::definitions(), Mutex::default());
        Arc::new(Self { records, searcher, model, sharing, tasks, stopping, holder, tools, room, running })
    }

    /// Begins a turn of a session with what its owner says, and follows it. The same message again, by an id of the client's own, begins nothing:
    /// its turn is followed, or told as it was.
    ///
    /// # Errors
    /// Why no turn begins; nothing is stored then.
    pub async fn begin(self: &Arc<Self>, session: Session, id: Option<Id>, content: String) -> Result<Follower, Refusal> {
        let turns = Arc::clone(self);
        // A client that goes away leaves a turn that runs, and not half of its beginning.
        let begun = self.tasks.spawn(async move { turns.begin_now(session, id, content).await });
        begun.await.map_err(|crash| Error::new(ErrorKind::Internal, "a turn could not be begun").source(crash))?
    }

    async fn begin_now(self: &Arc<Self>, session: Session, id: Option<Id>, content: String) -> Result<Follower, Refusal> {
        let Some(model) = &self.model else { return Err(Refusal::NoModel) };
        let (now, scope) = (self.records.clock.now(), Scope::User(session.owner_id));
        let turn = id.unwrap_or_else(|| self.records.ids.next(now));
        let message = Message::new(turn, session.id, MessageRole::User, content, now);
        mosaic_core::Entity::validate(&message)?;
        if id.is_some()
            && let Some(follower) = self.again(scope, &message).await?
        {
            return Ok(follower);
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return Err(Refusal::NoRoom) };
        for _ in 0..ATTEMPTS {
            match self.standing(session.id).await? {
                Standing::None => {}
                Standing::Here(_) | Standing::Elsewhere(_) => return self.running_already(scope, &message).await,
            }
            let live = Live::new(session.id);
            let Some(entry) = self.enter(&live) else { return self.running_already(scope, &message).await };
            let (storage, clock) = (Arc::clone(&self.records.storage), Arc::clone(&self.records.clock));
            let change = Change::Create(message.clone().into());
            let taken = Claim::take(storage, clock, self.holder, live.stop.clone(), (scope, session.id, turn), change).await;
            let (mut claim, applied) = match taken {
                Ok(taken) => taken,
                Err(error) if claim::is_taken(&error, session.id) => continue,
                Err(error) => return Err(error.into()),
            };
            let stored = match applied.into_iter().next() {
                Some(Applied::Created(record)) => Message::try_from(record)?,
                _ => {
                    // Its turn was run meanwhile, here or elsewhere.
                    claim.give_up().await;
                    drop(entry);
                    return self.again(scope, &message).await?.ok_or(Refusal::Running);
                }
            };
            let seq = stored.seq;
            live.publish(stored);
            entry.keep();
            let (turns, model, claim) = (Arc::clone(self), Arc::clone(model), claim.into());
            self.tasks.spawn(Run { turns, live, model, claim, session: session.clone(), _place: place }.run());
            return Ok(Follower::new(Arc::clone(self), scope, session.id, seq - 1, Until::TurnEnds));
        }
        Err(Refusal::Running)
    }

    /// The turn that a message began, when it is stored already.
    async fn again(self: &Arc<Self>, scope: Scope, message: &Message) -> Result<Option<Follower>> {
        let Some(Record::Message(stored)) = self.records.storage.get(scope, Kind::Message, message.id).await? else { return Ok(None) };
        if (stored.session_id, stored.role, &stored.content) != (message.session_id, message.role, &message.content) {
            return Err(Error::new(ErrorKind::Conflict, "there is another message with this id")
                .with("field", "id")
                .hint("leave the id out"));
        }
        Ok(Some(Follower::new(Arc::clone(self), scope, message.session_id, stored.seq - 1, Until::TurnEnds)))
    }

    async fn running_already(self: &Arc<Self>, scope: Scope, message: &Message) -> Result<Follower, Refusal> {
        // It may be the very message that runs it, and is about to be stored.
        if let Some(live) = self.live(message.session_id) {
            live.begun().await;
        }
        self.again(scope, message).await?.ok_or(Refusal::Running)
    }

    /// Adds a message to a session, of an agent that drives it from outside: no turn begins.
    ///
    /// # Errors
    /// Why it is not added.
    pub async fn append(&self, scope: Scope, session: Id, fields: Map<String, Value>) -> Result<Applied, Refusal> {
        for _ in 0..ATTEMPTS {
            match self.records.create_if(scope, Kind::Message, fields.clone(), claim::none(session)).await {
                Err(error) if claim::is_taken(&error, session) => match self.standing(session).await? {
                    Standing::None => {}
                    Standing::Here(_) | Standing::Elsewhere(_) => return Err(Refusal::Running),
                },
                outcome => return Ok(outcome?),
            }
        }
        Err(Refusal::Running)
    }

    /// Follows a session from behind a place, until no turn of it is running.
    pub fn follow(self: &Arc<Self>, scope: Scope, session: Id, after: u64) -> Follower {
        Follower::new(Arc::clone(self), scope, session, after, Until::NothingRuns)
    }

    /// Stops a session's turn, wherever it is running, and waits for its end. A turn that begins meanwhile is another.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn stop(&self, session: Id) -> Result<()> {
        let mut turn = None;
        loop {
            match self.standing(session).await? {
                Standing::None => return Ok(()),
                // A turn that was running elsewhere is over.
                Standing::Here(_) if turn.is_some() => return Ok(()),
                Standing::Here(live) => {
                    live.stop.cancel();
                    live.ended().await;
                    return Ok(());
                }
                Standing::Elsewhere(claimed) => {
                    if *turn.get_or_insert(claimed.turn) != claimed.turn {
                        return Ok(());
                    }
                    if !claimed.stop {
                        self.ask_to_stop(session, claimed.turn).await?;
                    }
                    sleep(LOOK).await;
                }
            }
        }
    }

    /// Makes a change of a session that ends its turn, if `ends` says so of what came of it, and stops the turn then, whether the client waits
    /// for it or not.
    ///
    /// # Errors
    /// Those of the change, and of the storage.
    pub async fn ending<T: Send + 'static>(
        self: &Arc<Self>,
        session: Id,
        change: impl Future<Output = Result<T>> + Send + 'static,
        ends: fn(&T) -> bool,
    ) -> Result<T> {
        let turns = Arc::clone(self);
        let ending = self.tasks.spawn(async move {
            let changed = change.await?;
            if ends(&changed) {
                turns.stop(session).await?;
            }
            Ok(changed)
        });
        ending.await.map_err(|crash| Error::new(ErrorKind::Internal, "a session could not be changed").source(crash))?
    }

    async fn ask_to_stop(&self, session: Id, turn: Id) -> Result<()> {
        let found = claim::read(&*self.records.storage, session).await?;
        let Some((claimed, version)) = found.filter(|(claimed, _)| claimed.turn == turn) else { return Ok(()) };
        let value = Some(json!(Claimed { stop: true, ..claimed }));
        match self.records.storage.put_state(&StateWrite { name: claim::name(session), value, expect: version }).await {
            // It was renewed, or has ended.
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Says plainly in the transcript that a turn was interrupted whose gateway is no more.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn settle(&self, session: Id) -> Result<()> {
        self.standing(session).await.map(drop)
    }

    /// Who runs a session's turn. One whose gateway is no more is ended first, as interrupted.
    async fn standing(&self, session: Id) -> Result<Standing> {
        for _ in 0..ATTEMPTS {
            if let Some(live) = self.live(session) {
                return Ok(Standing::Here(live));
            }
            let Some((claimed, version)) = claim::read(&*self.records.storage, session).await? else { return Ok(Standing::None) };
            // One of ours is in the list before it is in the storage.
            if claimed.holder == self.holder
                && let Some(live) = self.live(session)
            {
                return Ok(Standing::Here(live));
            }
            let is_dead = self.sharing == Sharing::Exclusive || claimed.holder == self.holder || claimed.until <= self.records.clock.now();
            if !is_dead {
                return Ok(Standing::Elsewhere(claimed));
            }
            self.interrupt(session, version).await?;
        }
        Err(Error::new(ErrorKind::Unavailable, "others write to the session all the time").with("session", session))
    }

    /// Ends a turn whose gateway is no more, unless somebody else does.
    async fn interrupt(&self, session: Id, version: u64) -> Result<()> {
        let (now, storage) = (self.records.clock.now(), &self.records.storage);
        let said = Message::new(self.records.ids.next(now), session, MessageRole::Assistant, String::new(), now);
        let why = "the gateway went away in the middle of this turn; what its tools did before stays done".to_owned();
        let message = Message { finish: Some(Finish::Interrupted), error: Some(why), ..said };
        let free = StateWrite { name: claim::name(session), value: None, expect: version };
        let batch = mosaic_core::Batch { state: Some(free.clone()), ..mosaic_core::Batch::one(now, Change::Create(message.into())) };
        match storage.apply(Scope::System, &batch).await {
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            // The session was removed.
            Err(error) if error.kind() == ErrorKind::Invalid => match storage.put_state(&free).await {
                Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
                outcome => outcome.map(drop),
            },
            Ok(_) => {
                tracing::info!(%session, "a turn is marked as interrupted: its gateway is no more");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn live(&self, session: Id) -> Option<Arc<Live>> {
        self.running().get(&session).cloned()
    }

    /// Lists a turn as running; `None` when one of its session is.
    fn enter(&self, live: &Arc<Live>) -> Option<Entry<'_>> {
        match self.running().entry(live.session) {
            std::collections::hash_map::Entry::Occupied(_) => None,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Arc::clone(live));
                Some(Entry(self, Some(Arc::clone(live))))
            }
        }
    }

    fn forget(&self, live: &Arc<Live>) {
        let mut running = self.running();
        if running.get(&live.session).is_some_and(|listed| Arc::ptr_eq(listed, live)) {
            running.remove(&live.session);
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Id, Arc<Live>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that is listed as running, and taken from the list again unless it is kept.
struct Entry<'t>(&'t Turns, Option<Arc<Live>>);

impl Entry<'_> {
    fn keep(mut self) {
        self.1 = None;
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(live) = self.1.take() {
            self.0.forget(&live);
            live.end(Ended::default());
        }
    }
}

#[cfg(test)]
mod tests;
