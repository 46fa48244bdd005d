//! States: small named documents, written by whoever knows the version.

use mosaic_core::{ErrorKind, State, StateWrite};
use serde_json::{Value, json};

use super::Env;
use super::check::refused;

fn write(name: &str, value: impl Into<Option<Value>>, expect: u64) -> StateWrite {
    StateWrite { name: name.into(), value: value.into(), expect }
}

pub async fn what_was_never_written_is_absent(env: &Env) {
    assert_eq!(env.storage.state(&env.name()).await.unwrap(), None);
}

pub async fn versions_count_the_writes(env: &Env) {
    let name = env.name();
    for version in 1..=3 {
        let value = json!({ "holder": "gateway", "n": version });
        assert_eq!(env.storage.put_state(&write(&name, value.clone(), version - 1)).await.unwrap(), version);
        assert_eq!(env.storage.state(&name).await.unwrap(), Some(State { value, version }));
    }
}

pub async fn a_write_at_another_version_is_stale(env: &Env) {
    let name = env.name();
    refused(env.storage.put_state(&write(&name, json!(1), 1)).await, ErrorKind::Stale);
    refused(env.storage.put_state(&write(&name, None, 1)).await, ErrorKind::Stale);
    env.storage.put_state(&write(&name, json!(1), 0)).await.unwrap();
    env.storage.put_state(&write(&name, json!(2), 1)).await.unwrap();
    for expect in [0, 1, 3, u64::from(u32::MAX)] {
        refused(env.storage.put_state(&write(&name, json!(3), expect)).await, ErrorKind::Stale);
        refused(env.storage.put_state(&write(&name, None, expect)).await, ErrorKind::Stale);
    }
    assert_eq!(env.storage.state(&name).await.unwrap(), Some(State { value: json!(2), version: 2 }));
}

/// No version comes twice: whoever held the removed one is stale for good.
pub async fn a_state_that_is_made_anew_goes_on_counting(env: &Env) {
    let name = env.name();
    env.storage.put_state(&write(&name, json!("here"), 0)).await.unwrap();
    for version in 1..=3 {
        assert_eq!(env.storage.put_state(&write(&name, None, version)).await.unwrap(), 0);
        assert_eq!(env.storage.state(&name).await.unwrap(), None);
        for value in [Some(json!("here")), None] {
            let error = refused(env.storage.put_state(&write(&name, value, version)).await, ErrorKind::Stale);
            assert_eq!(error.get("version"), Some("0"), "{error}");
        }
        assert_eq!(env.storage.put_state(&write(&name, None, 0)).await.unwrap(), 0);
        let value = json!("again");
        assert_eq!(env.storage.put_state(&write(&name, value.clone(), 0)).await.unwrap(), version + 1);
        assert_eq!(env.storage.state(&name).await.unwrap(), Some(State { value, version: version + 1 }));
        for expect in [0, version] {
            refused(env.storage.put_state(&write(&name, json!("late"), expect)).await, ErrorKind::Stale);
            refused(env.storage.put_state(&write(&name, None, expect)).await, ErrorKind::Stale);
        }
    }
}

pub async fn to_remove_what_is_absent_as_expected_is_no_error(env: &Env) {
    assert_eq!(env.storage.put_state(&write(&env.name(), None, 0)).await.unwrap(), 0);
}

pub async fn documents_are_kept_as_they_are(env: &Env) {
    let documents = [
        Value::Null,
        json!(true),
        json!(-7),
        json!(u64::MAX),
        json!(0.1),
        json!(""),
        json!("\u{1F600} é \" \\ \n"),
        json!([]),
        json!([[1], {}, null]),
        json!({}),
        json!({ "z": 1, "a": { "b": [null, false] }, "": "empty", "é": 2 }),
        json!("x".repeat(100_000)),
    ];
    for value in documents {
        let name = env.name();
        env.storage.put_state(&write(&name, value.clone(), 0)).await.unwrap();
        assert_eq!(env.storage.state(&name).await.unwrap(), Some(State { value, version: 1 }));
    }
}

pub async fn names_are_told_apart(env: &Env) {
    let name = env.name();
    let names = [name.clone(), name.to_uppercase(), format!("{name} "), format!("{name}:é"), format!("{name}%"), format!("{name}/")];
    for (i, name) in names.iter().enumerate() {
        env.storage.put_state(&write(name, json!(i), 0)).await.unwrap();
    }
    for (i, name) in names.iter().enumerate() {
        assert_eq!(env.storage.state(name).await.unwrap().map(|state| state.value), Some(json!(i)));
    }
}

pub async fn of_16_writers_none_is_lost(env: &'static Env) {
    let name: &'static str = env.name().leak();
    let writers: Vec<_> = (0..16).map(|_| tokio::spawn(count_up(env, name, 5))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(env.storage.state(name).await.unwrap(), Some(State { value: json!(80), version: 80 }));
}

/// Adds one to a number, `times` times, each time until it holds.
async fn count_up(env: &Env, name: &str, times: u64) {
    for _ in 0..times {
        loop {
            let now = env.storage.state(name).await.unwrap().unwrap_or(State { value: json!(0), version: 0 });
            let next = json!(now.value.as_u64().unwrap() + 1);
            match env.storage.put_state(&write(name, next, now.version)).await {
                Ok(version) => break assert_eq!(version, now.version + 1),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Stale, "{error}"),
            }
        }
    }
}

pub async fn of_16_who_take_a_lease_one_gets_it(env: &'static Env) {
    let name: &'static str = env.name().leak();
    let takers: Vec<_> =
        (0..16).map(|holder| tokio::spawn(async move { env.storage.put_state(&write(name, json!(holder), 0)).await })).collect();
    let mut holders = Vec::new();
    for (holder, taker) in takers.into_iter().enumerate() {
        match taker.await.unwrap() {
            Ok(version) => holders.push((holder, version)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stale, "{error}"),
        }
    }
    let held = env.storage.state(name).await.unwrap().unwrap();
    assert_eq!(holders, [(usize::try_from(held.value.as_u64().unwrap()).unwrap(), 1)]);
}

pub async fn a_ping_is_answered(env: &Env) {
    env.storage.ping().await.unwrap();
}

pub async fn a_closed_storage_refuses_every_call(env: &Env) {
    let env = env.another().await;
    let user = env.user().await;
    env.storage.close().await.unwrap();
    let scope = mosaic_core::Scope::System;
    refused(env.storage.get(scope, mosaic_core::Kind::User, user.id).await, ErrorKind::Unavailable);
    refused(env.storage.list(scope, &mosaic_core::Query::new(mosaic_core::Kind::User)).await, ErrorKind::Unavailable);
    refused(env.create(scope, env.new_user()).await, ErrorKind::Unavailable);
    refused(env.storage.export(None, 1, mosaic_core::Tokens::Omit).await, ErrorKind::Unavailable);
    refused(env.storage.load(&[user.into()], None).await, ErrorKind::Unavailable);
    refused(env.storage.authenticate(&mosaic_core::TokenHash([0; 32])).await, ErrorKind::Unavailable);
    refused(env.storage.touch_token(env.id(), env.now()).await, ErrorKind::Unavailable);
    refused(env.storage.state("any").await, ErrorKind::Unavailable);
    refused(env.storage.put_state(&write("any", json!(1), 0)).await, ErrorKind::Unavailable);
    refused(env.storage.ping().await, ErrorKind::Unavailable);
}
