//! What a gateway says of itself: health, metrics, its own description.

use serde_json::Value;

use crate::harness::shared;

#[tokio::test]
async fn it_says_that_it_lives_and_is_ready() {
    let nobody = shared().await.anonymous();
    nobody.get("/livez").await.expect(200);
    nobody.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn it_counts_requests() {
    let gateway = shared().await;
    gateway.admin().get("/api/v1/tasks").await.expect(200);
    let metrics = gateway.anonymous().get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"), "{:?}", metrics.headers);
    let text = metrics.text();
    assert!(text.lines().any(|line| line.starts_with("mosaic_") && line.contains("/api/v1/tasks") && line.contains("200")), "{text}");
    assert!(!text.contains("mosaic_admin"), "{text}");
}

#[tokio::test]
async fn every_path_it_describes_is_there() {
    let gateway = shared().await;
    let admin = gateway.admin();
    let document = gateway.anonymous().get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            if !["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                continue;
            }
            assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{method} {path}");
            let method = method.to_uppercase().parse().unwrap();
            let concrete =
                ["{id}", "{message_id}"].iter().fold(path.clone(), |path, id| path.replace(id, "99999999-0000-4000-8000-000000000000"));
            let concrete = concrete.replace("{file}", "app.js");
            assert!(!concrete.contains('{'), "a parameter this test does not know: {path}");
            let answer = admin.request(method, &concrete, &[], "").await;
            let known = answer.status != 405 && (answer.status != 404 || path.contains("{id}"));
            assert!(known, "{}: {}", answer.request, answer.text());
        }
    }
    for kind in mosaic_core::Kind::ALL.iter().filter(|kind| kind.parent().is_none()) {
        let list = format!("/api/v1/{}", kind.plural());
        for path in [list.clone(), format!("{list}/{{id}}")] {
            assert!(paths.contains_key(&path), "{path} is not described");
        }
        assert!(document.to_string().contains(&format!("\"{}\"", kind.singular())));
    }
    for path in ["/api/v1/import", "/api/v1/export", "/livez", "/readyz", "/metrics"] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
    references(&document, &document);
}

/// Every `$ref` leads somewhere.
fn references(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                assert!(target.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some()), "{target} leads nowhere");
            }
            fields.values().for_each(|value| references(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| references(document, value)),
        _ => {}
    }
}

#[tokio::test]
async fn there_is_a_page_to_read_it() {
    let nobody = shared().await.anonymous();
    let page = nobody.get("/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert!(page.text().contains("/api/v1/tasks") || page.text().contains("openapi.json"), "{}", page.text());
    // It works without the rest of the world.
    assert!(!page.text().contains("src=\"http") && !page.text().contains("@import"), "{}", page.text());
}
