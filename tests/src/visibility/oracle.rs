//! The naive oracle: all that is stored as one plain list, and what each reading call answers by the table of
//! [`Scope`](mosaic_core::Scope), row by row. It is read against that table, and slow. What must not come in: a backend's code or its ways, an index, a cache.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use mosaic_core::{Embedding, Id, Kind, MembershipRole, Message, Nearby, Neighbour, Note, Query, Record, Scope, Session, Task, Vector};

use super::call::{Answer, Call, Found};

/// What a backend should hold and answer.
#[derive(Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) records: Vec<Record>,
    pub(crate) embeddings: Vec<Embedding>,
}

/// Whoever asks, and whether as an admin; `None` for the system.
pub(super) fn asking(scope: Scope) -> Option<(Id, bool)> {
    match scope {
        Scope::System => None,
        Scope::Admin(me) => Some((me, true)),
        Scope::User(me) => Some((me, false)),
    }
}

/// Whose content a record is, and in which team; `None` for what is no content, or a part of other content.
pub(super) fn place(record: &Record) -> Option<(Id, Option<Id>)> {
    match record {
        Record::Task(Task { owner_id, team_id, .. })
        | Record::Note(Note { owner_id, team_id, .. })
        | Record::Session(Session { owner_id, team_id, .. }) => Some((*owner_id, *team_id)),
        Record::User(_) | Record::Team(_) | Record::Membership(_) | Record::Token(_) | Record::Message(_) => None,
    }
}

impl Oracle {
    pub(crate) fn find(&self, kind: Kind, id: Id) -> Option<&Record> {
        self.records.iter().find(|record| record.kind() == kind && record.id() == id)
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.kind() == kind)
    }

    /// What there is.
    pub(crate) fn keys(&self) -> BTreeSet<(Kind, Id)> {
        self.records.iter().map(|record| (record.kind(), record.id())).collect()
    }

    /// What the user is in the team; `None` when they are not a member.
    pub(crate) fn role(&self, team_id: Id, user_id: Id) -> Option<MembershipRole> {
        self.records.iter().find_map(|record| match record {
            Record::Membership(m) if m.team_id == team_id && m.user_id == user_id => Some(m.role),
            _ => None,
        })
    }

    /// The members of a team.
    pub(crate) fn members(&self, team_id: Option<Id>) -> Vec<Id> {
        let users = self.of_kind(Kind::User).map(Record::id);
        users.filter(|user_id| team_id.is_some_and(|team_id| self.role(team_id, *user_id).is_some())).collect()
    }

    /// Whether the user is a member of the space in which this owner has content: in this team, or of their own.
    pub(super) fn is_member(&self, user_id: Id, owner_id: Id, team_id: Option<Id>) -> bool {
        team_id.map_or(user_id == owner_id, |team_id| self.role(team_id, user_id).is_some())
    }

    /// The space that a record lives in; a message lives in its session's.
    pub(crate) fn space(&self, record: &Record) -> Option<Id> {
        match record {
            Record::Message(message) => self.space(self.find(Kind::Session, message.session_id)?),
            other => other.space_id(),
        }
    }

    /// The table's column "read".
    pub(crate) fn reads(&self, scope: Scope, record: &Record) -> bool {
        let Some((me, admin)) = asking(scope) else { return true };
        let is_teammate = |user_id| self.of_kind(Kind::Team).any(|team| [me, user_id].iter().all(|id| self.role(team.id(), *id).is_some()));
        match record {
            Record::Task(Task { owner_id, team_id, .. }) | Record::Note(Note { owner_id, team_id, .. }) => {
                self.is_member(me, *owner_id, *team_id)
            }
            Record::Session(Session { owner_id, team_id, .. }) => self.is_member(me, *owner_id, *team_id),
            Record::Message(Message { session_id, .. }) => {
                self.find(Kind::Session, *session_id).is_some_and(|session| self.reads(scope, session))
            }
            Record::Team(team) => admin || self.role(team.id, me).is_some(),
            Record::Membership(membership) => admin || self.role(membership.team_id, me).is_some(),
            Record::User(user) => admin || user.id == me || is_teammate(user.id),
            Record::Token(token) => admin || token.user_id == me,
        }
    }

    /// What a call that only reads should answer.
    pub(super) fn read(&self, scope: Scope, call: &Call) -> Option<Answer> {
        Some(match call {
            Call::Get(kind, id) => Answer::Got(self.seen(scope, *kind, *id).map(|record| record.clone().without_secrets())),
            Call::List(query) => Answer::Listed(self.list(scope, query)),
            Call::Search { words, kinds, space_id } => Answer::Found(self.search(scope, words, kinds, *space_id)),
            Call::Nearest { vector, k, filter } => Answer::Near(self.nearest(scope, vector, *k, filter)),
            Call::Embed(_) | Call::Change(_) => return None,
        })
    }

    /// A record that is there and may be read.
    pub(super) fn seen(&self, scope: Scope, kind: Kind, id: Id) -> Option<&Record> {
        self.find(kind, id).filter(|record| self.reads(scope, record))
    }

    fn list(&self, scope: Scope, query: &Query) -> Vec<Record> {
        let fits = |record: &&Record| query.filters.iter().all(|(field, value)| record.value(field.name).as_ref() == Some(value));
        let mut items: Vec<_> = self.of_kind(query.kind).filter(|record| self.reads(scope, record)).filter(fits).collect();
        items.sort_by_key(|record| (record.value(query.order.name), record.id()));
        if query.descending {
            items.sort_by_key(|record| Reverse((record.value(query.order.name), record.id())));
        }
        items.into_iter().map(|record| record.clone().without_secrets()).collect()
    }

    /// The texts of the world are words with a space between, none of which has endings.
    fn search(&self, scope: Scope, words: &[&str], kinds: &[Kind], space_id: Option<Id>) -> BTreeSet<Found> {
        let says = |record: &Record, word: &str| {
            let text = match record {
                Record::Task(task) => format!("{} {} {}", task.title, task.tags.join(" "), task.body),
                Record::Note(note) => format!("{} {} {}", note.title, note.tags.join(" "), note.body),
                Record::Message(message) => message.content.clone(),
                _ => return false,
            };
            text.split(' ').any(|said| said == word)
        };
        let narrowed = |record: &&Record| {
            (kinds.is_empty() || kinds.contains(&record.kind())) && (space_id.is_none() || self.space(record) == space_id)
        };
        let open = self.records.iter().filter(|record| self.reads(scope, record)).filter(narrowed);
        open.filter(|record| words.iter().all(|word| says(record, word))).map(|record| self.found(record)).collect()
    }

    fn found(&self, record: &Record) -> Found {
        let (session_id, title) = match record {
            Record::Message(message) => match self.find(Kind::Session, message.session_id) {
                Some(Record::Session(session)) => (Some(session.id), session.title.clone()),
                _ => panic!("a message without its session: {message:?}"),
            },
            Record::Task(task) => (None, task.title.clone()),
            Record::Note(note) => (None, note.title.clone()),
            other => panic!("a {} is not searched", other.kind()),
        };
        Found { kind: record.kind(), id: record.id(), space_id: self.space(record), session_id, title }
    }

    fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Vec<Neighbour> {
        let open = self.embeddings.iter().filter(|embedding| {
            embedding.vector.model == vector.model
                && (filter.kinds.is_empty() || filter.kinds.contains(&embedding.kind))
                && self
                    .seen(scope, embedding.kind, embedding.id)
                    .is_some_and(|record| filter.space_id.is_none() || self.space(record) == filter.space_id)
        });
        let mut near: Vec<_> = open.map(|embedding| (distance(&vector.components, &embedding.vector.components), embedding)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.truncate(k);
        near.into_iter().map(|(distance, e)| Neighbour { kind: e.kind, id: e.id, distance: distance as f32 }).collect()
    }
}

/// The cosine distance, by its definition.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    1.0 - product(a, b) / (product(a, a).sqrt() * product(b, b).sqrt())
}
