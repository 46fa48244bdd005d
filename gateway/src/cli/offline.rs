//! Work on the data itself, without a gateway: the configured tier is opened, worked on, and closed again.

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use mosaic_core::{Backend, Error, ErrorKind, RandomIds, Result, Sharing, Storage, SystemClock, VectorIndex};

use super::interrupt::interruptible;
use super::output;
use super::progress::waiting;
use crate::config::Config;
use crate::migration::{self, Purpose};
use crate::open;
use crate::presence::Presence;
use crate::services::Services;
use crate::shell::quoted;

/// Opens the configured tier for a command, works on its storage, and closes it, whether the work succeeds or not. Whoever writes says
/// meanwhile that they are there, as a gateway does.
pub(super) async fn with_storage<T, F>(
    config: Option<&Path>,
    command: &'static str,
    purpose: Purpose,
    work: impl FnOnce(Arc<dyn Storage>) -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    with_data(&Config::load(config)?, command, purpose, |data| work(data.storage)).await
}

/// What a tier keeps.
pub(super) struct Data {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) vectors: Option<Arc<dyn VectorIndex>>,
    /// Whether others may be at work there.
    pub(super) sharing: Sharing,
}

impl Data {
    fn of(backend: &Backend) -> Self {
        Self { storage: Arc::clone(&backend.storage), vectors: backend.vectors.clone(), sharing: backend.place.sharing }
    }
}

/// The same as [`with_storage`], for work on all that a tier keeps.
pub(super) async fn with_data<T, F>(config: &Config, command: &'static str, purpose: Purpose, work: impl FnOnce(Data) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let what = format!("opening the data of tier {}", config.tier);
    let mut backend = waiting(&what, open::backend(config, command, None)).await.map_err(through_the_gateway)?;
    let mut services = Services::start(std::mem::take(&mut backend.services));
    let presence = Presence::new(Arc::clone(&backend.storage), Arc::new(SystemClock), &RandomIds, command, None);
    let outcome = tokio::select! {
        outcome = interruptible(admitted(&presence, purpose, &backend, work)) => outcome,
        error = services.first_end() => Err(error),
    };
    // Whoever is in a hurry interrupts this as well: what was acknowledged is safe.
    let closed = interruptible(backend.storage.close()).await;
    match (outcome, closed) {
        (Ok(done), closed) => closed.map(|()| done),
        // What was done may not last, which concerns others than whoever reads the output.
        (Err(error), Err(closed)) if output::is_of_no_reader(&error) => Err(closed),
        (Err(error), _) => Err(error),
    }
}

/// Does the work, if the data may be worked on.
async fn admitted<T, F>(presence: &Presence, purpose: Purpose, backend: &Backend, work: impl FnOnce(Data) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let storage = Arc::clone(&backend.storage);
    // Nobody else can be there, to be told or to be seen.
    if purpose == Purpose::Read || backend.place.sharing == Sharing::Exclusive {
        migration::admit(&*storage, purpose).await?;
        return work(Data::of(backend)).await;
    }
    migration::enter(&*storage, presence).await?;
    let outcome = tokio::select! {
        outcome = work(Data::of(backend)) => outcome,
        refusal = migration::stay(&*storage, presence) => Err(refusal),
    };
    presence.leave().await;
    outcome
}

/// Data that a running gateway owns can be worked on through it: the hint is the same command, with its URL.
fn through_the_gateway(error: Error) -> Error {
    match (error.kind(), error.get("url")) {
        (ErrorKind::InUse, Some(url)) => {
            let command = command_line(std::env::args_os().skip(1), url);
            error.hint(command)
        }
        _ => error,
    }
}

fn command_line(arguments: impl Iterator<Item = OsString>, url: &str) -> String {
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("mosaic".to_owned())
        .chain(arguments)
        .chain(["--url".to_owned(), url.to_owned()])
        .map(|argument| quoted(&argument))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_the_same_command_with_the_url() {
        let arguments = ["import", "my file's.jsonl", "--json"].into_iter().map(OsString::from);
        assert_eq!(
            command_line(arguments, "http://127.0.0.1:7420"),
            r"mosaic import 'my file'\''s.jsonl' --json --url http://127.0.0.1:7420"
        );
    }
}
