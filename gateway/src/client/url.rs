//! The URL of a gateway: what is one, and whether it is of this machine.

use std::net::IpAddr;

use mosaic_core::{Error, ErrorKind, Result};
use reqwest::Url;

/// Reads a gateway's URL.
pub(super) fn parse(text: &str) -> Result<Url> {
    let refuse = |why: &'static str| Error::new(ErrorKind::Config, why).hint("give it as http://127.0.0.1:7420");
    let url: Url = text.parse().map_err(|_| refuse("the gateway's url is not one"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        // It is not repeated: a token may have been taken for it, or stand in it.
        return Err(refuse("the gateway's url begins with http:// or https:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("the gateway's url holds a user or a password; the token goes into MOSAIC_TOKEN"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("the gateway's url ends with its path, without '?' or '#'"));
    }
    Ok(url)
}

/// Whether a URL is of this machine: by address, or by a name that means nothing else (RFC 6761, 6.3).
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_a_gateway() {
        for url in ["http://127.0.0.1:7420", "https://mosaic.example", "http://[::1]:7420/", "https://example.org/team/mosaic/"] {
            assert!(parse(url).is_ok(), "{url}");
        }
        for url in [
            "127.0.0.1:7420",
            "localhost:7420",
            "ftp://x",
            "http://",
            "http://ada:secret@host",
            "http://host/?a=b",
            "http://host/#a",
            "secret:secret@host/secret",
            "",
        ] {
            let error = parse(url).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_every_name() {
        for url in ["http://127.0.0.1:7420", "http://127.8.9.1", "https://[::1]:7420", "http://[::ffff:127.0.0.1]", "http://LOCALHOST.:1"] {
            assert!(is_loopback(&url.parse().unwrap()), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0", "http://[2001:db8::1]"] {
            assert!(!is_loopback(&url.parse().unwrap()), "{url}");
        }
    }
}
