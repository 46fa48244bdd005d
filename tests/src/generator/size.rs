//! How much data is made: so many of each kind. What must not come in: what is in them.

use mosaic_core::Kind;

/// How many records and embeddings there are. Memberships and tokens follow from users and teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub users: usize,
    pub teams: usize,
    pub tasks: usize,
    pub notes: usize,
    pub sessions: usize,
    pub messages: usize,
    /// Of two models together; at most two for each task, note and message.
    pub embeddings: usize,
    /// Those of the first model; the second has others.
    pub dimensions: usize,
}

impl Size {
    /// Some hundred records of every kind, for tests.
    pub fn small() -> Self {
        Self { users: 12, teams: 3, tasks: 150, notes: 60, sessions: 15, messages: 120, embeddings: 100, dimensions: 8 }
    }

    /// So many records, of all kinds together: few accounts, and small tasks, notes and messages as people have them.
    ///
    /// # Panics
    /// When that is less than an office of four has.
    pub fn of(records: usize, embeddings: usize, dimensions: usize) -> Self {
        let users = (records / 250).clamp(4, 1_000);
        let accounts = Self { users, teams: users.div_ceil(6), tasks: 0, notes: 0, sessions: 0, messages: 0, embeddings, dimensions };
        let content = records.checked_sub(accounts.records()).unwrap_or_else(|| panic!("{records} records are too few for {users} users"));
        let (notes, sessions) = (content / 5, content / 40);
        // What is said is said in a session.
        let messages = if sessions == 0 { 0 } else { content * 3 / 10 };
        Self { tasks: content - notes - sessions - messages, notes, sessions, messages, ..accounts }
    }

    /// How many records there are of a kind.
    pub fn count(self, kind: Kind) -> usize {
        match kind {
            Kind::User => self.users,
            Kind::Team => self.teams,
            // Everybody is in one team, every third in a second one.
            Kind::Membership if self.teams == 0 => 0,
            Kind::Membership if self.teams == 1 => self.users,
            Kind::Membership => self.users + self.users.div_ceil(3),
            // Everybody has one, every second two.
            Kind::Token => self.users + self.users.div_ceil(2),
            Kind::Task => self.tasks,
            Kind::Note => self.notes,
            Kind::Session => self.sessions,
            Kind::Message => self.messages,
        }
    }

    /// How many records there are, of all kinds together.
    pub fn records(self) -> usize {
        Kind::ALL.iter().map(|kind| self.count(*kind)).sum()
    }

    /// How many records may have embeddings.
    pub(super) fn searched(self) -> usize {
        Kind::ALL.iter().filter(|kind| kind.is_searched()).map(|kind| self.count(*kind)).sum()
    }
}
