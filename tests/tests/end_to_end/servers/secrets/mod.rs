//! No secret is seen anywhere: secrets of every sort are put into every place that a config has for one, and into those where somebody may
//! put one by mistake; then all goes well, or wrong in each way that is known; and all that was said is searched for them, the log at level trace too.
//! `MOSAIC_TEST_SEED` makes the same secrets again.
//! What must not come in: whether what is said is right, which is for `failures`.

mod failing;
mod heard;
mod made;
mod misplaced;
mod moving;
mod placed;
mod serving;

use futures::StreamExt as _;
use futures::future::BoxFuture;

use made::Secrets;

/// So many cases are under way at once: most of their time they wait.
const AT_ONCE: usize = 6;

/// A case answers where secrets were seen.
type Case = BoxFuture<'static, Vec<String>>;

/// Runs all cases, and fails with all that was seen.
async fn nothing_is_seen(cases: Vec<Case>) {
    let count = cases.len();
    let seen: Vec<_> = futures::stream::iter(cases).buffer_unordered(AT_ONCE).concat().await;
    println!("{count} cases");
    assert!(seen.is_empty(), "secrets were seen, {} times:\n{}", seen.len(), seen.join("\n"));
}

/// A database's owner gets this password.
async fn set_password(database: &mosaic_tests::services::Database, password: &str) {
    database.execute(&format!("ALTER ROLE {} PASSWORD '{}'", database.user, password.replace('\'', "''"))).await;
}

/// A user of the shared Valkey with this password; answers its name.
fn valkey_user(valkey: &mosaic_tests::services::Valkey, secrets: &mut Secrets, password: &str) -> String {
    // No secret, but unlike any other test's.
    let name = format!("user-{}", secrets.name());
    valkey.execute(&["ACL", "SETUSER", &name, "on", &format!(">{password}"), "~*", "+@all"]);
    name
}
