//! The behaviour suite: what the contracts of `mosaic-core` promise, as cases that run on any backend. Each case makes its
//! own users and teams, so that all of them run side by side on one backend. What must not come in: a case that
//! asks which backend it runs on. What a backend may lack is a capability, and its cases are counted as skipped.
//!
//! A backend runs the whole suite with one line in an integration test:
//!
//! ```
//! # use mosaic_tests::behaviour::{self, Opened};
//! async fn memory() -> mosaic_core::Result<Opened> {
//!     Ok(Opened { backend: mosaic_core::memory::open(), clock: None })
//! }
//!
//! mosaic_tests::behaviour_suite!(memory);
//! # fn main() {}
//! ```
//!
//! To add a case: write a `pub async fn case(env: &Env)` in the file of its area, and name it in [`behaviour_cases!`].
//! A case that is not named there fails the suite.

mod check;
mod clock;
mod env;
mod records;
mod suite;

macro_rules! areas {
    ($($area:ident)*) => {
        $(#[expect(missing_docs, reason = "the name of a case says what it shows")] pub mod $area;)*

        /// The source of every area, to find cases that are not named in [`behaviour_cases!`].
        pub(crate) const SOURCES: &[(&str, &str)] = &[$((stringify!($area), include_str!(concat!(stringify!($area), ".rs")))),*];
    };
}
areas! { accounts batches cache cancelled content fields lists lists_bounds load export memberships owners revisions state teams tokens vectors visibility }

pub use clock::TestClock;
pub use env::Env;
pub use suite::{Opened, Suite};

/// Calls a macro of the caller's with every case, by area.
#[macro_export]
macro_rules! behaviour_cases {
    ($then:ident) => {
        $then! {
            accounts {
            }
        }
    };
}
