//! Lists: each filter and each order, over several spaces, in pages that show every item once.

use mosaic_core::{
    Entity, Field, Id, Kind, Membership, MembershipRole, Note, PAGE_ITEMS, Query, Record, Scope, Task, TaskStatus, Team, Timestamp, Token,
    User,
};

use super::Env;
use super::records::{as_admin, as_user};

/// What a list must be: these records in this order, whatever the size of the pages.
async fn assert_lists(env: &Env, scope: Scope, query: &Query, records: &[Record]) {
    let mut expected = records.to_vec();
    expected.sort_by_key(|record| (record.value(query.order.name), record.id()));
    if query.descending {
        expected.reverse();
    }
    for limit in [1, 2, 3, 7, expected.len().clamp(1, PAGE_ITEMS), PAGE_ITEMS] {
        let listed = env.list(scope, &query.clone().limit(limit).unwrap()).await;
        let keys = |records: &[Record]| records.iter().map(|r| (r.value(query.order.name), r.id())).collect::<Vec<_>>();
        assert_eq!(keys(&listed), keys(&expected), "{query:?} in pages of {limit}");
        assert_eq!(listed, expected);
    }
}

/// Checks every order of a kind, both ways.
async fn assert_lists_in_every_order(env: &Env, scope: Scope, query: &Query, records: &[Record]) {
    for Field { name, .. } in query.kind.orders() {
        for name in [(*name).to_owned(), format!("-{name}")] {
            assert_lists(env, scope, &query.clone().order(&name).unwrap(), records).await;
        }
    }
}

/// Times that are out of order, and some of them equal.
fn scattered(i: usize) -> (Timestamp, Timestamp) {
    let base: Timestamp = "2024-05-06T07:08:09.000001Z".parse().unwrap();
    let place = i64::try_from(i * 7 % 11).unwrap();
    (base.plus_seconds(place / 2), base.plus_seconds(1000 - i64::try_from(i * 5 % 13).unwrap() / 3))
}

/// A user with content in their own space and in three teams, among which there are equal times; and what they see.
async fn busy_user(env: &Env) -> (User, Vec<Team>, Vec<Record>) {
    let user = env.user().await;
    let mut spaces = vec![None];
    for _ in 0..3 {
        let team = env.team().await;
        env.join(&team, &user, MembershipRole::Member).await;
        spaces.push(Some(team));
    }
    let statuses = [TaskStatus::Open, TaskStatus::Done, TaskStatus::Blocked];
    let mut records: Vec<Record> = Vec::new();
    for i in 0..24 {
        let team_id = spaces[i % 4].as_ref().map(|team| team.id);
        let (created_at, updated_at) = scattered(i);
        let assignee_id = (i % 5 == 0).then_some(user.id);
        records.push(Task { team_id, assignee_id, status: statuses[i % 3], created_at, updated_at, ..env.new_task(&user) }.into());
        records.push(Note { team_id, created_at, updated_at, ..env.new_note(&user) }.into());
    }
    for record in &records {
        env.create(Scope::System, record.clone()).await.unwrap();
    }
    // What must not turn up: another team's, and another user's own.
    let (stranger, elsewhere) = (env.user().await, env.team().await);
    env.content(&stranger, None).await;
    env.content(&stranger, Some(&elsewhere)).await;
    (user, spaces.into_iter().flatten().collect(), records)
}

fn of_kind(records: &[Record], kind: Kind) -> Vec<Record> {
    records.iter().filter(|record| record.kind() == kind).cloned().collect()
}

pub async fn content_of_several_spaces_comes_in_one_order(env: &Env) {
    let (user, _, records) = busy_user(env).await;
    for kind in [Kind::Task, Kind::Note] {
        assert_eq!(of_kind(&records, kind).len(), 24);
        assert_lists_in_every_order(env, as_user(&user), &Query::new(kind), &of_kind(&records, kind)).await;
        assert_lists(env, Scope::Admin(user.id), &Query::new(kind), &of_kind(&records, kind)).await;
    }
}

pub async fn a_space_narrows_a_list(env: &Env) {
    let (user, teams, records) = busy_user(env).await;
    for kind in [Kind::Task, Kind::Note] {
        for space_id in teams.iter().map(|team| team.id).chain([user.id]) {
            let query = Query::new(kind).filter("space_id", &space_id.to_string()).unwrap();
            let those: Vec<_> = of_kind(&records, kind).into_iter().filter(|record| record.space_id() == Some(space_id)).collect();
            assert_eq!(those.len(), 6);
            for scope in [as_user(&user), Scope::System] {
                assert_lists_in_every_order(env, scope, &query, &those).await;
            }
        }
    }
}

pub async fn a_space_that_is_not_ones_own_is_empty(env: &Env) {
    let (user, teams, _) = busy_user(env).await;
    let (other, admin) = (env.user().await, env.admin().await);
    for kind in [Kind::Task, Kind::Note] {
        for space_id in teams.iter().map(|team| team.id).chain([user.id, env.id()]) {
            let query = Query::new(kind).filter("space_id", &space_id.to_string()).unwrap();
            assert_lists(env, as_user(&other), &query, &[]).await;
            assert_lists(env, as_admin(&admin), &query, &[]).await;
        }
    }
}

pub async fn status_and_assignee_narrow_a_list(env: &Env) {
    let (user, teams, records) = busy_user(env).await;
    let tasks: Vec<Task> = of_kind(&records, Kind::Task).into_iter().map(|record| record.try_into().unwrap()).collect();
    let those = |wanted: &dyn Fn(&Task) -> bool| tasks.iter().filter(|task| wanted(task)).cloned().map(Record::Task).collect::<Vec<_>>();
    let list = || Query::new(Kind::Task);
    let (me, space) = (user.id.to_string(), teams[2].id.to_string());
    let scope = as_user(&user);

    let cancelled = list().filter("status", "cancelled").unwrap();
    assert_lists_in_every_order(env, scope, &cancelled, &[]).await;

    type Wanted<'w> = &'w dyn Fn(&Task) -> bool;
    let mine: Wanted = &|task| task.assignee_id == Some(user.id);
    let open: Wanted = &|task| task.status == TaskStatus::Open;
    let here: Wanted = &|task| task.team_id == Some(teams[2].id);
    let filters = [("assignee_id", me.as_str(), mine), ("status", "open", open), ("space_id", space.as_str(), here)];
    // Each choice of them.
    for choice in 1..8_usize {
        let chosen = || filters.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1).map(|(_, filter)| filter);
        let query = chosen().fold(list(), |query, (name, value, _)| query.filter(name, value).unwrap());
        let expected = those(&|task| chosen().all(|(_, _, wanted)| wanted(task)));
        assert!(!expected.is_empty() && expected.len() < tasks.len(), "{query:?} has {} records to find", expected.len());
        assert_lists_in_every_order(env, scope, &query, &expected).await;
    }
}

pub async fn a_value_that_no_record_has_makes_an_empty_list(env: &Env) {
    let (user, _, _) = busy_user(env).await;
    let query = Query::new(Kind::Task).filter("status", "cancelled").unwrap();
    assert_lists(env, as_user(&user), &query, &[]).await;
    let query = Query::new(Kind::Task).filter("assignee_id", &env.id().to_string()).unwrap();
    assert_lists(env, as_user(&user), &query, &[]).await;
    let query = Query::new(Kind::User).filter("login", "nonsense ' \u{1F600}").unwrap();
    assert_lists(env, Scope::System, &query, &[]).await;
}

/// Names whose order differs between code points and what a locale makes of them.
fn names(env: &Env) -> Vec<String> {
    let stem = env.name();
    ["", "-a", ".b", "_c", "0", "9", "a", "a-b", "aa", "a.b", "a_b", "ab", "b", "z", "za", "z-"]
        .iter()
        .map(|tail| format!("{stem}{tail}"))
        .collect()
}

pub async fn users_are_listed_in_every_order(env: &Env) {
    let team = env.team().await;
    let mut users = Vec::new();
    for (i, login) in names(env).into_iter().rev().enumerate() {
        let (created_at, updated_at) = scattered(i);
        let user = env.stored(User { login, created_at, updated_at, ..env.new_user() }).await;
        env.join(&team, &user, MembershipRole::Member).await;
        users.push(user);
    }
    let records: Vec<Record> = users.iter().cloned().map(Record::User).collect();
    assert_lists_in_every_order(env, as_user(&users[3]), &Query::new(Kind::User), &records).await;
    for user in &users {
        let query = Query::new(Kind::User).filter("login", &user.login).unwrap();
        for scope in [as_user(&users[3]), Scope::System] {
            assert_lists(env, scope, &query, &[user.clone().into()]).await;
        }
    }
}

pub async fn teams_are_listed_in_every_order(env: &Env) {
    let user = env.user().await;
    let mut teams = Vec::new();
    for (i, slug) in names(env).into_iter().enumerate() {
        let (created_at, updated_at) = scattered(i);
        let team = env.stored(Team { slug, created_at, updated_at, ..env.new_team() }).await;
        env.join(&team, &user, MembershipRole::Member).await;
        teams.push(Record::Team(team));
    }
    assert_lists_in_every_order(env, as_user(&user), &Query::new(Kind::Team), &teams).await;
    for team in &teams {
        let Record::Team(Team { slug, .. }) = team else { panic!("{team:?}") };
        let query = Query::new(Kind::Team).filter("slug", slug).unwrap();
        for scope in [as_user(&user), Scope::System] {
            assert_lists(env, scope, &query, std::slice::from_ref(team)).await;
        }
    }
}

pub async fn memberships_are_listed_by_team_and_by_user(env: &Env) {
    let (one, other) = (env.team().await, env.team().await);
    let (mut of_one, mut all): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
    let mut users = Vec::new();
    for i in 0..9 {
        let (created_at, updated_at) = scattered(i);
        let user = env.user().await;
        for team in [&one, &other].into_iter().take(if i % 3 == 0 { 2 } else { 1 }) {
            let membership = env.stored(Membership { created_at, updated_at, ..env.new_membership(team, &user) }).await;
            if team.id == one.id {
                of_one.push(membership.clone().into());
            }
            all.push(membership.into());
        }
        users.push(user);
    }
    // The first user is in both teams, the second in one.
    assert_lists_in_every_order(env, as_user(&users[0]), &Query::new(Kind::Membership), &all).await;
    assert_lists_in_every_order(env, as_user(&users[1]), &Query::new(Kind::Membership), &of_one).await;
    let by_team = Query::new(Kind::Membership).filter("team_id", &one.id.to_string()).unwrap();
    let by_user = Query::new(Kind::Membership).filter("user_id", &users[3].id.to_string()).unwrap();
    let of_user = |records: &[Record]| {
        records.iter().filter(|r| matches!(r, Record::Membership(m) if m.user_id == users[3].id)).cloned().collect::<Vec<_>>()
    };
    for scope in [as_user(&users[0]), Scope::System] {
        assert_lists_in_every_order(env, scope, &by_team, &of_one).await;
        assert_lists_in_every_order(env, scope, &by_user, &of_user(&all)).await;
    }
    assert_eq!((of_user(&all).len(), of_user(&of_one).len()), (2, 1));
    assert_lists(env, as_user(&users[1]), &by_user, &of_user(&of_one)).await;
    let both = by_team.filter("user_id", &users[3].id.to_string()).unwrap();
    assert_lists(env, Scope::System, &both, &of_user(&of_one)).await;
}

pub async fn tokens_are_listed_in_every_order(env: &Env) {
    let (user, other) = (env.user().await, env.user().await);
    env.stored(env.new_token(&other)).await;
    let mut tokens = Vec::new();
    for i in 0..9 {
        let (created_at, updated_at) = scattered(i);
        tokens.push(Record::Token(env.stored(Token { created_at, updated_at, ..env.new_token(&user) }).await));
    }
    assert_lists_in_every_order(env, as_user(&user), &Query::new(Kind::Token), &tokens).await;
    let query = Query::new(Kind::Token).filter("user_id", &user.id.to_string()).unwrap();
    for scope in [as_user(&user), as_admin(&other), Scope::System] {
        assert_lists_in_every_order(env, scope, &query, &tokens).await;
    }
    assert_lists(env, as_user(&other), &query, &[]).await;
}

/// Admins see all users, of whom there are many by others' doing: theirs must be among them, in order.
pub async fn admins_list_every_account(env: &Env) {
    let (admin, user) = (env.admin().await, env.user().await);
    for (order, descending) in [("login", false), ("-login", true), ("created_at", false), ("-updated_at", true)] {
        let query = Query::new(Kind::User).order(order).unwrap().limit(PAGE_ITEMS).unwrap();
        let listed = env.list(as_admin(&admin), &query).await;
        let keys: Vec<(_, Id)> = listed.iter().map(|record| (record.value(query.order.name), record.id())).collect();
        assert!(keys.is_sorted_by(|a, b| if descending { a > b } else { a < b }), "by {order}");
        assert!([&admin, &user].into_iter().all(|user| listed.iter().any(|record| record.id() == user.id())));
    }
}
