//! Lists: pages, filters, orders, and cursors that were tampered with.

use serde_json::{Value, json};

use super::text;
use crate::harness::{Client, shared};

/// Reads a list page by page; answers its items and how many pages there were.
async fn walk(client: &Client, list: &str, limit: usize) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = client.get(&format!("{list}&limit={limit}{cursor}")).await.expect(200);
        assert!(page.items().len() <= limit);
        items.extend(page.items());
        pages += 1;
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, pages),
        }
    }
}

#[tokio::test]
async fn pages_hold_every_item_once_and_in_order() {
    let gateway = shared().await;
    let ann = gateway.person("lists-ann").await;
    let team = gateway.admin().create("teams", json!({ "slug": "lists.team", "name": "Team" })).await;
    gateway.admin().create("memberships", json!({ "team_id": team["id"], "user_id": ann.id })).await;
    let mut made = Vec::new();
    for n in 0..23 {
        let mut task = json!({ "title": n.to_string(), "status": if n % 3 == 0 { "done" } else { "open" } });
        if n % 2 == 0 {
            task["team_id"] = team["id"].clone();
        }
        made.push(ann.client.create("tasks", task).await);
    }
    made.sort_by_key(|task| (text(task, "created_at"), text(task, "id")));
    let (all, pages) = walk(&ann.client, "/api/v1/tasks?order=created_at", 5).await;
    assert_eq!((&all, pages), (&made, 5));
    let (mut down, _) = walk(&ann.client, "/api/v1/tasks?order=-created_at", 7).await;
    down.reverse();
    assert_eq!(down, made);

    let in_team: Vec<_> = made.iter().filter(|task| task["team_id"] == team["id"]).cloned().collect();
    let space = text(&team, "id");
    assert_eq!(walk(&ann.client, &format!("/api/v1/tasks?space_id={space}"), 5).await.0, in_team);
    let done: Vec<_> = made.iter().filter(|task| task["status"] == "done").cloned().collect();
    assert_eq!(walk(&ann.client, "/api/v1/tasks?status=done", 3).await.0, done);
    let both: Vec<_> = in_team.iter().filter(|task| task["status"] == "done").cloned().collect();
    assert_eq!(walk(&ann.client, &format!("/api/v1/tasks?status=done&space_id={space}"), 1).await.0, both);
    assert!(walk(&ann.client, &format!("/api/v1/tasks?assignee_id={}", ann.id), 5).await.0.is_empty());
}

#[tokio::test]
async fn texts_are_ordered_by_code_point() {
    let admin = shared().await.admin();
    for slug in ["order-b", "order.a", "order_c", "order0"] {
        admin.create("teams", json!({ "slug": slug, "name": "Team" })).await;
    }
    let (teams, _) = walk(&admin, "/api/v1/teams?order=slug", 3).await;
    let slugs: Vec<_> = teams.iter().map(|team| text(team, "slug")).filter(|slug| slug.starts_with("order")).collect();
    assert_eq!(slugs, ["order-b", "order.a", "order0", "order_c"]);
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_is_refused() {
    let ann = shared().await.person("lists-cursor").await.client;
    for n in 0..3 {
        ann.create("notes", json!({ "title": n.to_string() })).await;
    }
    let cursor = text(&ann.get("/api/v1/notes?limit=1").await.expect(200).json(), "next_cursor");
    let first = if cursor.starts_with('A') { "B" } else { "A" };
    let (head, tail) = cursor.split_at(cursor.len() / 2);
    let flipped = if tail.starts_with('A') { "B" } else { "A" };
    let tampered = [
        format!("{first}{}", &cursor[1..]),
        format!("{head}{flipped}{}", &tail[1..]),
        format!("{cursor}AAAA"),
        head.to_owned(),
        "%00".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ];
    for wrong in tampered {
        ann.get(&format!("/api/v1/notes?limit=1&cursor={wrong}")).await.refusal(400, "invalid_cursor", "cursor");
    }
    // One of another list is no better.
    for list in ["notes?order=-created_at", "notes?order=updated_at", "tasks?limit=1"] {
        ann.get(&format!("/api/v1/{list}&cursor={cursor}")).await.refusal(400, "invalid_cursor", "cursor");
    }
    // The limit may change between pages.
    assert_eq!(ann.get(&format!("/api/v1/notes?limit=5&cursor={cursor}")).await.expect(200).items().len(), 2);
}

#[tokio::test]
async fn what_a_list_cannot_do_is_named() {
    let ann = shared().await.person("lists-bad").await.client;
    for (query, names) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("order=title", "order"),
        ("colour=red", "colour"),
        ("space_id=7", "space_id"),
        ("status=open&status=done", "status"),
        ("view=everything", "view"),
        ("status=%00", "status"),
        ("status=%ff", "UTF-8"),
    ] {
        ann.get(&format!("/api/v1/tasks?{query}")).await.refusal(400, "invalid_request", names);
    }
}
