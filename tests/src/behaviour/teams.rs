//! Teams: who sees, makes, changes and removes them.

use mosaic_core::{ErrorKind, Kind, MembershipRole, Record, Scope, Team};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed};

pub async fn teams_are_seen_by_members_and_admins(env: &Env) {
    let crew = env.crew().await;
    let team = Record::Team(crew.team.clone());
    env.assert_seen(&team, &[as_user(&crew.member), as_user(&crew.lead), as_admin(&crew.admin), Scope::System]).await;
    env.assert_unseen(&team, &[as_user(&crew.outsider), as_user(&crew.removed), as_user(&crew.admin)]).await;
}

pub async fn only_admins_make_teams(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    refused(env.create(as_user(&user), env.new_team()).await, ErrorKind::Forbidden);
    for scope in [as_admin(&admin), Scope::System] {
        let made = env.new_team();
        assert_eq!(env.create(scope, made.clone()).await.unwrap(), Record::Team(made));
    }
}

pub async fn team_owners_and_admins_change_a_team(env: &Env) {
    let crew = env.crew().await;
    let mut team = Record::Team(crew.team.clone());
    refused(env.update(as_user(&crew.member), renamed(&team, "Ours")).await, ErrorKind::Forbidden);
    for (scope, name) in [(as_user(&crew.lead), "Lead's"), (as_admin(&crew.admin), "Admin's"), (Scope::System, "System's")] {
        team = env.update(scope, renamed(&team, name)).await.unwrap();
        assert_eq!(env.fresh(&crew.team).await.map(|team| team.name).as_deref(), Some(name));
    }
    env.update(as_user(&crew.lead), Team { slug: env.name(), ..team.try_into().unwrap() }).await.unwrap();
}

pub async fn team_owners_and_admins_remove_a_team(env: &Env) {
    for who in [MembershipRole::Owner, MembershipRole::Member] {
        let (team, user, admin) = (env.team().await, env.user().await, env.admin().await);
        env.join(&team, &user, who).await;
        match who {
            MembershipRole::Owner => env.delete(as_user(&user), Kind::Team, team.id).await.unwrap(),
            MembershipRole::Member => {
                refused(env.delete(as_user(&user), Kind::Team, team.id).await, ErrorKind::Forbidden);
                env.delete(as_admin(&admin), Kind::Team, team.id).await.unwrap();
            }
        }
        assert_eq!(env.fresh(&team).await, None);
    }
}

pub async fn being_an_owner_of_one_team_is_nothing_in_another(env: &Env) {
    let (mine, other, user) = (env.team().await, env.team().await, env.user().await);
    env.join(&mine, &user, MembershipRole::Owner).await;
    env.join(&other, &user, MembershipRole::Member).await;
    refused(env.update(as_user(&user), renamed(&other.clone().into(), "Mine")).await, ErrorKind::Forbidden);
    refused(env.delete(as_user(&user), Kind::Team, other.id).await, ErrorKind::Forbidden);
}

pub async fn slugs_are_unique(env: &Env) {
    let crew = env.crew().await;
    let other = env.team().await;
    let taken = || other.slug.clone();
    refused(env.create(as_admin(&crew.admin), Team { slug: taken(), ..env.new_team() }).await, ErrorKind::Conflict);
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        refused(env.update(scope, Team { slug: taken(), ..crew.team.clone() }).await, ErrorKind::Conflict);
    }
    assert_eq!(env.fresh(&crew.team).await, Some(crew.team));
}

pub async fn removing_a_team_takes_memberships_along(env: &Env) {
    let (team, user) = (env.team().await, env.user().await);
    let membership = env.join(&team, &user, MembershipRole::Member).await;
    env.delete(Scope::System, Kind::Team, team.id).await.unwrap();
    assert_eq!(env.fresh(&membership).await, None);
    assert_eq!(env.fresh(&user).await, Some(user));
}

pub async fn a_team_with_records_is_not_removed(env: &Env) {
    let crew = env.crew().await;
    env.content(&crew.member, Some(&crew.team)).await;
    env.stored(env.new_team_note(&crew.lead, &crew.team)).await;
    env.content(&crew.lead, None).await;
    for scope in [as_user(&crew.lead), as_admin(&crew.admin), Scope::System] {
        let error = refused(env.delete(scope, Kind::Team, crew.team.id).await, ErrorKind::Conflict);
        assert_eq!((error.get("tasks"), error.get("notes")), (Some("1"), Some("2")), "{error}");
    }
    env.assert_seen(&crew.team.into(), &[as_user(&crew.member)]).await;
}
