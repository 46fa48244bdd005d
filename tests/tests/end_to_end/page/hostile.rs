//! What somebody wrote is shown, and does nothing.

use serde_json::json;

use super::Browser;
use crate::harness::shared;

const TEXT: &str = "<script>window.harmed = 1</script><img src=x onerror=\"window.harmed = 2\"> [press](javascript:window.harmed=3) \
    [press](JaVaScRiPt:window.harmed=4) <javascript:window.harmed=5> ![see](javascript:window.harmed=6) [press](data:text/html,<script>1</script>) \
    [press](\u{1}javascript:window.harmed=7) <svg onload=window.harmed=8> [press](/docs) [good](https://example.org/good) \
    **<b onmouseover=window.harmed=9>bold</b>** `<script>` <iframe srcdoc=\"<script>parent.harmed=10</script>\">";

/// What there must not be, wherever the text is.
const HARM: &str = "JSON.stringify([window.harmed ?? null, ...[...document.querySelectorAll('main :is(script, img, iframe, svg:not(.icon), b), main [onerror], \
    main [onload], main [onmouseover], main [srcdoc]')].map((one) => one.outerHTML), ...[...document.querySelectorAll('main .markdown a')].map((one) => one.href)])";

#[tokio::test]
async fn markup_in_any_text_is_text() {
    let gateway = shared().await;
    let person = gateway.person("page-hostile").await;
    let ada = &person.client;
    let tag = "<img src=x onerror=window.harmed=1>";
    let title = "<script>window.harmed = 1</script><img src=x onerror=window.harmed=2>";
    let body = format!(
        "# {TEXT}\n\n{TEXT}\n\n- {TEXT}\n\n> {TEXT}\n\n| {title} | b |\n|--|--|\n| {title} | b |\n\n```html\n{TEXT}\n```\n\n<script>\nwindow.harmed = 1\n</script>"
    );
    let note = ada.create("notes", json!({ "title": title, "body": body, "tags": [tag] })).await;
    let session = ada.create("sessions", json!({ "title": title, "agent": title })).await;
    let agent = gateway.token(&person.id, &["agent"]).await;
    let messages = format!("sessions/{}/messages", session["id"].as_str().unwrap());
    let call = json!({ "id": "1", "name": title, "arguments": format!("{{\"a\":{}}}", json!(TEXT)) });
    agent.create(&messages, json!({ "role": "user", "content": body })).await;
    agent.create(&messages, json!({ "role": "assistant", "content": body, "tool_calls": [call], "finish": "tool_calls" })).await;
    agent.create(&messages, json!({ "role": "tool", "content": TEXT, "tool_call_id": "1" })).await;
    agent.create(&messages, json!({ "role": "assistant", "content": "", "finish": "failed", "error": title })).await;

    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(ada).await;
    let (note, session) = (note["id"].as_str().unwrap(), session["id"].as_str().unwrap());
    for (path, heading) in [
        ("/sessions".to_owned(), "Sessions"),
        (format!("/sessions/{session}"), title),
        ("/notes".to_owned(), "Notes"),
        (format!("/notes/{note}"), title),
        (format!("/notes/{note}/edit"), "Edit note"),
        ("/search?q=window".to_owned(), "Search"),
    ] {
        browser.go(&path, heading).await;
        if !path.ends_with("/edit") {
            browser.shows("<script>window.harmed = 1</script>").await;
        }
        browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))", json!([])).await;
        // A picture that is loaded, or a script that is run, is so a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let found: Vec<Option<String>> = serde_json::from_str(browser.value(HARM).await.as_str().unwrap()).unwrap();
        assert!(found.iter().flatten().all(|link| link == "https://example.org/good"), "{path}: {found:?}");
        assert_eq!(found[0], None, "{path}: something was run");
        assert_eq!(browser.console().await, Vec::<String>::new(), "{path}");
    }
    let rel = "[...document.querySelectorAll('main .markdown a')].every((one) => one.rel === 'noopener noreferrer')";
    browser.go(&format!("/notes/{note}"), title).await;
    assert_eq!(browser.value(rel).await, true);
    let origin = format!("{}/", gateway.url());
    assert_eq!(browser.asked_for().await.iter().find(|url| !url.starts_with(&origin)), None, "nothing of a text is loaded");
}

#[tokio::test]
async fn a_text_that_is_long_and_malicious_is_shown_in_time() {
    let gateway = shared().await;
    let ada = gateway.person("page-long").await.client;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;
    for (n, part) in [
        "*a **b ",
        "[",
        "[a](",
        "`",
        "`` ` ",
        "> ",
        "- ",
        "_a",
        "<",
        "|a",
        "\\",
        "![a](b ",
        "~~",
        "# a\n",
        "a\n\n",
        "* * ",
        "|a|\n|-|\n",
        "1. a\n  - b\n",
        "https://",
        " ",
        "x",
        "\n",
        "é",
    ]
    .into_iter()
    .enumerate()
    {
        let title = format!("Long {n}");
        let body = part.repeat(2_000_000 / part.len());
        let note = ada.create("notes", json!({ "title": title, "body": body })).await;
        // As long as what has an end: the driver gives up on a page that hangs.
        browser.go(&format!("/notes/{}", note["id"].as_str().unwrap()), &title).await;
        let elements = browser.value("document.querySelectorAll('*').length").await;
        assert!(elements.as_u64().is_some_and(|count| count < 20_000), "{part:?}: {elements}");
        let is_cut = browser.value("document.querySelector('.rest') !== null").await;
        if part.trim() != "" {
            assert_eq!(is_cut, true, "{part:?} has more");
            browser.press("Show more as text").await;
        }
    }
    browser.go("/notes", "Notes").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}
