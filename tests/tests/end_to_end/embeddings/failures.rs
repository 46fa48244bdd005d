//! A model server that fails in every way: the gateway keeps what is written, searches by words, and embeds when it can.

use std::time::Duration;

use serde_json::json;

use super::{is_nearest, logged, note, place, search, up_to_date};
use crate::harness::{Gateway, ModelServer, Mood, PATIENCE, eventually};

/// What is logged once when no embeddings are made.
const NONE_MADE: &str = "no embeddings are made for now";

#[tokio::test]
async fn a_server_that_comes_up_later_is_waited_for() {
    let model = ModelServer::start().await;
    let (address, place) = (model.address(), place(&model, json!({})));
    drop(model);
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    let airships = note(&admin, "Airships", "").await;
    eventually("it is said", PATIENCE, || async { (logged(&gateway, NONE_MADE) > 0).then_some(()) }).await;
    for _ in 0..20 {
        assert_eq!(search(&admin, json!({ "q": "airships" })).await, (vec![airships.clone()], json!(["words"])));
    }
    admin.get("/readyz").await.expect(200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((logged(&gateway, NONE_MADE), logged(&gateway, "searches go by words alone")), (1, 1), "said once");

    let _model = ModelServer::start_at(address).await;
    is_nearest(&admin, "zeppelin", &airships).await;
    eventually("it is said", PATIENCE, || async { (logged(&gateway, "embeddings are made again") == 1).then_some(()) }).await;
    assert_eq!(logged(&gateway, "searches go by meaning too"), 1);
    gateway.stop().await;
}

/// Has a server be in one mood after the other while notes are written, and then well: no search fails, and every note is near at last.
async fn bears(moods: &[Mood]) {
    let model = ModelServer::start().await;
    let gateway = Gateway::start_in(&place(&model, json!({ "timeout_seconds": 1, "search_timeout_ms": 200 }))).await;
    let admin = gateway.admin();
    let mut notes = Vec::new();
    for (n, mood) in moods.iter().enumerate() {
        println!("{mood:?}");
        model.becomes(mood.clone());
        let before = model.asked().len();
        let id = note(&admin, &format!("Note {n}"), "").await;
        eventually("it is asked", PATIENCE, || async { (model.asked().len() > before).then_some(()) }).await;
        assert_eq!(search(&admin, json!({ "q": format!("note {n}") })).await, (vec![id.clone()], json!(["words"])));
        notes.push(id);
    }
    model.becomes(Mood::Well);
    for (n, id) in notes.iter().enumerate() {
        is_nearest(&admin, &format!("note {n}"), id).await;
    }
    up_to_date(&gateway).await;
    assert_eq!(logged(&gateway, "does not take a record"), 0, "it was never about a record");
    gateway.stop().await;
}

#[tokio::test]
async fn a_server_that_refuses_is_asked_again_later() {
    bears(&[
        Mood::Answers(401, &[], json!({ "error": { "message": "no such key" } }).to_string()),
        Mood::Answers(429, &[("retry-after", "1")], String::new()),
        Mood::Answers(500, &[], "<html>".into()),
        Mood::Answers(307, &[("location", "http://127.0.0.1:9/")], String::new()),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_that_is_of_no_use_is_not_used() {
    bears(&[
        Mood::Answers(200, &[], "garbage".into()),
        Mood::Answers(200, &[], json!({ "data": [{ "index": 0, "embedding": [null] }] }).to_string()),
        Mood::WrongCount,
        Mood::Dimensions(5_000),
    ])
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_come_to_an_end_is_not_waited_for() {
    bears(&[Mood::Silent, Mood::BreaksOff, Mood::Huge]).await;
}

#[tokio::test]
async fn a_record_that_is_not_taken_keeps_out_no_other() {
    let model = ModelServer::start().await;
    model.takes_no_more_than(1_000);
    for status in [400, 413, 500] {
        model.refuses("poison", status);
        let gateway = Gateway::start_in(&place(&model, json!({}))).await;
        let admin = gateway.admin();
        let mut notes = Vec::new();
        for n in 0..20 {
            let title = if n == 7 { format!("Number {n} poison") } else { format!("Number {n}") };
            notes.push(note(&admin, &title, "").await);
        }
        let long = note(&admin, "Airships", &"of dirigibles and airships ".repeat(300)).await;
        for n in [0, 6, 8, 19] {
            is_nearest(&admin, &format!("number {n}"), &notes[n]).await;
        }
        is_nearest(&admin, "zeppelin", &long).await;
        eventually("it is named", PATIENCE, || async { (logged(&gateway, &notes[7]) > 0).then_some(()) }).await;
        up_to_date(&gateway).await;
        // It is left alone until it is changed, whatever else is written.
        let sent = || model.asked().iter().filter(|asked| asked.texts.iter().any(|text| text.contains("poison"))).count();
        let before = sent();
        let last = note(&admin, "Number 21", "").await;
        is_nearest(&admin, "number 21", &last).await;
        assert_eq!(sent(), before);
        assert_eq!(search(&admin, json!({ "q": "poison", "limit": 1 })).await.0, std::slice::from_ref(&notes[7]), "its words are found");
        admin.patch(&format!("/api/v1/notes/{}", notes[7]), &json!({ "title": "Number 7 dirigible dirigible" })).await.expect(200);
        eventually("it is near", PATIENCE, || async {
            search(&admin, json!({ "q": "zeppelin" })).await.0.contains(&notes[7]).then_some(())
        })
        .await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_silent_server_holds_up_few_searches() {
    let model = ModelServer::start().await;
    let gateway = Gateway::start_in(&place(&model, json!({ "search_timeout_ms": 300 }))).await;
    let admin = gateway.admin();
    let airships = note(&admin, "Airships", "").await;
    is_nearest(&admin, "zeppelin", &airships).await;
    model.becomes(Mood::Silent);
    for n in 0..30 {
        let (found, used) = search(&admin, json!({ "q": format!("airships {}", ["", "airships", "zeppelin"][n % 3]) })).await;
        assert!(used == json!(["words"]) && (n % 3 == 2 || found == std::slice::from_ref(&airships)), "{used} {found:?}");
    }
    let asked = model.asked().iter().filter(|asked| asked.texts[0].starts_with("airships")).count();
    assert!(asked <= 3, "the others did not wait for it: {asked}");
    assert!(logged(&gateway, "searches go by words alone") <= 1);
}
