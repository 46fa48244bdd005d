//! Revisions: they count from 1, guard updates, and make repeated creation harmless.

use std::sync::Arc;

use mosaic_core::{Applied, Batch, Change, ErrorKind, Kind, Record, Scope, Task};

use super::Env;
use super::check::refused;
use super::records::{as_user, at_revision, renamed};

pub async fn a_record_is_made_at_revision_1(env: &Env) {
    let user = env.user().await;
    for record in env.new_content(&user, None) {
        let made = env.create(as_user(&user), at_revision(&record, 7)).await.unwrap();
        assert_eq!(made, record);
    }
}

pub async fn a_record_is_made_with_the_times_it_comes_with(env: &Env) {
    let user = env.user().await;
    let (created_at, updated_at) = ("2001-02-03T04:05:06.000007Z".parse().unwrap(), "2011-12-13T14:15:16Z".parse().unwrap());
    let task = env.stored(Task { created_at, updated_at, ..env.new_task(&user) }).await;
    assert_eq!((task.created_at, task.updated_at), (created_at, updated_at));
}

pub async fn each_update_counts_and_is_dated(env: &Env) {
    let user = env.user().await;
    for record in env.content(&user, None).await {
        let mut now = record.clone();
        for revision in 2..=4 {
            let at = env.now();
            let batch = Batch::one(at, Change::Update(renamed(&now, &format!("Take {revision}"))));
            let applied = env.storage.apply(as_user(&user), &batch).await.unwrap();
            let [Applied::Updated(updated)] = applied.as_slice() else { panic!("{applied:?}") };
            assert_eq!((updated.revision(), updated.updated_at(), updated.created_at()), (revision, at, record.created_at()));
            assert_eq!(env.get(as_user(&user), record.kind(), record.id()).await.as_ref(), Some(updated));
            now = updated.clone();
        }
    }
}

pub async fn every_kind_counts_its_changes(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    let membership = env.join(&team, &user, mosaic_core::MembershipRole::Member).await;
    let token = env.stored(env.new_token(&user)).await;
    for record in [Record::User(user), Record::Team(team), Record::Membership(membership), Record::Token(token)] {
        let updated = env.update(Scope::System, record.clone()).await.unwrap();
        assert_eq!((updated.revision(), updated.created_at()), (2, record.created_at()));
        assert!(updated.updated_at() > record.updated_at());
        refused(env.update(Scope::System, record).await, ErrorKind::Stale);
    }
}

pub async fn the_time_of_making_is_not_changed(env: &Env) {
    let user = env.user().await;
    let task = env.stored(env.new_task(&user)).await;
    let updated = env.update(as_user(&user), Task { created_at: env.now(), ..task.clone() }).await.unwrap();
    assert_eq!(updated.created_at(), task.created_at);
    assert_eq!(env.fresh(&task).await.map(|task| task.created_at), Some(task.created_at));
}

pub async fn a_stale_update_names_the_present_revision(env: &Env) {
    let user = env.user().await;
    for record in env.content(&user, None).await {
        let updated = env.update(as_user(&user), renamed(&record, "First")).await.unwrap();
        for stale in [1, 3, 99] {
            for scope in [as_user(&user), Scope::System] {
                let error = refused(env.update(scope, at_revision(&renamed(&record, "Second"), stale)).await, ErrorKind::Stale);
                assert_eq!(error.get("revision"), Some("2"), "{error}");
            }
        }
        assert_eq!(env.get(as_user(&user), record.kind(), record.id()).await, Some(updated));
    }
}

pub async fn a_deletion_may_expect_a_revision(env: &Env) {
    let user = env.user().await;
    for record in env.content(&user, None).await {
        let (kind, id) = (record.kind(), record.id());
        env.update(as_user(&user), renamed(&record, "First")).await.unwrap();
        let error = refused(env.change(as_user(&user), Change::Delete { kind, id, revision: Some(1) }).await, ErrorKind::Stale);
        assert_eq!(error.get("revision"), Some("2"), "{error}");
        assert!(env.get(as_user(&user), kind, id).await.is_some());
        env.change(as_user(&user), Change::Delete { kind, id, revision: Some(2) }).await.unwrap();
        refused(env.change(as_user(&user), Change::Delete { kind, id, revision: None }).await, ErrorKind::NotFound);
    }
}

pub async fn making_the_same_record_again_is_no_error(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    let mut records = env.new_content(&user, None);
    records.extend([env.new_user().into(), env.new_team().into(), env.new_membership(&team, &user).into(), env.new_token(&user).into()]);
    for record in records {
        env.create(Scope::System, record.clone()).await.unwrap();
        // Times and revision aside, as a client would send it a second time.
        let mut again = at_revision(&record, 5);
        again.stamp(env.now(), 5);
        let before = env.get(Scope::System, record.kind(), record.id()).await.unwrap();
        match env.change(Scope::System, Change::Create(again)).await.unwrap() {
            Applied::Unchanged(now) => assert_eq!(now, before),
            other => panic!("making it again came to {other:?}"),
        }
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, Some(before));
    }
}

pub async fn a_user_may_send_the_same_record_again(env: &Env) {
    let crew = env.crew().await;
    for team in [None, Some(&crew.team)] {
        for record in env.new_content(&crew.member, team) {
            for _ in 0..3 {
                assert_eq!(env.create(as_user(&crew.member), record.clone()).await.unwrap(), record);
            }
        }
    }
}

pub async fn an_id_that_has_other_content_is_a_conflict(env: &Env) {
    let user = env.user().await;
    for record in env.content(&user, None).await {
        refused(env.create(as_user(&user), renamed(&record, "Another")).await, ErrorKind::Conflict);
        let updated = env.update(as_user(&user), renamed(&record, "Renamed")).await.unwrap();
        refused(env.create(as_user(&user), record.clone()).await, ErrorKind::Conflict);
        assert_eq!(env.get(as_user(&user), record.kind(), record.id()).await, Some(updated));
    }
}

pub async fn a_removed_record_can_be_made_anew(env: &Env) {
    let user = env.user().await;
    for record in env.content(&user, None).await {
        env.update(as_user(&user), renamed(&record, "Before")).await.unwrap();
        env.delete(as_user(&user), record.kind(), record.id()).await.unwrap();
        assert_eq!(env.create(as_user(&user), renamed(&record, "After")).await.unwrap().revision(), 1);
    }
}

pub async fn of_concurrent_updates_one_wins(env: &'static Env) {
    let user = env.user().await;
    let scope = as_user(&user);
    let record = env.content(&user, None).await.remove(0);
    for round in 1..=4 {
        let now = env.get(scope, record.kind(), record.id()).await.unwrap();
        let writers = (0..16).map(|writer| tokio::spawn(env.update(scope, renamed(&now, &format!("{round} by {writer}")))));
        let mut winners = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(updated) => winners.push(updated),
                Err(error) => {
                    assert_eq!((error.kind(), error.get("revision")), (ErrorKind::Stale, Some((round + 1).to_string().as_str())), "{error}")
                }
            }
        }
        assert_eq!(winners.len(), 1, "one of 16 wins");
        assert_eq!(env.get(scope, record.kind(), record.id()).await, winners.pop());
    }
}

pub async fn of_concurrent_makers_of_one_name_one_wins(env: &'static Env) {
    let login = Arc::new(env.name());
    let makers = (0..8).map(|_| tokio::spawn(env.create(Scope::System, mosaic_core::User { login: login.to_string(), ..env.new_user() })));
    let mut made = 0;
    for maker in makers.collect::<Vec<_>>() {
        match maker.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
    let query = mosaic_core::Query::new(Kind::User).filter("login", &login).unwrap();
    assert_eq!((made, env.list(Scope::System, &query).await.len()), (1, 1));
}

pub async fn of_concurrent_makers_of_one_record_all_succeed(env: &'static Env) {
    let user = env.user().await;
    let record = env.new_content(&user, None).remove(0);
    let makers = (0..8).map(|_| tokio::spawn(env.change(as_user(&user), Change::Create(record.clone()))));
    let mut made = 0;
    for maker in makers.collect::<Vec<_>>() {
        match maker.await.unwrap().unwrap() {
            Applied::Created(_) => made += 1,
            Applied::Unchanged(now) => assert_eq!(now, record),
            other => panic!("making it came to {other:?}"),
        }
    }
    assert_eq!(made, 1);
}

/// The owner of a record, or its team, is removed while it is made: one of both is refused.
pub async fn no_record_is_left_without_its_owner_or_team(env: &'static Env) {
    for round in 0..16 {
        let (user, team) = (env.user().await, env.team().await);
        let (record, parent): (Record, Record) =
            if round % 2 == 0 { (env.new_task(&user).into(), user.into()) } else { (env.new_team_note(&user, &team).into(), team.into()) };
        let remove = tokio::spawn(env.delete(Scope::System, parent.kind(), parent.id()));
        let make = tokio::spawn(env.create(Scope::System, record.clone()));
        let (removed, made) = (remove.await.unwrap(), make.await.unwrap());
        let mut there = Vec::new();
        for one in [&parent, &record] {
            there.push(env.get(Scope::System, one.kind(), one.id()).await.is_some());
        }
        assert_eq!(there, [removed.is_err(), made.is_ok()], "{removed:?} {made:?}");
        assert!(there == [true, true] || there == [false, false], "{removed:?} {made:?}");
        assert!(removed.err().is_none_or(|error| error.kind() == ErrorKind::Conflict));
        assert!(made.err().is_none_or(|error| error.kind() == ErrorKind::Invalid));
    }
}

/// Both would name the same space.
pub async fn of_a_user_and_a_team_made_at_once_with_one_id_one_wins(env: &'static Env) {
    for _ in 0..8 {
        let user = env.new_user();
        let team = mosaic_core::Team { id: user.id, ..env.new_team() };
        let makers = [tokio::spawn(env.create(Scope::System, user)), tokio::spawn(env.create(Scope::System, team))];
        let mut made = 0;
        for maker in makers {
            match maker.await.unwrap() {
                Ok(_) => made += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
            }
        }
        assert_eq!(made, 1);
    }
}

/// A membership ends while its user is given a task: no task is left with an assignee who cannot read it.
pub async fn no_task_is_left_with_an_assignee_who_cannot_read_it(env: &'static Env) {
    let crew = env.crew().await;
    for _ in 0..8 {
        let user = env.user().await;
        let membership = env.join(&crew.team, &user, mosaic_core::MembershipRole::Member).await;
        let task = Task { assignee_id: Some(user.id), ..env.new_team_task(&crew.member, &crew.team) };
        let end = tokio::spawn(env.delete(as_user(&crew.lead), Kind::Membership, membership.id));
        let make = tokio::spawn(env.create(as_user(&crew.member), task.clone()));
        end.await.unwrap().unwrap();
        match make.await.unwrap() {
            Ok(_) => assert_eq!(env.fresh(&task).await.unwrap().assignee_id, None),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error}"),
        }
    }
}

/// A user is removed while they are given tasks: neither comes to harm by the other, and no task is left with nobody for an assignee.
pub async fn no_task_is_left_with_an_assignee_who_is_gone(env: &'static Env) {
    let crew = env.crew().await;
    for _ in 0..12 {
        let user = env.member(&crew.team).await;
        let tasks: Vec<_> = (0..4).map(|_| Task { assignee_id: Some(user.id), ..env.new_team_task(&crew.member, &crew.team) }).collect();
        let makers: Vec<_> = tasks.iter().map(|task| tokio::spawn(env.create(as_user(&crew.member), task.clone()))).collect();
        let remove = tokio::spawn(env.delete(Scope::System, Kind::User, user.id));
        remove.await.unwrap().unwrap();
        for (maker, task) in makers.into_iter().zip(tasks) {
            match maker.await.unwrap() {
                Ok(_) => assert_eq!(env.fresh(&task).await.unwrap().assignee_id, None),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error}"),
            }
        }
    }
}
