//! Users: who sees, makes, changes and removes them.

use mosaic_core::{ErrorKind, Kind, Record, Scope, Team, User, UserRole};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed};

pub async fn users_are_seen_by_themselves_teammates_and_admins(env: &Env) {
    let crew = env.crew().await;
    let member = Record::User(crew.member.clone());
    let those = [as_user(&crew.member), as_user(&crew.colleague), as_user(&crew.lead), as_admin(&crew.admin), Scope::System];
    env.assert_seen(&member, &those).await;
    env.assert_unseen(&member, &[as_user(&crew.outsider), as_user(&crew.removed), as_user(&crew.admin)]).await;
}

pub async fn users_without_a_team_are_seen_by_themselves_and_admins(env: &Env) {
    let (user, other, admin) = (env.user().await, env.user().await, env.admin().await);
    env.assert_seen(&Record::User(user.clone()), &[as_user(&user), as_admin(&admin), Scope::System]).await;
    env.assert_unseen(&Record::User(user), &[as_user(&other)]).await;
}

pub async fn teammates_of_one_team_are_not_those_of_another(env: &Env) {
    let (one, other) = (env.team().await, env.team().await);
    let both = env.member(&one).await;
    env.join(&other, &both, mosaic_core::MembershipRole::Owner).await;
    let (here, there) = (env.member(&one).await, env.member(&other).await);
    env.assert_seen(&Record::User(here.clone()), &[as_user(&both)]).await;
    env.assert_seen(&Record::User(there.clone()), &[as_user(&both)]).await;
    env.assert_unseen(&Record::User(here), &[as_user(&there)]).await;
}

pub async fn only_admins_make_users(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    refused(env.create(as_user(&user), env.new_user()).await, ErrorKind::Forbidden);
    refused(env.create(as_user(&admin), env.new_user()).await, ErrorKind::Forbidden);
    for scope in [as_admin(&admin), Scope::System] {
        let made = env.new_user();
        assert_eq!(env.create(scope, made.clone()).await.unwrap(), Record::User(made));
    }
}

pub async fn a_user_changes_their_own_name_and_email(env: &Env) {
    let user = env.user().await;
    let changed = User { name: "Augusta".into(), email: None, ..user.clone() };
    let updated = User::try_from(env.update(as_user(&user), changed.clone()).await.unwrap()).unwrap();
    assert_eq!((updated.name.as_str(), updated.email.as_ref()), ("Augusta", None));
    assert_eq!(env.fresh(&user).await, Some(updated));
}

pub async fn a_user_does_not_change_their_own_login_or_role(env: &Env) {
    let user = env.user().await;
    refused(env.update(as_user(&user), User { login: env.name(), ..user.clone() }).await, ErrorKind::Forbidden);
    refused(env.update(as_user(&user), User { role: UserRole::Admin, ..user.clone() }).await, ErrorKind::Forbidden);
    assert_eq!(env.fresh(&user).await, Some(user));
}

pub async fn a_teammate_does_not_change_or_remove_a_user(env: &Env) {
    let crew = env.crew().await;
    for scope in [as_user(&crew.lead), as_user(&crew.colleague)] {
        refused(env.update(scope, renamed(&crew.member.clone().into(), "Charles")).await, ErrorKind::Forbidden);
        refused(env.delete(scope, Kind::User, crew.member.id).await, ErrorKind::Forbidden);
    }
    assert_eq!(env.fresh(&crew.member).await, Some(crew.member));
}

pub async fn an_admin_changes_and_removes_users(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    let changed = User { login: env.name(), name: "Charles".into(), email: None, role: UserRole::Admin, ..user.clone() };
    let updated = User::try_from(env.update(as_admin(&admin), changed.clone()).await.unwrap()).unwrap();
    assert_eq!(User { updated_at: user.updated_at, revision: 1, ..updated }, changed);
    env.delete(as_admin(&admin), Kind::User, user.id).await.unwrap();
    assert_eq!(env.fresh(&user).await, None);
}

pub async fn an_admin_changes_their_own_login(env: &Env) {
    let admin = env.admin().await;
    env.update(as_admin(&admin), User { login: env.name(), ..admin.clone() }).await.unwrap();
}

pub async fn a_user_does_not_remove_themselves(env: &Env) {
    let user = env.user().await;
    refused(env.delete(as_user(&user), Kind::User, user.id).await, ErrorKind::Forbidden);
    assert_eq!(env.fresh(&user).await, Some(user));
}

pub async fn logins_are_unique(env: &Env) {
    let (one, other, admin) = (env.user().await, env.user().await, env.admin().await);
    for scope in [as_admin(&admin), Scope::System] {
        refused(env.create(scope, User { login: one.login.clone(), ..env.new_user() }).await, ErrorKind::Conflict);
        refused(env.update(scope, User { login: one.login.clone(), ..other.clone() }).await, ErrorKind::Conflict);
    }
    assert_eq!(env.fresh(&other).await, Some(other));
}

pub async fn a_login_is_free_again_when_its_user_is_gone(env: &Env) {
    let (one, other) = (env.user().await, env.user().await);
    env.delete(Scope::System, Kind::User, one.id).await.unwrap();
    env.update(Scope::System, User { login: one.login.clone(), ..other }).await.unwrap();
    env.create(Scope::System, one.clone()).await.map(|_| ()).unwrap_err();
    env.create(Scope::System, User { login: env.name(), ..one }).await.unwrap();
}

pub async fn a_user_and_a_team_never_share_an_id(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    refused(env.create(Scope::System, Team { id: user.id, ..env.new_team() }).await, ErrorKind::Conflict);
    refused(env.create(Scope::System, User { id: team.id, ..env.new_user() }).await, ErrorKind::Conflict);
}

pub async fn removing_a_user_takes_memberships_and_tokens_along(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    let membership = env.join(&team, &user, mosaic_core::MembershipRole::Owner).await;
    let token = env.stored(env.new_token(&user)).await;
    env.delete(Scope::System, Kind::User, user.id).await.unwrap();
    assert_eq!(env.fresh(&user).await, None);
    assert_eq!(env.fresh(&membership).await, None);
    assert_eq!(env.fresh(&token).await, None);
    assert_eq!(env.fresh(&team).await, Some(team));
}

pub async fn a_user_who_owns_records_is_not_removed(env: &Env) {
    let (user, team, admin) = (env.user().await, env.team().await, env.admin().await);
    env.content(&user, None).await;
    env.stored(env.new_team_task(&user, &team)).await;
    let token = env.stored(env.new_token(&user)).await;
    for scope in [as_admin(&admin), Scope::System] {
        let error = refused(env.delete(scope, Kind::User, user.id).await, ErrorKind::Conflict);
        assert_eq!((error.get("tasks"), error.get("notes")), (Some("2"), Some("1")), "{error}");
    }
    assert_eq!(env.fresh(&user).await, Some(user));
    assert!(env.fresh(&token).await.is_some(), "nothing half done");
}
