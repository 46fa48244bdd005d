//! The page by keys alone.

use serde_json::json;
use thirtyfour::Key;

use super::Browser;
use crate::harness::{PATIENCE, eventually, shared};

/// Goes on by Tab until the element that has the focus has this text, label or name; at each it must be seen that it has it.
async fn tab_to(browser: &Browser, wanted: &str) {
    let script = "const one = document.activeElement; const style = getComputedStyle(one); const after = getComputedStyle(one, '::after');
        const seen = [style, after, getComputedStyle(one.closest('.composer') ?? one)].some((each) => each.outlineStyle !== 'none' && parseFloat(each.outlineWidth) > 0);
        return [one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent.trim(), seen, one.tagName]";
    let mut passed = Vec::new();
    for _ in 0..60 {
        browser.keys(Key::Tab).await;
        let at = browser.run(script, json!([])).await;
        if at[2] != "BODY" && at[2] != "HTML" {
            assert_eq!(at[1], true, "it is not seen that {at} has the focus");
        }
        if at[0] == wanted {
            return;
        }
        passed.push(at[0].clone());
    }
    panic!("no Tab leads to {wanted:?}, but to {passed:?}");
}

#[tokio::test]
async fn a_task_is_made_and_changed() {
    let gateway = shared().await;
    let ada = gateway.person("page-keys").await.client;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;

    tab_to(&browser, "Tasks").await;
    browser.keys(Key::Enter).await;
    browser.heading("Tasks").await;
    browser.shows("No tasks yet.").await;
    tab_to(&browser, "New task").await;
    browser.keys(Key::Enter).await;
    browser.heading("New task").await;
    browser.until("the title has the focus", "document.activeElement.name === 'title'").await;
    browser.keys("Oil the hinges").await;
    tab_to(&browser, "Text").await;
    browser.keys("With *linseed* oil.").await;
    tab_to(&browser, "Tags").await;
    browser.keys("door,oak".to_owned() + Key::Enter).await;
    tab_to(&browser, "Make the task").await;
    browser.keys(Key::Enter).await;
    browser.heading("Oil the hinges").await;
    browser.shows("With linseed oil.").await;
    let made = ada.get("/api/v1/tasks").await.items().remove(0);
    assert_eq!(
        (&made["title"], &made["body"], &made["tags"]),
        (&json!("Oil the hinges"), &json!("With *linseed* oil."), &json!(["door", "oak"]))
    );

    tab_to(&browser, "Edit").await;
    browser.keys(Key::Enter).await;
    browser.heading("Edit task").await;
    browser.until("the title has the focus", "document.activeElement.name === 'title'").await;
    browser.keys(Key::End + " of the door").await;
    tab_to(&browser, "Status").await;
    browser.keys("In").await;
    browser.chord(Key::Control, Key::Enter).await;
    browser.heading("Oil the hinges of the door").await;
    let path = format!("/api/v1/tasks/{}", made["id"].as_str().unwrap());
    let changed = ada.get(&path).await.json();
    assert_eq!((&changed["status"], &changed["revision"], &changed["tags"]), (&json!("in_progress"), &json!(2), &json!(["door", "oak"])));

    // Escape leaves; what was written is not lost without being asked.
    tab_to(&browser, "Edit").await;
    browser.keys(Key::Enter).await;
    browser.heading("Edit task").await;
    browser.until("the title has the focus", "document.activeElement.name === 'title'").await;
    browser.keys(Key::End + "!").await;
    browser.keys(Key::Escape).await;
    browser.shows("Leave without saving?").await;
    browser.keys(Key::Escape).await;
    browser.until("the question is gone", "!document.querySelector('dialog')").await;
    browser.heading("Edit task").await;
    browser.keys(Key::Escape).await;
    browser.shows("Leave without saving?").await;
    tab_to(&browser, "Leave").await;
    browser.keys(Key::Enter).await;
    browser.heading("Oil the hinges of the door").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_somebody_else_was_faster_with_is_not_lost() {
    let gateway = shared().await;
    let ada = gateway.person("page-conflict").await.client;
    let note = ada.create("notes", json!({ "title": "Ours", "body": "first", "tags": ["a"] })).await;
    let path = format!("/api/v1/notes/{}", note["id"].as_str().unwrap());
    let edit = format!("/notes/{}/edit", note["id"].as_str().unwrap());
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;

    for (choice, body, tags) in
        [("Save mine", "mine, Save mine", json!(["theirs 0"])), ("Drop mine, show theirs", "theirs 1", json!(["theirs 1"]))]
    {
        let n = tags[0].as_str().unwrap().chars().last().unwrap();
        browser.go(&edit, "Edit note").await;
        browser
            .run("const area = document.querySelector('textarea'); area.value = `mine, ${arguments[0]}`; area.focus()", json!([choice]))
            .await;
        ada.patch(&path, &json!({ "body": format!("theirs {n}"), "tags": tags })).await.expect(200);
        browser.chord(Key::Control, Key::Enter).await;
        browser.shows("Somebody else changed this note while you were writing.").await;
        browser.shows(&format!("theirs {n}")).await;
        tab_to(&browser, choice).await;
        browser.keys(Key::Enter).await;
        browser.heading("Ours").await;
        let stored = eventually("it is stored", PATIENCE, || async { Some(ada.get(&path).await.json()) }).await;
        assert_eq!((&stored["body"], &stored["tags"]), (&json!(body), &tags), "{choice}");
    }
    assert!(browser.console().await.iter().all(|line| line.contains("412")));
}

#[tokio::test]
async fn a_skip_link_leads_past_the_views() {
    let gateway = shared().await;
    let ada = gateway.person("page-skip").await.client;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;
    browser.run("document.activeElement.blur(); scrollTo(0, 0)", json!([])).await;
    tab_to(&browser, "Skip to the content").await;
    browser.keys(Key::Enter).await;
    assert_eq!(browser.value("document.activeElement.id").await, "main");
    let unnamed = "[...document.querySelectorAll('input, select, textarea, button, a')].filter((one) => one.checkVisibility() && \
        !(one.ariaLabel || one.labels?.length || one.textContent.trim())).length";
    for (path, heading) in [("/sessions/new", "New session"), ("/tasks", "Tasks"), ("/tasks/new", "New task"), ("/search", "Search")] {
        browser.go(path, heading).await;
        assert_eq!(browser.value(unnamed).await, 0, "{path}");
        assert_eq!(browser.value("document.querySelectorAll('h1').length").await, 1, "{path}");
    }
}
