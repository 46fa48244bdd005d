//! Talking to an agent on the page: a turn is shown as it happens, wherever it began, and across connections that break.

use std::time::Duration;

use mosaic_tests::services::Proxy;
use serde_json::json;
use thirtyfour::Key;

use super::Browser;
use crate::harness::{ChatServer, Gateway, Place, Reply};

/// What was said, as it is shown.
const SAID: &str = "[...document.querySelectorAll('.said')].map((one) => one.innerText).join('\\n')";

async fn gateway(model: &ChatServer) -> Gateway {
    let place = Place::new();
    place.write("mosaic.config.json", json!({ "models": { "chat": model.section() } }).to_string());
    Gateway::start_in(&place).await
}

/// So many words, one after the other.
fn words(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("word{n} ")).collect()
}

#[tokio::test]
async fn a_turn_is_shown_as_it_happens() {
    let model = ChatServer::start().await;
    model.on("Note the mill", |asked| match asked.round() {
        0 => Reply::call("note_create", &json!({ "title": "The mill" })),
        _ => Reply::pieces(words(20), Duration::from_millis(100)),
    });
    let gateway = gateway(&model).await;
    let ada = gateway.person("ada").await.client;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;

    browser.press("New session").await;
    browser.heading("New session").await;
    browser.until("the message has the focus", "document.activeElement.id === 'first-message'").await;
    browser.keys("Note the mill".to_owned() + Key::Enter).await;
    browser.heading("Note the mill").await;
    browser.until("the turn is shown while it runs", "document.querySelector('.writing')?.innerText.includes('word2')").await;
    browser.until("it can be stopped", "document.querySelector('[aria-label=Stop]').checkVisibility()").await;
    browser
        .until("it has ended", "!document.querySelector('.writing') && document.querySelector('[aria-label=Send]').checkVisibility()")
        .await;
    let said = browser.value(SAID).await.to_string();
    assert!(said.contains("word19") && said.matches("word7 ").count() == 1, "{said}");
    // The tool's call is folded, and has its result.
    assert_eq!(browser.value("document.querySelectorAll('details.call:not([open])').length").await, 1);
    browser.run("document.querySelector('details.call').open = true", json!([])).await;
    browser.shows("\"title\": \"The mill\"").await;
    browser.shows("Answered").await;
    assert_eq!(ada.get("/api/v1/notes").await.items().len(), 1);
    browser.until("it was read aloud", "document.getElementById('spoken').textContent.includes('word19')").await;

    // Shift+Enter breaks the line, Enter sends.
    browser.until("the message has the focus", "document.activeElement.id === 'message'").await;
    browser.keys("one").await;
    browser.chord(Key::Shift, Key::Enter).await;
    browser.keys("two".to_owned() + Key::Enter).await;
    browser.until("it was answered", &format!("{SAID}.includes('You said: one')")).await;
    assert_eq!(model.asked().last().unwrap().user(), "one\ntwo");
    super::looks::look(&browser, "chat").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    gateway.stop().await;
}

#[tokio::test]
async fn a_turn_is_stopped_and_a_session_closed_and_opened_again() {
    let model = ChatServer::start().await;
    model.on("slowly", |_| Reply::pieces(words(600), Duration::from_millis(100)));
    let gateway = gateway(&model).await;
    let ada = gateway.person("ada").await.client;
    let session = ada.create("sessions", json!({ "title": "Slow", "agent": "assistant" })).await;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;
    let path = format!("/sessions/{}", session["id"].as_str().unwrap());
    browser.go(&path, "Slow").await;
    browser.shows("Nothing has been said yet.").await;
    browser.until("the message has the focus", "document.activeElement.id === 'message'").await;
    browser.keys("slowly".to_owned() + Key::Enter).await;
    browser.until("it runs", "document.querySelector('.writing')?.innerText.includes('word3')").await;

    // Another look at the same turn, from its middle.
    browser.load().await;
    browser.go(&path, "Slow").await;
    browser.until("it is shown again", "document.querySelector('.writing')?.innerText.includes('word5')").await;
    assert_eq!(browser.value(&format!("{SAID}.split('word1 ').length")).await, 2, "each word is there once");
    browser.until("it can be stopped", "document.querySelector('[aria-label=Stop]').checkVisibility()").await;
    browser.press("Stop").await;
    browser
        .until(
            "it is stopped",
            "document.querySelector('.ending.stopped') && document.querySelector('[aria-label=Send]').checkVisibility()",
        )
        .await;

    browser.press("Close").await;
    browser.shows("This session is closed.").await;
    browser.press("Open again").await;
    browser.until("one can go on", "document.getElementById('message')").await;
    browser.run("document.getElementById('message').focus()", json!([])).await;
    browser.keys("Thanks".to_owned() + Key::Enter).await;
    browser.until("it was answered", &format!("{SAID}.includes('You said: Thanks')")).await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_loses_nothing_and_repeats_nothing() {
    let model = ChatServer::start().await;
    model.on("slowly", |_| Reply::pieces(words(40), Duration::from_millis(100)));
    let gateway = gateway(&model).await;
    let ada = gateway.person("ada").await.client;
    let session = ada.create("sessions", json!({ "title": "Broken", "agent": "assistant" })).await;
    let proxy = Proxy::start("127.0.0.1", gateway.place.address().port()).await;
    let browser = Browser::open(&format!("http://{}", proxy.address())).await;
    browser.sign_in(&ada).await;
    browser.go(&format!("/sessions/{}", session["id"].as_str().unwrap()), "Broken").await;
    browser.until("the message has the focus", "document.activeElement.id === 'message'").await;
    browser.keys("slowly".to_owned() + Key::Enter).await;
    for word in ["word3", "word15"] {
        browser.until("it runs", &format!("document.querySelector('.writing')?.innerText.includes('{word}')")).await;
        proxy.cut();
    }
    browser
        .until("it has ended", "!document.querySelector('.writing') && document.querySelector('[aria-label=Send]').checkVisibility()")
        .await;
    let said = browser.value(SAID).await.as_str().unwrap().to_owned();
    let shown: Vec<_> = said.split_whitespace().filter(|word| word.starts_with("word")).collect();
    assert_eq!(shown, words(40).iter().map(|word| word.trim()).collect::<Vec<_>>());
    assert_eq!(model.asked().len(), 1, "the message began one turn");
    assert_eq!(browser.value("document.querySelectorAll('.by-user').length").await, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_chat_model_it_is_said_what_to_do_and_nothing_that_was_written_is_lost() {
    let gateway = crate::harness::shared().await;
    let ada = gateway.person("page-no-model").await.client;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&ada).await;
    browser.go("/sessions/new", "New session").await;
    browser.until("the message has the focus", "document.activeElement.id === 'first-message'").await;
    browser.keys("Hello there".to_owned() + Key::Enter).await;
    browser.heading("Hello there").await;
    browser.shows("This gateway has no chat model").await;
    browser.shows("Set models.chat").await;
    assert_eq!(browser.value("document.getElementById('message').value").await, "Hello there");
}
