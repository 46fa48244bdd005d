//! Exports: all records of all kinds, in a fixed order, in pages.

use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Id, Kind, Loaded, Message, Note, PAGE_BYTES, Record, Scope, Task, Tokens, User};

use super::Env;
use super::records::with_id;
use crate::generator::{HostileData, assert_same_records, fill, hostile};

/// Reads an export to its end, and checks its order.
async fn export(env: &Env, limit: usize, tokens: Tokens) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = env.storage.export(records.last().map(|last| (last.kind(), last.id())), limit, tokens).await.unwrap();
        assert!(page.len() <= limit, "a page of {} records, {limit} at most", page.len());
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    let places: Vec<_> = records.iter().map(|record| (record.kind(), record.id())).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "by kind, then by id, each once");
    records
}

/// Notes with ids that follow each other, so that a page can hold them and nothing else; and the place before them.
fn neighbours(env: &Env, user: &User, count: u128, body: &str) -> ((Kind, Id), Vec<Record>) {
    let base = env.id().as_u128();
    let note = |i| with_id(&Note { body: body.into(), ..env.new_note(user) }.into(), Id::from_u128(base + i));
    ((Kind::Note, Id::from_u128(base)), (1..=count).map(note).collect())
}

pub async fn an_export_holds_every_record_as_it_was_loaded(env: &Env) {
    let (user, team) = (User { revision: 9, ..env.new_user() }, env.new_team());
    let membership = env.new_membership(&team, &user);
    let token = env.new_token(&user);
    let task = Task { assignee_id: Some(user.id), revision: 3, ..env.new_team_task(&user, &team) };
    let note = env.new_note(&user);
    let session = env.new_team_session(&user, &team);
    let message = Message { seq: 5, ..env.new_message(&session) };
    let given: [Record; 8] =
        [user.into(), team.into(), membership.into(), token.into(), task.into(), note.into(), session.into(), message.into()];
    env.storage.load(&given, None).await.unwrap();

    let exported = export(env, 500, Tokens::WithHashes).await;
    let own = |record: &&Record| given.iter().any(|one| one.id() == record.id());
    assert_eq!(exported.iter().filter(own).cloned().collect::<Vec<_>>(), given, "in dependency order, with the token's hash");
    let without = export(env, 500, Tokens::Omit).await;
    assert!(without.iter().all(|record| record.kind() != Kind::Token), "no token at all");
    assert_eq!(without.iter().filter(own).count(), 7);
}

pub async fn an_export_shows_changes(env: &Env) {
    let user = env.user().await;
    let record = env.content(&user, None).await.remove(1);
    let updated = env.update(Scope::System, super::records::renamed(&record, "Changed")).await.unwrap();
    let before = (record.kind(), Id::from_u128(record.id().as_u128() - 1));
    assert_eq!(env.storage.export(Some(before), 1, Tokens::Omit).await.unwrap(), [updated]);
    env.delete(Scope::System, record.kind(), record.id()).await.unwrap();
    let next = env.storage.export(Some(before), 1, Tokens::Omit).await.unwrap();
    assert!(next.iter().all(|next| next.id() != record.id()));
}

pub async fn pages_of_an_export_follow_each_other(env: &Env) {
    let user = env.user().await;
    let (start, notes) = neighbours(env, &user, 10, "");
    env.storage.load(&notes, None).await.unwrap();
    for limit in [1, 3, 10] {
        let (mut after, mut seen) = (start, Vec::new());
        while seen.len() < notes.len() {
            let page = env.storage.export(Some(after), limit.min(notes.len() - seen.len()), Tokens::Omit).await.unwrap();
            after = page.last().map(|last| (last.kind(), last.id())).unwrap();
            seen.extend(page);
        }
        assert_eq!(seen, notes);
    }
}

pub async fn an_export_goes_from_one_kind_to_the_next(env: &Env) {
    env.user().await;
    env.team().await;
    let first = env.storage.export(None, 1, Tokens::WithHashes).await.unwrap();
    assert_eq!(first.iter().map(Record::kind).collect::<Vec<_>>(), [Kind::User]);
    let behind_users = env.storage.export(Some((Kind::User, Id::max())), 1, Tokens::WithHashes).await.unwrap();
    assert_eq!(behind_users.iter().map(Record::kind).collect::<Vec<_>>(), [Kind::Team]);
    assert_eq!(env.storage.export(Some((Kind::Message, Id::max())), 10, Tokens::WithHashes).await.unwrap(), []);
}

pub async fn an_export_without_tokens_passes_over_them(env: &Env) {
    let user = env.user().await;
    let membership = env.join(&env.team().await, &user, mosaic_core::MembershipRole::Member).await;
    env.stored(env.new_token(&user)).await;
    env.content(&user, None).await;
    // From the last place of memberships on, whatever the size of the page, the next is a task.
    assert_eq!(membership.revision, 1);
    for limit in [1, 7] {
        let page = env.storage.export(Some((Kind::Membership, Id::max())), limit, Tokens::Omit).await.unwrap();
        assert_eq!(page.first().map(Record::kind), Some(Kind::Task));
        let page = env.storage.export(Some((Kind::Token, Id::nil())), limit, Tokens::Omit).await.unwrap();
        assert_eq!(page.first().map(Record::kind), Some(Kind::Task));
    }
}

pub async fn a_page_of_large_records_ends_early(env: &Env) {
    let user = env.user().await;
    let (start, notes) = neighbours(env, &user, 6, &"b".repeat(BODY_BYTES));
    for note in &notes {
        env.storage.load(std::slice::from_ref(note), None).await.unwrap();
    }
    let (mut after, mut seen) = (start, Vec::new());
    while seen.len() < notes.len() {
        let page = env.storage.export(Some(after), notes.len() - seen.len(), Tokens::Omit).await.unwrap();
        assert!(!page.is_empty() && page.len() * BODY_BYTES <= PAGE_BYTES, "a page of {} large records", page.len());
        after = page.last().map(|last| (last.kind(), last.id())).unwrap();
        seen.extend(page);
    }
    assert!(seen == notes, "every note once and in order");
}

/// The first and the last of all ids among it: nothing that is gone through begins behind the first.
pub async fn what_is_awkward_is_exported_as_it_was_loaded(env: &Env) {
    let env = env.another().await;
    let HostileData { records, .. } = hostile(1);
    fill(&env.backend(), records.clone(), []).await;
    assert_same_records(records.clone(), export(&env, 500, Tokens::WithHashes).await);
    for records in records.chunks(50) {
        for (record, loaded) in records.iter().zip(env.storage.load(records, None).await.unwrap()) {
            assert!(matches!(loaded, Loaded::Unchanged), "{} {}: {loaded:?}", record.kind(), record.id());
        }
    }
}
