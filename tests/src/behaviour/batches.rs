//! Batches: in order, all of it or nothing.

use mosaic_core::{Applied, Batch, Change, ErrorKind, Kind, MembershipRole, Record, Scope, StateWrite, Task, User};
use serde_json::json;

use super::Env;
use super::check::refused;
use super::records::{as_user, renamed};

pub async fn changes_are_done_in_order_and_see_each_other(env: &Env) {
    let (user, team) = (env.new_user(), env.new_team());
    let membership = env.new_membership(&team, &user);
    let task = Task { assignee_id: Some(user.id), ..env.new_team_task(&user, &team) };
    let second = renamed(&task.clone().into(), "Second");
    let changes = vec![
        Change::Create(user.clone().into()),
        Change::Create(team.into()),
        Change::Create(membership.clone().into()),
        Change::Create(task.clone().into()),
        Change::Update(second.clone()),
        Change::Create(task.clone().into()),
        Change::Delete { kind: Kind::Membership, id: membership.id, revision: Some(1) },
    ];
    // The sixth fails: the task is another by then. Without it all goes through.
    let error = refused(env.apply(Scope::System, changes.clone()).await, ErrorKind::Conflict);
    assert_eq!(error.get("change"), Some("5"), "{error}");
    assert_eq!(env.fresh(&user).await, None);

    let changes: Vec<_> = changes.into_iter().enumerate().filter(|(i, _)| *i != 5).map(|(_, change)| change).collect();
    let applied = env.apply(Scope::System, changes).await.unwrap();
    assert_eq!(applied.len(), 6);
    assert!(matches!(&applied[4], Applied::Updated(record) if record.revision() == 2));
    assert_eq!(applied[5], Applied::Deleted);
    let task = env.fresh(&task).await.unwrap();
    assert_eq!((task.revision, task.assignee_id, task.title.as_str()), (3, None, "Second"));
}

pub async fn a_batch_says_what_each_change_came_to(env: &Env) {
    let user = env.user().await;
    let (old, gone, fresh) = (env.stored(env.new_task(&user)).await, env.stored(env.new_note(&user)).await, env.new_task(&user));
    let at = env.now();
    let changes = vec![
        Change::Create(old.clone().into()),
        Change::Create(fresh.clone().into()),
        Change::Update(old.clone().into()),
        Change::Delete { kind: Kind::Note, id: gone.id, revision: None },
    ];
    let applied = env.storage.apply(as_user(&user), &Batch { at, changes, state: None }).await.unwrap();
    let updated = Task { revision: 2, updated_at: at, ..old.clone() };
    let expected = [Applied::Unchanged(old.into()), Applied::Created(fresh.into()), Applied::Updated(updated.into()), Applied::Deleted];
    assert_eq!(applied, expected);
}

pub async fn one_change_that_fails_undoes_the_others(env: &Env) {
    let crew = env.crew().await;
    let scope = as_user(&crew.member);
    let (task, doomed) = (env.stored(env.new_task(&crew.member)).await, env.stored(env.new_note(&crew.member)).await);
    let fresh = env.new_task(&crew.member);
    let good = [
        Change::Create(fresh.clone().into()),
        Change::Update(renamed(&task.clone().into(), "Changed")),
        Change::Delete { kind: Kind::Note, id: doomed.id, revision: None },
    ];
    let stale = Task { revision: 9, ..task.clone() };
    let theirs = env.stored(env.new_team_task(&crew.lead, &crew.team)).await;
    let unreadable = Task { assignee_id: Some(crew.outsider.id), ..env.new_team_task(&crew.member, &crew.team) };
    let bad = [
        (Change::Update(env.new_task(&crew.member).into()), ErrorKind::NotFound),
        (Change::Create(env.new_task(&crew.colleague).into()), ErrorKind::Forbidden),
        (Change::Delete { kind: Kind::Task, id: theirs.id, revision: None }, ErrorKind::Forbidden),
        (Change::Create(Task { title: "Other".into(), ..theirs.clone() }.into()), ErrorKind::Forbidden),
        (Change::Create(Task { owner_id: crew.member.id, ..theirs }.into()), ErrorKind::Conflict),
        (Change::Create(unreadable.into()), ErrorKind::Invalid),
    ];
    for (bad, kind) in bad {
        for place in 0..=good.len() {
            let mut changes = good.to_vec();
            changes.insert(place, bad.clone());
            let error = refused(env.apply(scope, changes).await, kind);
            assert_eq!(error.get("change"), Some(place.to_string().as_str()), "{error}");
        }
    }
    let error = refused(env.apply(scope, vec![good[0].clone(), Change::Update(stale.into())]).await, ErrorKind::Stale);
    assert_eq!((error.get("change"), error.get("revision")), (Some("1"), Some("1")));
    assert_eq!(env.fresh(&fresh).await, None);
    assert_eq!(env.fresh(&task).await, Some(task));
    assert_eq!(env.fresh(&doomed).await, Some(doomed));
    assert!(env.apply(scope, good.to_vec()).await.is_ok());
}

pub async fn a_failure_late_in_a_batch_gives_back_what_cascaded(env: &Env) {
    let crew = env.crew().await;
    let user = env.user().await;
    let membership = env.join(&crew.team, &user, MembershipRole::Member).await;
    let token = env.stored(env.new_token(&user)).await;
    let task = env.stored(Task { assignee_id: Some(user.id), ..env.new_team_task(&crew.lead, &crew.team) }).await;
    let changes = vec![
        Change::Delete { kind: Kind::User, id: user.id, revision: None },
        Change::Delete { kind: Kind::User, id: crew.lead.id, revision: None },
    ];
    refused(env.apply(Scope::System, changes).await, ErrorKind::Conflict);
    assert_eq!(env.fresh(&user).await, Some(user));
    assert_eq!(env.fresh(&membership).await, Some(membership));
    assert_eq!(env.fresh(&token).await, Some(token));
    assert_eq!(env.fresh(&task).await, Some(task));
}

pub async fn a_change_alone_does_not_number_itself(env: &Env) {
    let user = env.user().await;
    let error = refused(env.update(as_user(&user), env.new_task(&user)).await, ErrorKind::NotFound);
    assert_eq!(error.get("change"), None, "{error}");
}

pub async fn an_empty_batch_is_no_error(env: &Env) {
    let user = env.user().await;
    assert_eq!(env.apply(as_user(&user), Vec::new()).await.unwrap(), []);
}

pub async fn a_large_batch_goes_in_whole(env: &Env) {
    let user = env.user().await;
    let tasks: Vec<Task> = (0..500).map(|_| env.new_task(&user)).collect();
    let changes = tasks.iter().cloned().map(|task| Change::Create(task.into())).collect();
    let applied = env.apply(as_user(&user), changes).await.unwrap();
    assert_eq!(applied.len(), 500);
    for (applied, task) in applied.into_iter().zip(tasks) {
        assert_eq!(applied, Applied::Created(task.into()));
    }
    assert_eq!(env.list(as_user(&user), &mosaic_core::Query::new(Kind::Task)).await.len(), 500);
}

pub async fn what_a_change_takes_away_is_missing_to_the_next(env: &Env) {
    let crew = env.crew().await;
    let record = Record::Task(env.stored(env.new_team_task(&crew.lead, &crew.team)).await);
    let own = env.list(as_user(&crew.lead), &mosaic_core::Query::new(Kind::Membership)).await;
    let own = own.iter().find(|m| matches!(m, Record::Membership(m) if m.user_id == crew.lead.id)).unwrap();
    let changes =
        vec![Change::Delete { kind: Kind::Membership, id: own.id(), revision: None }, Change::Update(renamed(&record, "After leaving"))];
    let error = refused(env.apply(as_user(&crew.lead), changes).await, ErrorKind::NotFound);
    assert_eq!(error.get("change"), Some("1"));
    env.assert_seen(&record, &[as_user(&crew.lead)]).await;
}

pub async fn two_users_swap_logins_by_way_of_a_third(env: &Env) {
    let (one, other) = (env.user().await, env.user().await);
    let named = |user: &User, login: &str, revision| Change::Update(User { login: login.into(), revision, ..user.clone() }.into());
    let changes = vec![named(&one, &env.name(), 1), named(&other, &one.login, 1), named(&one, &other.login, 2)];
    env.apply(Scope::System, changes).await.unwrap();
    assert_eq!(env.fresh(&one).await.unwrap().login, other.login);
    assert_eq!(env.fresh(&other).await.unwrap().login, one.login);
}

pub async fn a_state_goes_with_the_changes(env: &Env) {
    let user = env.user().await;
    let (name, task) = (env.name(), env.new_task(&user));
    let write = |expect| Some(StateWrite { name: name.clone(), value: Some(json!({ "at": expect })), expect });
    let batch = Batch { at: env.now(), changes: vec![Change::Create(task.clone().into())], state: write(0) };
    env.storage.apply(as_user(&user), &batch).await.unwrap();
    assert_eq!(env.storage.state(&name).await.unwrap().map(|state| state.version), Some(1));

    // The state has moved on: nothing of the batch is done.
    let other = env.new_task(&user);
    let batch = Batch { at: env.now(), changes: vec![Change::Create(other.clone().into())], state: write(0) };
    refused(env.storage.apply(as_user(&user), &batch).await, ErrorKind::Stale);
    assert_eq!(env.fresh(&other).await, None);

    // A change fails: the state stays.
    let batch = Batch { at: env.now(), changes: vec![Change::Update(other.into())], state: write(1) };
    refused(env.storage.apply(as_user(&user), &batch).await, ErrorKind::NotFound);
    let state = env.storage.state(&name).await.unwrap().unwrap();
    assert_eq!((state.version, state.value), (1, json!({ "at": 0 })));

    let batch = Batch { at: env.now(), changes: Vec::new(), state: write(1) };
    assert_eq!(env.storage.apply(as_user(&user), &batch).await.unwrap(), []);
    assert_eq!(env.storage.state(&name).await.unwrap().map(|state| state.version), Some(2));
}
