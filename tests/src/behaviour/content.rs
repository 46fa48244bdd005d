//! Tasks and notes: who sees, makes, changes and removes them.

use mosaic_core::{ErrorKind, Record, Scope, Task, User};

use super::Env;
use super::check::{refused, same_answer};
use super::records::{as_admin, as_user, renamed, with_team};

pub async fn personal_content_is_seen_by_its_owner_alone(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, None).await {
        env.assert_seen(&record, &[as_user(&crew.member), Scope::Admin(crew.member.id), Scope::System]).await;
        env.assert_unseen(&record, &[as_user(&crew.lead), as_user(&crew.colleague), as_user(&crew.outsider), as_admin(&crew.admin)]).await;
    }
}

pub async fn team_content_is_seen_by_its_members(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, Some(&crew.team)).await {
        let members =
            [as_user(&crew.member), as_user(&crew.colleague), as_user(&crew.lead), Scope::Admin(crew.colleague.id), Scope::System];
        env.assert_seen(&record, &members).await;
        env.assert_unseen(&record, &[as_user(&crew.outsider), as_user(&crew.removed), as_admin(&crew.admin), as_user(&crew.admin)]).await;
    }
}

pub async fn an_owner_who_left_the_team_does_not_see_what_they_left(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.removed, Some(&crew.team)).await {
        env.assert_unseen(&record, &[as_user(&crew.removed)]).await;
        env.assert_seen(&record, &[as_user(&crew.member)]).await;
        env.update(as_user(&crew.member), renamed(&record, "Inherited")).await.unwrap();
    }
}

pub async fn users_make_content_in_their_own_space_and_their_teams(env: &Env) {
    let crew = env.crew().await;
    for team in [None, Some(&crew.team)] {
        for scope in [as_user(&crew.member), Scope::Admin(crew.member.id), Scope::System] {
            for record in env.new_content(&crew.member, team) {
                assert_eq!(env.create(scope, record.clone()).await.unwrap(), record);
                env.assert_seen(&record, &[as_user(&crew.member)]).await;
            }
        }
    }
}

pub async fn users_do_not_make_content_for_others(env: &Env) {
    let crew = env.crew().await;
    let nobody = env.new_user();
    for team in [None, Some(&crew.team)] {
        for owner in [&crew.colleague, &crew.outsider, &nobody] {
            for record in env.new_content(owner, team) {
                for scope in [as_user(&crew.member), as_user(&crew.lead), Scope::Admin(crew.lead.id)] {
                    refused(env.create(scope, record.clone()).await, ErrorKind::Forbidden);
                }
                assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, None);
            }
        }
    }
}

pub async fn outsiders_do_not_learn_of_a_team_by_putting_content_into_it(env: &Env) {
    let crew = env.crew().await;
    let absent = env.new_team();
    for user in [&crew.outsider, &crew.removed] {
        let own = env.content(user, None).await;
        for (record, own) in env.new_content(user, None).into_iter().zip(own) {
            let [there, nowhere] = [Some(crew.team.id), Some(absent.id)].map(|team_id| with_team(&record, team_id));
            let there = refused(env.create(as_user(user), there).await, ErrorKind::Invalid);
            let nowhere = refused(env.create(as_user(user), nowhere).await, ErrorKind::Invalid);
            same_answer(&there, crew.team.id, &nowhere, absent.id);

            let moved_there = refused(env.update(as_user(user), with_team(&own, Some(crew.team.id))).await, ErrorKind::Invalid);
            let moved_nowhere = refused(env.update(as_user(user), with_team(&own, Some(absent.id))).await, ErrorKind::Invalid);
            same_answer(&moved_there, crew.team.id, &moved_nowhere, absent.id);
        }
    }
}

pub async fn admins_put_nothing_into_teams_they_are_not_in(env: &Env) {
    let crew = env.crew().await;
    for record in env.new_content(&crew.admin, Some(&crew.team)) {
        refused(env.create(as_admin(&crew.admin), record).await, ErrorKind::Forbidden);
    }
}

pub async fn content_needs_its_owner_and_its_team(env: &Env) {
    let (user, nobody, nowhere) = (env.user().await, env.new_user(), env.new_team());
    for record in env.new_content(&nobody, None).into_iter().chain(env.new_content(&user, Some(&nowhere))) {
        refused(env.create(Scope::System, record).await, ErrorKind::Invalid);
    }
    for record in env.content(&user, None).await {
        refused(env.update(Scope::System, with_team(&record, Some(nowhere.id))).await, ErrorKind::Invalid);
    }
}

pub async fn members_change_each_others_content(env: &Env) {
    let crew = env.crew().await;
    for mut record in env.content(&crew.member, Some(&crew.team)).await {
        for scope in [as_user(&crew.colleague), as_user(&crew.lead), as_user(&crew.member), Scope::Admin(crew.colleague.id), Scope::System]
        {
            record = env.update(scope, renamed(&record, &format!("By {scope:?}"))).await.unwrap();
            assert_eq!(env.get(as_user(&crew.member), record.kind(), record.id()).await.as_ref(), Some(&record));
        }
    }
}

pub async fn content_is_removed_by_its_owner_or_a_team_owner(env: &Env) {
    let crew = env.crew().await;
    for scope in [as_user(&crew.member), as_user(&crew.lead), Scope::Admin(crew.lead.id), Scope::System] {
        for record in env.content(&crew.member, Some(&crew.team)).await {
            let (kind, id) = (record.kind(), record.id());
            for other in [as_user(&crew.colleague), Scope::Admin(crew.colleague.id)] {
                refused(env.delete(other, kind, id).await, ErrorKind::Forbidden);
            }
            env.delete(scope, kind, id).await.unwrap();
            env.assert_unseen(&record, &[as_user(&crew.member), Scope::System]).await;
        }
    }
    for record in env.content(&crew.member, None).await {
        env.delete(as_user(&crew.member), record.kind(), record.id()).await.unwrap();
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, None);
    }
}

fn assigned(task: Task, user: &User) -> Task {
    Task { assignee_id: Some(user.id), ..task }
}

pub async fn an_assignee_can_read_the_task(env: &Env) {
    let crew = env.crew().await;
    for user in [&crew.member, &crew.colleague, &crew.lead] {
        env.create(as_user(&crew.member), assigned(env.new_team_task(&crew.member, &crew.team), user)).await.unwrap();
    }
    env.create(as_user(&crew.member), assigned(env.new_task(&crew.member), &crew.member)).await.unwrap();

    for scope in [as_user(&crew.member), Scope::System] {
        let (team_task, own_task) = (env.new_team_task(&crew.member, &crew.team), env.new_task(&crew.member));
        for (task, user) in [(team_task.clone(), &crew.outsider), (team_task, &crew.removed), (own_task, &crew.colleague)] {
            refused(env.create(scope, assigned(task, user)).await, ErrorKind::Invalid);
        }
    }
}

pub async fn assigning_does_not_give_away_who_exists(env: &Env) {
    let crew = env.crew().await;
    let nobody = env.new_user();
    let stored = env.stored(env.new_team_task(&crew.member, &crew.team)).await;
    let fresh = env.new_team_task(&crew.member, &crew.team);
    let scope = as_user(&crew.member);
    let outsider = refused(env.create(scope, assigned(fresh.clone(), &crew.outsider)).await, ErrorKind::Invalid);
    let absent = refused(env.create(scope, assigned(fresh, &nobody)).await, ErrorKind::Invalid);
    same_answer(&outsider, crew.outsider.id, &absent, nobody.id);
    let outsider = refused(env.update(scope, assigned(stored.clone(), &crew.outsider)).await, ErrorKind::Invalid);
    let absent = refused(env.update(scope, assigned(stored.clone(), &nobody)).await, ErrorKind::Invalid);
    same_answer(&outsider, crew.outsider.id, &absent, nobody.id);
    assert_eq!(env.fresh(&stored).await, Some(stored));
}

pub async fn a_task_is_assigned_and_unassigned(env: &Env) {
    let crew = env.crew().await;
    let task = env.stored(env.new_team_task(&crew.member, &crew.team)).await;
    let task = env.update(as_user(&crew.colleague), assigned(task, &crew.lead)).await.unwrap();
    let task = Task::try_from(task).unwrap();
    assert_eq!(task.assignee_id, Some(crew.lead.id));
    let task = env.update(as_user(&crew.colleague), Task { assignee_id: None, ..task }).await.unwrap();
    assert_eq!(Task::try_from(task).unwrap().assignee_id, None);
}

pub async fn a_move_that_shuts_out_the_assignee_is_refused(env: &Env) {
    let crew = env.crew().await;
    let task = env.stored(assigned(env.new_team_task(&crew.member, &crew.team), &crew.colleague)).await;
    for scope in [as_user(&crew.member), Scope::System] {
        refused(env.update(scope, Task { team_id: None, ..task.clone() }).await, ErrorKind::Invalid);
    }
    env.update(as_user(&crew.member), Task { team_id: None, assignee_id: None, ..task }).await.unwrap();
    let own = env.stored(assigned(env.new_task(&crew.member), &crew.member)).await;
    refused(env.update(Scope::System, Task { owner_id: crew.lead.id, ..own }).await, ErrorKind::Invalid);
}

pub async fn the_same_id_may_stand_for_a_task_and_a_note(env: &Env) {
    let user = env.user().await;
    let task = env.new_task(&user);
    let note = mosaic_core::Note { id: task.id, ..env.new_note(&user) };
    let (task, note) = (env.stored(task).await, env.stored(note).await);
    env.assert_seen(&Record::Task(task), &[as_user(&user)]).await;
    env.assert_seen(&Record::Note(note), &[as_user(&user)]).await;
}
