//! What a case works with: the backend, calls in short form, and users, teams and records of its own.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mosaic_core::{
    Applied, Backend, Batch, Cache, Change, Entity, Error, Id, IdSource, Kind, Membership, MembershipRole, Message, MessageRole, Note,
    Page, Place, Query, RandomIds, Record, Result, Scope, Service, Session, SessionStatus, Storage, Task, TaskStatus, Team, Timestamp,
    Token, TokenHash, TokenScope, User, UserRole, VectorIndex,
};

use super::TestClock;
use super::suite::{Open, Opened};

/// A backend, and the means to work with it.
pub struct Env {
    /// Its storage.
    pub storage: Arc<dyn Storage>,
    /// Its cache.
    pub cache: Arc<dyn Cache>,
    /// Its vector index, if it has one.
    pub vectors: Option<Arc<dyn VectorIndex>>,
    place: Place,
    clock: Option<Arc<TestClock>>,
    open: Open,
    serial: AtomicU64,
}

/// A team, and everyone who can stand to it in some relation.
pub(crate) struct Crew {
    pub(crate) team: Team,
    /// An owner of the team.
    pub(crate) lead: User,
    pub(crate) member: User,
    /// Another member.
    pub(crate) colleague: User,
    /// Was a member until a moment ago.
    pub(crate) removed: User,
    pub(crate) outsider: User,
    /// An admin who is in no team.
    pub(crate) admin: User,
}

impl Env {
    /// Opens a backend and starts its services.
    pub(crate) async fn open(open: Open) -> Result<Self> {
        let Opened { backend, clock } = open().await?;
        for service in backend.services {
            tokio::spawn(watch(service));
        }
        let Backend { storage, cache, vectors, place, .. } = backend;
        Ok(Self { storage, cache, vectors, place, clock, open, serial: AtomicU64::new(0) })
    }

    /// Opens another backend of the same sort, for cases that end it.
    pub(crate) async fn another(&self) -> Self {
        tokio::spawn(Self::open(self.open)).await.unwrap().unwrap()
    }

    /// The backend itself, whose services run already.
    pub(crate) fn backend(&self) -> Backend {
        let (storage, cache) = (Arc::clone(&self.storage), Arc::clone(&self.cache));
        Backend { storage, cache, vectors: self.vectors.clone(), services: Vec::new(), place: self.place.clone() }
    }

    /// Lets time pass: by the test's clock, or by waiting.
    pub(crate) async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.pass(time),
            None => tokio::time::sleep(time).await,
        }
    }

    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// A time that no other call got: later ones are later.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_772_366_400_000_000 + i64::try_from(self.next()).unwrap() * 1_000_001).unwrap()
    }

    pub(crate) fn id(&self) -> Id {
        RandomIds.next(self.now())
    }

    /// A name that no other call got, fit for logins and slugs.
    pub(crate) fn name(&self) -> String {
        format!("n{}", self.id().simple())
    }
}

/// Runs a service to its end. One that fails is named, since the cases that fail by it say little.
async fn watch(service: Service) {
    if let Err(error) = service.run.await {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "service {} failed: {error:?}", service.name).unwrap();
    }
}

/// Records as values, not stored yet.
impl Env {
    pub(crate) fn new_user(&self) -> User {
        let now = self.now();
        let (name, email) = ("Ada Lovelace".into(), Some("ada@example.org".into()));
        User { id: self.id(), login: self.name(), name, email, role: UserRole::Member, created_at: now, updated_at: now, revision: 1 }
    }

    pub(crate) fn new_team(&self) -> Team {
        let now = self.now();
        Team { id: self.id(), slug: self.name(), name: "Analysts".into(), created_at: now, updated_at: now, revision: 1 }
    }

    pub(crate) fn new_membership(&self, team: &Team, user: &User) -> Membership {
        let now = self.now();
        let (id, role) = (self.id(), MembershipRole::Member);
        Membership { id, team_id: team.id, user_id: user.id, role, created_at: now, updated_at: now, revision: 1 }
    }

    /// A token with a hash of its own.
    pub(crate) fn new_token(&self, user: &User) -> Token {
        let now = self.now();
        let id = self.id();
        let mut hash = [7; 32];
        hash[..16].copy_from_slice(id.as_bytes());
        Token {
            id,
            user_id: user.id,
            name: "laptop".into(),
            scopes: vec![TokenScope::Write, TokenScope::Read],
            hash: Some(TokenHash(hash)),
            expires_at: Some(now.plus_seconds(3600)),
            last_used_at: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        }
    }

    /// A task in the owner's own space.
    pub(crate) fn new_task(&self, owner: &User) -> Task {
        let now = self.now();
        Task {
            id: self.id(),
            owner_id: owner.id,
            team_id: None,
            assignee_id: None,
            title: "Union types".into(),
            body: String::new(),
            status: TaskStatus::Open,
            priority: 0,
            due_at: None,
            tags: Vec::new(),
            created_at: now,
            updated_at: now,
            revision: 1,
        }
    }

    /// A note in the owner's own space.
    pub(crate) fn new_note(&self, owner: &User) -> Note {
        let now = self.now();
        let (title, body, tags) = ("Of the engine".into(), "It weaves **patterns**.".into(), vec!["history".into()]);
        Note { id: self.id(), owner_id: owner.id, team_id: None, title, body, tags, created_at: now, updated_at: now, revision: 1 }
    }

    pub(crate) fn new_team_task(&self, owner: &User, team: &Team) -> Task {
        Task { team_id: Some(team.id), ..self.new_task(owner) }
    }

    pub(crate) fn new_team_note(&self, owner: &User, team: &Team) -> Note {
        Note { team_id: Some(team.id), ..self.new_note(owner) }
    }

    /// A session in the owner's own space.
    pub(crate) fn new_session(&self, owner: &User) -> Session {
        let now = self.now();
        let (title, agent, status) = ("On patterns".into(), "assistant".into(), SessionStatus::Open);
        Session { id: self.id(), owner_id: owner.id, team_id: None, title, agent, status, created_at: now, updated_at: now, revision: 1 }
    }

    pub(crate) fn new_team_session(&self, owner: &User, team: &Team) -> Session {
        Session { team_id: Some(team.id), ..self.new_session(owner) }
    }

    /// A message of a session, which the storage gives its place.
    pub(crate) fn new_message(&self, session: &Session) -> Message {
        Message::new(self.id(), session.id, MessageRole::User, "What does it weave?", self.now())
    }

    /// One of each kind of content that all members of its space change.
    pub(crate) fn new_content(&self, owner: &User, team: Option<&Team>) -> Vec<Record> {
        let team_id = team.map(|team| team.id);
        vec![Task { team_id, ..self.new_task(owner) }.into(), Note { team_id, ..self.new_note(owner) }.into()]
    }
}

/// Records that are stored, by the system.
impl Env {
    /// Stores a record and gives it as it is then.
    pub(crate) async fn stored<E: Entity + Into<Record> + TryFrom<Record, Error = Error>>(&self, entity: E) -> E {
        self.create(Scope::System, entity).await.unwrap().try_into().unwrap()
    }

    pub(crate) async fn user(&self) -> User {
        self.stored(self.new_user()).await
    }

    pub(crate) async fn admin(&self) -> User {
        self.stored(User { role: UserRole::Admin, ..self.new_user() }).await
    }

    pub(crate) async fn team(&self) -> Team {
        self.stored(self.new_team()).await
    }

    pub(crate) async fn join(&self, team: &Team, user: &User, role: MembershipRole) -> Membership {
        self.stored(Membership { role, ..self.new_membership(team, user) }).await
    }

    /// A new user who is a member of the team.
    pub(crate) async fn member(&self, team: &Team) -> User {
        let user = self.user().await;
        self.join(team, &user, MembershipRole::Member).await;
        user
    }

    pub(crate) async fn crew(&self) -> Crew {
        let team = self.team().await;
        let (lead, removed) = (self.user().await, self.user().await);
        self.join(&team, &lead, MembershipRole::Owner).await;
        let membership = self.join(&team, &removed, MembershipRole::Member).await;
        self.delete(Scope::System, Kind::Membership, membership.id).await.unwrap();
        let (member, colleague) = (self.member(&team).await, self.member(&team).await);
        Crew { lead, member, colleague, removed, outsider: self.user().await, admin: self.admin().await, team }
    }

    /// One of each kind of content, stored.
    pub(crate) async fn content(&self, owner: &User, team: Option<&Team>) -> Vec<Record> {
        let mut stored = Vec::new();
        for record in self.new_content(owner, team) {
            stored.push(self.create(Scope::System, record).await.unwrap());
        }
        stored
    }
}

/// The storage's calls, in short form.
impl Env {
    pub(crate) async fn apply(&self, scope: Scope, changes: Vec<Change>) -> Result<Vec<Applied>> {
        self.storage.apply(scope, &Batch { at: self.now(), changes, state: None }).await
    }

    /// Carries out one change.
    pub(crate) async fn change(&self, scope: Scope, change: Change) -> Result<Applied> {
        let mut applied = self.apply(scope, vec![change]).await?;
        assert_eq!(applied.len(), 1, "one change has one outcome");
        Ok(applied.remove(0))
    }

    pub(crate) async fn create(&self, scope: Scope, record: impl Into<Record>) -> Result<Record> {
        Ok(self.change(scope, Change::Create(record.into())).await?.record().unwrap())
    }

    pub(crate) async fn update(&self, scope: Scope, record: impl Into<Record>) -> Result<Record> {
        match self.change(scope, Change::Update(record.into())).await? {
            Applied::Updated(record) => Ok(record),
            other => panic!("an update came to {other:?}"),
        }
    }

    pub(crate) async fn delete(&self, scope: Scope, kind: Kind, id: Id) -> Result<()> {
        match self.change(scope, Change::Delete { kind, id, revision: None }).await? {
            Applied::Deleted => Ok(()),
            other => panic!("a deletion came to {other:?}"),
        }
    }

    pub(crate) async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Option<Record> {
        self.storage.get(scope, kind, id).await.unwrap()
    }

    /// The record as it is now, whoever may see it.
    pub(crate) async fn fresh<E: Entity + TryFrom<Record, Error = Error>>(&self, entity: &E) -> Option<E> {
        self.get(Scope::System, E::KIND, entity.id()).await.map(|record| record.try_into().unwrap())
    }

    pub(crate) async fn page(&self, scope: Scope, query: &Query) -> Page {
        self.storage.list(scope, query).await.unwrap()
    }

    /// Every item of a list, read to its end in pages of the query's limit.
    pub(crate) async fn list(&self, scope: Scope, query: &Query) -> Vec<Record> {
        let mut query = query.clone();
        let mut items = Vec::new();
        loop {
            let page = self.page(scope, &query).await;
            assert!(page.items.len() <= query.limit, "a page of {} items, {} at most", page.items.len(), query.limit);
            assert!(page.next.is_none() || !page.items.is_empty(), "an empty page is not the last");
            items.extend(page.items);
            query.after = page.next;
            if query.after.is_none() {
                return items;
            }
        }
    }
}
