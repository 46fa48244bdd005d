//! Drawing at random: ids, records, changes of records. Everything follows from a seed. What must not come in: whether
//! what is drawn is allowed; much of it should not be.

use fastrand::Rng;
use mosaic_core::{
    Embedding, Id, Kind, Membership, MembershipRole, Message, MessageRole, Note, Record, Scope, Session, SessionStatus, Task, TaskStatus,
    Team, Timestamp, Token, TokenHash, TokenScope, User, UserRole, Vector, with_entity,
};

use super::oracle::asking;
use super::world::World;

/// Words without endings, which no search takes for each other.
pub(crate) const WORDS: [&str; 6] = ["amber", "basalt", "copper", "delta", "fjord", "garnet"];

/// The models of the embeddings, and the dimensions of both.
pub(crate) const MODELS: [&str; 2] = ["one", "two"];
pub(crate) const DIMENSIONS: usize = 4;

/// A source of everything random.
pub(crate) struct Draw(pub(crate) Rng);

impl Draw {
    /// What a step of a world draws from: whether the steps before it were taken or not, it is the same.
    pub(crate) fn new(seed: u64, step: u64) -> Self {
        Self(Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step))
    }

    /// Whether something that happens so often in a hundred times happens.
    pub(crate) fn chance(&mut self, percent: u8) -> bool {
        self.0.u8(..100) < percent
    }

    pub(crate) fn one_of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        self.0.choice(items).cloned()
    }

    /// An id that no record has.
    pub(crate) fn id(&mut self) -> Id {
        Id::from_u128(self.0.u128(..))
    }

    /// The id of a record of this kind; at times of one that is gone, or never was, or is of another kind.
    pub(crate) fn target(&mut self, world: &World, kind: Kind) -> Id {
        let there = world.any(&mut self.0, kind).map(Record::id).filter(|_| !self.chance(10));
        let once: Vec<_> = world.ids.iter().filter(|(of, _)| *of == kind || self.chance(10)).map(|(_, id)| *id).collect();
        there.or_else(|| self.one_of(&once).filter(|_| !self.chance(30))).unwrap_or(world.nobody)
    }

    /// A user, nearly always.
    pub(crate) fn user(&mut self, world: &World) -> Id {
        self.mostly(world, Kind::User)
    }

    fn team(&mut self, world: &World) -> Id {
        self.mostly(world, Kind::Team)
    }

    fn mostly(&mut self, world: &World, kind: Kind) -> Id {
        if self.chance(5) { self.target(world, kind) } else { world.any(&mut self.0, kind).map_or(world.nobody, Record::id) }
    }

    /// Whoever asks.
    pub(crate) fn scope(&mut self, world: &World) -> Scope {
        match self.0.u8(..20) {
            0..=3 => Scope::System,
            4..=6 => Scope::Admin(self.user(world)),
            7 | 8 => Scope::User(self.nobody(world)),
            9 => Scope::Admin(self.nobody(world)),
            _ => Scope::User(self.user(world)),
        }
    }

    /// The id of a user who is not there: never was, or is gone, or is a team, which has a space as well.
    fn nobody(&mut self, world: &World) -> Id {
        let gone = self.one_of(&world.gone(Kind::User));
        let team = world.any(&mut self.0, Kind::Team).map(Record::id);
        self.one_of(&[None, gone, team]).flatten().unwrap_or(world.nobody)
    }

    /// One to three words.
    pub(crate) fn words(&mut self) -> Vec<&'static str> {
        let count = self.0.usize(1..=3);
        self.0.choose_multiple(WORDS, count)
    }

    fn text(&mut self) -> String {
        self.words().join(" ")
    }

    /// A direction.
    pub(crate) fn vector(&mut self, model: &str) -> Vector {
        let components = (0..DIMENSIONS).map(|_| self.0.f32() * 2.0 - 1.0).collect();
        Vector { model: model.to_owned(), components }
    }

    pub(crate) fn embedding(&mut self, record: &Record) -> Embedding {
        let model = self.one_of(&MODELS).unwrap();
        Embedding { kind: record.kind(), id: record.id(), revision: record.revision(), vector: self.vector(model) }
    }

    /// The team of a new record of this owner, mostly one that they are in; none for their personal space.
    fn team_of(&mut self, world: &World, owner_id: Id) -> Option<Id> {
        let teams: Vec<_> = world.oracle.of_kind(Kind::Team).map(Record::id).collect();
        let mine: Vec<_> = teams.into_iter().filter(|team_id| world.oracle.role(*team_id, owner_id).is_some()).collect();
        match self.0.u8(..10) {
            0..=2 => None,
            3 | 4 => Some(self.team(world)),
            _ => self.one_of(&mine),
        }
    }

    /// A new record of a kind; content is this owner's.
    pub(crate) fn new_record(&mut self, world: &World, kind: Kind, owner_id: Id) -> Record {
        let id = self.id();
        // Few enough times that many are the same.
        let created_at = Timestamp::from_micros(1_767_225_600_000_000 + self.0.i64(0..5) * 1_000_000).unwrap();
        let updated_at = created_at.plus_seconds(self.0.i64(0..3));
        let (name, team_id, revision) = (self.text(), self.team_of(world, owner_id), 1);
        let short_name = format!("n{}", self.0.u32(..));
        match kind {
            Kind::User => {
                User { id, login: short_name, name, email: None, role: UserRole::Member, created_at, updated_at, revision }.into()
            }
            Kind::Team => Team { id, slug: short_name, name, created_at, updated_at, revision }.into(),
            Kind::Membership => {
                let (team_id, user_id, role) = (self.team(world), self.user(world), self.role());
                Membership { id, team_id, user_id, role, created_at, updated_at, revision }.into()
            }
            Kind::Token => {
                let (scopes, hash) = (vec![TokenScope::Read], Some(TokenHash(std::array::from_fn(|_| self.0.u8(..)))));
                let (expires_at, last_used_at) = (None, None);
                Token { id, user_id: owner_id, name, scopes, hash, expires_at, last_used_at, created_at, updated_at, revision }.into()
            }
            Kind::Task => {
                let assignee_id = self.chance(50).then(|| if team_id.is_some() { self.user(world) } else { owner_id });
                let (title, body, tags, status) = (name, self.text(), self.tags(), self.status());
                let (priority, due_at) = (0, None);
                Task { id, owner_id, team_id, assignee_id, title, body, status, priority, due_at, tags, created_at, updated_at, revision }
                    .into()
            }
            Kind::Note => {
                let (title, body, tags) = (name, self.text(), self.tags());
                Note { id, owner_id, team_id, title, body, tags, created_at, updated_at, revision }.into()
            }
            Kind::Session => {
                let (title, agent) = (name, "assistant".into());
                let status = if self.chance(25) { SessionStatus::Closed } else { SessionStatus::Open };
                Session { id, owner_id, team_id, title, agent, status, created_at, updated_at, revision }.into()
            }
            Kind::Message => {
                let session_id = self.mostly(world, Kind::Session);
                Message::new(id, session_id, MessageRole::User, self.text(), created_at).into()
            }
        }
    }

    /// A new record as somebody would make it, or try to.
    pub(crate) fn given(&mut self, world: &World, kind: Kind, scope: Scope) -> Record {
        if let Some(kept) = world.any(&mut self.0, kind).cloned().filter(|_| self.chance(10)) {
            // Once more, or something else under its id.
            return if self.chance(50) { kept } else { self.changed(world, scope, kept) };
        }
        let owner_id = match asking(scope) {
            Some((me, _)) if self.chance(80) => me,
            _ => self.user(world),
        };
        let mut record = self.new_record(world, kind, owner_id);
        if let Some(id) = self.one_of(&world.gone(kind)).filter(|_| self.chance(20)) {
            with_entity!(&mut record, entity => entity.id = id);
        }
        let other = world.any(&mut self.0, kind).filter(|_| self.chance(10));
        match (&mut record, other) {
            (Record::User(user), Some(Record::User(other))) => user.login.clone_from(&other.login),
            (Record::User(user), None) if self.chance(10) => user.id = self.team(world),
            (Record::Team(team), Some(Record::Team(other))) => team.slug.clone_from(&other.slug),
            (Record::Team(team), None) if self.chance(10) => team.id = self.user(world),
            (Record::Token(token), Some(Record::Token(other))) => token.hash = other.hash,
            (Record::Token(token), None) if self.chance(10) => token.hash = None,
            _ => {}
        }
        record
    }

    /// A record with something about it changed, as somebody would who wants it for themselves or for others.
    pub(crate) fn changed(&mut self, world: &World, scope: Scope, mut record: Record) -> Record {
        let (owner_id, team_id) = self.another_place(world, scope);
        let name = self.text();
        match &mut record {
            Record::User(user) => match self.0.u8(..4) {
                0 => user.login = self.name_of(world, Kind::User),
                1 => user.role = UserRole::Admin,
                2 => user.email = Some(format!("{}@example.org", name.replace(' ', "."))),
                _ => user.name = name,
            },
            Record::Team(team) if self.chance(30) => team.slug = self.name_of(world, Kind::Team),
            Record::Team(team) => team.name = name,
            Record::Membership(membership) => {
                membership.role = self.role();
                membership.user_id = owner_id.filter(|_| self.chance(30)).unwrap_or(membership.user_id);
                membership.team_id = team_id.flatten().filter(|_| self.chance(30)).unwrap_or(membership.team_id);
            }
            Record::Token(token) => {
                token.name = name;
                token.user_id = owner_id.unwrap_or(token.user_id);
            }
            Record::Task(task) => {
                task.title = name;
                task.owner_id = owner_id.unwrap_or(task.owner_id);
                task.team_id = team_id.unwrap_or(task.team_id);
                match self.0.u8(..4) {
                    0 => task.assignee_id = None,
                    1 => task.assignee_id = Some(self.user(world)),
                    2 => task.status = self.status(),
                    _ => {}
                }
            }
            Record::Note(note) => {
                note.body = name;
                note.owner_id = owner_id.unwrap_or(note.owner_id);
                note.team_id = team_id.unwrap_or(note.team_id);
            }
            Record::Session(session) => {
                session.title = name;
                session.owner_id = owner_id.unwrap_or(session.owner_id);
                session.team_id = team_id.unwrap_or(session.team_id);
                session.status = if self.chance(30) { SessionStatus::Closed } else { SessionStatus::Open };
            }
            Record::Message(message) => message.content = name,
        }
        record
    }

    /// Another owner, another team (none for the personal space), both or neither. Mostly they fit: it is a team of whoever asks, and the
    /// owner is in it.
    fn another_place(&mut self, world: &World, scope: Scope) -> (Option<Id>, Option<Option<Id>>) {
        let me = asking(scope).map_or(world.nobody, |(me, _)| me);
        let team_id = self.chance(50).then(|| self.chance(75).then(|| self.team_of(world, me).unwrap_or_else(|| self.team(world))));
        let members: Vec<_> = world.oracle.members(team_id.flatten());
        let owner_id = self.chance(50).then(|| self.one_of(&members).filter(|_| self.chance(60)).unwrap_or_else(|| self.user(world)));
        (owner_id, team_id)
    }

    /// A record as a client has it who wants to change it: one that they see, mostly, and as it is now.
    pub(crate) fn kept(&mut self, world: &World, scope: Scope, kind: Kind) -> Record {
        let seen: Vec<_> = world.oracle.of_kind(kind).filter(|record| self.chance(40) || world.oracle.reads(scope, record)).collect();
        let kept = self.0.choice(seen).cloned();
        let mut record = kept.unwrap_or_else(|| self.new_record(world, kind, world.nobody)).without_secrets();
        if self.chance(10) {
            let id = self.target(world, kind);
            with_entity!(&mut record, entity => entity.id = id);
        }
        if self.chance(8) {
            let (updated_at, revision) = (record.updated_at(), record.revision() + self.0.u64(1..3));
            record.stamp(updated_at, revision);
        }
        record
    }

    /// A login or slug: new, or another's.
    fn name_of(&mut self, world: &World, kind: Kind) -> String {
        let new = format!("n{}", self.0.u32(..));
        match world.any(&mut self.0, kind).filter(|_| self.chance(50)) {
            Some(Record::User(other)) => other.login.clone(),
            Some(Record::Team(other)) => other.slug.clone(),
            _ => new,
        }
    }

    fn role(&mut self) -> MembershipRole {
        if self.chance(35) { MembershipRole::Owner } else { MembershipRole::Member }
    }

    fn status(&mut self) -> TaskStatus {
        self.one_of(&[TaskStatus::Open, TaskStatus::InProgress, TaskStatus::Done]).unwrap()
    }

    fn tags(&mut self) -> Vec<String> {
        let count = self.0.usize(..3);
        self.0.choose_multiple(WORDS, count).into_iter().map(str::to_owned).collect()
    }
}
