//! How a backend runs the suite: opened once, on a runtime that outlives every test, with one `#[test]` a case.

use std::future::Future;
use std::io::Write as _;
use std::sync::{Arc, LazyLock, OnceLock};

use mosaic_core::{Backend, BoxFuture, Result};
use tokio::runtime::Runtime;

use super::{Env, TestClock};

/// A backend to run the suite on.
pub struct Opened {
    /// The backend, empty.
    pub backend: Backend,
    /// The clock that it was given; `None` when it goes by one of its own, and cases must wait for time to pass.
    pub clock: Option<Arc<TestClock>>,
}

/// Opens a new, empty backend.
pub(crate) type Open = fn() -> BoxFuture<Result<Opened>>;

/// One runtime for every suite of a test binary: what a backend started lives on it, and must not end with a test.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// What a backend may lack. Its line in a test says what it has: what is claimed and is not there fails, what is there and not claimed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// It keeps embeddings.
    Vectors,
}

impl Capability {
    /// What the cases of an area ask for.
    fn of_area(area: &str) -> Option<Self> {
        ["vectors", "nearest"].contains(&area).then_some(Self::Vectors)
    }
}

/// The suite on one backend.
pub struct Suite {
    name: &'static str,
    claims: &'static [Capability],
    open: Open,
    env: OnceLock<std::result::Result<Env, String>>,
}

impl Suite {
    /// The suite on the backend that `open` opens when the first case runs.
    pub const fn new(name: &'static str, claims: &'static [Capability], open: Open) -> Self {
        Self { name, claims, open, env: OnceLock::new() }
    }

    /// Runs one case, unless its area asks for what the backend does not claim.
    ///
    /// # Panics
    /// When the case fails, or the backend cannot be opened.
    pub fn run<F: Future<Output = ()>>(&'static self, area: &str, case: impl FnOnce(&'static Env) -> F) {
        if self.runs(area) {
            RUNTIME.block_on(case(self.env()));
        }
    }

    fn runs(&self, area: &str) -> bool {
        Capability::of_area(area).is_none_or(|capability| self.claims.contains(&capability))
    }

    /// Checks that the suite runs every case there is, on a backend that has what it claims, and reports what is run and what is
    /// skipped. The report goes past the capture of the test runner.
    ///
    /// # Panics
    /// When no case is run, one in the sources is not in the suite, or the backend's claims are wrong.
    pub fn report(&self, areas: &[(&str, &[&str])]) {
        let has_vectors = self.env().vectors.is_some();
        assert_eq!(
            has_vectors,
            self.claims.contains(&Capability::Vectors),
            "whether {} has vectors is not what its line claims",
            self.name
        );
        let count = |runs: bool| areas.iter().filter(|(area, _)| self.runs(area) == runs).map(|(_, cases)| cases.len()).sum::<usize>();
        let (run, skipped) = (count(true), count(false));
        assert!(run > 0, "no case is run");
        for (area, source) in super::SOURCES {
            let named = areas.iter().find(|(name, _)| name == area).map_or(&[][..], |(_, cases)| *cases);
            let written: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next()).collect();
            assert!(!written.is_empty(), "area {area} has no cases");
            for case in written {
                assert!(named.contains(&case), "{area}::{case} is not named in behaviour_cases!");
            }
        }
        let why = if skipped > 0 { " (the backend keeps no vectors)" } else { "" };
        let mut stderr = std::io::stderr();
        writeln!(stderr, "behaviour suite on {}: {} cases, {skipped} skipped{why}", self.name, run).unwrap();
    }

    fn env(&self) -> &Env {
        let open = self.open;
        // Opened on a thread of the runtime, since a child process may be tied to the life of the thread that started it.
        let opened =
            self.env.get_or_init(|| RUNTIME.block_on(RUNTIME.spawn(Env::open(open))).unwrap().map_err(|error| format!("{error:?}")));
        match opened {
            Ok(env) => env,
            Err(error) => panic!("{} does not open: {error}", self.name),
        }
    }
}

/// Runs the behaviour suite on a backend: `behaviour_suite!(name)` makes a module `name` with one test a case, run on what
/// `async fn name() -> mosaic_core::Result<Opened>`, which must be in scope, opens. Behind the name come the [capabilities](Capability)
/// that it has: `behaviour_suite!(name, Vectors)`.
#[macro_export]
macro_rules! behaviour_suite {
    ($name:ident $(, $Capability:ident)*) => {
        mod $name {
            static SUITE: $crate::behaviour::Suite = $crate::behaviour::Suite::new(
                stringify!($name),
                &[$($crate::behaviour::Capability::$Capability),*],
                || Box::pin(super::$name()),
            );

            $crate::behaviour_cases!($crate::__behaviour_tests);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __behaviour_tests {
    ($($area:ident { $($case:ident)* })*) => {
        $(
            mod $area {
                $(
                    #[test]
                    fn $case() {
                        super::SUITE.run(stringify!($area), $crate::behaviour::$area::$case);
                    }
                )*
            }
        )*

        #[test]
        fn every_case_is_run() {
            SUITE.report(&[$((stringify!($area), &[$(stringify!($case)),*])),*]);
        }
    };
}
