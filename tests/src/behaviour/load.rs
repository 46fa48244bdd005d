//! Loading: records are taken over as they are, and what cannot be taken is refused by itself.

use mosaic_core::model::BODY_BYTES;
use mosaic_core::{
    ErrorKind, Kind, Loaded, Membership, MembershipRole, Note, Record, Scope, StateWrite, Task, Team, Timestamp, Token, TokenHash, User,
    UserRole,
};
use serde_json::json;

use super::Env;
use super::check::refused;
use super::records::{as_user, at_revision, renamed, with_id};

/// Loads records, and says in a word what became of each: `added`, `unchanged`, `conflict`, `invalid`.
async fn load(env: &Env, records: &[Record]) -> Vec<&'static str> {
    let loaded = env.storage.load(records, None).await.unwrap();
    loaded.iter().map(word).collect()
}

fn word(loaded: &Loaded) -> &'static str {
    match loaded {
        Loaded::Added => "added",
        Loaded::Unchanged => "unchanged",
        Loaded::Refused(error) => error.kind().code(),
    }
}

/// Records of every kind that refer to each other, with times and revisions of their own, in dependency order.
fn world(env: &Env) -> Vec<Record> {
    let (user, team) = (User { role: UserRole::Admin, revision: 3, ..env.new_user() }, Team { revision: 2, ..env.new_team() });
    let membership = Membership { role: MembershipRole::Owner, revision: 4, ..env.new_membership(&team, &user) };
    let token = Token { last_used_at: Some(env.now()), revision: 5, ..env.new_token(&user) };
    let task = Task { assignee_id: Some(user.id), updated_at: env.now(), revision: 6, ..env.new_team_task(&user, &team) };
    let note = Note { updated_at: env.now(), revision: 7, ..env.new_note(&user) };
    vec![user.into(), team.into(), membership.into(), token.into(), task.into(), note.into()]
}

pub async fn records_are_taken_over_as_they_are(env: &Env) {
    let records = world(env);
    assert_eq!(load(env, &records).await, ["added"; 6]);
    for record in records {
        let stored = env.get(Scope::System, record.kind(), record.id()).await;
        assert_eq!(stored, Some(record.without_secrets()));
    }
}

pub async fn what_is_there_already_is_unchanged(env: &Env) {
    let records = world(env);
    load(env, &records).await;
    assert_eq!(load(env, &records).await, ["unchanged"; 6]);
    let user = User::try_from(records[0].clone()).unwrap();
    let fresh = Record::Note(env.new_note(&user));
    assert_eq!(load(env, &[records[5].clone(), fresh.clone(), fresh]).await, ["unchanged", "added", "unchanged"]);
}

pub async fn what_was_made_otherwise_is_unchanged_too(env: &Env) {
    let user = env.user().await;
    let mut records = env.content(&user, None).await;
    records.push(user.into());
    assert_eq!(load(env, &records).await, ["unchanged"; 3]);
}

pub async fn that_a_token_was_used_is_no_difference(env: &Env) {
    let records = world(env);
    load(env, &records).await;
    env.storage.touch_token(records[3].id(), env.now()).await.unwrap();
    assert_eq!(load(env, &records).await, ["unchanged"; 6]);
}

pub async fn what_differs_in_anything_is_a_conflict(env: &Env) {
    let records = world(env);
    load(env, &records).await;
    let mut different: Vec<Record> = records.iter().map(|record| at_revision(record, record.revision() + 1)).collect();
    let renameable = records.iter().filter(|record| !matches!(record, Record::Membership(_)));
    different.extend(renameable.map(|record| renamed(record, "Another")));
    for mut record in records.clone() {
        let revision = record.revision();
        record.stamp(env.now(), revision);
        different.push(record);
    }
    let expected = vec!["conflict"; different.len()];
    assert_eq!(load(env, &different).await, expected);
    assert_eq!(load(env, &records).await, ["unchanged"; 6], "what was there stays");
}

pub async fn names_that_are_taken_are_conflicts(env: &Env) {
    let records = world(env);
    load(env, &records).await;
    let [Record::User(user), Record::Team(team), _, Record::Token(token), ..] = records.as_slice() else { panic!("{records:?}") };
    let taken = [
        User { login: user.login.clone(), ..env.new_user() }.into(),
        Team { slug: team.slug.clone(), ..env.new_team() }.into(),
        env.new_membership(team, user).into(),
        Token { hash: token.hash, ..env.new_token(user) }.into(),
        User { id: team.id, ..env.new_user() }.into(),
        Team { id: user.id, ..env.new_team() }.into(),
    ];
    assert_eq!(load(env, &taken).await, ["conflict"; 6]);
}

pub async fn references_that_lead_nowhere_are_invalid(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    let (nobody, nowhere) = (env.new_user(), env.new_team());
    let records = [
        env.new_membership(&team, &nobody).into(),
        env.new_membership(&nowhere, &user).into(),
        env.new_token(&nobody).into(),
        env.new_task(&nobody).into(),
        env.new_team_task(&user, &nowhere).into(),
        Task { assignee_id: Some(nobody.id), ..env.new_team_task(&user, &team) }.into(),
        Task { assignee_id: Some(nobody.id), ..env.new_task(&user) }.into(),
        env.new_note(&nobody).into(),
        env.new_team_note(&user, &nowhere).into(),
    ];
    assert_eq!(load(env, &records).await, ["invalid"; 9]);
    for record in records {
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, None);
    }
}

pub async fn an_assignee_who_could_not_read_the_task_is_invalid(env: &Env) {
    let crew = env.crew().await;
    let task = |assignee: &User| Record::Task(Task { assignee_id: Some(assignee.id), ..env.new_team_task(&crew.member, &crew.team) });
    let own = |assignee: &User| Record::Task(Task { assignee_id: Some(assignee.id), ..env.new_task(&crew.member) });
    let records = [task(&crew.colleague), task(&crew.outsider), task(&crew.removed), own(&crew.member), own(&crew.colleague)];
    assert_eq!(load(env, &records).await, ["added", "invalid", "invalid", "added", "invalid"]);
}

pub async fn a_token_without_its_hash_is_invalid(env: &Env) {
    let user = env.user().await;
    assert_eq!(load(env, &[Token { hash: None, ..env.new_token(&user) }.into()]).await, ["invalid"]);
}

pub async fn the_same_id_twice_in_a_batch_counts_once(env: &Env) {
    let user = env.user().await;
    let record = Record::Task(env.new_task(&user));
    let other = renamed(&record, "Another");
    assert_eq!(load(env, &[record.clone(), record.clone(), other, record.clone()]).await, ["added", "unchanged", "conflict", "unchanged"]);
    assert_eq!(env.get(as_user(&user), record.kind(), record.id()).await, Some(record));
}

pub async fn the_same_name_twice_in_a_batch_goes_to_the_first(env: &Env) {
    let (one, login) = (env.new_user(), env.name());
    let records = [User { login: login.clone(), ..one.clone() }, User { login, ..env.new_user() }].map(Record::User);
    assert_eq!(load(env, &records).await, ["added", "conflict"]);
    let (user, team) = (env.user().await, env.team().await);
    let twice = [env.new_membership(&team, &user), env.new_membership(&team, &user)].map(Record::Membership);
    assert_eq!(load(env, &twice).await, ["added", "conflict"]);
    let hash = Some(TokenHash(std::array::from_fn(|i| one.id.as_bytes()[i % 16])));
    let tokens = [0, 1].map(|_| Record::Token(Token { hash, ..env.new_token(&user) }));
    assert_eq!(load(env, &tokens).await, ["added", "conflict"]);
}

pub async fn what_refers_to_a_refused_record_is_refused_too(env: &Env) {
    let taken = env.user().await;
    let user = User { login: taken.login.clone(), ..env.new_user() };
    let team = env.new_team();
    let task = Task { assignee_id: Some(user.id), ..env.new_team_task(&taken, &team) };
    let records = [
        user.clone().into(),
        team.clone().into(),
        env.new_membership(&team, &user).into(),
        env.new_token(&user).into(),
        env.new_note(&user).into(),
        task.into(),
        env.new_team_note(&taken, &team).into(),
    ];
    assert_eq!(load(env, &records).await, ["conflict", "added", "invalid", "invalid", "invalid", "invalid", "added"]);
}

pub async fn a_refusal_says_why_and_leaves_the_rest(env: &Env) {
    let (user, nobody) = (env.user().await, env.new_user());
    let good: Vec<Record> = (0..5).map(|_| env.new_note(&user).into()).collect();
    let mut records = good.clone();
    records.insert(2, env.new_note(&nobody).into());
    let loaded = env.storage.load(&records, None).await.unwrap();
    let words: Vec<_> = loaded.iter().map(word).collect();
    assert_eq!(words, ["added", "added", "invalid", "added", "added", "added"]);
    let Loaded::Refused(error) = &loaded[2] else { panic!("{loaded:?}") };
    assert!(error.to_string().contains(&nobody.id.to_string()), "the refusal names what is missing: {error}");
    for record in good {
        assert!(env.get(as_user(&user), record.kind(), record.id()).await.is_some());
    }
}

pub async fn times_revisions_and_sizes_at_the_edges_are_taken(env: &Env) {
    let user = env.new_user();
    let mut records = vec![Record::User(User { created_at: Timestamp::MIN, updated_at: Timestamp::MAX, ..user.clone() })];
    for (created_at, updated_at) in [(Timestamp::MIN, Timestamp::MIN), (Timestamp::MIN, Timestamp::MAX), (Timestamp::MAX, Timestamp::MIN)] {
        records.push(Task { created_at, updated_at, due_at: Some(updated_at), ..env.new_task(&user) }.into());
    }
    records.push(Task { revision: i64::MAX as u64, ..env.new_task(&user) }.into());
    records.push(Note { body: "\u{10FFFF}".repeat(BODY_BYTES / 4), ..env.new_note(&user) }.into());
    records.push(Note { body: String::new(), tags: Vec::new(), ..env.new_note(&user) }.into());
    assert_eq!(load(env, &records).await, ["added"; 7]);
    assert_eq!(load(env, &records).await, ["unchanged"; 7]);
    for record in records {
        assert!(env.get(Scope::System, record.kind(), record.id()).await == Some(record));
    }
}

pub async fn a_thousand_records_go_in_at_once(env: &Env) {
    let user = env.new_user();
    let mut records = vec![Record::User(user.clone())];
    for i in 0..500_usize {
        let tags = (0..i % 4).map(|tag| format!("tag {tag}")).collect();
        let due_at = (i % 3 == 0).then(|| env.now());
        records.push(Task { tags, due_at, priority: u8::try_from(i % 5).unwrap(), ..env.new_task(&user) }.into());
        records.push(Note { body: "x".repeat(i), ..env.new_note(&user) }.into());
    }
    assert_eq!(load(env, &records).await, vec!["added"; 1001]);
    assert_eq!(load(env, &records).await, vec!["unchanged"; 1001]);
    let tasks: Vec<Record> = env.list(as_user(&user), &mosaic_core::Query::new(mosaic_core::Kind::Task)).await;
    let given: Vec<Record> = records.into_iter().filter(|record| matches!(record, Record::Task(_))).collect();
    assert_eq!(tasks, given);
}

pub async fn nothing_to_load_is_no_error(env: &Env) {
    assert_eq!(load(env, &[]).await, [""; 0]);
}

pub async fn a_loaded_record_goes_on_from_its_revision(env: &Env) {
    let records = world(env);
    load(env, &records).await;
    let updated = env.update(Scope::System, renamed(&records[5], "After the move")).await.unwrap();
    assert_eq!((updated.revision(), updated.created_at()), (8, records[5].created_at()));
}

pub async fn a_state_goes_with_what_is_loaded(env: &Env) {
    let user = env.user().await;
    let name = env.name();
    let write = |expect| StateWrite { name: name.clone(), value: Some(json!({ "line": expect })), expect };
    let [one, two] = [env.new_note(&user), env.new_note(&user)].map(Record::Note);
    env.storage.load(std::slice::from_ref(&one), Some(&write(0))).await.unwrap();
    assert_eq!(env.storage.state(&name).await.unwrap().map(|state| state.version), Some(1));

    refused(env.storage.load(std::slice::from_ref(&two), Some(&write(0))).await, ErrorKind::Stale);
    assert_eq!(env.get(as_user(&user), two.kind(), two.id()).await, None);

    // A record that is refused is no reason to hold the state back.
    let refused_one = with_id(&Record::Note(env.new_note(&env.new_user())), env.id());
    let loaded = env.storage.load(&[refused_one, two.clone()], Some(&write(1))).await.unwrap();
    assert_eq!(loaded.iter().map(word).collect::<Vec<_>>(), ["invalid", "added"]);
    assert_eq!(env.storage.state(&name).await.unwrap().map(|state| state.version), Some(2));
}

pub async fn of_concurrent_loads_each_record_is_added_once(env: &'static Env) {
    let user = env.user().await;
    let records: Vec<Record> = (0..50).map(|_| env.new_note(&user).into()).collect();
    let loads: Vec<_> = (0..4)
        .map(|_| {
            (
                records.clone(),
                tokio::spawn({
                    let records = records.clone();
                    async move { load(env, &records).await }
                }),
            )
        })
        .map(|(_, load)| load)
        .collect();
    let mut added = vec![0; records.len()];
    for load in loads {
        for (i, word) in load.await.unwrap().into_iter().enumerate() {
            assert!(matches!(word, "added" | "unchanged"), "{word}");
            added[i] += usize::from(word == "added");
        }
    }
    assert_eq!(added, vec![1; records.len()]);
}

/// A body counts as any other field, also where it is all that differs, and much larger than what is given.
pub async fn a_body_that_differs_is_a_conflict(env: &Env) {
    let user = env.user().await;
    let mut kept: Vec<Record> = Vec::new();
    for body in ["", "short", &"long ".repeat(100_000), "é\u{1F600}"] {
        kept.push(env.stored(Note { body: body.into(), ..env.new_note(&user) }).await.into());
        kept.push(env.stored(Task { body: body.into(), ..env.new_task(&user) }).await.into());
    }
    assert_eq!(load(env, &kept).await, ["unchanged"; 8]);
    let mut given = kept.clone();
    for (i, record) in given.iter_mut().enumerate() {
        match record {
            Record::Note(note) if i % 4 < 2 => note.body = "other".into(),
            Record::Task(task) if i % 4 < 2 => task.body.push('x'),
            _ => {}
        }
    }
    assert_eq!(load(env, &given).await, ["conflict", "conflict", "unchanged", "unchanged"].repeat(2));
    for record in kept {
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, Some(record));
    }
}

/// What a record refers to is removed while a batch is loaded: that record is refused by itself, the rest goes in.
pub async fn what_refers_to_a_record_that_goes_meanwhile_is_refused_alone(env: &'static Env) {
    let keeper = env.user().await;
    for _ in 0..16 {
        let user = env.user().await;
        let records: Vec<Record> = (0..60).map(|i| env.new_task(if i == 30 { &user } else { &keeper }).into()).collect();
        let remove = tokio::spawn(env.delete(Scope::System, Kind::User, user.id));
        let load = {
            let records = records.clone();
            tokio::spawn(async move { env.storage.load(&records, None).await })
        };
        let removed = remove.await.unwrap();
        let loaded = load.await.unwrap().unwrap();
        for (i, loaded) in loaded.iter().enumerate() {
            let refused = i == 30 && removed.is_ok();
            assert!(matches!((loaded, refused), (Loaded::Added, false) | (Loaded::Refused(_), true)), "{i}: {loaded:?}, {removed:?}");
        }
    }
}
