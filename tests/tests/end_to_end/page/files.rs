//! What the page is made of, as it is served.

use std::collections::BTreeSet;

use hyper::Method;

use crate::harness::shared;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[tokio::test]
async fn all_of_it_is_here_under_one_strict_policy() {
    let gateway = shared().await;
    let nobody = gateway.anonymous();
    let mut known = BTreeSet::new();
    let mut left = vec!["/".to_owned()];
    while let Some(path) = left.pop() {
        if !known.insert(path.clone()) {
            continue;
        }
        let answer = nobody.get(&path).await.expect(200);
        assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        // No other site's page keeps a hold of its window, or loads what is here.
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        let tag = answer.header("etag");
        nobody.request(Method::GET, &path, &[("if-none-match", &tag)], "").await.expect(304);
        nobody.request(Method::GET, &path, &[("if-none-match", "\"other\"")], "").await.expect(200);
        let text = answer.text();
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage.", " style=", "http://", "onclick"]
        {
            let is_said = forbidden == "http://" && text.matches(forbidden).all(|_| path.ends_with("icons.js") || path.ends_with(".svg"));
            assert!(!text.contains(forbidden) || is_said, "{path}: {forbidden}");
        }
        if path == "/" || path.ends_with(".js") {
            left.extend(parts(&text));
        }
    }
    assert!(known.len() > 20, "{known:?}");
    assert!(known.iter().all(|path| path == "/" || nobody_asks_elsewhere(path)), "{known:?}");
    nobody.get("/page/none.js").await.problem(404, "not_found");
    nobody.get("/page/../mod.rs").await.expect(404);
}

/// The parts of the page that a text names.
fn parts(text: &str) -> Vec<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let named = quoted.filter_map(|name| {
        name.strip_prefix("./").map(|name| format!("/page/{name}")).or_else(|| name.starts_with("/page/").then(|| name.to_owned()))
    });
    named.collect()
}

fn nobody_asks_elsewhere(path: &str) -> bool {
    path.starts_with("/page/") && !path.contains("//")
}
