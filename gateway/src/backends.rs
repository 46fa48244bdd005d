//! The one place that names backend crates. Naming one is what puts its registration into the binary;
//! everything else works with trait objects.

#[cfg(feature = "federated")]
use mosaic_federated as _;
#[cfg(feature = "local")]
use mosaic_pglite as _;
#[cfg(feature = "standalone")]
use mosaic_postgres as _;
