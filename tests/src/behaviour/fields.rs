//! What is stored is what was given: every field, every character, every time.

use mosaic_core::model::{BODY_BYTES, TITLE_CHARS};
use mosaic_core::{Note, Record, Scope, Task, TaskStatus, Timestamp, Token, TokenScope, User};

use super::Env;
use super::records::as_user;

/// Checks that a record reads as it was made.
async fn assert_kept(env: &Env, owner: &User, record: impl Into<Record>) {
    let record = record.into();
    assert_eq!(env.create(as_user(owner), record.clone()).await.unwrap(), record);
    assert_eq!(env.get(as_user(owner), record.kind(), record.id()).await, Some(record));
}

/// A character or two of every plane that has any, and what text is often broken by.
const TEXT: &str = "Aé ß İ ﬁ 漢字 \u{1F600} \u{2F800} \u{323AF} \u{E0100} \u{FFFFD} \u{10FFFD} e\u{301} \u{202E}abc \u{FEFF} \u{7F} \u{1} \u{85} \t\r\n ' \" \\ \\u0000 $1 %s \\N {} ; --";

pub async fn every_field_is_kept(env: &Env) {
    let crew = env.crew().await;
    for status in [TaskStatus::Open, TaskStatus::InProgress, TaskStatus::Blocked, TaskStatus::Done, TaskStatus::Cancelled] {
        let task = Task {
            assignee_id: Some(crew.colleague.id),
            title: "Sketch the note G".into(),
            body: "Bernoulli's numbers.\n\n- [ ] *all* of them".into(),
            status,
            priority: 4,
            due_at: Some("1843-09-01T09:30:00.000001Z".parse().unwrap()),
            tags: ["zeta", "alpha", "Alpha", ""].iter().filter(|tag| !tag.is_empty()).map(ToString::to_string).collect(),
            ..env.new_team_task(&crew.member, &crew.team)
        };
        assert_kept(env, &crew.member, task).await;
    }
    let note = Note { tags: vec!["b".into(), "a".into()], ..env.new_team_note(&crew.member, &crew.team) };
    assert_kept(env, &crew.member, note).await;
}

pub async fn what_may_be_missing_may_be_missing(env: &Env) {
    let user = env.user().await;
    assert_kept(env, &user, Task { body: String::new(), tags: Vec::new(), due_at: None, ..env.new_task(&user) }).await;
    assert_kept(env, &user, Note { body: String::new(), tags: Vec::new(), ..env.new_note(&user) }).await;
    let nameless = env.stored(User { email: None, ..env.new_user() }).await;
    assert_eq!(nameless.email, None);
    let token = env.stored(Token { expires_at: None, scopes: TokenScope::ALL.to_vec(), ..env.new_token(&user) }).await;
    assert_eq!((token.expires_at, token.scopes.as_slice()), (None, TokenScope::ALL));
}

pub async fn every_character_is_kept(env: &Env) {
    let user = env.user().await;
    let tags = vec![TEXT.to_owned(), "\u{1F9E9}".to_owned(), " leading and trailing ".to_owned()];
    assert_kept(env, &user, Task { title: TEXT.into(), body: TEXT.into(), tags: tags.clone(), ..env.new_task(&user) }).await;
    assert_kept(env, &user, Note { title: TEXT.into(), body: TEXT.into(), tags, ..env.new_note(&user) }).await;
    assert_eq!(env.stored(User { name: TEXT.into(), ..env.new_user() }).await.name, TEXT);
    assert_eq!(env.stored(mosaic_core::Team { name: TEXT.into(), ..env.new_team() }).await.name, TEXT);
}

pub async fn every_plane_of_unicode_is_kept(env: &Env) {
    let user = env.user().await;
    for plane in 0..=16_u32 {
        // Every 97th code point; NUL and the surrogates are no part of a text.
        let body: String = (plane << 16..(plane + 1) << 16).step_by(97).filter(|c| *c != 0).filter_map(char::from_u32).collect();
        assert_kept(env, &user, Note { title: format!("Plane {plane}"), body, ..env.new_note(&user) }).await;
    }
}

pub async fn texts_at_their_bounds_are_kept(env: &Env) {
    let user = env.user().await;
    let title = "\u{1F600}".repeat(TITLE_CHARS);
    let tags: Vec<_> = (0..mosaic_core::model::TAGS).map(|i| format!("{i:0>width$}", width = mosaic_core::model::TAG_CHARS)).collect();
    assert_kept(env, &user, Task { title, tags, ..env.new_task(&user) }).await;
    // Not all the same character: what compresses well would hide a limit on what is stored.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from((state >> 24) % 94).unwrap())
    });
    let body: String = noise.take(BODY_BYTES).collect();
    assert_kept(env, &user, Note { body, ..env.new_note(&user) }).await;
}

pub async fn times_at_the_edges_are_kept(env: &Env) {
    let user = env.user().await;
    for time in [
        "0001-01-01T00:00:00Z",
        "0099-12-31T23:59:59.999999Z",
        "1582-10-10T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2000-02-29T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        let time: Timestamp = time.parse().unwrap();
        let task = Task { created_at: time, updated_at: time, due_at: Some(time), ..env.new_task(&user) };
        assert_kept(env, &user, task).await;
    }
    assert_eq!((Timestamp::MIN.to_string().len(), Timestamp::MAX.to_string().len()), (20, 27));
}

pub async fn ids_of_any_version_are_kept(env: &Env) {
    let user = env.user().await;
    let random = env.id().as_u128();
    for id in [random & !(0xF << 76), random | 0xF << 76 | 0b11 << 62, u128::MAX ^ random] {
        assert_kept(env, &user, Task { id: mosaic_core::Id::from_u128(id), ..env.new_task(&user) }).await;
    }
    assert!(env.get(Scope::System, mosaic_core::Kind::Task, mosaic_core::Id::nil()).await.is_none());
    assert!(env.get(Scope::System, mosaic_core::Kind::Task, mosaic_core::Id::max()).await.is_none());
}
