//! File descriptors, of which each connection takes one: as many as the system lets this process have, and no more
//! connections than there are descriptors for.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::Limits;

/// What the gateway needs besides connections: its log, its engine, its files.
const OTHERS: u64 = 64;

/// Raises this process's limit to what it may be, and lowers that of connections to what is left.
pub(super) fn make_room(limits: Limits) -> Limits {
    let mut files = getrlimit(Resource::Nofile);
    if files.current != files.maximum {
        let wanted = rustix::process::Rlimit { current: files.maximum, ..files };
        match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => files = wanted,
            Err(error) => tracing::debug!(%error, "the limit on open files stays as it is"),
        }
    }
    fit(limits, files.current)
}

fn fit(limits: Limits, files: Option<u64>) -> Limits {
    let room = files.map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX)).max(1);
    if limits.connections <= room {
        return limits;
    }
    tracing::warn!(
        wanted = limits.connections,
        connections = room,
        "fewer connections than limits.connections: the system allows no more open files (ulimit -n)"
    );
    Limits { connections: room, ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_descriptors() {
        let limits = Limits { connections: 4096, ..Limits::default() };
        assert_eq!(fit(limits, None).connections, 4096);
        assert_eq!(fit(limits, Some(20_000)).connections, 4096);
        assert_eq!(fit(limits, Some(1024)).connections, 960);
        assert_eq!(fit(limits, Some(10)).connections, 1);
        assert_eq!(make_room(limits).requests, limits.requests);
        let files = getrlimit(Resource::Nofile);
        assert_eq!(files.current, files.maximum);
    }
}
