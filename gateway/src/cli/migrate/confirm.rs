//! Asking before something is done that cannot be taken back by a second thought. What must not come in: what that is.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use mosaic_core::{Error, ErrorKind, Result};

/// Has the name typed, unless it is settled already that it is to be done.
///
/// # Errors
/// [`ErrorKind::Invalid`] without a terminal to ask on, and for another name.
pub(super) async fn confirm(yes: bool, what: &str, name: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::invalid(format!("nobody can be asked whether to {what}")).hint("say so: --yes"));
    }
    let prompt = super::super::terminal::visible(&format!("To {what}, type its name ({name}): "));
    let ask = move || -> std::io::Result<String> {
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{prompt}").and_then(|()| stderr.flush())?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line)
    };
    let answer = tokio::task::spawn_blocking(ask).await.map_err(|error| broke_off(error.into()))?.map_err(broke_off)?;
    if answer.trim() == name { Ok(()) } else { Err(Error::invalid("that is not its name: nothing was changed").with("name", name)) }
}

fn broke_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no answer can be read").with("reason", error.kind()).hint("say --yes").source(error)
}
