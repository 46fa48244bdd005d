//! Writes of content against the end of the membership that lets them be done: whoever is first, the other one sees what came of it.

use mosaic_core::{Applied, Change, ErrorKind, Kind, Record, Scope, Storage as _};
use serde_json::{Value, json};

use super::{ADA, BOB, HOLD_NOTES, HOLD_TASK, MEMBERSHIP, NOTE, TASK, TEAM, Team, ada, bob};
use crate::place::{Tier, deletion, id, note, record};

/// Of Ada's own, in the team.
const HERS: u128 = 50;

/// Something to do that a membership lets one do.
struct Write {
    what: &'static str,
    scope: Scope,
    change: fn(&Team) -> Change,
    /// What holds it up once it has looked at the membership.
    hold: &'static str,
    /// How it is refused when the membership has ended.
    refused: ErrorKind,
}

fn changed(kind: &str, number: u128, fields: Value) -> Change {
    Change::Update(record(kind, number, fields))
}

const WRITES: [Write; 7] = [
    Write {
        what: "create",
        scope: ada(),
        change: |_| Change::Create(note(60, ADA, Some(TEAM))),
        hold: "SELECT FROM users FOR UPDATE",
        refused: ErrorKind::Invalid,
    },
    Write {
        what: "update",
        scope: ada(),
        change: |_| changed("note", NOTE, json!({ "owner_id": id(BOB), "team_id": id(TEAM), "title": "hers now" })),
        hold: HOLD_NOTES,
        refused: ErrorKind::NotFound,
    },
    Write { what: "delete", scope: ada(), change: |_| deletion(Kind::Note, HERS), hold: HOLD_NOTES, refused: ErrorKind::NotFound },
    Write {
        what: "move out",
        scope: ada(),
        change: |_| changed("note", HERS, json!({ "owner_id": id(ADA), "title": "hers alone" })),
        hold: HOLD_NOTES,
        refused: ErrorKind::NotFound,
    },
    Write {
        what: "move in",
        scope: ada(),
        change: |_| changed("note", HERS + 1, json!({ "owner_id": id(ADA), "team_id": id(TEAM), "title": "everybody's" })),
        hold: HOLD_NOTES,
        refused: ErrorKind::Invalid,
    },
    Write {
        what: "add a message",
        scope: ada(),
        change: |_| {
            Change::Create(record("message", 61, json!({ "session_id": id(HERS + 2), "role": "user", "content": "hello", "seq": 1 })))
        },
        // Another one is at its place.
        hold: "INSERT INTO messages (id, session_id, space_id, seq, role, content, created_at, updated_at, revision) \
            SELECT gen_random_uuid(), id, space_id, 1, 'user', 'first', now(), now(), 1 FROM sessions",
        refused: ErrorKind::Invalid,
    },
    Write {
        what: "assign to her",
        scope: bob(),
        change: |_| {
            let fields = json!({ "owner_id": id(BOB), "team_id": id(TEAM), "assignee_id": id(ADA), "title": "task" });
            changed("task", TASK + 1, fields)
        },
        hold: "SELECT FROM tasks WHERE assignee_id IS NULL FOR UPDATE",
        refused: ErrorKind::Invalid,
    },
];

async fn team() -> Team {
    let team = Team::new(Tier::Standalone).await;
    let session = json!({ "owner_id": id(ADA), "team_id": id(TEAM), "title": "talk", "agent": "assistant", "status": "open" });
    team.here
        .load(&[
            note(HERS, ADA, Some(TEAM)),
            note(HERS + 1, ADA, None),
            record("session", HERS + 2, session),
            record("task", TASK + 1, json!({ "owner_id": id(BOB), "team_id": id(TEAM), "title": "task" })),
        ])
        .await;
    team
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_comes_first_is_waited_for_by_the_end_of_the_membership() {
    for Write { what, scope, change, hold, .. } in WRITES {
        let mut team = team().await;
        team.holder.hold(hold).await;
        let written = team.here.begin(scope, change(&team));
        team.watcher.until_waiting(1).await;
        let ended = team.there.begin(Scope::System, deletion(Kind::Membership, MEMBERSHIP));
        team.watcher.until_waiting(2).await;
        team.holder.run("ROLLBACK").await;
        written.await.unwrap().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(ended.await.unwrap().unwrap(), Applied::Deleted, "{what}");
        // What was assigned in the last moment is taken back with the rest.
        let assigned = team.watcher.number("SELECT count(*) FROM tasks WHERE assignee_id IS NOT NULL").await;
        assert_eq!(assigned, 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_comes_second_is_refused_as_after_the_end_of_the_membership() {
    for Write { what, scope, change, refused, .. } in WRITES {
        let mut team = team().await;
        let before = everything(&team).await;
        team.holder.hold(HOLD_TASK).await;
        let ended = team.there.begin(Scope::System, deletion(Kind::Membership, MEMBERSHIP));
        team.watcher.until_waiting(1).await;
        let written = team.here.begin(scope, change(&team));
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert_eq!(ended.await.unwrap().unwrap(), Applied::Deleted, "{what}");
        let error = written.await.unwrap().expect_err(what);
        assert_eq!(error.kind(), refused, "{what}: {error}");
        assert_eq!(everything(&team).await, before, "{what}");
    }
}

/// All content, but for the task that is taken back.
async fn everything(team: &Team) -> Vec<Record> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = team.here.storage.export(after, 1_000, mosaic_core::Tokens::Omit).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.kind(), last.id()));
        all.extend(page.into_iter().filter(|record| record.kind().is_content() && record.id() != id(TASK)));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_one_no_more_removes_nothing_of_others() {
    let mut team = team().await;
    let demoted = json!({ "team_id": id(TEAM), "user_id": id(BOB), "role": "member" });
    team.holder.hold(&format!("SELECT FROM memberships WHERE user_id = '{}' FOR UPDATE", id(BOB))).await;
    let demotion = team.there.begin(Scope::System, changed("membership", MEMBERSHIP + 1, demoted));
    team.watcher.until_waiting(1).await;
    let removal = team.here.begin(bob(), deletion(Kind::Note, HERS));
    team.watcher.until_waiting(2).await;
    team.holder.commit().await;
    demotion.await.unwrap().unwrap();
    // The other order is as good: whoever is first has the lock, as the database gives it.
    match removal.await.unwrap() {
        Ok(applied) => assert_eq!(applied, Applied::Deleted),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}"),
    }
    let error = team.here.apply(bob(), deletion(Kind::Note, HERS + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_updates_of_one_revision_one_is_done() {
    let mut team = team().await;
    team.holder.hold(HOLD_NOTES).await;
    let others = team.place.process().await;
    let mut updates = Vec::new();
    for (i, process) in [&team.here, &team.there, &others].into_iter().cycle().take(9).enumerate() {
        let fields = json!({ "owner_id": id(BOB), "team_id": id(TEAM), "title": format!("by {i}") });
        updates.push(process.begin(bob(), changed("note", NOTE, fields)));
    }
    team.watcher.until_waiting(9).await;
    team.holder.commit().await;
    let mut done = Vec::new();
    for update in updates {
        match update.await.unwrap() {
            Ok(applied) => done.extend(applied.record()),
            Err(error) => assert_eq!((error.kind(), error.get("revision")), (ErrorKind::Stale, Some("2")), "{error}"),
        }
    }
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(team.get(Kind::Note, id(NOTE)).await.as_ref(), done.first());
}
