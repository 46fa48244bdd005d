//! Users, teams and tokens by command: on a stopped directory and through a running gateway, with the same effect.

use serde_json::Value;

use crate::harness::{Gateway, Place};

/// Where the commands work: nothing to add on a stopped directory, the url of a running gateway.
struct On<'a> {
    place: &'a Place,
    url: Option<String>,
}

impl On<'_> {
    fn with<'b>(&'b self, command: &'b str) -> Vec<&'b str> {
        let url = self.url.iter().flat_map(|url| ["--url", url.as_str()]);
        command.split(' ').chain(url).collect()
    }

    /// Runs a command that must succeed; answers what it wrote.
    async fn done(&self, command: &str) -> String {
        self.place.run(&self.with(command)).await.exit(0).text()
    }

    /// The same, with its answer as JSON.
    async fn json(&self, command: &str) -> Value {
        let text = self.done(&format!("{command} --json")).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"))
    }

    async fn refused(&self, command: &str, names: &[&str]) {
        self.place.run(&self.with(command)).await.fails_with(names);
    }
}

/// What may be done to accounts, from the first user to the last.
async fn check(on: &On<'_>) {
    let ada = on.json("user add ada --name Ada --email ada@example.org").await["added"].clone();
    let text = on.done("user add bob").await;
    assert!(text.starts_with("added user bob ("), "{text}");
    on.refused("user add ada", &["login"]).await;
    on.refused("user add Not-A-Login", &["login", "a-z"]).await;
    let changed = on.json("user set ada --role admin --no-email").await["changed"].clone();
    assert_eq!((&changed["role"], changed.get("email"), &changed["revision"]), (&"admin".into(), None, &2.into()));
    let list = on.done("user list").await;
    let (first, last) = (list.find("\nada ").expect("ada is listed"), list.find("\nbob ").expect("bob is listed"));
    assert!(first < last, "{list}");
    on.refused("user set nobody --name x", &["nobody", "mosaic user list"]).await;

    on.done("team add kiln --name Kiln").await;
    on.done("team member add kiln ada --role owner").await;
    on.done("team member add kiln bob").await;
    on.refused("team member add kiln bob", &["membership"]).await;
    on.done("team member set kiln bob --role owner").await;
    let members = on.json("team members kiln").await;
    assert_eq!(members.as_array().unwrap().len(), 2);
    assert!(members.as_array().unwrap().iter().all(|member| member["role"] == "owner"), "{members}");
    on.done("team member remove kiln bob").await;
    on.refused("team member remove kiln bob", &["not in the team"]).await;
    on.done("team set kiln --slug oven").await;
    assert_eq!(on.json("team list").await[0]["slug"], "oven");
    on.done("team remove oven").await;
    on.refused("team members oven", &["oven", "mosaic team list"]).await;

    let token = on.json("token create --user ada --name laptop --expires 90d").await;
    assert_eq!((&token["user_id"], &token["scopes"]), (&ada["id"], &serde_json::json!(["read", "write"])));
    let secret = on.done("token create --user bob --name phone --scope read").await;
    assert!(secret.starts_with("mosaic_") && secret.lines().count() == 1, "only the secret: {secret}");
    on.refused("token create --user bob --name high --scope operator", &["admin"]).await;
    let listed = on.done("token list").await;
    assert!(listed.contains("laptop") && !listed.contains(secret.trim()) && !listed.contains("hash"), "{listed}");
    let id = token["id"].as_str().unwrap();
    on.done(&format!("token revoke {id}")).await;
    on.refused(&format!("token revoke {id}"), &[id, "mosaic token list"]).await;
    assert_eq!(on.json("token list --user ada").await, serde_json::json!([]));
    on.done("user remove bob").await;
    on.refused("user remove bob", &["bob"]).await;
}

#[tokio::test]
async fn on_a_stopped_directory() {
    check(&On { place: &Place::new(), url: None }).await;
}

#[tokio::test]
async fn through_a_running_gateway() {
    let gateway = Gateway::start().await;
    check(&On { place: &gateway.place, url: Some(gateway.url()) }).await;
    assert!(!gateway.log().contains("mosaic_"), "no secret in the log:\n{}", gateway.log());
}

#[tokio::test]
async fn a_gateway_on_this_machine_is_not_reached_through_a_proxy() {
    let gateway = Gateway::start().await;
    let mut place = gateway.place.clone();
    // Nobody listens on port 1: a request that went there would fail.
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        place = place.with_env(name, "http://127.0.0.1:1");
    }
    let on = On { place: &place, url: Some(gateway.url()) };
    assert_eq!(on.json("user list").await.as_array().map(Vec::len), Some(1));
    let elsewhere = On { place: &place, url: Some("http://mosaic.invalid".to_owned()) };
    elsewhere.refused("user list", &["no gateway answers"]).await;
}

#[tokio::test]
async fn without_its_url_a_running_gateway_is_named() {
    let gateway = Gateway::start().await;
    let on = On { place: &gateway.place, url: None };
    let (pid, url) = (format!("pid={}", gateway.pid()), gateway.url());
    on.refused("user list", &["in use", &pid, &url, &format!("mosaic user list --url {url}")]).await;
    on.refused("token create --user ada --name x", &["in use", &format!("--name x --url {url}")]).await;
}

#[tokio::test]
async fn what_is_for_a_gateway_is_wrong_usage_without_its_url() {
    let place = Place::new();
    for option in ["--token-file", "--ca-file"] {
        let outcome = place.run(&["user", "list", option, "nowhere"]).await.exit(2);
        assert!(outcome.stderr.contains(option) && outcome.stderr.contains("--url URL or MOSAIC_URL"), "{}", outcome.stderr);
    }
    // Whoever works with a gateway as a rule has this set.
    place.clone().with_env("MOSAIC_CA_FILE", "nowhere").run(&["user", "list"]).await.exit(0);
}

#[tokio::test]
async fn a_token_works_from_its_making_to_its_revoking() {
    let place = Place::new();
    let offline = On { place: &place, url: None };
    offline.done("user add ada --role admin").await;
    let made_offline = offline.done("token create --user ada --name before --scope read,write,admin,operator").await;

    let gateway = Gateway::start_in(&place).await;
    assert!(!place.path("mosaic-admin.token").exists(), "there is an admin with a token already");
    let ada = gateway.anonymous().with_token(made_offline.trim());
    ada.get("/api/v1/tasks").await.expect(200);

    // From here on by the token that was made, out of a file.
    let file = place.write("token", &made_offline);
    let online = |command: &str| format!("{command} --token-file {}", file.display());
    let on = On { place: &place, url: Some(gateway.url()) };
    on.refused(&online("token list"), &["read by others", "chmod 600"]).await;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = on.json(&online("token create --user ada --name phone")).await;
    let phone = gateway.anonymous().with_token(token["secret"].as_str().unwrap());
    phone.get("/api/v1/tasks").await.expect(200);
    on.done(&online(&format!("token revoke {}", token["id"].as_str().unwrap()))).await;
    phone.get("/api/v1/tasks").await.problem(401, "unauthorized");

    on.refused("token list", &["no token", "MOSAIC_TOKEN"]).await;
    let wrong = place.clone().with_env("MOSAIC_TOKEN", "mosaic_wrong");
    On { place: &wrong, url: Some(gateway.url()) }.refused("token list", &["token"]).await;
    assert!(!gateway.log().contains("mosaic_"), "no secret in the log:\n{}", gateway.log());
}

#[tokio::test]
async fn names_are_shown_without_what_a_terminal_would_obey() {
    let place = Place::new();
    let on = On { place: &place, url: None };
    on.done("user add ada").await;
    // The one begins a control sequence by itself, the other turns what follows.
    let name = "gone\u{9b}2J\u{202e}";
    let made = place.run(&["token", "create", "--user", "ada", "--name", name, "--json"]).await.exit(0).text();
    let token: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(token["name"], name, "JSON says it all");
    let revoke = format!("token revoke {}", token["id"].as_str().unwrap());
    for text in [made, on.done("token list").await, on.done("token list --json").await, on.done(&revoke).await] {
        assert!(text.contains("gone") && !text.contains('\u{9b}') && !text.contains('\u{202e}'), "{text}");
    }
}

#[tokio::test]
async fn the_first_admins_token_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let gateway = Gateway::start().await;
    let file = gateway.place.path("mosaic-admin.token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(gateway.log().contains("mosaic-admin.token"), "the log says where it is:\n{}", gateway.log());
    assert!(!gateway.log().contains(gateway.admin().token()), "and not what it is");
    gateway.admin().get("/api/v1/users").await.expect(200);

    // A later start makes no other one.
    let (place, token) = (gateway.place.clone(), gateway.place.read("mosaic-admin.token"));
    gateway.stop().await;
    let again = Gateway::start_in(&place).await;
    assert_eq!(place.read("mosaic-admin.token"), token);
    assert_eq!(again.admin().get("/api/v1/users").await.expect(200).items().len(), 1);
}
