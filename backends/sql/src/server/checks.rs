//! What the checks of a Postgres server mean, once for all tiers that have them, each under a name of its tier's.
//! What must not come in: the checking, which is `probe`'s.

use mosaic_core::CheckEntry;

/// Whether the server answers, of which version it is, and how it is reached.
pub const fn postgres(id: &'static str) -> CheckEntry {
    CheckEntry {
        id,
        looks_at: "whether Postgres answers and lets the gateway in, its version, and whether the way to it is safe",
        yellow: "it is on another machine, and reached without TLS, or by TLS that does not check whose certificate it is",
        red: "it does not answer within 2 s, refuses the user, the password or the database, has no connection left, its certificate is not \
              trusted, or it is too old",
        cure: "set `sslmode=verify-full` in the URL; start the server, or correct the key that is named",
    }
}

/// Whether the database takes what is stored.
pub const fn database(id: &'static str) -> CheckEntry {
    CheckEntry {
        id,
        looks_at: "whether the database takes writes and every text, and whether its user may make tables",
        yellow: "",
        red: "it is a standby's, its encoding is not UTF8, its user has no schema to work in, or may make no tables there",
        cure: "connect to the primary; make the database anew with `--encoding UTF8`; `GRANT CREATE ON SCHEMA … TO …`",
    }
}

/// Whether the schema is one that this build knows.
pub const fn schema(id: &'static str) -> CheckEntry {
    CheckEntry {
        id,
        looks_at: "whether the tables are those of this version",
        yellow: "they are of an earlier version; the next start of a gateway brings them up to date",
        red: "they are of a later version, not as any version made them, or there are tables of somebody else's under names that Mosaic needs",
        cure: "make a backup, then start the gateways of this version; use the version that wrote them, or a later one; restore a backup",
    }
}

/// Whether there is a pgvector that will do.
#[cfg(feature = "pgvector")]
pub const fn pgvector(id: &'static str) -> CheckEntry {
    CheckEntry {
        id,
        looks_at: "whether the database has pgvector, or its user may make it, and its version",
        yellow: "it is earlier than 0.8.4, whose indexes may break",
        red: "the server lacks it, its user may not make it, it is earlier than 0.8.0, or in a schema where the search_path does not lead",
        cure: "install pgvector 0.8.4 or later; as a superuser in that database: `CREATE EXTENSION vector`, or `ALTER EXTENSION vector UPDATE` \
               and `REINDEX` of its indexes",
    }
}
