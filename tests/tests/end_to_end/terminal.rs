//! What a person at a terminal sees. The terminal is util-linux's `script`.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::harness::{Client, DataSet, Gateway, PATIENCE, Place, Signal, children, engine_of, shared, signal};

/// Runs a command of the binary under test on a terminal of its own.
pub(crate) fn on_a_terminal(place: &Place, arguments: &[&str]) -> Child {
    on_a_terminal_of(80, place, arguments)
}

/// The same, on a terminal of so many columns.
fn on_a_terminal_of(columns: u16, place: &Place, arguments: &[&str]) -> Child {
    let command = place.command(arguments);
    let line =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    let line = format!("stty cols {columns}; exec {line}");
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]).current_dir(place.path("")).env_clear().env("TERM", "xterm");
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    script.spawn().expect("util-linux's script is installed")
}

/// Types a line on the terminal.
pub(crate) async fn typed(child: &mut Child, line: &str) {
    let input = child.stdin.as_mut().expect("stdin is a pipe");
    input.write_all(format!("{line}\n").as_bytes()).await.expect("the terminal takes what is typed");
    input.flush().await.expect("the terminal takes what is typed");
}

/// Reads what the terminal shows until `enough` says so, or the end.
pub(crate) async fn shown(child: &mut Child, enough: impl Fn(&str) -> bool) -> String {
    let output = child.stdout.as_mut().expect("stdout is a pipe");
    let mut text = Vec::new();
    let reading =
        async { while !enough(&String::from_utf8_lossy(&text)) && output.read_buf(&mut text).await.expect("a pipe can be read") > 0 {} };
    let enough = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(enough.is_ok(), "the terminal goes silent behind {text}");
    text
}

#[tokio::test]
async fn the_first_admins_token_is_shown_once() {
    let place = Place::new();
    let mut script = on_a_terminal(&place, &["serve"]);
    // What the terminal shows to try can be tried once the line behind it says that all is ready.
    let text = shown(&mut script, |text| text.split("view=all").nth(1).is_some_and(|rest| rest.contains("ready"))).await;
    let token =
        text.split("Authorization: Bearer ").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no token in {text}"));
    let url = text.split("Bearer ").nth(1).and_then(|rest| rest.split('\'').nth(1)).unwrap_or_else(|| panic!("no url in {text}"));
    let path = url.strip_prefix(&format!("http://{}", place.address())).unwrap_or_else(|| panic!("{url} is not the gateway's"));
    Client::anonymous(place.address()).with_token(token).get(path).await.expect(200);
    assert!(!place.path("mosaic-admin.token").exists(), "what was shown is written nowhere");

    let below = |pid| children(pid).into_iter().flat_map(|child| [vec![child], children(child)].concat());
    let gateway = below(script.id().unwrap()).find(|pid| engine_of(*pid).is_some()).expect("the gateway runs on the terminal");
    signal(gateway, Signal::INT);
    let rest = shown(&mut script, |_| false).await;
    assert!(rest.contains("stopping"), "{rest}");
    assert!(!rest.contains(token), "{rest}");
    assert_eq!(script.wait().await.unwrap().code(), Some(0));
}

/// The work takes as long as the test wants: the engine stands still until the bar is there.
#[tokio::test]
async fn long_work_shows_its_progress() {
    let gateway = Gateway::start().await;
    let place = gateway.place.clone().with_env("MOSAIC_TOKEN", String::from_utf8(gateway.place.read("mosaic-admin.token")).unwrap().trim());
    place.write("data.jsonl", DataSet::new(8).lines());

    // From now on the gateway knows the token without asking its engine.
    gateway.admin().get("/api/v1/users").await.expect(200);
    let engine = gateway.engine().await;
    signal(engine, Signal::STOP);
    let mut script = on_a_terminal(&place, &["import", "data.jsonl", "--url", &gateway.url()]);
    let bar = shown(&mut script, |text| text.contains('%')).await;
    assert!(bar.contains(" of ") && bar.contains("left"), "no progress in {bar}");

    signal(engine, Signal::CONT);
    let rest = shown(&mut script, |_| false).await;
    assert_eq!(script.wait().await.unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("KIND") && rest.contains("note"), "no table in {rest}");
}

/// The same without a gateway, from a pipe: how much there is to do is not known, and what is done is counted.
#[tokio::test]
async fn a_pipe_shows_what_came_out_of_it() {
    let place = Place::new();
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().await.unwrap().success());
    let data = DataSet::new(8).lines();

    let mut script = on_a_terminal(&place, &["import", "pipe"]);
    // Opening it waits for the reader.
    let mut writer = tokio::fs::OpenOptions::new().write(true).open(&pipe).await.unwrap();
    writer.write_all(data.as_bytes()).await.unwrap();
    writer.flush().await.unwrap();
    let bar = shown(&mut script, |text| text.contains("iB  ")).await;
    assert!(!bar.contains('%'), "a share of what is not known in {bar}");

    drop(writer);
    let rest = shown(&mut script, |_| false).await;
    assert_eq!(script.wait().await.unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("KIND") && rest.contains("note"), "no table in {rest}");
}

#[tokio::test]
async fn the_doctor_fits_the_terminal_and_has_colours() {
    let place = Place::new();
    let mut script = on_a_terminal(&place, &["doctor"]);
    let text = shown(&mut script, |_| false).await.replace('\r', "");
    assert_eq!(script.wait().await.unwrap().code(), Some(0), "{text}");
    assert!(text.contains("\u{1b}[32m✓ green\u{1b}[0m  local.directory  "), "{text}");
    assert!(text.contains("\n         absent; the first start makes it\n"), "what was found is below: {text}");

    let mut script = on_a_terminal(&place.with_env("NO_COLOR", "1"), &["doctor"]);
    let text = shown(&mut script, |_| false).await.replace('\r', "");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 80) && !text.contains(['\u{1b}', '…']), "{widest:?}: {text}");
}

#[tokio::test]
async fn lists_and_finds_fit_the_terminal_and_have_colours() {
    let gateway = shared().await;
    let person = gateway.person("terminal").await;
    let title = "a long title about zqclay ".repeat(10);
    let task = json!({ "title": title, "status": "in_progress", "assignee_id": person.id });
    let task = person.client.create("tasks", task).await;
    let id = task["id"].as_str().unwrap();
    let place = Place::new().with_env("MOSAIC_URL", gateway.url()).with_env("MOSAIC_TOKEN", person.client.token());
    let on = async |columns, place: &Place, command: &[&str]| {
        let mut script = on_a_terminal_of(columns, place, command);
        let text = shown(&mut script, |_| false).await;
        assert_eq!(script.wait().await.unwrap().code(), Some(0), "{text}");
        text.replace('\r', "")
    };

    let uncoloured = place.clone().with_env("NO_COLOR", "1");
    for (columns, lines) in [(120, 2), (70, 3)] {
        let list = on(columns, &uncoloured, &["task", "list"]).await;
        assert!(!list.contains('\u{1b}'), "{list}");
        let widest = list.lines().map(|line| line.chars().count()).max();
        assert!(list.lines().count() == lines && widest.is_some_and(|widest| widest <= columns.into()), "{columns}: {list}");
        assert!(list.contains("a long title") && list.contains('…') && list.contains(id), "{list}");
    }
    let list = on(120, &place, &["task", "list"]).await;
    assert!(list.contains("\u{1b}[36min_progress\u{1b}[0m"), "{list}");
    let found = on(120, &place, &["search", "zqclay"]).await;
    assert!(found.contains("\u{1b}["), "{found}");
    let dumb = on(120, &place.with_env("TERM", "dumb"), &["task", "show", id]).await;
    assert!(!dumb.contains('\u{1b}') && dumb.contains(title.trim_end()), "{dumb}");
}
