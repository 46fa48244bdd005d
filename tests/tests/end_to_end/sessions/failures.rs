//! A model server that fails in every way: the transcript says what it was, nobody is told the key, and the session goes on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, ending, goes_on, say, session, transcript};
use crate::harness::{ChatServer, Reply, Step};

const KEY: &str = "sk-7c1f0e0e5c5f4d0c";

/// What a server does, how often it is asked then, and what the transcript says.
struct Case {
    said: &'static str,
    reply: fn() -> Reply,
    asked: usize,
    error: &'static str,
    kept: &'static str,
}

/// An answer that begins well.
fn begun() -> Reply {
    Reply::text("So far so ")
}

fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
    begun().then(Step::Raw(bytes.into()))
}

const CASES: &[Case] = &[
    Case {
        said: "no key",
        reply: || Reply::refuse(401, &[], json!({ "error": { "message": format!("Incorrect API key provided: {KEY}") } }).to_string()),
        asked: 1,
        error: "401",
        kept: "",
    },
    Case {
        said: "no model",
        reply: || Reply::refuse(404, &[], json!({ "error": "model not found" }).to_string()),
        asked: 1,
        error: "404",
        kept: "",
    },
    Case { said: "no page", reply: || Reply::refuse(302, &[("location", "http://127.0.0.1:9/")], ""), asked: 1, error: "302", kept: "" },
    Case { said: "no luck", reply: || Reply::refuse(500, &[], "<html>"), asked: 2, error: "500", kept: "" },
    Case { said: "too much", reply: || Reply::refuse(429, &[("retry-after", "0")], ""), asked: 2, error: "429", kept: "" },
    Case { said: "much too much", reply: || Reply::refuse(429, &[("retry-after", "500")], ""), asked: 1, error: "429", kept: "" },
    Case {
        said: "a page",
        reply: || Reply::refuse(200, &[("content-type", "text/html")], "<html>"),
        asked: 1,
        error: "text/html",
        kept: "",
    },
    Case { said: "no sense", reply: || raw("data: {\"choices\": nonsense}\n\n"), asked: 2, error: "not JSON", kept: "So far so " },
    Case { said: "no text", reply: || raw(b"data: \xff\xfe\n\n"), asked: 2, error: "cannot be used", kept: "So far so " },
    Case {
        said: "no end",
        reply: || raw([b"data: ".to_vec(), vec![b'x'; 3 << 20]].concat()),
        asked: 2,
        error: "has no end",
        kept: "So far so ",
    },
    Case {
        said: "an error",
        reply: || raw(format!("data: {}\n\n", json!({ "error": { "message": format!("out of memory, {KEY}") } }))),
        asked: 2,
        error: "in the middle of its answer",
        kept: "So far so ",
    },
    Case { said: "it stops", reply: || begun().then(Step::Stops), asked: 2, error: "broke off", kept: "So far so " },
    Case { said: "it breaks", reply: || begun().then(Step::BreaksOff), asked: 2, error: "connection", kept: "So far so " },
    Case { said: "it sleeps", reply: || begun().then(Step::Silent), asked: 2, error: "silent for 1 s", kept: "So far so " },
    Case { said: "it is dead", reply: || Reply::Streams(vec![Step::Silent]), asked: 2, error: "silent for 1 s", kept: "" },
    Case { said: "nothing", reply: || Reply::Streams(Vec::new()), asked: 1, error: "answered nothing", kept: "" },
];

#[tokio::test]
async fn a_server_that_fails_fails_the_turn_and_not_the_session() {
    let world = World::new(json!({ "attempts": 2, "silence_seconds": 1, "api_key": KEY })).await;
    let ada = world.person("ada").await;
    let cases = CASES.iter().map(|case| {
        let (model, ada) = (&world.model, &ada);
        async move {
            let said = format!("Case: {}.", case.said);
            model.on(&said, |_| (case.reply)());
            let session = session(ada).await;
            let turn = say(ada, &session, &said).await;
            assert_eq!(ending(&turn), ("failed", case.kept), "{said}");
            let error = turn["error"].as_str().unwrap();
            assert!(error.contains(case.error) && !error.contains('\n'), "{said} {error}");
            for the_operators in [model.address().to_string().as_str(), "not found", "out of memory", "Incorrect"] {
                assert!(!error.contains(the_operators), "where the server is, and what it says, is the operator's to know: {error}");
            }
            assert_eq!(model.asked_about(&said).len(), case.asked, "{said}");
            goes_on(ada, &session).await;
            let transcript = json!(transcript(ada, &session).await).to_string();
            assert!(!transcript.contains(KEY), "{transcript}");
        }
    });
    futures::future::join_all(cases).await;
    assert!(world.model.asked().iter().all(|asked| asked.header("authorization") == format!("Bearer {KEY}")));
    let log = world.gateway.log();
    assert!(!log.contains(KEY) && !log.contains("panicked"), "{log}");
    assert!(log.contains("out of memory") && log.contains(&world.model.base_url()), "the operator is told what it was, and of whom");
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_server_that_recovers_is_asked_again_and_nothing_is_said_twice() {
    let world = World::new(json!({ "silence_seconds": 1 })).await;
    let ada = world.person("ada").await;
    world.model.on("Wait", |asked| if asked.times == 1 { Reply::refuse(429, &[("retry-after", "1")], "") } else { Reply::text("Now.") });
    world.model.on("Stutter", |asked| match asked.times {
        1 => Reply::text("One thing is ").then(Step::BreaksOff),
        2 => Reply::text("One other ").then(Step::Raw(b"data: garbage\n\n".to_vec())),
        3 => Reply::text("One more ").and_call("task_create", &json!({ "title": "never called" })).then(Step::Stops),
        _ => Reply::text("All is well."),
    });
    let waits = async {
        let session = session(&ada).await;
        let begun = Instant::now();
        assert_eq!(ending(&say(&ada, &session, "Wait for it.").await), ("answered", "Now."));
        assert!(begun.elapsed() >= Duration::from_secs(1), "it is not asked again before it wants to be");
        assert_eq!(world.model.asked_about("Wait").len(), 2);
    };
    let stutters = async {
        let session = session(&ada).await;
        let seen = ada.say(&session, "Stutter.").await.all().await;
        assert_eq!((seen.finish(), seen.said()), (Some("answered"), vec!["All is well."]));
        assert_eq!((world.model.asked_about("Stutter").len(), seen.messages.len()), (4, 2));
        assert!(ada.get("/api/v1/tasks").await.expect(200).items().is_empty(), "a call that was not complete is none");
    };
    tokio::join!(waits, stutters);
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_found_when_it_is() {
    let mut world = World::new(json!({ "attempts": 2 })).await;
    let address = world.model.address();
    world.model = ChatServer::start().await;
    let ada = world.person("ada").await;
    let session = session(&ada).await;
    let turn = say(&ada, &session, "Is anybody there?").await;
    assert_eq!(ending(&turn), ("failed", ""));
    assert!(turn["error"].as_str().unwrap().contains("cannot be reached"), "{turn}");
    world.gateway.anonymous().get("/readyz").await.expect(200);
    let _model = ChatServer::start_at(address).await;
    goes_on(&ada, &session).await;
    world.gateway.stop().await;
}
