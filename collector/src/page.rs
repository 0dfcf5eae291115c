//! The page: built files, embedded in the binary. Until there are any, plain text that says where the API is.

use axum::{
    http::{
        HeaderName, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/ui/dist"]
#[allow_missing = true]
struct Files;

/// No script, style, font or picture but our own; styles may be set by script, which charts do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const NO_PAGE: &str = "This wirespan was built without its page. The API is at /api/v1/openapi.json; Jaeger's at \
                       /api/traces and /api/v3/traces.\n";

/// Any path that no API has: a file of the page, or the page itself, which knows its own paths.
pub(crate) async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return (StatusCode::NOT_FOUND, "there is no such path in the API: see /api/v1/openapi.json\n")
            .into_response();
    }
    match Files::get(path) {
        Some(file) => answer(path, file.data.into_owned()),
        // A file that is not there is not the page: a browser would take it for a script.
        None if path.starts_with("assets/") => StatusCode::NOT_FOUND.into_response(),
        None => match Files::get("index.html") {
            Some(file) => answer("index.html", file.data.into_owned()),
            None => NO_PAGE.into_response(),
        },
    }
}

fn answer(path: &str, body: Vec<u8>) -> Response {
    let hashed = path.starts_with("assets/");
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, kind(path)),
        (CACHE_CONTROL, if hashed { "public, max-age=31536000, immutable" } else { "no-cache" }),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
