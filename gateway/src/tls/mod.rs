//! The certificate that the gateway shows to its clients: read from its files, checked, and read anew when they change. What must not come in:
//! connections, and whom the gateway trusts when it is the client.

mod certificate;
mod pair;
mod probe;
mod watch;

#[cfg(test)]
pub(crate) mod made;

pub(crate) use certificate::{Certificate, Standing};
pub(crate) use pair::{Files, Pair};
pub(crate) use probe::Probe;
pub(crate) use watch::{Current, Watched, warn_of_standing};
