//! Servers that the environment names. What must not come in: those that this run starts itself.

use std::env::var;
use std::path::PathBuf;

use super::place;
use super::postgres::{Postgres, TLS_ONLY};
use super::valkey::Valkey;

/// The Postgres that a variable names, if it does.
pub(super) async fn postgres(variable: &str) -> Result<Option<Postgres>, String> {
    let Ok(url) = var(variable) else { return Ok(None) };
    let Url { user, password, host, port, .. } =
        Url::parse(&url).ok_or_else(|| malformed(variable, "postgres://postgres:PASSWORD@HOST:PORT"))?;
    let prefix = format!("mosaic_test_{}", place::password()?.get(..6).unwrap_or_default());
    let server = Postgres { host, port: port.unwrap_or(5432), user, password, ca: authority(variable)?, prefix };
    // Of whoever was there first, or of this run: the role stays.
    let role = format!("DO $$ BEGIN CREATE ROLE {TLS_ONLY} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    server.try_execute("postgres", &role).await.map_err(|error| format!("{variable}: {error}"))?;
    Ok(Some(server))
}

/// The Valkey that a variable names, if it does.
pub(super) fn valkey(variable: &str) -> Result<Option<Valkey>, String> {
    let Ok(url) = var(variable) else { return Ok(None) };
    let Url { password, host, port, .. } = Url::parse(&url).ok_or_else(|| malformed(variable, "redis://:PASSWORD@HOST:PORT"))?;
    let tls_port = var("MOSAIC_TEST_VALKEY_TLS_PORT").ok().and_then(|port| port.parse().ok());
    let tls_port = tls_port.ok_or_else(|| format!("{variable} is set: MOSAIC_TEST_VALKEY_TLS_PORT must say where it speaks TLS"))?;
    let server = Valkey { host, port: port.unwrap_or(6379), tls_port, password, ca: authority(variable)? };
    server.try_execute(&["PING"]).map_err(|error| format!("{variable}: {error}"))?;
    Ok(Some(server))
}

fn authority(variable: &str) -> Result<PathBuf, String> {
    let ca = var("MOSAIC_TEST_CA").map(PathBuf::from);
    ca.map_err(|_| {
        format!("{variable} is set: MOSAIC_TEST_CA must name the PEM file of the authority that signed the server's certificate")
    })
}

fn malformed(variable: &str, form: &str) -> String {
    format!("{variable} is not of the form {form}")
}

/// A URL of a server. What stands behind the port is not looked at.
#[derive(Debug, PartialEq)]
struct Url {
    user: String,
    password: String,
    host: String,
    port: Option<u16>,
}

impl Url {
    fn parse(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (credentials, rest) = rest.split(['/', '?']).next()?.rsplit_once('@')?;
        let (user, password) = credentials.split_once(':')?;
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (rest, None),
        };
        Some(Self { user: decoded(user)?, password: decoded(password)?, host: host.to_owned(), port })
    }
}

/// A part of a URL, without its percent encoding.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = |user: &str, password: &str, host: &str, port| {
            Some(Url { user: user.to_owned(), password: password.to_owned(), host: host.to_owned(), port })
        };
        assert_eq!(Url::parse("postgres://me:p%40%3As@db.example:5433/postgres?x=y"), url("me", "p@:s", "db.example", Some(5433)));
        assert_eq!(Url::parse("redis://:secret@localhost"), url("", "secret", "localhost", None));
        assert_eq!(Url::parse("postgres://localhost/postgres"), None, "a superuser is needed");
    }
}
