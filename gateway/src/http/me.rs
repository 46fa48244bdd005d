//! `GET /api/v1/me`: who the token acts for, and what it may be used for. Every token may ask.

use axum::Json;
use axum::extract::Request;
use mosaic_core::{Kind, Record, Scope};
use serde::Serialize;

use super::problem::Problem;
use super::records::no_params;
use super::sign_in::Caller;

/// Who asks.
#[derive(Serialize)]
pub(super) struct Me {
    /// The user that the token acts for.
    user: Record,
    /// The token.
    token: Record,
}

/// `GET /api/v1/me`
pub(super) async fn me(caller: Caller, request: Request) -> Result<Json<Me>, Problem> {
    no_params(request.uri())?;
    let (records, principal) = (&caller.data.records, &caller.principal);
    let scope = Scope::User(principal.user_id);
    let user = records.get(scope, Kind::User, principal.user_id).await?;
    let token = records.get(scope, Kind::Token, principal.token_id).await?;
    Ok(Json(Me { user, token }))
}
