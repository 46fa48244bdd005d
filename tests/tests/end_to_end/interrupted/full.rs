//! A target whose disk fills up in the middle of a move. What must not come in: other disks than a target's.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use mosaic_tests::services::{Database, OwnPostgres};
use sqlx::{Connection as _, PgConnection};

use super::gate::{Gate, Point};
use super::sources;
use super::world::{MOVE, Move};
use crate::harness::Tmpfs;
use crate::servers::services;

/// Room for an empty database and what is moved, about twice.
const MEGABYTES: u32 = 80;

/// A database whose files are on this disk.
async fn database_on(disk: &Tmpfs, server: &OwnPostgres) -> Database {
    let database = server.database().await;
    let mut connection = PgConnection::connect(&database.admin_url()).await.unwrap();
    let files: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    // The server works as a user of its own, who owns its files.
    let files = std::fs::metadata(Path::new(&files));
    let files = files.expect("this test gives the server a small disk, which one in a container does not see: MOSAIC_TEST_SERVICES=native");
    let place = disk.path().join("space");
    std::fs::create_dir(&place).unwrap();
    chown(&place, Some(files.uid()), Some(files.gid())).unwrap();
    server.execute("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", place.display())).await;
    server.execute("postgres", &format!("ALTER DATABASE {} SET TABLESPACE small", database.name)).await;
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_whose_disk_fills_up_is_named_and_goes_on_with_room() {
    let disk = Tmpfs::new(MEGABYTES);
    let server = OwnPostgres::start().await;
    let target = database_on(&disk, &server).await;
    sources::gate(&target).await;
    let this = Move::new(Some(sources::copy_database().await), target, services().await.valkey.database());
    for point in [Point::Copying, Point::Records] {
        let mut gate = Gate::close(&this.target, point).await;
        let running = this.start(MOVE);
        gate.is_reached_by(&running).await;
        disk.fill_up();
        gate.open().await;
        let outcome = running.ended().await.exit(1);
        assert!(outcome.stderr.contains("no space is left where the database keeps its data"), "{point:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("goes on where it stopped"), "{}", outcome.stderr);
        this.source_is_fenced().await;
        // Without room it is no better, and nothing breaks.
        let outcome = this.place.run(MOVE).await.exit(1);
        assert!(outcome.stderr.contains("no space is left"), "{}", outcome.stderr);
        disk.free_up();
    }
    this.finishes().await;
    this.source_is_as_it_was().await;
}
