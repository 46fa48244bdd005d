//! What is looked at before opening: the server, its database, and the schema in it. Nothing is changed.

use std::time::Instant;

use mosaic_core::{Check, Options, register_check};
use mosaic_sql::Tables;
use mosaic_sql::server::{Probe, checks};

use crate::config::Config;
use crate::{LEAST_VERSION, TIER};

register_check!(checks::postgres("standalone.postgres"));
register_check!(checks::database("standalone.database"));
register_check!(checks::schema("standalone.schema"));

/// Looks at the server, within 2 s.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    let server = match Config::read(&options).await {
        Ok((_, server)) => server,
        Err(error) => return vec![Check::config(TIER, error)],
    };
    let begun = Instant::now();
    let check = |name: &str, found| Check::of(format!("{TIER}.{name}"), "postgres", server.target(), &found).took(begun.elapsed());
    match Probe::of(&server, Tables::Plain).await {
        Err(error) => vec![check("postgres", Err(error))],
        Ok(probe) => {
            vec![check("postgres", probe.server(LEAST_VERSION)), check("database", probe.database()), check("schema", probe.schema())]
        }
    }
}
