//! The oracle's answers to what is written: who may, by the table of [`Scope`](mosaic_core::Scope) and the points below it; what must hold of all
//! records; and what a change takes along. What must not come in: a backend's order of checks, beyond what the
//! contract says: whoever does not see a record hears that it is not there, and whoever may not do a thing hears of nothing else.

use mosaic_core::{Applied, Change, ErrorKind, Id, Kind, MembershipRole, Record, Scope, SessionStatus, Timestamp, with_entity};

use super::call::{Answer, Call};
use super::oracle::{Oracle, asking, place};

/// Every way in which a call must be refused; any one of them is a right answer.
type Refusals = Vec<ErrorKind>;

/// What somebody may do with a record.
pub(crate) struct Rights {
    pub(crate) reads: bool,
    pub(crate) updates: bool,
    pub(crate) deletes: bool,
}

const MEMBER: Option<MembershipRole> = Some(MembershipRole::Member);
const OWNER: Option<MembershipRole> = Some(MembershipRole::Owner);

impl Oracle {
    /// What a call should answer. What it should change is changed.
    pub(crate) fn answer(&mut self, scope: Scope, at: Timestamp, call: &Call) -> Answer {
        let outcome = match call {
            Call::Change(Change::Create(record)) => self.create(scope, record),
            Call::Change(Change::Update(record)) => self.update(scope, at, record),
            Call::Change(Change::Delete { kind, id, revision }) => self.delete(scope, at, (*kind, *id), *revision),
            Call::Embed(embedding) => {
                let stored = self.seen(scope, embedding.kind, embedding.id).is_some_and(|record| embedding.revision <= record.revision());
                if stored {
                    let key = (embedding.kind, embedding.id, &embedding.vector.model);
                    self.embeddings.retain(|other| (other.kind, other.id, &other.vector.model) != key);
                    self.embeddings.push(embedding.clone());
                }
                return Answer::Embedded(stored);
            }
            reading => return self.read(scope, reading).unwrap(),
        };
        match outcome {
            Ok(applied) => Answer::Applied(applied),
            Err(refusals) => Answer::Refused(refusals),
        }
    }

    /// What the scope may do with a record as it is; nothing, when it is not there.
    pub(crate) fn rights(&self, scope: Scope, kind: Kind, id: Id) -> Rights {
        let seen = self.seen(scope, kind, id);
        Rights {
            reads: seen.is_some(),
            updates: seen.is_some_and(|record| self.may_update(scope, record)),
            deletes: seen.is_some_and(|record| self.may_delete(scope, record)),
        }
    }

    fn create(&mut self, scope: Scope, given: &Record) -> Result<Applied, Refusals> {
        none(self.bars_creating(scope, given))?;
        if let Some(kept) = self.find(given.kind(), given.id()) {
            let repeated = self.reads(scope, kept) && kept.same_content(given);
            return if repeated { Ok(Applied::Unchanged(kept.clone().without_secrets())) } else { Err(vec![ErrorKind::Conflict]) };
        }
        let mut new = given.clone();
        new.stamp(given.updated_at(), 1);
        if let Record::Message(message) = &mut new {
            let said = self.records.iter().filter_map(|record| match record {
                Record::Message(other) if other.session_id == message.session_id => Some(other.seq),
                _ => None,
            });
            message.seq = said.max().unwrap_or(0) + 1;
        }
        none(self.breaks(&new))?;
        self.records.push(new.clone());
        Ok(Applied::Created(new.without_secrets()))
    }

    fn update(&mut self, scope: Scope, at: Timestamp, given: &Record) -> Result<Applied, Refusals> {
        let kept = self.seen(scope, given.kind(), given.id()).ok_or([ErrorKind::NotFound])?.clone();
        if !self.may_update(scope, &kept) {
            return Err(vec![ErrorKind::Forbidden]);
        }
        if kept.revision() != given.revision() {
            return Err(vec![ErrorKind::Stale]);
        }
        none(self.bars_becoming(scope, &kept, given))?;
        let mut new = given.clone();
        new.stamp(at, kept.revision() + 1);
        with_entity!(&mut new, entity => entity.created_at = kept.created_at());
        if let (Record::Token(new), Record::Token(kept)) = (&mut new, &kept) {
            (new.hash, new.last_used_at) = (kept.hash, kept.last_used_at);
        }
        none(self.breaks(&new))?;
        self.replace(new.clone());
        Ok(Applied::Updated(new.without_secrets()))
    }

    fn delete(&mut self, scope: Scope, at: Timestamp, (kind, id): (Kind, Id), revision: Option<u64>) -> Result<Applied, Refusals> {
        let kept = self.seen(scope, kind, id).ok_or([ErrorKind::NotFound])?;
        if !self.may_delete(scope, kept) {
            return Err(vec![ErrorKind::Forbidden]);
        }
        if revision.is_some_and(|revision| revision != kept.revision()) {
            return Err(vec![ErrorKind::Stale]);
        }
        let holds = |record: &Record| {
            place(record).is_some_and(|(owner_id, team_id)| match kind {
                Kind::User => owner_id == id,
                Kind::Team => team_id == Some(id),
                _ => false,
            })
        };
        if self.records.iter().any(holds) {
            return Err(vec![ErrorKind::Conflict]);
        }
        self.records.retain(|record| (record.kind(), record.id()) != (kind, id));
        self.let_go(at);
        Ok(Applied::Deleted)
    }

    /// The table's column "write", for what is new.
    fn bars_creating(&self, scope: Scope, given: &Record) -> Refusals {
        let Some((me, admin)) = asking(scope) else { return Vec::new() };
        match given {
            Record::User(_) | Record::Team(_) => forbidden_unless(admin),
            Record::Token(token) => forbidden_unless(admin || token.user_id == me),
            Record::Membership(membership) => match self.role(membership.team_id, me) {
                OWNER => Vec::new(),
                _ if admin && self.find(Kind::Team, membership.team_id).is_some() => Vec::new(),
                MEMBER => vec![ErrorKind::Forbidden],
                _ => vec![ErrorKind::Invalid],
            },
            Record::Task(_) | Record::Note(_) | Record::Session(_) => {
                let (owner_id, team_id) = place(given).unwrap();
                [forbidden_unless(owner_id == me), self.bars_entering(me, admin, owner_id, team_id)].concat()
            }
            Record::Message(message) => match self.seen(scope, Kind::Session, message.session_id) {
                Some(Record::Session(session)) if session.owner_id != me => vec![ErrorKind::Forbidden],
                Some(Record::Session(session)) if session.status == SessionStatus::Closed => vec![ErrorKind::Conflict],
                Some(_) => Vec::new(),
                None => vec![ErrorKind::Invalid],
            },
        }
    }

    /// Content is put into spaces that one is a member of. A team that one does not see is not there; an admin sees every team.
    fn bars_entering(&self, me: Id, admin: bool, owner_id: Id, team_id: Option<Id>) -> Refusals {
        match team_id {
            Some(team_id) if self.role(team_id, me).is_none() => {
                let seen = admin && self.find(Kind::Team, team_id).is_some();
                vec![if seen { ErrorKind::Forbidden } else { ErrorKind::Invalid }]
            }
            Some(_) => Vec::new(),
            None => forbidden_unless(owner_id == me),
        }
    }

    /// The table's column "write", for what is there and seen.
    fn may_update(&self, scope: Scope, kept: &Record) -> bool {
        let Some((me, admin)) = asking(scope) else { return true };
        match kept {
            Record::Task(_) | Record::Note(_) | Record::Token(_) => true,
            Record::Session(session) => session.owner_id == me,
            Record::Message(_) => false,
            Record::Team(team) => admin || self.role(team.id, me) == OWNER,
            Record::Membership(membership) => admin || self.role(membership.team_id, me) == OWNER,
            Record::User(user) => admin || user.id == me,
        }
    }

    /// The same for removing it.
    fn may_delete(&self, scope: Scope, kept: &Record) -> bool {
        let Some((me, admin)) = asking(scope) else { return true };
        match kept {
            Record::Task(_) | Record::Note(_) => self.disposes_of(me, kept),
            Record::Session(session) => session.owner_id == me,
            Record::Message(_) => false,
            Record::Team(team) => admin || self.role(team.id, me) == OWNER,
            Record::Membership(membership) => admin || self.role(membership.team_id, me) == OWNER,
            Record::User(_) => admin,
            Record::Token(_) => true,
        }
    }

    /// Whether the user owns the content, or the team that it lives in.
    fn disposes_of(&self, me: Id, content: &Record) -> bool {
        place(content).is_some_and(|(owner_id, team_id)| owner_id == me || team_id.is_some_and(|team_id| self.role(team_id, me) == OWNER))
    }

    /// What of a record cannot be changed, or not by everyone who may change it.
    fn bars_becoming(&self, scope: Scope, kept: &Record, given: &Record) -> Refusals {
        let mut refusals = match (kept, given) {
            (Record::Membership(kept), Record::Membership(given)) if (kept.team_id, kept.user_id) != (given.team_id, given.user_id) => {
                vec![ErrorKind::Invalid]
            }
            (Record::Token(kept), Record::Token(given)) if kept.user_id != given.user_id => vec![ErrorKind::Invalid],
            (Record::Message(_), _) => vec![ErrorKind::Forbidden],
            _ => Vec::new(),
        };
        let Some((me, admin)) = asking(scope) else { return refusals };
        if let (Record::User(kept), Record::User(given)) = (kept, given) {
            refusals.extend(forbidden_unless(admin || (&kept.login, kept.role) == (&given.login, given.role)));
        }
        if let (Some((owner, from)), Some((new_owner, to))) = (place(kept), place(given)) {
            let given_away = owner != new_owner;
            refusals.extend(forbidden_unless(!given_away || from.is_some()));
            refusals.extend(forbidden_unless(!given_away && from == to || self.disposes_of(me, kept)));
            if given_away && to.is_some_and(|team_id| self.role(team_id, new_owner).is_none()) {
                refusals.push(ErrorKind::Invalid);
            }
            if from != to {
                refusals.extend(self.bars_entering(me, admin, new_owner, to));
            }
        }
        refusals
    }

    /// What must hold of every record, whoever writes it.
    fn breaks(&self, new: &Record) -> Refusals {
        let others = self.records.iter().filter(|other| (other.kind(), other.id()) != (new.kind(), new.id()));
        let mut refusals = Vec::new();
        if others.into_iter().any(|other| clash(new, other)) {
            refusals.push(ErrorKind::Conflict);
        }
        let there = |kind, id| self.find(kind, id).is_some();
        let leads_somewhere = match new {
            Record::User(_) | Record::Team(_) => true,
            Record::Membership(membership) => there(Kind::Team, membership.team_id) && there(Kind::User, membership.user_id),
            Record::Token(token) => there(Kind::User, token.user_id) && token.hash.is_some(),
            Record::Message(message) => there(Kind::Session, message.session_id),
            Record::Task(_) | Record::Note(_) | Record::Session(_) => {
                let (owner_id, team_id) = place(new).unwrap();
                there(Kind::User, owner_id) && team_id.is_none_or(|team_id| there(Kind::Team, team_id))
            }
        };
        if !leads_somewhere || !self.is_read_by_assignee(new) {
            refusals.push(ErrorKind::Invalid);
        }
        refusals
    }

    fn is_read_by_assignee(&self, record: &Record) -> bool {
        let Record::Task(task) = record else { return true };
        task.assignee_id.is_none_or(|assignee_id| self.is_member(assignee_id, task.owner_id, task.team_id))
    }

    fn replace(&mut self, new: Record) {
        let kept = self.records.iter_mut().find(|kept| (kept.kind(), kept.id()) == (new.kind(), new.id()));
        *kept.unwrap() = new;
    }

    /// What a removal takes along: memberships, tokens, messages and embeddings of what is gone, and assignments.
    fn let_go(&mut self, at: Timestamp) {
        let left = self.clone();
        let there = |kind, id| left.find(kind, id).is_some();
        self.records.retain(|record| match record {
            Record::Membership(membership) => there(Kind::Team, membership.team_id) && there(Kind::User, membership.user_id),
            Record::Token(token) => there(Kind::User, token.user_id),
            Record::Message(message) => there(Kind::Session, message.session_id),
            _ => true,
        });
        let left = self.clone();
        for record in self.records.iter_mut().filter(|record| !left.is_read_by_assignee(record)) {
            record.stamp(at, record.revision() + 1);
            if let Record::Task(task) = record {
                task.assignee_id = None;
            }
        }
        self.embeddings.retain(|embedding| left.find(embedding.kind, embedding.id).is_some());
    }
}

/// Whether two records cannot be at once.
fn clash(one: &Record, other: &Record) -> bool {
    match (one, other) {
        (Record::User(one), Record::User(other)) => one.login == other.login,
        (Record::Team(one), Record::Team(other)) => one.slug == other.slug,
        // Both name spaces.
        (Record::User(_), Record::Team(_)) | (Record::Team(_), Record::User(_)) => one.id() == other.id(),
        (Record::Membership(one), Record::Membership(other)) => (one.team_id, one.user_id) == (other.team_id, other.user_id),
        (Record::Token(one), Record::Token(other)) => one.hash == other.hash,
        _ => false,
    }
}

fn forbidden_unless(allowed: bool) -> Refusals {
    if allowed { Vec::new() } else { vec![ErrorKind::Forbidden] }
}

fn none(refusals: Refusals) -> Result<(), Refusals> {
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}
