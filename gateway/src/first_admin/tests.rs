//! Who becomes the first administrator, and where its token goes.

use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;

use mosaic_core::{RandomIds, SystemClock, memory};

use super::*;

async fn ensure(storage: &dyn Storage, place: Place) -> Result<Option<Issued>> {
    FirstAdmin { storage, clock: &SystemClock, ids: &RandomIds }.ensure(place).await
}

fn user(login: &str, role: UserRole) -> User {
    let at = SystemClock.now();
    User { id: RandomIds.next(at), login: login.into(), name: login.into(), email: None, role, created_at: at, updated_at: at, revision: 1 }
}

async fn create(storage: &dyn Storage, record: impl Into<Record>) {
    storage.apply(Scope::System, &Batch::one(SystemClock.now(), Change::Create(record.into()))).await.unwrap();
}

async fn signed_in(storage: &dyn Storage, secret: &str) -> (Token, User) {
    storage.authenticate(&TokenSecret::from(secret.trim().to_owned()).hash()).await.unwrap().unwrap()
}

#[tokio::test]
async fn it_is_made_once() {
    let storage = memory::open().storage;
    let issued = ensure(&*storage, Place::Terminal).await.unwrap().unwrap();
    let (token, user) = signed_in(&*storage, issued.secret.expose()).await;
    assert_eq!((user.login.as_str(), user.role), (LOGIN, UserRole::Admin));
    assert_eq!(token.scopes, TokenScope::ALL);
    assert!(ensure(&*storage, Place::Terminal).await.unwrap().is_none());

    let mut shown = Vec::new();
    issued.show(&mut shown, "http://127.0.0.1:7420").unwrap();
    let shown = String::from_utf8(shown).unwrap();
    let line = format!("curl -H \"Authorization: Bearer {}\" 'http://127.0.0.1:7420/api/v1/tasks?view=all'", issued.secret.expose());
    assert!(shown.contains(&line), "{shown}");
    assert!(!format!("{issued:?}").contains(issued.secret.expose()));
}

#[tokio::test]
async fn it_is_made_again_when_nobody_can_use_its_token() {
    let storage = memory::open().storage;
    let first = ensure(&*storage, Place::Terminal).await.unwrap().unwrap();
    let (token, admin) = signed_in(&*storage, first.secret.expose()).await;
    let delete = Change::Delete { kind: Kind::Token, id: token.id, revision: None };
    storage.apply(Scope::System, &Batch::one(SystemClock.now(), delete)).await.unwrap();
    let second = ensure(&*storage, Place::Terminal).await.unwrap().unwrap();
    assert_eq!(signed_in(&*storage, second.secret.expose()).await.1.id, admin.id, "the administrator stays the same");
}

#[tokio::test]
async fn a_user_who_has_its_login_is_not_promoted() {
    let storage = memory::open().storage;
    create(&*storage, user(LOGIN, UserRole::Member)).await;
    let issued = ensure(&*storage, Place::Terminal).await.unwrap().unwrap();
    assert!(issued.login.starts_with("admin-"), "{}", issued.login);
}

#[tokio::test]
async fn an_expired_token_and_a_member_with_the_scope_do_not_count() {
    let storage = memory::open().storage;
    let (member, admin) = (user("ada", UserRole::Member), user("root", UserRole::Admin));
    let at = SystemClock.now();
    let token = |user: &User, expires_at| Token {
        id: RandomIds.next(at),
        user_id: user.id,
        name: "old".into(),
        scopes: vec![TokenScope::Admin],
        hash: Some(TokenSecret::generate().unwrap().hash()),
        expires_at,
        last_used_at: None,
        created_at: at,
        updated_at: at,
        revision: 1,
    };
    let tokens = [token(&member, None), token(&admin, Some(at.plus_seconds(-1)))];
    create(&*storage, member).await;
    create(&*storage, admin.clone()).await;
    for token in tokens {
        create(&*storage, token).await;
    }
    let issued = ensure(&*storage, Place::Terminal).await.unwrap().unwrap();
    assert_eq!(issued.login, admin.login);
}

#[tokio::test]
async fn of_two_gateways_one_makes_it() {
    for _ in 0..20 {
        let storage = memory::open().storage;
        let start = || {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { ensure(&*storage, Place::Terminal).await.unwrap().is_some() })
        };
        let (a, b) = (start(), start());
        assert_eq!([a.await.unwrap(), b.await.unwrap()].iter().filter(|made| **made).count(), 1);
    }
}

#[tokio::test]
async fn its_file_is_for_this_user_only_and_leaves_an_earlier_one_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let [file, old, elsewhere] = ["mosaic-admin.token", "mosaic-admin.token.old", "elsewhere"].map(|name| directory.path().join(name));
    std::fs::write(&elsewhere, "precious").unwrap();
    symlink(&elsewhere, &file).unwrap();

    let storage = memory::open().storage;
    ensure(&*storage, Place::File(file.clone())).await.unwrap().unwrap();
    signed_in(&*storage, &std::fs::read_to_string(&file).unwrap()).await;
    assert_eq!(std::fs::symlink_metadata(&file).unwrap().mode(), 0o100_600);
    assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "precious");
    assert!(old.is_symlink(), "it may have been another gateway's");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3, "nothing else is left behind");
}

#[tokio::test]
async fn two_gateways_in_one_directory_leave_the_file_of_the_one_that_made_it() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosaic-admin.token");
        let storage = memory::open().storage;
        let start = || {
            let (storage, place) = (Arc::clone(&storage), Place::File(file.clone()));
            tokio::spawn(async move { ensure(&*storage, place).await.unwrap() })
        };
        let (a, b) = (start(), start());
        assert_ne!(a.await.unwrap().is_some(), b.await.unwrap().is_some());
        signed_in(&*storage, &std::fs::read_to_string(&file).unwrap()).await;
    }
}

#[tokio::test]
async fn without_a_file_nothing_is_made() {
    let storage = memory::open().storage;
    let error = ensure(&*storage, Place::File("/nonexistent/mosaic-admin.token".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("file=/nonexistent/mosaic-admin.token"), "{error}");
    assert!(error.hint_text().unwrap().starts_with("MOSAIC_ADMIN_TOKEN_FILE="));
    assert!(storage.list(Scope::System, &Query::new(Kind::User)).await.unwrap().items.is_empty());
}
