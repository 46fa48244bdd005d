//! The usual, as much of it as is asked for: any record of it by its number, so that all of them can be gone through and none needs to be
//! kept. What must not come in: what is in a record, which `accounts` and `content` say.

use mosaic_core::{Embedding, Id, Kind, Record};

use super::draw::Draw;
use super::{Size, accounts, content, embeddings};

/// Makes representative data: the same seed and size make the same, byte for byte.
pub struct Generator {
    pub(super) seed: u64,
    pub(super) size: Size,
    /// For each session the number of its first message: all that is kept.
    pub(super) first_messages: Vec<usize>,
}

impl Generator {
    /// # Panics When the size asks for what there can't be: content without users, messages without sessions, more embeddings than there is
    /// to embed.
    pub fn new(seed: u64, size: Size) -> Self {
        assert!(size.users > 0 || size.records() == size.teams, "what is written is somebody's, and there are no users");
        assert!(size.sessions > 0 || size.messages == 0, "what is said is said in a session, and there are none");
        assert!(size.embeddings <= 2 * size.searched(), "a record has one embedding of each of two models, and no more");
        Self { seed, size, first_messages: content::first_messages(seed, size) }
    }

    /// What is made.
    pub fn size(&self) -> Size {
        self.size
    }

    /// All records, in dependency order. Each is made when it is asked for.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        Kind::ALL.iter().flat_map(|kind| (0..self.size.count(*kind)).map(|number| self.record(*kind, number)))
    }

    /// The record of a kind with this number, from 0: the same that [`Self::records`] gives in this place.
    pub fn record(&self, kind: Kind, number: usize) -> Record {
        match kind {
            Kind::User => accounts::user(self, number).into(),
            Kind::Team => accounts::team(self, number).into(),
            Kind::Membership => accounts::membership(self, number).into(),
            Kind::Token => accounts::token(self, number).into(),
            Kind::Task => content::task(self, number).into(),
            Kind::Note => content::note(self, number).into(),
            Kind::Session => content::session(self, number).into(),
            Kind::Message => content::message(self, number).into(),
        }
    }

    /// All embeddings: those of the first model, by kind, then those of the second. Each is made when it is asked for.
    pub fn embeddings(&self) -> impl Iterator<Item = Embedding> + '_ {
        embeddings::all(self)
    }

    /// What the tokens were made from: each one's id and secret, in the order of the tokens.
    pub fn secrets(&self) -> impl Iterator<Item = (Id, String)> + '_ {
        (0..self.size.count(Kind::Token)).map(|number| (self.id(Kind::Token, number), accounts::secret(self, number)))
    }

    /// The secret of a token with all scopes that never expires, of a user who is an admin: the first ones.
    pub fn administrator_secret(&self) -> String {
        accounts::secret(self, 0)
    }

    /// What a record is drawn from. The first that is drawn is what all records have.
    pub(super) fn draw(&self, kind: Kind, number: usize) -> Draw {
        Draw::of(self.seed, kind.singular(), number)
    }

    /// A record's id, without the rest of it.
    pub(super) fn id(&self, kind: Kind, number: usize) -> Id {
        self.draw(kind, number).common().id
    }
}
