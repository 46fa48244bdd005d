//! Signing in and out.

use super::Browser;
use crate::harness::shared;

#[tokio::test]
async fn a_token_signs_in_and_is_gone_when_one_signs_out() {
    let gateway = shared().await;
    let person = gateway.person("page-sign-in").await;
    let browser = Browser::open(&gateway.url()).await;

    browser.sign_in_with("mosaic_wrong").await;
    browser.shows("The token is not known, or was revoked").await;
    browser.shows("Ask an administrator").await;
    assert_eq!(browser.value("sessionStorage.length").await, 0, "a token that was not taken is not kept");
    assert!(browser.console().await.iter().all(|line| line.contains("401")), "the refusal is all that went wrong");

    browser.run("document.getElementById('token').value = ''", serde_json::json!([])).await;
    browser.sign_in(&person.client).await;
    browser.shows("page-sign-in").await;
    for place in ["location.href", "document.cookie", "JSON.stringify(localStorage)", "document.documentElement.outerHTML"] {
        assert!(!browser.value(place).await.to_string().contains(person.client.token()), "{place} has the token");
    }
    // A reload is no new sign-in; a new tab is.
    browser.load().await;
    browser.heading("Sessions").await;

    browser.press("Sign out").await;
    browser.heading("Sign in to Mosaic").await;
    assert_eq!(browser.value("sessionStorage.length").await, 0);
    assert_eq!(browser.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_token_that_is_revoked_signs_out_and_says_why() {
    let gateway = shared().await;
    let person = gateway.person("page-revoked").await;
    let browser = Browser::open(&gateway.url()).await;
    browser.sign_in(&person.client).await;
    let token = person.client.get("/api/v1/me").await.expect(200).json()["token"]["id"].as_str().unwrap().to_owned();
    gateway.admin().delete(&format!("/api/v1/tokens/{token}")).await.expect(204);
    browser.press("Notes").await;
    browser.heading("Sign in to Mosaic").await;
    browser.shows("The token is not known, or was revoked").await;
    assert_eq!(browser.value("sessionStorage.length").await, 0);
}
