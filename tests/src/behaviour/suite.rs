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
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// The suite on one backend.
pub struct Suite {
    name: &'static str,
    open: Open,
    env: OnceLock<std::result::Result<Env, String>>,
}

impl Suite {
    /// The suite on the backend that `open` opens when the first case runs.
    pub const fn new(name: &'static str, open: Open) -> Self {
        Self { name, open, env: OnceLock::new() }
    }

    /// Runs one case.
    ///
    /// # Panics
    /// When the case fails, or the backend cannot be opened.
    pub fn run<F: Future<Output = ()>>(&'static self, case: impl FnOnce(&'static Env) -> F) {
        RUNTIME.block_on(case(self.env()));
    }

    /// Checks that the suite runs every case there is, and reports what is skipped. The report goes past the capture of the test runner.
    ///
    /// # Panics
    /// When there is no case, or one in the sources that is not in the suite.
    pub fn report(&self, areas: &[(&str, &[&str])]) {
        let run: usize = areas.iter().map(|(_, cases)| cases.len()).sum();
        assert!(run > 0, "the suite has no cases");
        for (area, source) in super::SOURCES {
            let named = areas.iter().find(|(name, _)| name == area).map_or(&[][..], |(_, cases)| *cases);
            let written: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next()).collect();
            assert!(!written.is_empty(), "area {area} has no cases");
            for case in written {
                assert!(named.contains(&case), "{area}::{case} is not named in behaviour_cases!");
            }
        }
        let skipped = match self.env().vectors {
            Some(_) => 0,
            None => areas.iter().find(|(area, _)| *area == "vectors").map_or(0, |(_, cases)| cases.len()),
        };
        let why = if skipped > 0 { " (the backend keeps no vectors)" } else { "" };
        let mut stderr = std::io::stderr();
        writeln!(stderr, "behaviour suite on {}: {} cases, {skipped} skipped{why}", self.name, run - skipped).unwrap();
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
/// `async fn name() -> mosaic_core::Result<Opened>`, which must be in scope, opens.
#[macro_export]
macro_rules! behaviour_suite {
    ($name:ident) => {
        mod $name {
            static SUITE: $crate::behaviour::Suite = $crate::behaviour::Suite::new(stringify!($name), || Box::pin(super::$name()));

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
                        super::SUITE.run($crate::behaviour::$area::$case);
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
