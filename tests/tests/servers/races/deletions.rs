//! The removal of a user or a team against records that are made for them meanwhile.

use mosaic_core::{Applied, Change, ErrorKind, Kind, Scope};
use serde_json::json;

use super::{ADA, BOB, HOLD_TASK, TEAM, Team, ada};
use crate::place::{Tier, deletion, id, note, record};

const NEW: u128 = 70;

/// What is removed, and what is made meanwhile by whom.
struct Removal {
    what: &'static str,
    kind: Kind,
    number: u128,
    scope: Scope,
    change: fn() -> Change,
    /// What holds up the making, once it refers to what is removed.
    hold_making: &'static str,
    /// What holds up the removal, once nothing can refer to what is removed.
    hold_removal: &'static str,
}

fn removals() -> [Removal; 4] {
    let owners = "SELECT FROM users FOR UPDATE";
    let teams = "SELECT FROM teams FOR UPDATE";
    [
        Removal {
            what: "a user, a note in a team",
            kind: Kind::User,
            number: ADA,
            scope: ada(),
            change: || Change::Create(note(NEW, ADA, Some(TEAM))),
            hold_making: teams,
            hold_removal: HOLD_TASK,
        },
        Removal {
            what: "a user, a note given to them",
            kind: Kind::User,
            number: ADA,
            scope: Scope::User(id(BOB)),
            change: || Change::Update(record("note", super::NOTE, json!({ "owner_id": id(ADA), "team_id": id(TEAM), "title": "hers" }))),
            hold_making: super::HOLD_NOTES,
            hold_removal: HOLD_TASK,
        },
        Removal {
            what: "a user, a note by the system",
            kind: Kind::User,
            number: ADA,
            scope: Scope::System,
            change: || Change::Create(note(NEW, ADA, Some(TEAM))),
            hold_making: teams,
            hold_removal: HOLD_TASK,
        },
        Removal {
            what: "a team, a note in it",
            kind: Kind::Team,
            number: TEAM,
            scope: ada(),
            change: || Change::Create(note(NEW, ADA, Some(TEAM))),
            hold_making: owners,
            // Whoever refers to a team holds it no more than this.
            hold_removal: "SELECT FROM teams FOR KEY SHARE",
        },
    ]
}

async fn team(kind: Kind) -> Team {
    let team = Team::new(Tier::Standalone).await;
    if kind == Kind::Team {
        // What would keep it from being removed.
        let gone = super::NOTES.map(|number| deletion(Kind::Note, number)).chain([deletion(Kind::Task, super::TASK)]);
        for change in gone {
            team.here.apply(Scope::System, change).await.unwrap();
        }
    }
    team
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gets_a_record_in_time_is_not_removed() {
    for Removal { what, kind, number, scope, change, hold_making, .. } in removals() {
        let mut team = team(kind).await;
        team.holder.hold(hold_making).await;
        let made = team.here.begin(scope, change());
        team.watcher.until_waiting(1).await;
        let removed = team.there.begin(Scope::System, deletion(kind, number));
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        made.await.unwrap().unwrap_or_else(|error| panic!("{what}: {error}"));
        let error = removed.await.unwrap().expect_err(what);
        assert_eq!((error.kind(), error.message().ends_with("still holds records")), (ErrorKind::Conflict, true), "{what}: {error}");
        assert!(team.get(kind, id(number)).await.is_some(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_gets_no_record_any_more() {
    for Removal { what, kind, number, scope, change, hold_removal, .. } in removals() {
        let mut team = team(kind).await;
        team.holder.hold(hold_removal).await;
        let removed = team.there.begin(Scope::System, deletion(kind, number));
        team.watcher.until_waiting(1).await;
        let made = team.here.begin(scope, change());
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert_eq!(removed.await.unwrap().unwrap(), Applied::Deleted, "{what}");
        let error = made.await.unwrap().expect_err(what);
        assert!([ErrorKind::Invalid, ErrorKind::NotFound, ErrorKind::Forbidden].contains(&error.kind()), "{what}: {error}");
        let held = "SELECT count(*) FROM notes WHERE owner_id NOT IN (SELECT id FROM users) OR team_id NOT IN (SELECT id FROM teams)";
        assert_eq!(team.watcher.number(held).await, 0, "{what}");
    }
}
