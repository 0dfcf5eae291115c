//! The page: a path in, a built file out, embedded in the binary. Refuses: paths of the API that are not there, files
//! that are not there, everything but reading. Without built files, plain text that says where the API is.

use std::fmt::Write as _;

use axum::{
    http::{
        HeaderMap, HeaderName, Method, StatusCode, Uri,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/ui/dist"]
#[allow_missing = true]
struct Files;

/// No script, style, font, picture or connection but our own, nothing inline. What captured text could become markup by
/// needs Svelte's own policy (Trusted Types), which only its compiled templates use.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const NO_PAGE: &str = "This wirespan was built without its page. The API is at /api/v1/openapi.json; Jaeger's at \
                       /api/traces and /api/v3/traces.\n";

/// Any path that no API has: a file of the page, or the page itself, which knows its own paths.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return (StatusCode::NOT_FOUND, "there is no such path in the API: see /api/v1/openapi.json\n")
            .into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    match Files::get(path) {
        Some(file) => answer(path, file, &headers),
        // A file that is not there is not the page: a browser would take it for a script.
        None if path.starts_with("assets/") => StatusCode::NOT_FOUND.into_response(),
        None => match Files::get("index.html") {
            Some(file) => answer("index.html", file, &headers),
            None => NO_PAGE.into_response(),
        },
    }
}

/// The file, or that the browser has it already.
fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let hashed = path.starts_with("assets/");
    let tag = tag(&file);
    let known = asked.get_all(IF_NONE_MATCH).iter().any(|tags| tags.as_bytes() == tag.as_bytes());
    let headers: [(HeaderName, &str); 6] = [
        (CONTENT_TYPE, kind(path)),
        (CACHE_CONTROL, if hashed { "public, max-age=31536000, immutable" } else { "no-cache" }),
        (ETAG, &tag),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.data.into_owned()).into_response()
}

/// The first half of the content's SHA-256.
fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let text = hash.iter().take(16).fold("\"".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    text + "\""
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn ask(method: &Method, path: &str, known: &str) -> (StatusCode, HeaderMap, String) {
        let headers = HeaderMap::from_iter([(IF_NONE_MATCH, known.parse().unwrap())]);
        let (parts, body) = serve(method.clone(), path.parse().unwrap(), headers).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn check(path: &str, status: u16, kind: &str, caching: &str) -> String {
        let (found, headers, body) = ask(&Method::GET, path, "\"other\"").await;
        let text =
            |name| headers.get(name).map_or("", |value: &axum::http::HeaderValue| value.to_str().unwrap());
        assert_eq!(
            (found.as_u16(), text(CONTENT_TYPE), text(CACHE_CONTROL)),
            (status, kind, caching),
            "{path}"
        );
        if caching.is_empty() {
            return body;
        }
        assert_eq!(text(CONTENT_SECURITY_POLICY), POLICY);
        // Asked for once more, by who has it.
        let (again, _, nothing) = ask(&Method::GET, path, text(ETAG)).await;
        assert_eq!((again, nothing.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
        body
    }

    const PAGE: &str = "text/html; charset=utf-8";
    const TEXT: &str = "text/plain; charset=utf-8";
    const FOR_EVER: &str = "public, max-age=31536000, immutable";

    #[tokio::test]
    async fn files_are_served_as_what_they_are() {
        let page = check("/", 200, PAGE, "no-cache").await;
        let files: Vec<_> = page.split('"').filter(|text| text.starts_with("/assets/")).collect();
        assert_eq!(files.len(), 2, "{page}");
        for file in files {
            let kind = if file.ends_with(".js") { "text/javascript" } else { "text/css" };
            check(file, 200, &format!("{kind}; charset=utf-8"), FOR_EVER).await;
        }
        check("/icon.svg", 200, "image/svg+xml", "no-cache").await;
        // The policy would keep these from working.
        assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("://"), "{page}");
    }

    #[tokio::test]
    async fn a_path_of_a_view_is_the_page_and_what_is_not_there_is_not() {
        let page = check("/", 200, PAGE, "no-cache").await;
        assert_eq!(check("/trace/5b8efff798038103d269b633813fc60c", 200, PAGE, "no-cache").await, page);
        assert_eq!(check("/services/a%2Fb?since=1h", 200, PAGE, "no-cache").await, page);
        check("/assets/index-gone.js", 404, "", "").await;
        check("/api", 404, TEXT, "").await;
        check("/api/v1/nothing", 404, TEXT, "").await;
        assert_eq!(ask(&Method::POST, "/", "\"\"").await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
}
