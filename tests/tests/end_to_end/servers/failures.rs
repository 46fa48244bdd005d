//! Each way in which a service can fail a start, by its name: the service, where it was tried, the cause and the cure. A start and the
//! doctor say the same.

use mosaic_tests::services::{OwnPostgres, Unanswered};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Stack, federated, services, standalone};
use crate::harness::{Gateway, Place, signal};

/// A start is refused with one line that holds all of `names`, and the doctor has a red check that holds them too.
async fn check(place: &Place, names: &[&str]) {
    place.run(&["serve"]).await.fails_with(names);
    let report = place.run(&["doctor", "--json"]).await.exit(1).text();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let red = |check: &serde_json::Value| {
        let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
        let [service, target, message, remediation] = ["service", "target", "message", "remediation"].map(text);
        let said = format!("service={service} target={target} {message} {remediation}");
        check["status"] == "red" && names.iter().all(|name| said.contains(name))
    };
    assert!(report["checks"].as_array().unwrap().iter().any(red), "{names:?} in {report:#}");
}

#[tokio::test]
async fn refused() {
    let place = standalone("postgres://mosaic@127.0.0.1:1/mosaic");
    let cure = "start the server (docker compose --profile standalone up -d --wait)";
    check(&place, &["nothing listens there", "service=postgres", "target=127.0.0.1:1", cure]).await;
}

#[tokio::test]
async fn black_holed() {
    let silent = Unanswered::start().await;
    let address = silent.address().to_string();
    check(&standalone(&format!("postgres://mosaic@{address}/mosaic")), &["postgres does not answer within 2 s", &address, "firewall"])
        .await;
    let stack = Stack::new().await;
    check(&federated(&stack.database.url(), &format!("redis://{address}")), &["valkey does not answer within 2 s", &address, "firewall"])
        .await;
}

/// A server that takes connections and says nothing, as one that is stopped does.
#[tokio::test]
async fn taken_and_not_answered() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap().to_string();
    check(&standalone(&format!("postgres://mosaic@{address}/mosaic")), &["postgres does not answer within 2 s", &address]).await;
}

#[tokio::test]
async fn name_not_found() {
    let place = standalone("postgres://mosaic@no-such-host.invalid/mosaic");
    check(&place, &["the host name of postgres is not known", "target=no-such-host.invalid:5432", "correct the host"]).await;
    let stack = Stack::new().await;
    let place = federated(&stack.database.url(), "redis://no-such-host.invalid");
    check(&place, &["the host name of valkey is not known", "target=no-such-host.invalid:6379", "correct the host"]).await;
}

#[tokio::test]
async fn wrong_password() {
    let database = services().await.postgres.database().await;
    let wrong = database.server.url(&database.user, "wrong-p4ss", &database.name);
    check(&standalone(&wrong), &["does not take the password", &database.user, "correct standalone.postgres.password"]).await;
    check(&standalone(&database.url_without_password()), &["wants a password", "standalone.postgres.password_file"]).await;
}

#[tokio::test]
async fn wrong_database() {
    let database = services().await.postgres.database().await;
    let wrong = database.server.url(&database.user, &database.password, "no_such_database");
    check(&standalone(&wrong), &["postgres has no database \"no_such_database\"", "createdb --owner"]).await;
}

#[tokio::test]
async fn tls_required() {
    let database = services().await.postgres.database().await;
    database.require_tls().await;
    let plain = format!("{}?sslmode=disable", database.url());
    check(&standalone(&plain), &["postgres takes connections by TLS alone", "set sslmode=verify-full"]).await;
    let trusting = format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), database.server.ca.display());
    let gateway = Gateway::start_in(&standalone(&trusting)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn tls_not_trusted() {
    let services = services().await;
    let database = services.postgres.database().await;
    check(&standalone(&format!("{}?sslmode=verify-full", database.url())), &["the certificate of postgres is not trusted", "sslrootcert"])
        .await;
    let wrong = format!("{}?sslmode=verify-ca&sslrootcert={}", database.url(), services.wrong_ca.display());
    check(&standalone(&wrong), &["the certificate of postgres is not trusted", "sslrootcert"]).await;

    let stack = Stack::new().await;
    let by_tls = federated(&stack.database.url(), &services.valkey.tls_url());
    check(&by_tls, &["the certificate of valkey is not trusted", "federated.valkey.root_cert_file"]).await;
    let trusting = by_tls.with_env("MOSAIC_FEDERATED__VALKEY__ROOT_CERT_FILE", services.ca.to_str().unwrap());
    Gateway::start_in(&trusting).await.stop().await;
}

/// What a server says is taken as it is: one that calls itself 14 and answers everything else as it does.
#[tokio::test]
async fn version_too_old() {
    let database = services().await.postgres.database().await;
    let too_old = "CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS \
        $$ SELECT CASE $1 WHEN 'server_version_num' THEN '140011' ELSE pg_catalog.current_setting($1) END $$";
    database.execute(too_old).await;
    database.execute(&format!("ALTER ROLE {} SET search_path = public, pg_catalog", database.user)).await;
    check(&standalone(&database.url()), &["postgres 14.11 is too old: it takes 15 or later", "upgrade the server"]).await;
}

#[tokio::test]
async fn extension_missing_and_not_creatable() {
    let services = services().await;
    let database = services.pgvector.database().await;
    let place = federated(&database.url(), &services.valkey.database());
    check(&place, &["does not have pgvector, and its user may not make it", "CREATE EXTENSION vector"]).await;
    // Who may, makes it.
    let place = federated(&database.admin_url(), &services.valkey.database());
    Gateway::start_in(&place).await.stop().await;
}

#[tokio::test]
async fn extension_too_old() {
    let stack = Stack::new().await;
    stack.database.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'").await;
    check(&stack.place(), &["pgvector 0.7.4 is too old: it takes 0.8.0 or later", "ALTER EXTENSION vector UPDATE"]).await;
    stack.database.execute("UPDATE pg_extension SET extversion = '0.8.2' WHERE extname = 'vector'").await;
    let report = stack.place().run(&["doctor"]).await.exit(0).text();
    assert!(report.contains("pgvector 0.8.2, whose indexes may break"), "{report}");
    stack.place().run(&["doctor", "--strict"]).await.exit(1);
}

#[tokio::test]
async fn valkey_wants_another_password() {
    let stack = Stack::new().await;
    let valkey = &services().await.valkey;
    let wrong = format!("redis://:wrong-p4ss@{}:{}", valkey.host, valkey.port);
    check(&federated(&stack.database.url(), &wrong), &["valkey does not take the password", "federated.valkey.password"]).await;
    let none = format!("redis://{}:{}", valkey.host, valkey.port);
    check(&federated(&stack.database.url(), &none), &["valkey wants a password", "MOSAIC_FEDERATED__VALKEY__PASSWORD"]).await;
}

#[tokio::test]
async fn what_is_no_valkey_and_no_postgres() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 1_024];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let stack = Stack::new().await;
    let place = federated(&stack.database.url(), &format!("redis://{address}"));
    check(&place, &["what answers there is no valkey", &address, "correct host and port in federated.valkey.url"]).await;
    let place = standalone(&format!("postgres://mosaic@{address}/mosaic"));
    check(&place, &["what answers there is no postgres", &address, "correct host and port in standalone.postgres.url"]).await;
}

#[tokio::test]
async fn schema_newer_than_this_binary() {
    let database = services().await.postgres.database().await;
    let place = standalone(&database.url());
    Gateway::start_in(&place).await.stop().await;
    database
        .execute("INSERT INTO mosaic_migrations SELECT 9999, 'from the future', now(), true, checksum, 1 FROM mosaic_migrations LIMIT 1")
        .await;
    check(&place, &["written by a newer version of Mosaic", "migration=9999", "use that version of Mosaic, or a later one"]).await;
}

#[tokio::test]
async fn a_database_of_somebody_elses() {
    let database = services().await.postgres.database().await;
    database.execute("CREATE TABLE tasks (id int)").await;
    check(&standalone(&database.url()), &["tables that are not Mosaic's", "names=tasks", "an empty database"]).await;
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text() {
    let database = services().await.postgres.database().await;
    let name = format!("{}_latin", database.name);
    let make = format!("CREATE DATABASE {name} OWNER {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", database.user);
    database.server.execute("postgres", &make).await;
    let url = database.server.url(&database.user, &database.password, &name);
    check(&standalone(&url), &["has the encoding LATIN1", "createdb --encoding UTF8"]).await;
    database.server.execute("postgres", &format!("DROP DATABASE {name}")).await;
}

/// While a server is starting up, it is waited for.
#[tokio::test]
async fn a_server_that_comes_up_late_is_waited_for() {
    let own = OwnPostgres::start().await;
    let database = own.database().await;
    own.stop().await;
    let place = standalone(&database.url()).with_env("MOSAIC_STARTUP__WAIT_SECONDS", "30");
    let gateway = Gateway::spawn(&place);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    own.restart().await;
    gateway.ready().await;
    signal(gateway.pid(), crate::harness::Signal::TERM);
    gateway.ended().await;
}
