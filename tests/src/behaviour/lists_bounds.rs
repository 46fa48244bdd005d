//! Pages: their bounds in items and bytes, and what they show while records come and go.

use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Kind, Note, PAGE_BYTES, PAGE_ITEMS, Query, Record, Task, Timestamp, User};

use super::Env;
use super::records::as_user;

/// Tasks of a user, a second apart.
async fn tasks(env: &Env, user: &User, count: i64) -> Vec<Record> {
    let base: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    let mut tasks = Vec::new();
    for i in 0..count {
        let at = base.plus_seconds(i);
        tasks.push(Record::Task(env.stored(Task { created_at: at, updated_at: at, ..env.new_task(user) }).await));
    }
    tasks
}

pub async fn a_page_holds_as_many_items_as_asked_for(env: &Env) {
    let user = env.user().await;
    let tasks = tasks(env, &user, 12).await;
    for limit in [1, 2, 5, 11] {
        let page = env.page(as_user(&user), &Query::new(Kind::Task).limit(limit).unwrap()).await;
        assert_eq!(page.items, tasks[..limit]);
        assert!(page.next.is_some());
    }
}

pub async fn the_last_page_says_that_it_is(env: &Env) {
    let user = env.user().await;
    assert_eq!(env.page(as_user(&user), &Query::new(Kind::Task)).await.next, None);
    let tasks = tasks(env, &user, 6).await;
    for limit in [6, 7, PAGE_ITEMS] {
        let page = env.page(as_user(&user), &Query::new(Kind::Task).limit(limit).unwrap()).await;
        assert_eq!((page.items.len(), page.next), (6, None), "of at most {limit}");
    }
    let query = Query::new(Kind::Task).limit(3).unwrap();
    let first = env.page(as_user(&user), &query).await;
    let second = env.page(as_user(&user), &query.clone().after(first.next)).await;
    assert_eq!((second.items.as_slice(), second.next), (&tasks[3..], None));
    let behind = env.page(as_user(&user), &query.clone().after(query.position(&tasks[5]))).await;
    assert_eq!((behind.items.len(), behind.next), (0, None));
}

pub async fn a_page_holds_200_items_at_most(env: &Env) {
    let user = env.user().await;
    let all: Vec<Task> = (0..PAGE_ITEMS + 1).map(|_| env.new_task(&user)).collect();
    env.apply(as_user(&user), all.iter().cloned().map(|task| mosaic_core::Change::Create(task.into())).collect()).await.unwrap();
    let query = Query::new(Kind::Task).limit(PAGE_ITEMS).unwrap();
    let page = env.page(as_user(&user), &query).await;
    assert_eq!(page.items.len(), PAGE_ITEMS);
    let rest = env.page(as_user(&user), &query.after(page.next)).await;
    assert_eq!((rest.items, rest.next), (vec![Record::Task(all[PAGE_ITEMS].clone())], None));
}

pub async fn a_page_of_large_records_ends_early(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    env.join(&team, &user, mosaic_core::MembershipRole::Member).await;
    let mut notes = Vec::new();
    for i in 0..7 {
        let body = char::from(b'a' + i).to_string().repeat(BODY_BYTES);
        let team_id = (i % 2 == 0).then_some(team.id);
        notes.push(Record::Note(env.stored(Note { body, team_id, ..env.new_note(&user) }).await));
    }
    for order in ["created_at", "-created_at"] {
        let mut query = Query::new(Kind::Note).order(order).unwrap().limit(PAGE_ITEMS).unwrap();
        let mut seen = Vec::new();
        loop {
            let page = env.page(as_user(&user), &query).await;
            let bytes: usize = page
                .items
                .iter()
                .map(|item| matches!(item, Record::Note(note) if note.body.len() == BODY_BYTES))
                .map(|whole| if whole { BODY_BYTES } else { 0 })
                .sum();
            assert!(!page.items.is_empty() && bytes <= PAGE_BYTES, "a page of {bytes} bytes");
            seen.extend(page.items);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        if query.descending {
            seen.reverse();
        }
        assert!(seen == notes, "every note once and in order");
    }
}

/// Storage holds no bound on a body; what is past a page's is shown all the same, and what comes behind it too.
pub async fn a_record_larger_than_a_page_is_a_page_of_its_own(env: &Env) {
    let user = env.user().await;
    let mut notes = Vec::new();
    for bytes in [3, PAGE_BYTES + 1, 5] {
        notes.push(Record::Note(env.stored(Note { body: "x".repeat(bytes), ..env.new_note(&user) }).await));
    }
    for (order, expected) in [("created_at", [0, 1, 2]), ("-created_at", [2, 1, 0])] {
        let mut query = Query::new(Kind::Note).order(order).unwrap();
        for (i, place) in expected.into_iter().enumerate() {
            let page = env.page(as_user(&user), &query).await;
            assert!(page.items == notes[place..=place], "page {i} by {order} has {} items", page.items.len());
            assert_eq!(page.next.is_some(), i < 2);
            query = query.after(page.next);
        }
    }
}

pub async fn what_comes_in_behind_is_seen_and_what_comes_in_before_is_not(env: &Env) {
    let user = env.user().await;
    let tasks = tasks(env, &user, 6).await;
    let query = Query::new(Kind::Task).limit(2).unwrap();
    let first = env.page(as_user(&user), &query).await;
    assert_eq!(first.items, tasks[..2]);

    let [before, behind] = [-10, 10].map(|seconds| tasks[1].created_at().plus_seconds(seconds));
    env.stored(Task { created_at: before, updated_at: before, ..env.new_task(&user) }).await;
    let late = Record::Task(env.stored(Task { created_at: behind, updated_at: behind, ..env.new_task(&user) }).await);
    let rest = env.list(as_user(&user), &query.after(first.next)).await;
    assert_eq!(rest[..4], tasks[2..]);
    assert_eq!(rest[4..], [late]);
}

pub async fn a_list_goes_on_behind_an_item_that_is_gone(env: &Env) {
    let user = env.user().await;
    let tasks = tasks(env, &user, 5).await;
    let query = Query::new(Kind::Task).limit(2).unwrap();
    let first = env.page(as_user(&user), &query).await;
    env.delete(as_user(&user), Kind::Task, tasks[1].id()).await.unwrap();
    assert_eq!(env.list(as_user(&user), &query.after(first.next)).await, tasks[2..]);
}

pub async fn items_with_equal_keys_are_ordered_by_id(env: &Env) {
    let user = env.user().await;
    let at = env.now();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(Record::Task(env.stored(Task { created_at: at, updated_at: at, ..env.new_task(&user) }).await));
    }
    tasks.sort_by_key(Record::id);
    for limit in [1, 3, 20] {
        let query = Query::new(Kind::Task).limit(limit).unwrap();
        assert_eq!(env.list(as_user(&user), &query).await, tasks);
        let mut backwards = env.list(as_user(&user), &query.order("-created_at").unwrap()).await;
        backwards.reverse();
        assert_eq!(backwards, tasks);
    }
}

pub async fn a_list_orders_times_across_the_ages(env: &Env) {
    let user = env.user().await;
    let mut tasks = Vec::new();
    for at in [Timestamp::MIN, "1969-12-31T23:59:59.999999Z".parse().unwrap(), "1970-01-01T00:00:00Z".parse().unwrap(), Timestamp::MAX] {
        tasks.push(Record::Task(env.stored(Task { created_at: at, updated_at: at, ..env.new_task(&user) }).await));
    }
    for limit in [1, 4] {
        assert_eq!(env.list(as_user(&user), &Query::new(Kind::Task).limit(limit).unwrap()).await, tasks);
    }
}

pub async fn an_updated_item_moves_in_the_list(env: &Env) {
    let user = env.user().await;
    let mut tasks = tasks(env, &user, 3).await;
    let first = env.update(as_user(&user), tasks.remove(0)).await.unwrap();
    tasks.push(first);
    assert_eq!(env.list(as_user(&user), &Query::new(Kind::Task).order("updated_at").unwrap()).await, tasks);
}
