//! Searches by words: every word occurs, only what may be seen is found, and an excerpt shows it. Cases search for words of their own.

use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Hit, Id, Kind, Message, Note, Record, Scope, Search, Task, User};

use super::Env;
use super::records::{as_admin, as_user, renamed};

async fn hits(env: &Env, scope: Scope, text: &str) -> Vec<Hit> {
    env.storage.search(scope, &Search::new(text).unwrap()).await.unwrap()
}

async fn found(env: &Env, scope: Scope, text: &str) -> Vec<Id> {
    let mut ids: Vec<_> = hits(env, scope, text).await.iter().map(|hit| hit.id).collect();
    ids.sort_unstable();
    ids
}

async fn note(env: &Env, user: &User, title: &str, body: &str) -> Note {
    env.stored(Note { title: title.into(), body: body.into(), ..env.new_note(user) }).await
}

pub async fn every_word_occurs_in_what_is_found(env: &Env) {
    let user = env.user().await;
    let note = note(env, &user, "Bernoulli numbers", "The engine weaves algebraic patterns; Łódź, naïve.").await;
    let scope = as_user(&user);
    for text in ["bernoulli", "BERNOULLI numbers", "weave number", "\"algebraic\" & (patterns | -x)", "naive", "patterns history"] {
        let expected = if text.contains('x') { vec![] } else { vec![note.id] };
        assert_eq!(found(env, scope, text).await, expected, "{text}");
    }
    for text in ["bernoulli absent", "bern", "'; DROP TABLE notes; --"] {
        assert!(found(env, scope, text).await.is_empty(), "{text}");
    }
}

pub async fn tasks_notes_and_messages_are_found(env: &Env) {
    let user = env.user().await;
    let word = env.name();
    let session = env.stored(env.new_session(&user)).await;
    let message: Message = env
        .create(as_user(&user), Message { content: format!("On {word}"), ..env.new_message(&session) })
        .await
        .unwrap()
        .try_into()
        .unwrap();
    let task = env.stored(Task { tags: vec![word.clone()], ..env.new_task(&user) }).await;
    let note = note(env, &user, &word, "").await;
    let all = hits(env, as_user(&user), &word).await;
    let hit = |id: Id| all.iter().find(|hit| hit.id == id).unwrap();
    assert_eq!(all.len(), 3);
    let of_message = hit(message.id);
    assert_eq!((of_message.kind, of_message.session_id, of_message.title.as_str()), (Kind::Message, Some(session.id), "On patterns"));
    assert_eq!(
        of_message.excerpt.iter().map(|piece| (piece.text.as_str(), piece.found)).collect::<Vec<_>>(),
        [("On ", false), (&word, true)]
    );
    assert_eq!((hit(task.id).kind, hit(task.id).title.as_str(), hit(task.id).space_id), (Kind::Task, "Union types", user.id));
    assert_eq!((hit(note.id).session_id, hit(note.id).created_at, hit(note.id).updated_at), (None, note.created_at, note.updated_at));
    for (kind, id) in [(Kind::Task, task.id), (Kind::Note, note.id), (Kind::Message, message.id)] {
        let search = Search::new(&word).unwrap().kinds(vec![kind]).unwrap();
        assert_eq!(env.storage.search(as_user(&user), &search).await.unwrap().iter().map(|hit| hit.id).collect::<Vec<_>>(), [id]);
    }
}

pub async fn only_what_may_be_seen_is_found(env: &Env) {
    let crew = env.crew().await;
    let word = env.name();
    let in_team = env.stored(Note { body: word.clone(), ..env.new_team_note(&crew.member, &crew.team) }).await;
    let own = note(env, &crew.member, "Own", &word).await;
    let mut both = vec![in_team.id, own.id];
    both.sort_unstable();
    assert_eq!(found(env, as_user(&crew.member), &word).await, both);
    assert_eq!(found(env, Scope::System, &word).await, both);
    assert_eq!(found(env, as_user(&crew.lead), &word).await, [in_team.id]);
    for scope in [as_user(&crew.removed), as_user(&crew.outsider), as_admin(&crew.admin), Scope::User(env.id())] {
        assert!(found(env, scope, &word).await.is_empty(), "{scope:?}");
    }
    for (scope, space_id, expected) in [
        (as_user(&crew.member), crew.team.id, vec![in_team.id]),
        (as_user(&crew.member), crew.member.id, vec![own.id]),
        (Scope::System, crew.member.id, vec![own.id]),
        (as_user(&crew.lead), crew.member.id, vec![]),
        (as_user(&crew.outsider), crew.team.id, vec![]),
    ] {
        let mut search = Search::new(&word).unwrap();
        search.space_id = Some(space_id);
        let ids: Vec<_> = env.storage.search(scope, &search).await.unwrap().iter().map(|hit| hit.id).collect();
        assert_eq!(ids, expected, "{scope:?} {space_id}");
    }
}

/// A space is kept beside the words: a text that names one is not taken for it.
pub async fn a_text_does_not_pass_for_a_space(env: &Env) {
    let (user, other) = (env.user().await, env.user().await);
    let word = env.name();
    note(env, &other, &format!(" {}", user.id), &format!("' {}' {word} {}", user.id, user.id)).await;
    assert!(found(env, as_user(&user), &word).await.is_empty());
}

pub async fn what_is_changed_is_found_as_it_is_now(env: &Env) {
    let user = env.user().await;
    let (before, after) = (env.name(), env.name());
    let record = Record::Note(note(env, &user, &before, "").await);
    let record = env.update(as_user(&user), renamed(&record, &after)).await.unwrap();
    assert!(found(env, as_user(&user), &before).await.is_empty());
    assert_eq!(found(env, as_user(&user), &after).await, [record.id()]);
    env.delete(as_user(&user), Kind::Note, record.id()).await.unwrap();
    assert!(found(env, as_user(&user), &after).await.is_empty());
}

pub async fn words_of_any_script_are_found(env: &Env) {
    let user = env.user().await;
    let note = note(env, &user, "容器资源的原地更新 🚀", "Обновление ресурсов · עדכון · अद्यतन · “quoted”—dash ｆｕｌｌ").await;
    for text in ["更新", "原地", "🚀", "обновление", "עדכון", "अद्यतन", "quoted", "dash", "full", "a 更".trim_start_matches("a ")]
    {
        assert_eq!(found(env, as_user(&user), text).await, [note.id], "{text}");
    }
    for text in ["容積", "🎉", "x"] {
        assert!(found(env, as_user(&user), text).await.is_empty(), "{text}");
    }
}

pub async fn large_texts_are_kept_and_found(env: &Env) {
    let user = env.user().await;
    let word = env.name();
    let many: String = (0..)
        .map(|n| format!("{n:x} "))
        .scan(0, |bytes, word| {
            *bytes += word.len();
            (*bytes < BODY_BYTES - 100).then_some(word)
        })
        .collect();
    let long = "9".repeat(BODY_BYTES - 100);
    let emoji = "🚀 ".repeat(BODY_BYTES / 6);
    let mut expected = Vec::new();
    for body in [format!("{word} {many}"), format!("{word} {long}"), format!("{word} {emoji}")] {
        expected.push(note(env, &user, "Large", &body).await.id);
    }
    expected.sort_unstable();
    assert_eq!(found(env, as_user(&user), &word).await, expected);
}

pub async fn a_search_answers_as_many_as_were_asked_for(env: &Env) {
    let user = env.user().await;
    let word = env.name();
    for _ in 0..30 {
        note(env, &user, &word, "").await;
    }
    for limit in [1, 20, 100] {
        let search = Search::new(&word).unwrap().limit(limit).unwrap();
        let hits = env.storage.search(as_user(&user), &search).await.unwrap();
        assert_eq!(hits.len(), limit.min(30));
        // Of what fits alike, the newest come first.
        assert!(hits.is_sorted_by(|a, b| a.created_at > b.created_at));
    }
}
