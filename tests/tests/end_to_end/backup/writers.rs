//! Backups while others write: each is of one moment. What must not come in: what a backup of stopped writers shows as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hyper::Method;
use mosaic_core::{Id, Kind, Record};
use mosaic_tests::generator::{Generator, Size};
use serde_json::{Value, json};

use super::{Tier, answer, made};
use crate::harness::{Client, Gateway, Random};

/// So many write at once …
const WRITERS: u64 = 4;
/// … while so many backups are made, one after the other.
const BACKUPS: usize = 3;

/// Which records were acknowledged, of those that nobody removes.
type Kept = Arc<Mutex<BTreeSet<String>>>;

const AT: &str = "2026-03-01T12:00:00Z";

/// Takes records over together, all of them.
async fn take(client: &Client, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let report = client.request(Method::POST, "/api/v1/import", &[], lines).await.expect(200).json();
    assert_eq!(report["total"]["added"], json!(records.len()), "{report}");
}

/// Makes what refers to what was made a moment before, and takes some of it away again, until told to stop.
async fn write(client: Client, mut random: Random, kept: Kept, stop: Arc<AtomicBool>) -> u64 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        rounds += 1;
        let [user, team, membership, task, session] = [(); 5].map(|()| random.id());
        let user_record = json!({ "kind": "user", "id": user, "login": format!("u-{user}"), "name": "N", "created_at": AT });
        let team_record = json!({ "kind": "team", "id": team, "slug": format!("t-{team}"), "name": "T", "created_at": AT });
        take(&client, &[user_record, team_record]).await;
        let joins = json!({ "kind": "membership", "id": membership, "team_id": team, "user_id": user, "role": "owner", "created_at": AT });
        take(&client, &[joins]).await;
        let (owner, space) = (&user, &team);
        let task_record =
            json!({ "kind": "task", "id": task, "owner_id": owner, "team_id": space, "assignee_id": user, "title": "t", "created_at": AT });
        let session_record =
            json!({ "kind": "session", "id": session, "owner_id": owner, "team_id": space, "title": "s", "agent": "a", "created_at": AT });
        take(&client, &[task_record, session_record]).await;
        kept.lock().unwrap().extend([user.clone(), team.clone(), task, session.clone()]);
        for seq in 1..=3 {
            let message = random.id();
            take(
                &client,
                &[json!({ "kind": "message", "id": message, "session_id": session, "seq": seq, "role": "user", "content": "c", "created_at": AT })],
            )
            .await;
            kept.lock().unwrap().insert(message);
        }
        let note = client.create("notes", json!({ "title": "n" })).await["id"].as_str().unwrap().to_owned();
        if random.below(2) == 0 {
            // The assignment ends with it, at once.
            client.delete(&format!("/api/v1/memberships/{membership}")).await.expect(204);
            client.delete(&format!("/api/v1/notes/{note}")).await.expect(204);
        }
    }
    rounds
}

/// What holds of what a backup brought: nothing is missing in between, and all that was acknowledged before is there.
fn assert_is_of_one_moment(records: &[Record], acknowledged: &BTreeSet<String>) {
    let ids: BTreeSet<String> = records.iter().map(|record| record.id().to_string()).collect();
    let missing: Vec<_> = acknowledged.iter().filter(|id| !ids.contains(*id)).collect();
    assert!(missing.is_empty(), "acknowledged before the backup, and not in it: {missing:?}");
    let mut places: BTreeMap<Id, Vec<u64>> = BTreeMap::new();
    for record in records {
        if let Record::Message(message) = record {
            places.entry(message.session_id).or_default().push(message.seq);
        }
    }
    for (session, mut seqs) in places {
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "the messages of session {session}");
    }
}

async fn while_others_write(name: &'static str, through_the_gateway: bool) {
    // Enough for several pages, so that there is a while to write in.
    let data = Generator::new(41, Size::of(2_500, 600, 16));
    let tier = Tier::with(name, &data).await;
    let gateway = Gateway::start_in(&tier.place).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let (kept, stop) = (Kept::default(), Arc::new(AtomicBool::new(false)));
    let mut random = Random::new(name);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write(client.clone(), Random::seeded(random.next()), Arc::clone(&kept), Arc::clone(&stop))))
        .collect();
    let (url, secret) = (gateway.url(), data.administrator_secret());
    let place = if through_the_gateway {
        tier.place.clone().with_env("MOSAIC_URL", url).with_env("MOSAIC_TOKEN", secret)
    } else {
        tier.place.clone()
    };
    let mut acknowledged = Vec::new();
    for number in 0..BACKUPS {
        acknowledged.push(kept.lock().unwrap().clone());
        made(&place, &format!("{number}.tar.zst"), &[]).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut rounds = 0;
    for writer in writers {
        rounds += writer.await.unwrap();
    }
    println!("{name}: {rounds} rounds of writing meanwhile");
    gateway.stop().await;
    for (number, acknowledged) in acknowledged.iter().enumerate() {
        let file = tier.place.path(&format!("{number}.tar.zst"));
        let file = file.to_str().unwrap();
        if number == 0 {
            assert_eq!(answer(&tier.place.run(&["backup", "verify", file, "--json"]).await.exit(0))["outcome"], "verified");
        }
        // What takes references apart is not taken by a restore.
        let next = Tier::new("standalone").await;
        next.place.run(&["backup", "restore", file]).await.exit(0);
        assert_is_of_one_moment(&next.held().await.0, acknowledged);
    }
    assert!(tier.held().await.0.iter().any(|record| record.kind() == Kind::Message));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_local_tier_is_of_one_moment() {
    while_others_write("local", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_standalone_tier_is_of_one_moment() {
    while_others_write("standalone", true).await;
}

/// The command reads the database itself, beside the gateway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_running_gateways_is_of_one_moment() {
    while_others_write("federated", false).await;
}
