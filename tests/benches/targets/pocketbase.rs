//! PocketBase, with the same tasks, for one user who is let in by a rule, and with the index that their list wants. What must not come in: a
//! harder question than Mosaic is asked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mosaic_tests::measure::{Connection, free_address, request};
use serde_json::{Value, json};

use super::data;

const ADMIN: &str = "admin@example.com";
const OWNER: &str = "owner@example.com";
const PASSWORD: &str = "a-long-password";
const BATCH: usize = 500;

/// One that runs, and ends with this value.
pub(crate) struct PocketBase {
    child: Child,
    dir: PathBuf,
    pub(crate) address: SocketAddr,
    token: String,
    /// Of some tasks.
    ids: Vec<String>,
}

impl PocketBase {
    /// The program, if there is one.
    pub(crate) fn find() -> Option<PathBuf> {
        let named = std::env::var_os("POCKETBASE").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        named.into_iter().chain(std::env::split_paths(&path).map(|dir| dir.join("pocketbase"))).find(|program| program.is_file())
    }

    /// Starts it and fills it.
    pub(crate) async fn start(program: &PathBuf, tasks: usize) -> Self {
        let dir = std::env::temp_dir().join(format!("mosaic-pocketbase-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).arg("--dir").arg(dir.join("data")).current_dir(&dir);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        assert!(command(&["superuser", "upsert", ADMIN, PASSWORD]).status().unwrap().success(), "PocketBase makes its administrator");
        let address = free_address();
        let child = command(&["serve", "--http", &address.to_string()]).spawn().unwrap();
        let mut pocketbase = Self { child, dir: dir.clone(), address, token: String::new(), ids: Vec::new() };
        pocketbase.fill(tasks).await;
        pocketbase
    }

    async fn fill(&mut self, tasks: usize) {
        let begun = Instant::now();
        let mut connection = loop {
            match Connection::open(self.address).await {
                Ok(connection) => break connection,
                Err(_) if begun.elapsed() < Duration::from_secs(60) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("PocketBase does not listen: {error}"),
            }
        };
        let mut ask = async |method: &str, path: &str, token: &str, body: Value| {
            connection.ask(&request(method, path, token, Some(&body))).await.unwrap().success()
        };
        let sign_in = |identity: &str| json!({ "identity": identity, "password": PASSWORD });
        let admin = ask("POST", "/api/collections/_superusers/auth-with-password", "", sign_in(ADMIN)).await;
        let admin = admin["token"].as_str().unwrap();
        let settings =
            json!({ "batch": { "enabled": true, "maxRequests": BATCH, "timeout": 60, "maxBodySize": 0 }, "logs": { "maxDays": 0 } });
        ask("PATCH", "/api/settings", admin, settings).await;
        let owner = json!({ "email": OWNER, "password": PASSWORD, "passwordConfirm": PASSWORD });
        let owner = ask("POST", "/api/collections/users/records", admin, owner).await["id"].as_str().unwrap().to_owned();
        let field = |name: &str, ty: &str| json!({ "name": name, "type": ty });
        let collection = json!({
            "name": "tasks", "type": "base", "listRule": "owner = @request.auth.id", "viewRule": "owner = @request.auth.id",
            "fields": [{ "name": "owner", "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1 }, field("title", "text"),
                field("body", "text"), field("status", "text"), field("priority", "number"), field("tags", "json"), field("created_at", "date")],
            "indexes": ["CREATE INDEX tasks_of_owner ON tasks (owner, created_at, id)"],
        });
        ask("POST", "/api/collections", admin, collection).await;
        let some: Vec<_> = data::some(tasks).collect();
        let numbers: Vec<_> = (0..tasks).collect();
        for batch in numbers.chunks(BATCH) {
            let make = |number: &usize| {
                let mut task = data::task(*number);
                task["owner"] = json!(owner);
                json!({ "method": "POST", "url": "/api/collections/tasks/records", "body": task })
            };
            let made = ask("POST", "/api/batch", admin, json!({ "requests": batch.iter().map(make).collect::<Vec<_>>() })).await;
            let ids = batch.iter().zip(made.as_array().unwrap()).filter(|(number, _)| some.contains(number));
            self.ids.extend(ids.map(|(_, made)| made["body"]["id"].as_str().unwrap().to_owned()));
        }
        let signed_in = ask("POST", "/api/collections/users/auth-with-password", "", sign_in(OWNER)).await;
        self.token = signed_in["token"].as_str().unwrap().to_owned();
    }

    /// The same gets, and the same list.
    pub(crate) fn requests(&self) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let get = |path: String| request("GET", &format!("/api/collections/tasks/records{path}"), &self.token, None);
        let list = get("?perPage=50&skipTotal=true&sort=created_at,id".to_owned());
        (self.ids.iter().map(|id| get(format!("/{id}"))).collect(), vec![list])
    }
}

impl Drop for PocketBase {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_dir_all(&self.dir);
    }
}
