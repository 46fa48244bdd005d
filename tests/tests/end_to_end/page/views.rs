//! Each view shows what there is, to be read by all, on every screen; nothing goes wrong meanwhile, and nobody else is asked for anything.

use serde_json::{Value, json};

use super::Browser;
use super::looks::look;
use crate::harness::{Client, Gateway, shared};

/// An operator with something of everything.
async fn operator(gateway: &Gateway, login: &str) -> Client {
    let user = gateway.admin().create("users", json!({ "login": login, "name": "Ada Okafor", "role": "admin" })).await;
    gateway.token(user["id"].as_str().unwrap(), &["read", "write", "agent", "operator"]).await
}

const BODY: &str = "# The gutter\n\nIt **leaks** at the joint, see [the manual](https://example.org/gutters).\n\n- [ ] sealant\n- [x] ladder\n\n\
    | part | price |\n|:--|--:|\n| sealant | 12.50 |\n\n```sh\nmosaic task list --status open --a-long-line-that-scrolls-and-does-not-widen-the-page yes\n```\n\n> Not in the rain.";

async fn session(client: &Client) -> Value {
    let session = client.create("sessions", json!({ "title": "Plans for the week", "agent": "planner" })).await;
    let path = format!("sessions/{}/messages", session["id"].as_str().unwrap());
    let call = json!({ "id": "call-1", "name": "task_list", "arguments": "{\"status\":\"open\"}" });
    for message in [
        json!({ "role": "user", "content": "What is open?" }),
        json!({ "role": "assistant", "content": "Let me look.", "tool_calls": [call], "finish": "tool_calls" }),
        json!({ "role": "tool", "content": "{\"items\":[{\"title\":\"Mend the gutter\"}]}", "tool_call_id": "call-1" }),
        json!({ "role": "assistant", "content": "The **gutter** is.", "finish": "answered" }),
        json!({ "role": "user", "content": "And then?" }),
        json!({ "role": "assistant", "content": "", "finish": "failed", "error": "the model server went away" }),
    ] {
        client.create(&path, message).await;
    }
    session
}

#[tokio::test]
async fn every_view_shows_what_there_is() {
    let gateway = shared().await;
    let ada = operator(&gateway, "page-views").await;
    let me = ada.get("/api/v1/me").await.expect(200).json()["user"]["id"].clone();
    let task = json!({
        "title": "Mend the gutter over the back door before the storms", "body": BODY, "priority": 1, "status": "in_progress", "assignee_id": me,
        "due_at": "2026-01-05T10:00:00Z", "tags": ["house", "a-tag-without-any-place-where-it-could-be-broken-on-a-small-screen"],
    });
    let task = ada.create("tasks", task).await;
    for n in 0..35 {
        let status = ["open", "blocked", "done", "cancelled"][n % 4];
        ada.create("tasks", json!({ "title": format!("Task {n}"), "status": status, "priority": n % 5 })).await;
    }
    let note = ada
        .create("notes", json!({ "title": "How we name things", "body": "One word for one thing.\n\n".repeat(3), "tags": ["style"] }))
        .await;
    let session = session(&ada).await;
    let id = |record: &Value| record["id"].as_str().unwrap().to_owned();

    let browser = Browser::open(&gateway.url()).await;
    look(&browser, "sign-in").await;
    browser.sign_in(&ada).await;
    let views: &[(&str, String, &str, &[&str])] = &[
        ("sessions", "/sessions".into(), "Sessions", &["Plans for the week", "with planner", "Open"]),
        (
            "session",
            format!("/sessions/{}", id(&session)),
            "Plans for the week",
            &["What is open?", "task_list", "The gutter is.", "The model failed: the model server went away"],
        ),
        ("session-new", "/sessions/new".into(), "New session", &["Your message"]),
        (
            "tasks",
            "/tasks?order=created_at".into(),
            "Tasks",
            &["Mend the gutter", "In progress", "Urgent priority", "for me", "house", "Show more"],
        ),
        (
            "tasks-none",
            "/tasks?status=in_progress&assignee_id=00000000-0000-0000-0000-0000000000ff".into(),
            "Tasks",
            &["No task is like that."],
        ),
        (
            "task",
            format!("/tasks/{}", id(&task)),
            "Mend the gutter over the back door before the storms",
            &["The gutter", "It leaks at the joint", "12.50", "☑ ladder"],
        ),
        ("task-edit", format!("/tasks/{}/edit", id(&task)), "Edit task", &["Ctrl+Enter saves"]),
        ("task-new", "/tasks/new".into(), "New task", &["Make the task"]),
        ("notes", "/notes".into(), "Notes", &["How we name things", "style"]),
        ("note", format!("/notes/{}", id(&note)), "How we name things", &["One word for one thing."]),
        ("search", "/search?q=gutter".into(), "Search", &["Mend the gutter", "said in a session", "found"]),
        ("search-none", "/search?q=nowheretobefound".into(), "Search", &["Nothing has all of these words."]),
        ("health", "/health".into(), "Health", &["Tier local", "local.directory", "gateway.listen", "Answers and is ready"]),
    ];
    for (name, path, heading, texts) in views {
        browser.go(path, heading).await;
        for text in *texts {
            browser.shows(text).await;
        }
        look(&browser, name).await;
        assert_eq!(browser.value("document.title").await, format!("{heading} · Mosaic"));
        assert_eq!(browser.console().await, Vec::<String>::new(), "{name}");
    }
    browser.go("/nowhere", "There is nothing here").await;

    let origin = format!("{}/", gateway.url());
    let asked_for = browser.asked_for().await;
    assert!(asked_for.len() > 20, "{asked_for:?}");
    assert_eq!(asked_for.iter().find(|url| !url.starts_with(&origin)), None, "nobody else is asked for anything");
}

#[tokio::test]
async fn lists_are_narrowed_and_go_on_and_a_session_goes_back() {
    let gateway = shared().await;
    let person = gateway.person("page-lists").await;
    for n in 0..40 {
        person.client.create("tasks", json!({ "title": format!("Task {n}"), "status": if n % 8 == 0 { "blocked" } else { "open" } })).await;
    }
    let session = person.client.create("sessions", json!({ "title": "Long", "agent": "planner" })).await;
    let agent = gateway.token(&person.id, &["agent"]).await;
    let path = format!("sessions/{}/messages", session["id"].as_str().unwrap());
    for n in 0..60 {
        agent.create(&path, json!({ "role": "user", "content": format!("message {n}.") })).await;
    }
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&person.client).await;
    browser.shows("Long").await;

    browser.go("/tasks", "Tasks").await;
    let rows = "document.querySelectorAll('.rows > li').length";
    assert_eq!(browser.value(rows).await, 30);
    browser.press("Show more").await;
    browser.until("the rest is there", &format!("{rows} === 40")).await;
    assert_eq!(browser.value("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Show more')").await, false);
    browser.run("const one = document.getElementById('filter-status'); one.value = 'blocked'; one.dispatchEvent(new Event('change', { bubbles: true }))", json!([])).await;
    browser.until("only those are shown", &format!("{rows} === 5")).await;
    assert_eq!(browser.value("location.hash").await, "#/tasks?status=blocked");
    browser.run("history.back()", json!([])).await;
    browser.until("all are shown again", &format!("{rows} === 30")).await;

    browser.go(&format!("/sessions/{}", session["id"].as_str().unwrap()), "Long").await;
    let said = "[...document.querySelectorAll('.said .markdown')].map((one) => one.textContent)";
    browser.until("the last ones are there", &format!("{said}.at(-1) === 'message 59.' && {said}.length === 50")).await;
    browser.press("Show earlier messages").await;
    browser
        .until("all are there, in order", &format!("{said}.length === 60 && {said}.every((text, n) => text === `message ${{n}}.`)"))
        .await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_token_may_not_do_is_said_in_the_gateways_words() {
    let gateway = shared().await;
    let person = gateway.person("page-member").await;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&person.client).await;
    browser.shows("No sessions yet.").await;
    browser.run("location.hash = '/health'", json!([])).await;
    browser.shows("The token may not be used for this").await;
    browser.shows("Use a token that has the scope operator").await;
    browser.run("location.hash = '/tasks/00000000-0000-0000-0000-0000000000ff'", json!([])).await;
    browser.heading("There is no such thing, or you may not see it").await;
    let doctor = person.client.get("/api/v1/doctor").await;
    doctor.problem(403, "forbidden");
    let report = gateway.admin().get("/api/v1/doctor").await.expect(200).json();
    assert_eq!((&report["schema"], &report["tier"]), (&json!("mosaic.doctor/1"), &json!("local")));
    let owner = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == "local.owner").unwrap();
    assert_eq!(owner["status"], "green", "that this gateway has the directory is no trouble: {owner}");
}
