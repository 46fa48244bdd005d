//! A small world: users, teams, memberships and records, few enough that they meet all the time. It is the oracle's list, and what is
//! known of it besides. What must not come in: what is asked about it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fastrand::Rng;
use mosaic_core::{Change, Id, Kind, MembershipRole, Record, Scope, SessionStatus, Timestamp};

use super::call::{Answer, Call};
use super::draw::Draw;
use super::oracle::{Oracle, place};

/// A world, and its past.
pub(crate) struct World {
    pub(crate) oracle: Oracle,
    /// Every id that somebody tried to give a record, whether it has one or not.
    pub(crate) ids: Vec<(Kind, Id)>,
    /// What was removed, whether it was made anew or not.
    removed: BTreeSet<(Kind, Id)>,
    /// An id that no record ever has.
    pub(crate) nobody: Id,
    seconds: i64,
}

impl World {
    /// A world that a seed decides on, as it is to be loaded.
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed, 0);
        let mut world = Self { oracle: Oracle::default(), ids: Vec::new(), removed: BTreeSet::new(), nobody: draw.id(), seconds: 0 };
        let Draw(rng) = &mut draw;
        let counts = [
            (Kind::User, rng.usize(4..=7)),
            (Kind::Team, rng.usize(2..=4)),
            (Kind::Membership, rng.usize(6..=12)),
            (Kind::Token, rng.usize(1..=3)),
            (Kind::Task, rng.usize(2..=7)),
            (Kind::Note, rng.usize(2..=7)),
            (Kind::Session, rng.usize(2..=5)),
            (Kind::Message, rng.usize(2..=7)),
        ];
        for (kind, count) in counts {
            for _ in 0..count {
                // The system gives everybody something, also to those who are not in the team; what cannot be is left out.
                let owner_id = draw.user(&world);
                let record = draw.new_record(&world, kind, owner_id);
                world.foresee(Scope::System, &Call::Change(Change::Create(record)));
            }
        }
        for record in world.oracle.records.clone() {
            if record.kind().is_searched() && draw.0.u8(..4) > 0 {
                let embedding = draw.embedding(&record);
                world.foresee(Scope::System, &Call::Embed(embedding));
            }
        }
        world
    }

    /// The time of the next change.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_772_366_400_000_000).unwrap().plus_seconds(self.seconds)
    }

    /// What a call should answer; the world goes on from it.
    pub(crate) fn foresee(&mut self, scope: Scope, call: &Call) -> Answer {
        if let Call::Change(Change::Create(record)) = call
            && self.ids.iter().all(|(_, id)| *id != record.id())
        {
            self.ids.push((record.kind(), record.id()));
        }
        let before = self.oracle.keys();
        let answer = self.oracle.answer(scope, self.now(), call);
        self.removed.extend(before.difference(&self.oracle.keys()));
        self.seconds += 1;
        answer
    }

    /// A record of a kind.
    pub(crate) fn any(&self, rng: &mut Rng, kind: Kind) -> Option<&Record> {
        let records: Vec<_> = self.oracle.of_kind(kind).collect();
        rng.choice(records)
    }

    /// Ids that records of a kind had.
    pub(crate) fn gone(&self, kind: Kind) -> Vec<Id> {
        let removed = self.removed.iter().filter(|(of, id)| *of == kind && self.oracle.find(kind, *id).is_none());
        removed.map(|(_, id)| *id).collect()
    }

    /// Users or teams that hold no content, and could be removed.
    pub(crate) fn unused(&self, kind: Kind) -> Vec<Id> {
        let holders: Vec<_> =
            self.oracle.records.iter().filter_map(place).flat_map(|(owner_id, team_id)| [Some(owner_id), team_id]).collect();
        let accounts = self.oracle.of_kind(kind).filter(|record| matches!(record.kind(), Kind::User | Kind::Team));
        accounts.map(Record::id).filter(|id| !holders.contains(&Some(*id))).collect()
    }

    /// A text with names (`user1`, `task3`) for ids.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.replace(&self.nobody.to_string(), "nobody");
        for kind in Kind::ALL {
            for (i, (_, id)) in self.ids.iter().filter(|(of, _)| of == kind).enumerate() {
                text = text.replace(&id.to_string(), &format!("{kind}{}", i + 1));
            }
        }
        text
    }
}

impl Oracle {
    /// What there is in short form, a line a record.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        for record in Kind::ALL.iter().flat_map(|kind| self.of_kind(*kind)) {
            writeln!(text, "  {}", short(record)).unwrap();
        }
        text
    }
}

/// A record by what decides who sees it.
fn short(record: &Record) -> String {
    let id = record.id();
    let of = |owner: Id, team: Option<Id>| team.map_or(format!("{id} of {owner}"), |team| format!("{id} of {owner} in {team}"));
    match record {
        Record::User(user) => format!("{id} {:?}", user.login),
        Record::Team(team) => format!("{id} {:?}", team.slug),
        Record::Membership(membership) => {
            let role = if membership.role == MembershipRole::Owner { "owner" } else { "member" };
            format!("{id}: {} is {role} of {}", membership.user_id, membership.team_id)
        }
        Record::Token(token) => format!("{id} of {}", token.user_id),
        Record::Task(task) => {
            let assignee = task.assignee_id.map_or(String::new(), |assignee| format!(", assigned to {assignee}"));
            format!("{}{assignee}", of(task.owner_id, task.team_id))
        }
        Record::Note(note) => of(note.owner_id, note.team_id),
        Record::Session(session) => {
            let closed = if session.status == SessionStatus::Closed { ", closed" } else { "" };
            format!("{}{closed}", of(session.owner_id, session.team_id))
        }
        Record::Message(message) => format!("{id} in {}", message.session_id),
    }
}
