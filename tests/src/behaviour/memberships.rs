//! Memberships: who sees, makes, changes and ends them, and what ends with them.

use mosaic_core::{ErrorKind, Kind, Membership, MembershipRole, Record, Scope, Task, Team, User};

use super::Env;
use super::check::{refused, same_answer};
use super::records::{as_admin, as_user, renamed};

async fn membership_of(env: &Env, team: &Team, user: &User) -> Membership {
    let query = mosaic_core::Query::new(Kind::Membership).filter("user_id", &user.id.to_string()).unwrap();
    let found = env.list(Scope::System, &query).await.into_iter().find(|record| record.space_id() == Some(team.id));
    found.unwrap().try_into().unwrap()
}

pub async fn memberships_are_seen_by_members_and_admins(env: &Env) {
    let crew = env.crew().await;
    let membership = Record::Membership(membership_of(env, &crew.team, &crew.colleague).await);
    env.assert_seen(&membership, &[as_user(&crew.member), as_user(&crew.colleague), as_admin(&crew.admin), Scope::System]).await;
    env.assert_unseen(&membership, &[as_user(&crew.outsider), as_user(&crew.removed), as_user(&crew.admin)]).await;
}

pub async fn team_owners_and_admins_add_members(env: &Env) {
    let crew = env.crew().await;
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        let newcomer = env.user().await;
        let membership = env.new_membership(&crew.team, &newcomer);
        assert_eq!(env.create(scope, membership.clone()).await.unwrap(), Record::Membership(membership));
        env.assert_seen(&crew.team.clone().into(), &[as_user(&newcomer)]).await;
    }
    let newcomer = env.user().await;
    refused(env.create(as_user(&crew.member), env.new_membership(&crew.team, &newcomer)).await, ErrorKind::Forbidden);
}

pub async fn outsiders_do_not_learn_of_a_team_by_joining_it(env: &Env) {
    let crew = env.crew().await;
    let absent = env.new_team();
    for user in [&crew.outsider, &crew.removed] {
        let there = refused(env.create(as_user(user), env.new_membership(&crew.team, user)).await, ErrorKind::Invalid);
        let absent_team = refused(env.create(as_user(user), env.new_membership(&absent, user)).await, ErrorKind::Invalid);
        same_answer(&there, crew.team.id, &absent_team, absent.id);
    }
}

pub async fn a_membership_needs_its_user_and_its_team(env: &Env) {
    let crew = env.crew().await;
    let nobody = env.new_user();
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        refused(env.create(scope, env.new_membership(&crew.team, &nobody)).await, ErrorKind::Invalid);
    }
    for scope in [as_admin(&crew.admin), Scope::System] {
        refused(env.create(scope, env.new_membership(&env.new_team(), &crew.outsider)).await, ErrorKind::Invalid);
    }
}

pub async fn there_is_one_membership_for_each_pair(env: &Env) {
    let crew = env.crew().await;
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        refused(env.create(scope, env.new_membership(&crew.team, &crew.member)).await, ErrorKind::Conflict);
    }
}

pub async fn roles_are_changed_by_team_owners_and_admins(env: &Env) {
    let crew = env.crew().await;
    let mut membership = membership_of(env, &crew.team, &crew.member).await;
    for scope in [as_user(&crew.member), as_user(&crew.colleague)] {
        refused(env.update(scope, Membership { role: MembershipRole::Owner, ..membership.clone() }).await, ErrorKind::Forbidden);
    }
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        let role = if membership.role == MembershipRole::Owner { MembershipRole::Member } else { MembershipRole::Owner };
        membership = env.update(scope, Membership { role, ..membership }).await.unwrap().try_into().unwrap();
        assert_eq!(membership.role, role);
    }
}

pub async fn a_role_counts_from_the_moment_it_is_given_or_taken(env: &Env) {
    let crew = env.crew().await;
    let team = Record::Team(crew.team.clone());
    let membership = membership_of(env, &crew.team, &crew.member).await;
    refused(env.update(as_user(&crew.member), renamed(&team, "Ours")).await, ErrorKind::Forbidden);
    let raised = Membership { role: MembershipRole::Owner, ..membership };
    let raised = Membership::try_from(env.update(as_user(&crew.lead), raised).await.unwrap()).unwrap();
    let team = env.update(as_user(&crew.member), renamed(&team, "Ours")).await.unwrap();
    // Owners are equal: the new one may take it from themselves.
    env.update(as_user(&crew.member), Membership { role: MembershipRole::Member, ..raised }).await.unwrap();
    refused(env.update(as_user(&crew.member), renamed(&team, "Mine")).await, ErrorKind::Forbidden);
}

pub async fn a_membership_keeps_its_team_and_its_user(env: &Env) {
    let crew = env.crew().await;
    let other = env.team().await;
    let membership = membership_of(env, &crew.team, &crew.member).await;
    for scope in [as_admin(&crew.admin), Scope::System] {
        refused(env.update(scope, Membership { team_id: other.id, ..membership.clone() }).await, ErrorKind::Invalid);
        refused(env.update(scope, Membership { user_id: crew.outsider.id, ..membership.clone() }).await, ErrorKind::Invalid);
    }
    assert_eq!(env.fresh(&membership).await, Some(membership));
}

pub async fn memberships_are_ended_by_team_owners_and_admins(env: &Env) {
    let crew = env.crew().await;
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        let user = env.user().await;
        let membership = env.join(&crew.team, &user, MembershipRole::Member).await;
        refused(env.delete(as_user(&user), Kind::Membership, membership.id).await, ErrorKind::Forbidden);
        refused(env.delete(as_user(&crew.member), Kind::Membership, membership.id).await, ErrorKind::Forbidden);
        env.delete(scope, Kind::Membership, membership.id).await.unwrap();
        assert_eq!(env.fresh(&membership).await, None);
    }
}

pub async fn a_member_removed_a_moment_ago_sees_nothing(env: &Env) {
    let crew = env.crew().await;
    let content = env.content(&crew.member, Some(&crew.team)).await;
    let membership = membership_of(env, &crew.team, &crew.member).await;
    env.assert_seen(&content[0], &[as_user(&crew.member)]).await;
    env.delete(as_user(&crew.lead), Kind::Membership, membership.id).await.unwrap();
    for record in content.iter().chain([&crew.team.into(), &crew.lead.into(), &membership.into()]) {
        if env.get(Scope::System, record.kind(), record.id()).await.is_some() {
            env.assert_unseen(record, &[as_user(&crew.member)]).await;
        }
    }
    // Even as the owner of what they left behind.
    refused(env.create(as_user(&crew.member), content[0].clone()).await, ErrorKind::Invalid);
}

pub async fn a_member_who_is_back_sees_everything_again(env: &Env) {
    let crew = env.crew().await;
    let content = env.content(&crew.member, Some(&crew.team)).await;
    env.assert_unseen(&content[0], &[as_user(&crew.removed)]).await;
    env.join(&crew.team, &crew.removed, MembershipRole::Member).await;
    env.assert_seen(&content[0], &[as_user(&crew.removed)]).await;
}

pub async fn ending_a_membership_takes_back_its_assignments(env: &Env) {
    let crew = env.crew().await;
    let other_team = env.team().await;
    env.join(&other_team, &crew.member, MembershipRole::Member).await;
    let assigned = |task: Task, user: &User| Task { assignee_id: Some(user.id), ..task };
    let taken = env.stored(assigned(env.new_team_task(&crew.lead, &crew.team), &crew.member)).await;
    let colleagues = env.stored(assigned(env.new_team_task(&crew.member, &crew.team), &crew.colleague)).await;
    let elsewhere = env.stored(assigned(env.new_team_task(&crew.member, &other_team), &crew.member)).await;
    let personal = env.stored(assigned(env.new_task(&crew.member), &crew.member)).await;

    let membership = membership_of(env, &crew.team, &crew.member).await;
    let at = env.now();
    let change = mosaic_core::Change::Delete { kind: Kind::Membership, id: membership.id, revision: Some(membership.revision) };
    env.storage.apply(as_user(&crew.lead), &mosaic_core::Batch::one(at, change)).await.unwrap();

    assert_eq!(env.fresh(&taken).await, Some(Task { assignee_id: None, revision: 2, updated_at: at, ..taken }), "it counts as a change");
    for untouched in [colleagues, elsewhere, personal] {
        assert_eq!(env.fresh(&untouched).await, Some(untouched));
    }
}

pub async fn removing_a_user_takes_back_their_assignments(env: &Env) {
    let crew = env.crew().await;
    let task = env.stored(Task { assignee_id: Some(crew.member.id), ..env.new_team_task(&crew.lead, &crew.team) }).await;
    env.delete(as_admin(&crew.admin), Kind::User, crew.member.id).await.unwrap();
    let now = env.fresh(&task).await.unwrap();
    assert_eq!((now.assignee_id, now.revision), (None, 2));
}
