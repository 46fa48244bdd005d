//! What is looked at before opening: the directory, as it lies there. Nothing is started, taken or changed.

use std::time::{Duration, Instant};

use mosaic_core::{Check, Error, ErrorKind, Options, Result, Status};

use crate::config::Config;
use crate::directory::{self, Found, Layout};
use crate::open::blocking;
use crate::owner::{Owner, Ownership};

const DEADLINE: Duration = Duration::from_secs(2);

/// What one look came to: how it is, what was found, and what to do about it.
type Finding = (Status, String, Option<String>);

/// Looks at the data directory. A look that takes longer than 2 s, as on a network mount that hangs, is a red one.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    let config = match Config::read(&options) {
        Ok(config) => config,
        Err(error) => return vec![Check::config("local", &error)],
    };
    let layout = Layout::new(config.data_dir);
    let asking = Owner::this_process(&options);
    let (directory, owner, space, writable) = tokio::join!(
        look("local.directory", layout.clone(), |layout| directory::examine(layout).map(describe)),
        look("local.owner", layout.clone(), move |layout| describe_owner(Ownership::of(layout.root()), layout, &asking)),
        look("local.space", layout.clone(), describe_space),
        look("local.writable", layout, |layout| directory::check_writable(layout).map(|()| (
            Status::Green,
            "may be written".to_owned(),
            None
        ))),
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
    check(id, "data directory", &target, begun, finding.unwrap_or_else(|error| refused(&error)))
}

fn check(id: &str, service: &str, target: &str, begun: Instant, (status, message, remediation): Finding) -> Check {
    Check {
        id: id.to_owned(),
        service: service.to_owned(),
        target: target.to_owned(),
        status,
        latency_ms: begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        message,
        remediation,
    }
}

fn refused(error: &Error) -> Finding {
    (Status::Red, error.to_string(), error.hint_text().map(str::to_owned))
}

fn describe(found: Found) -> Finding {
    let message = match found {
        Found::Absent => "absent; the first start makes it",
        Found::Empty => "empty; the first start makes a database in it",
        Found::Ours(_) => "a mosaic data directory",
    };
    (Status::Green, message.to_owned(), None)
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
    Ok((Status::Green, message, None))
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
    Ok(if free < needed * 2 {
        (Status::Yellow, message, Some("free some space there before it runs out".to_owned()))
    } else {
        (Status::Green, message, None)
    })
}
