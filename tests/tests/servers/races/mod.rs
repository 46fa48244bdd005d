//! Transactions that run at once, where what comes of them depends on who is first. Each test arranges who is, by locks that
//! a connection without Mosaic holds, and goes on when the database says that somebody waits; so that both orders are tried in every run.

mod counted;
mod deletions;
mod embeddings;
mod writes;

use mosaic_core::{Id, Kind, Record, Scope};
use serde_json::json;

use crate::place::{Place, Plain, Process, Tier, id, note, record, user};

/// Who is a member of the team until their membership ends.
const ADA: u128 = 1;
/// Who owns the team, and what is in it.
const BOB: u128 = 2;
const TEAM: u128 = 10;
/// Ada's.
const MEMBERSHIP: u128 = 20;
/// Notes of Bob's in the team.
const NOTES: std::ops::RangeInclusive<u128> = 31..=34;
const NOTE: u128 = 31;
/// A task of Bob's in the team, assigned to Ada. Whoever ends her membership takes it back: while somebody else
/// holds it, that is under way and not done.
const TASK: u128 = 41;

const HOLD_TASK: &str = "SELECT FROM tasks WHERE assignee_id IS NOT NULL FOR UPDATE";
const HOLD_NOTES: &str = "SELECT FROM notes FOR UPDATE";

/// A team's database, the gateways on it, and who looks at it from outside.
struct Team {
    place: Place,
    /// Two gateways.
    here: Process,
    there: Process,
    holder: Plain,
    watcher: Plain,
}

impl Team {
    async fn new(tier: Tier) -> Self {
        let place = Place::new(tier).await;
        let (here, there) = (place.process().await, place.process().await);
        let member = |user, role| json!({ "team_id": id(TEAM), "user_id": id(user), "role": role });
        let mut records = vec![
            user(ADA, "ada"),
            user(BOB, "bob"),
            record("team", TEAM, json!({ "slug": "team", "name": "Team" })),
            record("membership", MEMBERSHIP, member(ADA, "member")),
            record("membership", MEMBERSHIP + 1, member(BOB, "owner")),
            record("task", TASK, json!({ "owner_id": id(BOB), "team_id": id(TEAM), "assignee_id": id(ADA), "title": "task" })),
        ];
        records.extend(NOTES.map(|number| note(number, BOB, Some(TEAM))));
        here.load(&records).await;
        let (holder, watcher) = (place.plain().await, place.plain().await);
        Self { place, here, there, holder, watcher }
    }

    async fn get(&self, kind: Kind, id: Id) -> Option<Record> {
        mosaic_core::Storage::get(&*self.here.storage, Scope::System, kind, id).await.unwrap()
    }

    /// How many embeddings there are, of whatever.
    async fn embeddings(&mut self) -> i64 {
        self.watcher.number("SELECT count(*) FROM note_embeddings").await
    }
}

const fn ada() -> Scope {
    Scope::User(Id::from_u128(ADA))
}

const fn bob() -> Scope {
    Scope::User(Id::from_u128(BOB))
}
