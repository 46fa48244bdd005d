//! What records are found by besides their id. What must not come in: what lists are ordered by, which a kind says of itself.

use crate::{Id, Kind, Record, TokenHash};

/// What a record is found by besides its id, by the rules: a field and its value. An index has the bytes of [`Key::bytes`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind of the records.
    pub kind: Kind,
    /// A name that lasts: it may be stored.
    pub field: &'static str,
    value: Vec<u8>,
}

impl Key {
    /// The users with this login: one, or none.
    pub fn login(login: &str) -> Self {
        Self { kind: Kind::User, field: "login", value: login.into() }
    }

    /// The teams with this slug: one, or none.
    pub fn slug(slug: &str) -> Self {
        Self { kind: Kind::Team, field: "slug", value: slug.into() }
    }

    /// The memberships of a team.
    pub fn members(team_id: Id) -> Self {
        Self::id(Kind::Membership, "team_id", team_id)
    }

    /// The memberships of a user.
    pub fn teams(user_id: Id) -> Self {
        Self::id(Kind::Membership, "user_id", user_id)
    }

    /// The memberships of this user in this team: one, or none.
    pub fn member(team_id: Id, user_id: Id) -> Self {
        Self { kind: Kind::Membership, field: "member", value: [team_id.into_bytes(), user_id.into_bytes()].concat() }
    }

    /// The tokens of a user.
    pub fn tokens(user_id: Id) -> Self {
        Self::id(Kind::Token, "user_id", user_id)
    }

    /// The tokens with this hash: one, or none.
    pub fn hash(hash: &TokenHash) -> Self {
        Self { kind: Kind::Token, field: "hash", value: hash.0.into() }
    }

    /// The content of a kind with this owner, in any space.
    pub fn owned(kind: Kind, owner_id: Id) -> Self {
        Self::id(kind, "owner_id", owner_id)
    }

    /// The content of a kind in this team.
    pub fn in_team(kind: Kind, team_id: Id) -> Self {
        Self::id(kind, "team_id", team_id)
    }

    /// The tasks that are assigned to this user.
    pub fn assigned(user_id: Id) -> Self {
        Self::id(Kind::Task, "assignee_id", user_id)
    }

    /// The messages of a session.
    pub fn messages(session_id: Id) -> Self {
        Self::id(Kind::Message, "session_id", session_id)
    }

    /// The messages at this place of a session: one, or none.
    pub fn place(session_id: Id, seq: u64) -> Self {
        Self { kind: Kind::Message, field: "seq", value: [&session_id.into_bytes()[..], &seq.to_be_bytes()].concat() }
    }

    fn id(kind: Kind, field: &'static str, id: Id) -> Self {
        Self { kind, field, value: id.as_bytes().into() }
    }

    /// The key as bytes, the same for ever: those of one key are never the beginning of those of another.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.kind.singular().as_bytes(), self.field.as_bytes(), &self.value] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

/// Every key that a record has. They change with the record.
pub fn keys(record: &Record) -> Vec<Key> {
    let content = |owner_id: Id, team_id: Option<Id>| {
        let kind = record.kind();
        [Some(Key::owned(kind, owner_id)), team_id.map(|team_id| Key::in_team(kind, team_id))].into_iter().flatten().collect()
    };
    match record {
        Record::User(user) => vec![Key::login(&user.login)],
        Record::Team(team) => vec![Key::slug(&team.slug)],
        Record::Membership(m) => vec![Key::members(m.team_id), Key::teams(m.user_id), Key::member(m.team_id, m.user_id)],
        Record::Token(token) => [Some(Key::tokens(token.user_id)), token.hash.as_ref().map(Key::hash)].into_iter().flatten().collect(),
        Record::Task(task) => {
            let mut keys: Vec<_> = content(task.owner_id, task.team_id);
            keys.extend(task.assignee_id.map(Key::assigned));
            keys
        }
        Record::Note(note) => content(note.owner_id, note.team_id),
        Record::Session(session) => content(session.owner_id, session.team_id),
        Record::Message(message) => vec![Key::messages(message.session_id), Key::place(message.session_id, message.seq)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_the_beginning_of_another() {
        let ids = [Id::nil(), Id::from_u128(1), Id::max()];
        let mut all: Vec<_> = ["", "a", "aa", "a\0", "login"].into_iter().flat_map(|text| [Key::login(text), Key::slug(text)]).collect();
        for id in ids {
            all.extend([Key::members(id), Key::teams(id), Key::tokens(id), Key::assigned(id), Key::messages(id), Key::place(id, 1)]);
            all.extend([Key::owned(Kind::Task, id), Key::owned(Kind::Note, id), Key::in_team(Kind::Note, id), Key::member(id, ids[1])]);
        }
        for (i, key) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(other.bytes().starts_with(&key.bytes()), i == j, "{key:?} {other:?}");
            }
        }
    }

    /// They are on disks: whoever changes them makes a new format of every backend that has them.
    #[test]
    fn the_bytes_of_a_key_are_these() {
        let bytes = b"\0\0\0\0\0\0\0\x04user\0\0\0\0\0\0\0\x05login\0\0\0\0\0\0\0\x03ada";
        assert_eq!(Key::login("ada").bytes(), bytes);
    }
}
