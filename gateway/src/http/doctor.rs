//! `GET /api/v1/doctor`: how the gateway and its tier are, for operators, as `mosaic doctor --json` says it. What must not come in: what is
//! looked at.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use mosaic_core::TokenScope;

use super::app::App;
use super::problem::Problem;
use super::records::no_params;
use super::sign_in::Caller;
use crate::doctor::Report;

/// `GET /api/v1/doctor`
pub(super) async fn doctor(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Result<Json<Report>, Problem> {
    caller.principal.require(TokenScope::Operator)?;
    no_params(request.uri())?;
    Ok(Json((app.parts.look)().await))
}
