//! Records to import: made up, the same each time, with whatever is awkward in them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::Random;

/// A data set as JSON Lines, in dependency order.
pub(crate) struct DataSet {
    /// One record each.
    pub(crate) records: Vec<Value>,
}

impl DataSet {
    /// Some hundred records of every kind but tokens.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let mut records = Vec::new();
        let users: Vec<_> = (0..20).map(|_| random.id()).collect();
        let teams: Vec<_> = (0..5).map(|_| random.id()).collect();
        for (n, id) in users.iter().enumerate() {
            let mut user = json!({ "kind": "user", "id": id, "login": format!("user-{seed}-{n}"), "name": format!("Üser {n} 😀"), "role": "member", "created_at": time(n) });
            if n.is_multiple_of(3) {
                user["email"] = format!("user{n}@example.org").into();
            }
            records.push(user);
        }
        for (n, id) in teams.iter().enumerate() {
            records.push(json!({ "kind": "team", "id": id, "slug": format!("team-{seed}.{n}"), "name": "a \"quoted\"\tname", "created_at": time(n) }));
        }
        for (n, user) in users.iter().enumerate() {
            let role = if n < teams.len() { "owner" } else { "member" };
            let team = &teams[n % teams.len()];
            records.push(
                json!({ "kind": "membership", "id": random.id(), "team_id": team, "user_id": user, "role": role, "created_at": time(n) }),
            );
        }
        for n in 0..300 {
            records.push(task(&mut random, n, &users, &teams));
        }
        for n in 0..100 {
            let owner = &users[n % users.len()];
            let body = "line\n\"quoted\" \\ \u{7f} \u{2028} é 日本語 \u{1f600}\n".repeat(n);
            let mut note = json!({ "kind": "note", "id": random.id(), "owner_id": owner, "title": format!("note {n}"), "body": body, "tags": [], "created_at": time(n) });
            if n.is_multiple_of(4) {
                note["team_id"] = teams[n % users.len() % teams.len()].clone().into();
            }
            records.push(note);
        }
        Self { records }
    }

    /// Adds so many small notes.
    pub(crate) fn add_notes(&mut self, count: usize) {
        let owner = self.records[0]["id"].clone();
        let mut random = Random::seeded(u64::MAX);
        let note = |n: usize| json!({ "kind": "note", "id": random.id(), "owner_id": owner, "title": n.to_string(), "body": "x".repeat(300), "created_at": time(n) });
        self.records.extend((0..count).map(note));
    }

    /// One record a line.
    pub(crate) fn lines(&self) -> String {
        self.records.iter().fold(String::new(), |mut text, record| {
            let _ = writeln!(text, "{record}");
            text
        })
    }

    /// How many records there are of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        kinds_of(&self.lines())
    }
}

fn task(random: &mut Random, n: usize, users: &[String], teams: &[String]) -> Value {
    let owner = n % users.len();
    let status = ["open", "in_progress", "blocked", "done", "cancelled"][n % 5];
    let tags = &["α", "b c", "\u{301}"][..n % 4];
    let mut task = json!({
        "kind": "task", "id": random.id(), "owner_id": users[owner], "title": format!("task {n}: {}", "x".repeat(n)), "body": "", "status": status,
        "priority": n % 5, "tags": tags, "created_at": time(n),
    });
    if n.is_multiple_of(2) {
        task["team_id"] = teams[owner % teams.len()].clone().into();
        task["assignee_id"] = users[owner].clone().into();
        task["due_at"] = "2031-12-31T23:59:59.999999Z".into();
        task["updated_at"] = "2030-01-01T00:00:00.5Z".into();
        task["revision"] = (n + 2).into();
    }
    task
}

fn time(n: usize) -> String {
    format!("2025-{:02}-{:02}T{:02}:00:00.{:06}Z", n % 12 + 1, n % 28 + 1, n % 24, n * 7 % 1_000_000)
}

/// How many lines there are of each kind; every line must be a record.
pub(crate) fn kinds_of(lines: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        *counts.entry(record["kind"].as_str().expect("a record says its kind").to_owned()).or_default() += 1;
    }
    counts
}
