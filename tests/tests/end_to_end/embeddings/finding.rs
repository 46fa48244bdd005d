//! What is written is near to what means the same, as it is now.

use std::collections::BTreeSet;

use serde_json::json;

use super::{is_nearest, note, place, search, text, up_to_date};
use crate::harness::{Gateway, ModelServer, PATIENCE, eventually};

#[tokio::test]
async fn what_is_written_is_found_by_what_it_means() {
    let model = ModelServer::start().await;
    let gateway = Gateway::start_in(&place(&model, json!({ "document_prefix": "document: ", "query_prefix": "query: " }))).await;
    let admin = gateway.admin();
    let airships = note(&admin, "Airships", "How they are moored.").await;
    let bread = note(&admin, "Bread", "Flour, water, salt, and time.").await;
    is_nearest(&admin, "zeppelin", &airships).await;
    is_nearest(&admin, "flour time salt", &bread).await;
    let (found, used) = search(&admin, json!({ "q": "zeppelin", "by": "words" })).await;
    assert_eq!((found.len(), used), (0, json!(["words"])));
    let by_words = admin.get("/api/v1/search?q=zeppelin&by=words").await.expect(200).json();
    assert_eq!((&by_words["items"], &by_words["used"]), (&json!([]), &json!(["words"])));
    let by_both = admin.get("/api/v1/search?q=zeppelin&limit=1").await.expect(200).json();
    assert_eq!((text(&by_both["items"][0], "id"), &by_both["used"]), (airships.clone(), &json!(["words", "vector"])));
    admin.get("/api/v1/search?q=zeppelin&by=meaning").await.problem(400, "invalid_request");

    // Tasks, and what was said; narrowed as ever.
    let task = text(&admin.create("tasks", json!({ "title": "Fasten the blimp", "tags": ["rope"] })).await, "id");
    let session = text(&admin.create("sessions", json!({ "title": "On ropes", "agent": "assistant" })).await, "id");
    let said = json!({ "role": "user", "content": "Tie a dirigible to a mast?" });
    let message = text(&admin.create(&format!("sessions/{session}/messages"), said).await, "id");
    for (kind, id) in [("task", &task), ("message", &message)] {
        eventually("it is near", PATIENCE, || async {
            let (found, _) = search(&admin, json!({ "q": "moored zeppelin", "kind": [kind] })).await;
            (found == [id.clone()]).then_some(())
        })
        .await;
    }
    assert!(model.was_sent("document: Airships\n\nHow they are moored."), "with the prefix, title and body");
    assert!(model.was_sent("document: Fasten the blimp\n\nrope"), "with tags");
    assert!(model.was_sent("query: zeppelin"));
    assert!(model.asked().iter().all(|asked| asked.path == "/v1/embeddings" && asked.model == "tiny"));
    let queries = model.asked().iter().filter(|asked| asked.texts == ["query: zeppelin"]).count();
    assert_eq!(queries, 1, "the vector of a search is kept");

    // As it is now: changed, and gone.
    let changed = json!({ "title": "Bakeries", "body": "Where bread is made." });
    admin.patch(&format!("/api/v1/notes/{airships}"), &changed).await.expect(200);
    is_nearest(&admin, "bakeries made where", &airships).await;
    admin.delete(&format!("/api/v1/notes/{airships}")).await.expect(204);
    let (found, _) = search(&admin, json!({ "q": "bakeries made where" })).await;
    assert!(!found.contains(&airships) && found.contains(&bread), "{found:?}");

    // Nobody finds by meaning what they may not see.
    let ann = gateway.person("ann").await;
    let (found, used) = search(&ann.client, json!({ "q": "zeppelin" })).await;
    assert_eq!((found.len(), used), (0, json!(["words", "vector"])));
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_there_before_and_what_is_imported_is_embedded_in_batches() {
    let model = ModelServer::start().await;
    let place = place(&model, json!({ "batch": 8 }));
    std::fs::rename(place.path("mosaic.config.json"), place.path("later.json")).unwrap();
    let gateway = Gateway::start_in(&place).await;
    let before = note(&gateway.admin(), "Airships", "").await;
    let (_, used) = search(&gateway.admin(), json!({ "q": "zeppelin" })).await;
    assert_eq!(used, json!(["words"]), "without a model nothing changes");
    assert!(!gateway.anonymous().get("/metrics").await.text().contains("embedding"));
    gateway.stop().await;

    std::fs::rename(place.path("later.json"), place.path("mosaic.config.json")).unwrap();
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    is_nearest(&admin, "zeppelin", &before).await;
    let owner = text(&admin.get("/api/v1/me").await.json()["user"], "id");
    let lines: String = (1..=1_200)
        .map(|n| {
            let id = format!("00000000-0000-4000-8000-{n:012}");
            json!({ "kind": "note", "id": id, "owner_id": owner, "title": format!("Number {n} thing"), "created_at": "2026-01-01T00:00:00Z" })
                .to_string()
                + "\n"
        })
        .collect();
    admin.request(hyper::Method::POST, "/api/v1/import", &[], lines).await.expect(200);
    let sent = || {
        let all: Vec<_> = model.asked().into_iter().flat_map(|asked| asked.texts).collect();
        all.into_iter().filter(|text| text.starts_with("Number")).collect::<BTreeSet<_>>().len()
    };
    eventually("all are sent", PATIENCE, || async { (sent() == 1_200).then_some(()) }).await;
    up_to_date(&gateway).await;
    let asked = model.asked();
    assert!(asked.iter().all(|asked| asked.texts.len() <= 8) && asked.iter().any(|asked| asked.texts.len() == 8));
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_killed_in_the_middle_goes_on_where_it_was() {
    let model = ModelServer::start().await;
    model.becomes(crate::harness::Mood::Slow(std::time::Duration::from_millis(50)));
    let place = place(&model, json!({ "batch": 1 }));
    let gateway = Gateway::start_in(&place).await;
    let admin = gateway.admin();
    let mut notes = Vec::new();
    for n in 0..40 {
        notes.push(note(&admin, &format!("Page {n}"), "").await);
    }
    eventually("some are sent", PATIENCE, || async { model.was_sent("Page 20").then_some(()) }).await;
    gateway.kill().await;
    let before = model.asked().len();

    let gateway = Gateway::start_in(&place).await;
    // What the killed one held runs out first.
    eventually("all are sent", PATIENCE, || async {
        let asked = model.asked();
        let sent: BTreeSet<_> = asked.iter().flat_map(|asked| &asked.texts).filter(|text| text.starts_with("Page")).collect();
        (sent.len() == 40).then_some(())
    })
    .await;
    up_to_date(&gateway).await;
    let again = model.asked().iter().skip(before).filter(|asked| asked.texts.iter().any(|text| text.starts_with("Page"))).count();
    assert!((1..40).contains(&again), "what was done is not done again: {again}");
    let all = gateway.admin();
    for n in [0, 19, 20, 21, 38] {
        is_nearest(&all, &format!("page {n}"), &notes[n]).await;
    }
    gateway.stop().await;
}
