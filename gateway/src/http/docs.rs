//! placeholder
pub(super) fn routes() -> axum::Router<std::sync::Arc<super::App>> { axum::Router::new() }
