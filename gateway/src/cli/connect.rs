//! Whether a command works through a running gateway, and with which token. A token is never an argument: those show
//! in the list of processes and in the shell's history.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use mosaic_core::{Error, ErrorKind, Result};

use crate::client::{Authorities, Client};
use crate::config::Config;
use crate::secret::TokenSecret;
use crate::serve::url_of;

/// Where a gateway writes its first admin's token when it has no terminal to show it on.
const ADMIN_TOKEN_FILE: &str = "mosaic-admin.token";
/// More than any token takes, in bytes.
const TOKEN_BYTES: u64 = 4_096;
/// More than the certificates of all authorities take, in bytes.
const CA_BYTES: u64 = 16 << 20;
/// What to do without a token.
const GET_ONE: &str = "set MOSAIC_TOKEN, or give --token-file FILE";

/// How to reach a running gateway, for a command that also works without one.
#[derive(Args)]
#[command(next_help_heading = "Through a running gateway, instead of opening the data itself")]
pub(super) struct Connect {
    #[command(flatten)]
    access: Access,
}

/// How to reach a running gateway, for a command that takes one.
#[derive(Args)]
#[command(next_help_heading = "The running gateway")]
pub(super) struct Gateway {
    #[command(flatten)]
    access: Access,
}

/// Where a gateway is, and what it is shown.
#[derive(Args)]
struct Access {
    /// The gateway's URL, such as http://127.0.0.1:7420
    #[arg(long, global = true, env = "MOSAIC_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// The file that holds the token [default: $MOSAIC_TOKEN, else the file $MOSAIC_TOKEN_FILE, else ./mosaic-admin.token]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The file of the certificates to trust, PEM, when the URL begins with https:// [default: $MOSAIC_CA_FILE, else the system's]
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Access {
    /// The URL; an empty variable is as none.
    fn url(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }

    fn client(&self, url: &str) -> Result<Client> {
        let token = token(self.token_file.as_deref())?;
        match self.authorities(url)? {
            Some(authorities) => Client::trusting(authorities, url, token),
            None => Client::new(url, token),
        }
    }

    /// Whom to trust, where it matters.
    fn authorities(&self, url: &str) -> Result<Option<Authorities>> {
        if url.starts_with("http:") {
            return Ok(None);
        }
        let file = self.ca_file.clone().or_else(|| variable("MOSAIC_CA_FILE").map(PathBuf::from));
        file.as_deref().map(authorities).transpose()
    }
}

impl Connect {
    /// Refuses files that would not be used: without a URL the work is on the data itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let given = match &self.access {
            access if access.url().is_some() => return Ok(()),
            Access { token_file: Some(_), .. } => "--token-file is the token for",
            Access { ca_file: Some(_), .. } => "--ca-file says whom to trust as",
            _ => return Ok(()),
        };
        Err(format!("{given} a running gateway: give its url with --url URL or MOSAIC_URL, or leave it out"))
    }

    /// The client for the gateway; `None` when the work is on the data itself.
    pub(super) fn client(&self) -> Result<Option<Client>> {
        self.access.url().map(|url| self.access.client(url)).transpose()
    }
}

impl Gateway {
    /// Refuses to work without a URL. The cure names the one that this machine's own gateway would have, by its config.
    pub(super) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        match self.access.url() {
            Some(_) => Ok(()),
            None => {
                let url = Config::load(config).map_or_else(|_| "http://127.0.0.1:7420".to_owned(), |config| url_of(&config));
                Err(format!(
                    "this works through a running gateway: give its url with --url URL, or once for all:\n\n  export MOSAIC_URL={url}"
                ))
            }
        }
    }

    /// The client for the gateway.
    pub(super) fn client(&self) -> Result<Client> {
        self.access.client(self.access.url().unwrap_or_default())
    }
}

fn authorities(file: &Path) -> Result<Authorities> {
    let refused = |reason: String| {
        Error::new(ErrorKind::Config, "the certificates to trust cannot be read")
            .with("file", file.display())
            .with("reason", reason)
            .hint("name a file of certificates in PEM with --ca-file or MOSAIC_CA_FILE")
    };
    let mut pem = Vec::new();
    let opened = std::fs::File::open(file).and_then(|opened| opened.take(CA_BYTES).read_to_end(&mut pem));
    opened.map_err(|error| refused(error.to_string()))?;
    Authorities::from_pem(&pem).map_err(|error| refused(error.to_string()))
}

/// A variable; an empty one is as none.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn token(token_file: Option<&Path>) -> Result<TokenSecret> {
    if let Some(file) = token_file {
        return read(file);
    }
    if let Some(token) = variable("MOSAIC_TOKEN") {
        return checked(&token.to_string_lossy()).map_err(|error| error.with("variable", "MOSAIC_TOKEN"));
    }
    if let Some(file) = variable("MOSAIC_TOKEN_FILE") {
        return read(Path::new(&file));
    }
    let file = Path::new(ADMIN_TOKEN_FILE);
    if file.exists() { read(file) } else { Err(Error::new(ErrorKind::Config, "there is no token to show to the gateway").hint(GET_ONE)) }
}

fn read(file: &Path) -> Result<TokenSecret> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Config, "the token file cannot be read")
            .with("file", file.display())
            .with("reason", &error)
            .hint(GET_ONE)
            .source(error)
    };
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
        return Err(Error::new(ErrorKind::Config, "the token file can be read by others")
            .with("file", file.display())
            .hint(format!("chmod 600 {}", file.display())));
    }
    let mut text = String::new();
    opened.take(TOKEN_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    checked(&text).map_err(|error| error.with("file", file.display()))
}

/// A token is one word of visible ASCII; what surrounds it is not part of it.
fn checked(text: &str) -> Result<TokenSecret> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(ErrorKind::Config, "this is no token").hint("make one with `mosaic token create --user LOGIN --name NAME`"));
    }
    Ok(text.to_owned().into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "  mosaic_abc\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&file).unwrap_err();
        assert_eq!(error.hint_text(), Some(format!("chmod 600 {}", file.display()).as_str()));

        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&file).unwrap().expose(), "mosaic_abc");
    }

    #[test]
    fn what_is_no_token_is_refused_without_repeating_it() {
        for text in ["", " \n", "two words", "smörgås", "line\nline"] {
            let error = checked(text).unwrap_err();
            assert_eq!(error.to_string(), "this is no token");
        }
    }
}
