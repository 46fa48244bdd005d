//! What is looked at before opening: Postgres, its database, pgvector, the schema, and Valkey, side by side. Nothing is changed.

use std::time::Instant;

use mosaic_core::{Check, CheckEntry, Options, register_check};
use mosaic_sql::Tables;
use mosaic_sql::server::{Probe, Server, checks};

use crate::config::Config;
use crate::open::DEADLINE;
use crate::valkey::{SERVICE, Valkey};
use crate::{LEAST_VERSION, TIER};

register_check!(checks::postgres("federated.postgres"));
register_check!(checks::database("federated.database"));
register_check!(checks::pgvector("federated.pgvector"));
register_check!(checks::schema("federated.schema"));
register_check!(CheckEntry {
    id: "federated.valkey",
    looks_at: "whether Valkey answers and lets the gateway in, its version, and whether the way to it is safe",
    yellow: "it is on another machine, and reached without TLS",
    red: "it does not answer within 2 s, refuses the user or the password, takes no writes, its certificate is not trusted, or it is too old",
    cure: "begin the URL with `rediss://`; start the server, or correct the key that is named. Gateways that run go on without it",
});
register_check!(CheckEntry {
    id: "federated.valkey_memory",
    looks_at: "what Valkey does when its memory is full",
    yellow: "its memory has no limit, or when it is full it takes no more",
    red: "",
    cure: "`CONFIG SET maxmemory 256mb`, `CONFIG SET maxmemory-policy allkeys-lru`, and the same in its configuration",
});

/// Looks at both services, within 2 s.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    let (server, valkey) = match Config::read(&options).await {
        Ok(services) => services,
        Err(error) => return vec![Check::config(TIER, error)],
    };
    let (mut checks, others) = tokio::join!(postgres(&server), cache(&valkey));
    checks.extend(others);
    checks
}

async fn postgres(server: &Server) -> Vec<Check> {
    let begun = Instant::now();
    let probe = Probe::of(server, Tables::Pgvector).await;
    let check = |name: &str, found| Check::of(format!("{TIER}.{name}"), "postgres", server.target(), &found).took(begun.elapsed());
    match probe {
        Err(error) => vec![check("postgres", Err(error))],
        Ok(probe) => vec![
            check("postgres", probe.server(LEAST_VERSION)),
            check("database", probe.database()),
            check("pgvector", probe.pgvector()),
            check("schema", probe.schema()),
        ],
    }
}

async fn cache(valkey: &Valkey) -> Vec<Check> {
    let begun = Instant::now();
    let probe = valkey.probe(DEADLINE).await;
    let check = |name: &str, found| Check::of(format!("{TIER}.{name}"), SERVICE, valkey.target(), &found).took(begun.elapsed());
    match probe {
        Err(error) => vec![check("valkey", Err(error))],
        Ok(probe) => vec![check("valkey", Ok(probe.server(valkey))), check("valkey_memory", Ok(probe.memory()))],
    }
}
