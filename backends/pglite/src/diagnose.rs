//! What is looked at before opening: the directory, as it lies there. Nothing is started, taken or changed.

use std::time::{Duration, Instant};

use mosaic_core::{Check, CheckEntry, Error, ErrorKind, Finding, Options, Result, register_check};

use crate::config::Config;
use crate::directory::{self, Found, Layout};
use crate::open::blocking;
use crate::owner::{Owner, Ownership};

const DEADLINE: Duration = Duration::from_secs(2);

register_check!(CheckEntry {
    id: "local.directory",
    looks_at: "whether the data directory is absent, empty, or Mosaic's",
    yellow: "",
    red: "it is something else, damaged, of a later version or another engine, or its file system does not answer within 2 s",
    cure: "choose another directory by `local.data_dir`; restore a copy; look at the disk and its mount",
});
register_check!(CheckEntry {
    id: "local.owner",
    looks_at: "which process has the data directory in use, if one has",
    yellow: "",
    red: "for a start alone: another process has it in use; or its file system does not answer within 2 s",
    cure: "use `--url`, or stop the process that is named; look at the disk and its mount",
});
register_check!(CheckEntry {
    id: "local.space",
    looks_at: "how much may still be written where the data directory is",
    yellow: "less than twice what a start takes",
    red: "less than a start takes",
    cure: "free some space there before it runs out",
});
register_check!(CheckEntry {
    id: "local.writable",
    looks_at: "whether the data directory may be written, or made",
    yellow: "",
    red: "it may not be",
    cure: "give it to the user that the gateway runs as, or choose another by `local.data_dir`",
});

/// Looks at the data directory. A look that takes longer than 2 s, as on a network mount that hangs, is a red one.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    let config = match Config::read(&options) {
        Ok(config) => config,
        Err(error) => return vec![Check::config("local", error)],
    };
    let layout = Layout::new(config.data_dir);
    let asking = Owner::this_process(&options);
    let (directory, owner, space, writable) = tokio::join!(
        look("local.directory", layout.clone(), |layout| directory::examine(layout).map(describe)),
        look("local.owner", layout.clone(), move |layout| describe_owner(Ownership::of(layout.root()), layout, &asking)),
        look("local.space", layout.clone(), describe_space),
        look("local.writable", layout, |layout| directory::check_writable(layout).map(|()| Finding::well("may be written"))),
    );
    vec![directory, owner, space, writable]
}

async fn look(id: &'static str, layout: Layout, work: impl FnOnce(&Layout) -> Result<Finding> + Send + 'static) -> Check {
    let begun = Instant::now();
    let target = layout.root().display().to_string();
    let finding = match tokio::time::timeout(DEADLINE, blocking(move || work(&layout))).await {
        Ok(finding) => finding,
        Err(_) => {
            Err(Error::new(ErrorKind::Timeout, "the file system does not answer").hint("look at the disk and its mount: dmesg, df, mount"))
        }
    };
    Check::of(id, "data directory", target, &finding).took(begun.elapsed())
}

fn describe(found: Found) -> Finding {
    let message = match found {
        Found::Absent => "absent; the first start makes it",
        Found::Empty => "empty; the first start makes a database in it",
        Found::Ours(_) => "a mosaic data directory",
    };
    Finding::well(message)
}

/// Being in use is well, but not for a gateway that wants to start.
fn describe_owner(ownership: Ownership, layout: &Layout, asking: &Owner) -> Result<Finding> {
    let message = match ownership {
        Ownership::Free => "not in use".to_owned(),
        Ownership::Held(owner) if asking.command == "serve" => return Err(Owner::refusal(owner, layout, asking)),
        Ownership::Held(Some(owner)) => match owner.url {
            Some(url) => format!("in use by `mosaic {}`, pid {}, at {url}", owner.command, owner.pid),
            None => format!("in use by `mosaic {}`, pid {}", owner.command, owner.pid),
        },
        Ownership::Held(None) => "in use".to_owned(),
    };
    Ok(Finding::well(message))
}

fn describe_space(layout: &Layout) -> Result<Finding> {
    let free = directory::free_space(layout.root())?;
    // What cannot be examined needs what a first start does; the other check says what is wrong with it.
    let found = directory::examine(layout).unwrap_or(Found::Absent);
    let needed = found.space_needed();
    if free < needed {
        return Err(directory::full(layout, free, needed));
    }
    let message = format!("{} MiB free", free >> 20);
    Ok(if free < needed * 2 { Finding::but(message, "free some space there before it runs out") } else { Finding::well(message) })
}
