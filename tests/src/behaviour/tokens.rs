//! Tokens: who sees and makes them, what they let in, and that their hashes stay where they are.

use mosaic_core::{Applied, Change, ErrorKind, Kind, Query, Record, Scope, Token, TokenHash, TokenScope, User, UserRole};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed};

pub async fn tokens_are_seen_by_their_user_and_admins(env: &Env) {
    let crew = env.crew().await;
    let token = Record::Token(env.stored(env.new_token(&crew.member)).await);
    env.assert_seen(&token, &[as_user(&crew.member), as_admin(&crew.admin), Scope::System]).await;
    env.assert_unseen(&token, &[as_user(&crew.lead), as_user(&crew.colleague), as_user(&crew.outsider), as_user(&crew.admin)]).await;
}

pub async fn no_answer_shows_a_hash(env: &Env) {
    let user = env.user().await;
    let token = env.new_token(&user);
    let shown = |record: &Record| matches!(record, Record::Token(token) if token.hash.is_some());
    for scope in [as_user(&user), as_admin(&env.admin().await), Scope::System] {
        let again = [Change::Create(token.clone().into()), Change::Create(token.clone().into())];
        let applied = env.apply(scope, again.to_vec()).await.unwrap();
        let now = env.get(scope, Kind::Token, token.id).await.unwrap();
        let updated = env.update(scope, now.clone()).await.unwrap();
        let query = Query::new(Kind::Token).filter("user_id", &user.id.to_string()).unwrap();
        let listed = env.list(scope, &query).await;
        assert!(!listed.is_empty());
        let all = applied.into_iter().filter_map(Applied::record).chain(listed).chain([now, updated]);
        assert_eq!(all.filter(shown).count(), 0);
        env.delete(scope, Kind::Token, token.id).await.unwrap();
    }
}

pub async fn users_make_tokens_for_themselves_and_admins_for_anyone(env: &Env) {
    let crew = env.crew().await;
    env.create(as_user(&crew.member), env.new_token(&crew.member)).await.unwrap();
    env.create(as_admin(&crew.admin), env.new_token(&crew.member)).await.unwrap();
    env.create(Scope::System, env.new_token(&crew.member)).await.unwrap();
    let nobody = env.new_user();
    for other in [&crew.member, &crew.outsider, &nobody] {
        refused(env.create(as_user(&crew.lead), env.new_token(other)).await, ErrorKind::Forbidden);
    }
    for scope in [as_admin(&crew.admin), Scope::System] {
        refused(env.create(scope, env.new_token(&nobody)).await, ErrorKind::Invalid);
    }
}

pub async fn a_token_is_made_with_a_hash_of_its_own(env: &Env) {
    let (user, other) = (env.user().await, env.user().await);
    let token = env.new_token(&user);
    env.create(as_user(&user), token.clone()).await.unwrap();
    refused(env.create(as_user(&other), Token { hash: token.hash, ..env.new_token(&other) }).await, ErrorKind::Conflict);
    refused(env.create(as_user(&other), Token { hash: None, ..env.new_token(&other) }).await, ErrorKind::Invalid);
}

pub async fn an_update_leaves_the_hash_the_use_and_the_user(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    let token = env.new_token(&user);
    env.stored(token.clone()).await;
    let used_at = env.now();
    env.storage.touch_token(token.id, used_at).await.unwrap();

    // Not even another's hash is looked at.
    let others = env.new_token(&admin);
    env.stored(others.clone()).await;
    let renamed = env.update(as_user(&user), Token { hash: others.hash, ..token.clone() }).await.unwrap();
    assert_eq!(renamed.revision(), 2);
    assert_eq!(env.storage.authenticate(&others.hash.unwrap()).await.unwrap().map(|(_, user)| user.id), Some(admin.id));

    let changed = Token {
        revision: 2,
        name: "desktop".into(),
        scopes: vec![TokenScope::Read],
        expires_at: None,
        hash: Some(TokenHash([9; 32])),
        last_used_at: Some(env.now()),
        ..token.clone()
    };
    let updated = Token::try_from(env.update(as_user(&user), changed).await.unwrap()).unwrap();
    assert_eq!((updated.name.as_str(), updated.scopes.as_slice(), updated.expires_at), ("desktop", &[TokenScope::Read][..], None));
    assert_eq!(updated.last_used_at, Some(used_at));
    assert!(env.storage.authenticate(&token.hash.unwrap()).await.unwrap().is_some());
    assert!(env.storage.authenticate(&TokenHash([9; 32])).await.unwrap().is_none());
    for scope in [as_user(&user), as_admin(&admin), Scope::System] {
        refused(env.update(scope, Token { user_id: admin.id, ..updated.clone() }).await, ErrorKind::Invalid);
    }
}

pub async fn users_and_admins_change_and_remove_tokens(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    for scope in [as_user(&user), as_admin(&admin), Scope::System] {
        let token = Record::Token(env.stored(env.new_token(&user)).await);
        let updated = env.update(scope, renamed(&token, "desktop")).await.unwrap();
        assert_eq!(updated.revision(), 2);
        env.delete(scope, Kind::Token, token.id()).await.unwrap();
        assert_eq!(env.get(Scope::System, Kind::Token, token.id()).await, None);
    }
}

pub async fn a_hash_leads_to_its_token_and_user(env: &Env) {
    let user = env.user().await;
    let token = env.new_token(&user);
    let hash = token.hash.unwrap();
    assert!(env.storage.authenticate(&hash).await.unwrap().is_none());
    env.create(as_user(&user), token.clone()).await.unwrap();
    let (found, whose) = env.storage.authenticate(&hash).await.unwrap().unwrap();
    assert_eq!(Token { hash: token.hash, ..found }, token);
    assert_eq!(whose, user);
}

pub async fn an_expired_token_is_still_found(env: &Env) {
    let user = env.user().await;
    let token = Token { expires_at: Some("2001-01-01T00:00:00Z".parse().unwrap()), ..env.new_token(&user) };
    env.create(as_user(&user), token.clone()).await.unwrap();
    let (found, _) = env.storage.authenticate(&token.hash.unwrap()).await.unwrap().unwrap();
    assert_eq!(found.expires_at, token.expires_at);
}

pub async fn a_hash_leads_to_the_user_as_they_are_now(env: &Env) {
    let user = env.user().await;
    let token = env.new_token(&user);
    env.create(as_user(&user), token.clone()).await.unwrap();
    env.update(Scope::System, User { role: UserRole::Admin, ..user }).await.unwrap();
    let (_, whose) = env.storage.authenticate(&token.hash.unwrap()).await.unwrap().unwrap();
    assert_eq!((whose.role, whose.revision), (UserRole::Admin, 2));
}

pub async fn a_removed_token_lets_nobody_in(env: &Env) {
    let user = env.user().await;
    let [token, of_removed_user] = [env.new_token(&user), env.new_token(&user)];
    env.stored(token.clone()).await;
    env.stored(of_removed_user.clone()).await;
    env.delete(as_user(&user), Kind::Token, token.id).await.unwrap();
    assert!(env.storage.authenticate(&token.hash.unwrap()).await.unwrap().is_none());
    assert!(env.storage.authenticate(&of_removed_user.hash.unwrap()).await.unwrap().is_some());
    env.delete(Scope::System, Kind::User, user.id).await.unwrap();
    assert!(env.storage.authenticate(&of_removed_user.hash.unwrap()).await.unwrap().is_none());
}

pub async fn use_is_noted_and_is_no_change(env: &Env) {
    let user = env.user().await;
    let token = env.stored(env.new_token(&user)).await;
    assert_eq!(token.last_used_at, None);
    for _ in 0..2 {
        let at = env.now();
        env.storage.touch_token(token.id, at).await.unwrap();
        assert_eq!(env.fresh(&token).await, Some(Token { last_used_at: Some(at), ..token.clone() }));
    }
    env.update(as_user(&user), token).await.unwrap();
}

pub async fn to_note_the_use_of_a_token_that_is_gone_is_no_error(env: &Env) {
    env.storage.touch_token(env.id(), env.now()).await.unwrap();
}
