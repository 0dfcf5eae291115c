//! Requests in, those that may be answered out. Refuses: hosts and origins that a page somewhere else would send
//! (DNS rebinding, cross-site requests), and who does not know the token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The cookie that holds the token after the page was opened with it.
const COOKIE_NAME: &str = "wirespan_token";

/// What a request must show.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Only hosts that mean this one are answered.
    pub(crate) local: bool,
    /// None: nothing needs to be known.
    pub(crate) token: Option<Arc<str>>,
}

impl Guard {
    /// Lets a request through or answers it.
    pub(crate) async fn check(State(guard): State<Self>, request: Request, next: Next) -> Response {
        if let Err(said) = guard.place(request.headers()) {
            return (StatusCode::FORBIDDEN, said).into_response();
        }
        if let Some(answer) = guard.login(&request) {
            return answer;
        }
        if !guard.knows(request.headers()) {
            let said = "the token is missing or wrong: open the address that wirespan printed at its start, or send \
                        `Authorization: Bearer TOKEN`\n";
            return (StatusCode::UNAUTHORIZED, said).into_response();
        }
        next.run(request).await
    }

    fn place(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        if self.local && !host.is_none_or(is_local) {
            return Err("this host name is not answered: use localhost or the address itself\n");
        }
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, place)| place);
        if own.is_some() && own == host {
            Ok(())
        } else {
            Err("requests of other sites' pages are not answered\n")
        }
    }

    /// The page opened with the token: a cookie, and the same page without the token in its address.
    fn login(&self, request: &Request) -> Option<Response> {
        let token = self.token.as_deref()?;
        let given = request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
        if request.method() != Method::GET || !same(given, token) {
            return None;
        }
        let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
        let headers = [(SET_COOKIE, cookie), (LOCATION, without_token(request.uri()))];
        Some((StatusCode::SEE_OTHER, headers).into_response())
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(token) = self.token.as_deref() else { return true };
        let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        self.admits(text(AUTHORIZATION))
            || text(COOKIE).is_some_and(|cookies| {
                let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
                pairs.any(|(name, value)| name == COOKIE_NAME && same(value, token))
            })
    }

    /// Does this `authorization` suffice?
    pub(crate) fn admits(&self, authorization: Option<&str>) -> bool {
        let Some(token) = self.token.as_deref() else { return true };
        authorization.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| same(given, token))
    }
}

/// In a time that does not tell where they differ.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

/// The path, so that what follows cannot lead to another host, and the rest of the query.
fn without_token(uri: &Uri) -> String {
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    let rest = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("token="));
    let rest: Vec<_> = rest.collect();
    if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn guard() -> Guard {
        Guard { local: true, token: Some("secret".into()) }
    }

    #[test]
    fn other_names_and_other_sites_are_refused() {
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[("host", "localhost:16686")], true),
            (&[("host", "127.0.0.1:16686")], true),
            (&[("host", "[::1]:16686")], true),
            (&[("host", "evil.example:16686")], false),
            (&[("host", "localhost.evil.example")], false),
            (&[("host", "localhost:1"), ("origin", "http://localhost:1")], true),
            (&[("host", "localhost:1"), ("origin", "http://localhost:2")], false),
            (&[("host", "localhost:1"), ("origin", "null")], false),
        ];
        for (pairs, allowed) in cases {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, *value)).collect();
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.insert(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
            }
            assert_eq!(guard().place(&map).is_ok(), allowed, "{map:?}");
        }
    }

    #[test]
    fn the_token_is_known_by_header_or_cookie() {
        assert!(guard().knows(&headers(&[("authorization", "Bearer secret")])));
        assert!(guard().knows(&headers(&[("cookie", "a=b; wirespan_token=secret")])));
        assert!(!guard().knows(&headers(&[("authorization", "Bearer secre")])));
        assert!(!guard().knows(&headers(&[("cookie", "wirespan_token=")])));
        assert!(!guard().knows(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn opening_the_page_with_the_token_gives_a_cookie() {
        let router: Router = Router::new()
            .route("/", get(|| async { "page" }))
            .layer(middleware::from_fn_with_state(guard(), Guard::check));
        let ask = |uri: &str| {
            let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
            tower_service::Service::call(&mut router.clone(), request)
        };
        let answer = ask("//evil.example/?a=1&token=secret").await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], "/evil.example/?a=1");
        assert!(answer.headers()[SET_COOKIE].to_str().unwrap().contains("HttpOnly"));
        assert_eq!(ask("/?token=wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}
