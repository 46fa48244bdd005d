//! Everything that a database holds, as the server itself tells it: tables with their columns and rows, whatever else is in the catalogue,
//! and extensions. What must not come in: which of it is Mosaic's.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::postgres::Database;

/// What is Mosaic's and the operator's, and not the server's own.
const OWN: &str = "nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'";

/// What a database holds, each thing with what tells whether it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing(BTreeMap<String, String>);

impl Listing {
    /// Of everything in it, now.
    pub async fn of(database: &Database) -> Self {
        let mut connection =
            PgConnection::connect(&database.admin_url()).await.unwrap_or_else(|error| panic!("{}: {error}", database.name));
        let things = format!(
            "SELECT format('%s %I.%I', relkind, nspname, relname), concat(relfilenode, ' ', (SELECT string_agg(concat_ws(' ', \
                attnum, attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid)) \
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE {OWN} \
            UNION ALL SELECT 'extension ' || extname, extversion FROM pg_extension \
            UNION ALL SELECT 'schema ' || nspname, coalesce(nspacl::text, '') FROM pg_namespace WHERE {OWN}"
        );
        let things: Vec<(String, String)> = rows(&mut connection, &things).await;
        let mut all: BTreeMap<_, _> = things.into_iter().collect();
        let tables = format!(
            "SELECT format('%I.%I', nspname, relname), '' FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE {OWN} AND relkind = 'r'"
        );
        for (table, _) in rows(&mut connection, &tables).await {
            let content = format!("SELECT count(*)::text, coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t");
            let content = rows(&mut connection, &content).await;
            all.insert(format!("rows of {table}"), format!("{content:?}"));
        }
        Self(all)
    }

    /// Fails, naming what it is, if anything was added, changed or removed up to `now`.
    #[track_caller]
    pub fn assert_same(&self, now: &Self) {
        let mut changed: Vec<_> = self.0.keys().chain(now.0.keys()).filter(|thing| self.0.get(*thing) != now.0.get(*thing)).collect();
        changed.sort();
        changed.dedup();
        assert!(changed.is_empty(), "changed in the database: {changed:?}");
    }
}

async fn rows(connection: &mut PgConnection, sql: &str) -> Vec<(String, String)> {
    let rows = sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}
