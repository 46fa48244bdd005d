//! Shell blocks: run as they stand, those of a page one after another in one shell, as a reader types them. What a reader has and the
//! test has not, a comment above a block makes; what cannot be run says there why not.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use mosaic_tests::services::OwnPostgres;
use tokio::process::Command;

use super::blocks::Block;
use super::{Page, pages, root};
use crate::harness::{ChatServer, Gateway, Place};
use crate::servers::services;

/// How long the blocks of one page may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Where a gateway answers in the pages.
const ADDRESS: &str = "127.0.0.1:7420";
/// What stands for a token in them.
const TOKEN: &str = "mosaic_…";

/// What a reader has while they read: a directory like a clone of the repository, programs, and what is around them.
struct World {
    place: Place,
    variables: Vec<(String, String)>,
    /// What the pages have, and what stands for it here.
    instead: Vec<(&'static str, String)>,
    programs: Vec<PathBuf>,
}

impl World {
    /// A new one around a place, whose `mosaic` is on the PATH.
    fn around(place: &Place) -> Self {
        let bin = place.path("bin");
        std::fs::create_dir(&bin).unwrap();
        symlink(place.command(&[]).get_program(), bin.join("mosaic")).unwrap();
        let instead = vec![(ADDRESS, place.address().to_string())];
        Self { place: place.clone(), variables: Vec::new(), instead, programs: vec![bin] }
    }

    /// With a variable, which the reader has set by some block that is not run.
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs the blocks of a page, and says how it went.
    async fn run(&self, page: &Page, blocks: &[&Block]) -> Result<(), String> {
        let dir = self.place.path(&format!("of-{}", page.name().replace('/', "-")));
        std::fs::create_dir_all(dir.join("target/release")).unwrap();
        symlink(self.programs[0].join("mosaic"), dir.join("target/release/mosaic")).unwrap();
        for name in ["docs", "examples"] {
            symlink(root().join(name), dir.join(name)).unwrap();
        }
        // Without it, an answer that is a refusal would pass for success.
        std::fs::write(dir.join(".curlrc"), "fail-with-body\nsilent\nshow-error\n").unwrap();
        let mut script = String::new();
        for block in blocks {
            let _ = write!(script, "echo '== line {}' >&2\n{}\n{}", block.line, block.said("before").unwrap_or_default(), block.typed());
        }
        for (shown, real) in &self.instead {
            script = script.replace(shown, real);
        }
        let mut command = Command::new("bash");
        let path = self.programs.iter().map(|dir| dir.display().to_string()).chain(std::env::var("PATH")).collect::<Vec<_>>().join(":");
        command.args(["-e", "-o", "pipefail", "-c", &script]).current_dir(&dir).kill_on_drop(true).stdin(Stdio::null());
        command.env_clear().env("PATH", path).env("HOME", &dir).env("EDITOR", "true").env("LANG", "C.UTF-8");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(Ok(Output { status, .. })) if status.success() => Ok(()),
            Ok(Ok(Output { stdout, stderr, .. })) => Err(format!(
                "{}: its blocks fail:\n{}\n{}",
                page.name(),
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            )),
            Ok(Err(error)) => Err(format!("{}: no shell: {error}", page.name())),
            Err(_) => Err(format!("{}: its blocks do not end", page.name())),
        }
    }
}

/// The pages whose blocks are run in this world, the one of most pages going without a name; and those blocks.
fn walked(pages: &[Page], world: Option<&str>) -> Vec<(usize, Vec<Block>)> {
    let of_world =
        |page: &&(usize, &Page)| page.1.text.lines().find_map(|line| line.strip_prefix("<!-- world: ")?.strip_suffix(" -->")) == world;
    let all: Vec<_> = pages.iter().enumerate().collect();
    let blocks = all.iter().filter(of_world).map(|(at, page)| {
        let runs = |block: &Block| block.is_shell() && block.said("not run").is_none();
        (*at, page.blocks().into_iter().filter(runs).collect::<Vec<_>>())
    });
    blocks.filter(|(_, blocks)| !blocks.is_empty()).collect()
}

async fn walk(world: &World, pages: &[Page], walked: Vec<(usize, Vec<Block>)>) {
    let mut failures = Vec::new();
    for (at, blocks) in walked {
        failures.extend(world.run(&pages[at], &blocks.iter().collect::<Vec<_>>()).await.err());
    }
    let how = "mend the block, or say above it why it is not run: <!-- not run: … --> (see tests/tests/end_to_end/docs/mod.rs)";
    assert!(failures.is_empty(), "{}\n{how}", failures.join("\n"));
}

/// Beside a gateway of tier local that has the demo's data and a chat model, with a token of Ada's that may do everything.
#[tokio::test]
async fn every_block_of_shell_does_what_it_says() {
    let pages = pages();
    let walked = walked(&pages, None);
    assert!(!walked.is_empty(), "no page has a block of shell to run");
    let model = ChatServer::start().await;
    let place = Place::new().with_env("MOSAIC_MODELS__CHAT__BASE_URL", model.base_url()).with_env("MOSAIC_MODELS__CHAT__MODEL", "docs");
    let gateway = Gateway::start_in(&place).await;
    let url = gateway.url();
    place.run(&["import", "--url", &url, root().join("examples/demo.jsonl").to_str().unwrap()]).await.exit(0);
    let all = "read,write,agent,admin,operator";
    let token = place.run(&["token", "create", "--url", &url, "--user", "ada", "--name", "docs", "--scope", all]).await.exit(0).text();
    let mut world = World::around(&place).with("MOSAIC_URL", url).with("MOSAIC_TOKEN", token.trim());
    // For a doctor, who looks there for a gateway.
    world = world.with("MOSAIC_LISTEN", place.address().to_string());
    world.instead.push((TOKEN, token.trim().to_owned()));
    walk(&world, &pages, walked).await;
}

/// Beside servers of tier federated that hold the demo's data. Where psql and its like are not to be had, nothing is run.
#[tokio::test]
async fn every_block_of_shell_for_the_federated_tier_does_what_it_says() {
    let pages = pages();
    let walked = walked(&pages, Some("federated"));
    assert!(!walked.is_empty(), "no page has a block of shell to run");
    let services = services().await;
    let Some(bin) = &services.bin else { return println!("not run: the servers came without their programs") };
    let postgres = OwnPostgres::start().await;
    let password = "made-for-the-docs";
    postgres.execute("postgres", &format!("CREATE ROLE mosaic LOGIN PASSWORD '{password}'")).await;
    postgres.execute("postgres", "CREATE DATABASE mosaic OWNER mosaic").await;
    postgres.execute("mosaic", "CREATE EXTENSION vector").await;
    let config = [
        ("MOSAIC_TIER", "federated".to_owned()),
        ("MOSAIC_FEDERATED__POSTGRES__URL", format!("postgres://mosaic@{}:{}/mosaic", postgres.host, postgres.port)),
        ("MOSAIC_FEDERATED__POSTGRES__PASSWORD", password.to_owned()),
        ("MOSAIC_FEDERATED__VALKEY__URL", services.valkey.database()),
    ];
    let place = config.iter().fold(Place::new(), |place, (name, value)| place.with_env(name, value.clone()));
    place.run(&["import", root().join("examples/demo.jsonl").to_str().unwrap()]).await.exit(0);
    let mut world = config.iter().fold(World::around(&place), |world, (name, value)| world.with(name, value.clone()));
    world = world.with("MOSAIC_LISTEN", place.address().to_string());
    let (host, port) = (postgres.host.clone(), postgres.port.to_string());
    for (name, value) in [("PGHOST", host), ("PGPORT", port), ("PGUSER", postgres.user.clone()), ("PGPASSWORD", postgres.password.clone())]
    {
        world = world.with(name, value);
    }
    world.programs.push(bin.clone());
    walk(&world, &pages, walked).await;
}

#[test]
fn pages_are_walked_in_their_worlds() {
    let page = |text: &str| Page { path: root().join("x.md"), text: text.to_owned() };
    let block = "```sh\ntrue\n```\n";
    let pages =
        [page(block), page(&format!("# x\n\n<!-- world: federated -->\n{block}")), page(&format!("<!-- not run: why -->\n{block}"))];
    let places = |world| walked(&pages, world).into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!((places(None), places(Some("federated"))), (vec![0], vec![1]));
}
