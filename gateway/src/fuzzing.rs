//! What holds of any input, for a fuzzer: each target takes some bytes, reads them as the gateway reads what comes from outside, and panics where
//! something does not hold that should. The crate `fuzz` runs them guided by coverage; a test here runs each over its corpus, `fuzz/corpus/`,
//! and over mutations of it. Compiled for tests and with `--cfg fuzzing` alone. What must not come in: what a target looks at.

use crate::{backup, cli, client, config, http, models, transfer};

/// A target, which takes any bytes.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config::fuzzing::config),
    ("cursor", http::fuzzing::cursor),
    ("headers", http::fuzzing::headers),
    ("query", http::fuzzing::query),
    ("body", http::fuzzing::body),
    ("search", http::fuzzing::search),
    ("lines", transfer::fuzzing::lines),
    ("import", transfer::fuzzing::import),
    ("answer", models::fuzzing::answer),
    ("wait", models::fuzzing::wait),
    ("events", client::fuzzing::events),
    ("when", cli::fuzzing::when),
    ("archive", backup::fuzzing::archive),
];

/// Runs a future that waits for nothing but timers and threads.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build().ok()?;
    Some(runtime.block_on(future))
}

/// Cuts bytes into pieces of so many, 1 at least.
pub(crate) fn cut(bytes: &[u8], size: usize) -> Vec<bytes::Bytes> {
    bytes.chunks(size.max(1)).map(bytes::Bytes::copy_from_slice).collect()
}

/// Checks what holds of each error that people are shown: it is one line, and not much longer than what it is about.
pub(crate) fn check_error(error: &mosaic_core::Error, input: usize) {
    let said = error.to_string();
    assert!(!said.contains('\n') && said.len() <= 2_000 + 10 * input, "{said:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use mutatis::check::Check;
    use mutatis::mutators::default;

    use super::*;

    /// How long each target is given inputs of a mutation's.
    const TIME: Duration = Duration::from_secs(3);

    /// Runs a target over its corpus, and over mutations of it.
    fn check(name: &str) {
        let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
        let files = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let mut corpus: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        corpus.sort();
        let corpus: Vec<_> = corpus.iter().map(|file| std::fs::read(file).unwrap()).collect();
        assert!(corpus.len() >= 3, "{} holds next to nothing", directory.display());
        let checked =
            Check::new().min_iters(200).max_iters(usize::MAX).max_duration(TIME).run_with(default::<Vec<u8>>(), corpus, |input| {
                target(input);
                Ok::<_, String>(())
            });
        if let Err(error) = checked {
            panic!("{name}: {error}");
        }
    }

    macro_rules! targets {
        ($($name:ident)*) => {
            $(
                #[test]
                fn $name() {
                    check(stringify!($name));
                }
            )*

            #[test]
            fn every_target_has_a_test_and_a_corpus_of_its_own() {
                let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, [$(stringify!($name)),*]);
                let mut found: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus"))
                    .unwrap()
                    .map(|directory| directory.unwrap().file_name().into_string().unwrap())
                    .collect();
                found.sort();
                let mut names = names;
                names.sort_unstable();
                assert_eq!(found, names);
            }
        };
    }

    targets!(config cursor headers query body search lines import answer wait events when archive);
}
