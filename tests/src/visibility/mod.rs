//! The visibility oracle: who may see and write what, as a property. Random small worlds of users, teams, memberships and records are
//! changed step by step, by the system, by admins, by users and by nobody who exists; each call's answer is compared with that of a
//! naive oracle, which holds the table of [`Scope`](mosaic_core::Scope) as a few matches over a plain list. Compared are get, list (every
//! filter, order and page), search, nearest, embed, create, update and delete, of every kind; after each write what is stored as well.
//! Whoever has just lost sight of something, or a right to it, looks and tries again in the very next call.
//!
//! Backends run it by one line in an integration test, which makes a module `visibility_oracle` with a test for each:
//!
//! ```
//! # use mosaic_tests::behaviour::Opened;
//! async fn memory() -> mosaic_core::Result<Opened> {
//!     Ok(Opened { backend: mosaic_core::memory::open(), clock: None })
//! }
//!
//! mosaic_tests::visibility_oracle!(memory);
//! # fn main() {}
//! ```
//!
//! Each runs on a backend of its own, world by world, until 10,000 calls were compared; `MOSAIC_CASES=100000` compares more. Every world
//! follows from its seed. A world that fails is told in short form and with as few steps as it fails with; `MOSAIC_SEED=…` begins there.
//!
//! In it: `oracle` (what is read), `rules` (what is written), `call` (one compared call), `world`, `draw` (what is random), `steps` (what
//! is done), `tally` (whether all was asked), `run`. What must not come in: a rule taken from a backend's code rather than from the table.

mod call;
mod draw;
mod oracle;
mod rules;
mod run;
mod steps;
mod tally;
mod world;

pub use run::run;

/// Runs the visibility oracle on backends: each `name` is that of a function `async fn name() -> mosaic_core::Result<Opened>`, which must
/// be in scope, as for [`behaviour_suite!`](crate::behaviour_suite).
#[macro_export]
macro_rules! visibility_oracle {
    ($($(#[$attribute:meta])* $name:ident),+ $(,)?) => {
        mod visibility_oracle {
            $(
                $(#[$attribute])*
                #[test]
                fn $name() {
                    $crate::visibility::run(stringify!($name), || Box::pin(super::$name()));
                }
            )+
        }
    };
}
