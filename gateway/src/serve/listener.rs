//! The address that a gateway answers at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mosaic_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::tls::{Certificate, Files};

/// Takes an address.
///
/// # Errors
/// [`ErrorKind::InUse`] when another process has it, [`ErrorKind::Config`] when it cannot be had.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| refused(address, error))
}

/// The URL under which this machine reaches a listener that shows this certificate, or none.
///
/// # Errors
/// [`ErrorKind::Internal`] when the listener does not know its address.
pub(super) fn url(listener: &TcpListener, certificate: Option<&Certificate>) -> Result<String> {
    let address = listener.local_addr().map_err(|error| Error::new(ErrorKind::Internal, "the listener has no address").source(error))?;
    Ok(match certificate {
        Some(certificate) => format!("https://{}", certificate.authority(address)),
        None => format!("http://{}", reached(address)),
    })
}

/// The URL under which this machine reaches a gateway with this config. This blocks for as long as reading a certificate takes.
pub(crate) fn url_of(config: &Config) -> String {
    match Files::of(config).map(|files| files.pair_now()) {
        Some(Ok(pair)) => format!("https://{}", pair.certificate.authority(config.listen)),
        Some(Err(_)) => format!("https://{}", reached(config.listen)),
        None => format!("http://{}", reached(config.listen)),
    }
}

/// The address under which this machine reaches whoever listens at this one.
pub(crate) fn reached(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) });
    }
    address
}

/// The command that starts a gateway beside whoever has this address.
pub(crate) fn choose_another(address: SocketAddr) -> String {
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(7420));
    format!("mosaic serve --listen {other}")
}

/// What is said of an address that this process cannot listen at.
pub(crate) fn refused(address: SocketAddr, error: io::Error) -> Error {
    let refused = match error.kind() {
        io::ErrorKind::AddrInUse => Error::new(ErrorKind::InUse, "another process listens at this address"),
        io::ErrorKind::AddrNotAvailable => Error::new(ErrorKind::Config, "this machine does not have this address"),
        io::ErrorKind::PermissionDenied => Error::new(ErrorKind::Config, "this user may not listen at this address"),
        _ => Error::new(ErrorKind::Config, format!("the gateway cannot listen at this address: {error}")),
    };
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => choose_another(address),
        _ => "mosaic serve --listen 127.0.0.1:7420".to_owned(),
    };
    refused.with("listen", address).hint(hint).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_with_the_cure() {
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let taken = first.local_addr().unwrap();
        assert_eq!(url(&first, None).unwrap(), format!("http://{taken}"));
        let error = bind(taken).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse);
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
        assert!(error.hint_text().unwrap().starts_with("mosaic serve --listen 127.0.0.1:"), "{error:?}");
    }

    #[tokio::test]
    async fn every_address_is_reached_at_localhost() {
        let listener = bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
        assert!(url(&listener, None).unwrap().starts_with("http://127.0.0.1:"));
    }
}
