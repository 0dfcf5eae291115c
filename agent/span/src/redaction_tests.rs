//! URLs in, URLs without secrets out; and a property: no secret under a secret name comes through.

use proptest::prelude::*;

use super::*;

fn redaction() -> Redaction {
    Redaction::new(&Settings::default()).expect("the default names are names")
}

#[test]
fn urls() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    for (given, expected) in [
        ("/", "/"),
        ("*", "*"),
        ("/a?b=c&d", "/a?b=c&d"),
        ("/a?token=s", "/a?token=REDACTED"),
        ("/a?TOKEN=s&b=1", "/a?TOKEN=REDACTED&b=1"),
        ("/a?api-key=s&apiKey=s", "/a?api-key=REDACTED&apiKey=REDACTED"),
        ("/a?%74oken=s", "/a?%74oken=REDACTED"),
        ("/a?%2574oken=s", "/a?%2574oken=REDACTED"),
        ("/a?token=s;t&b=1", "/a?token=REDACTED&b=1"),
        ("/a?b=1;token=s;c=2", "/a?b=1;token=REDACTED"),
        ("/a?b?token=s", "/a?b?token=REDACTED"),
        ("/a?token==s=s", "/a?token=REDACTED"),
        ("/a?user[password]=s", "/a?user[password]=REDACTED"),
        ("/a?user%5Bpassword%5D=s", "/a?user%5Bpassword%5D=REDACTED"),
        ("/a?next=%2Fcb%3Ftoken%3Ds", "/a?next=REDACTED"),
        ("/a?next=/cb?token=s", "/a?next=/cb?token=REDACTED"),
        ("/a?b=1%26token%3Ds", "/a?b=REDACTED"),
        ("/a?X-Amz-Signature=s&X-Amz-Date=1", "/a?X-Amz-Signature=REDACTED&X-Amz-Date=1"),
        ("/a#access_token=s", "/a#access_token=REDACTED"),
        ("/a;jsessionid=s/b?c=d", "/a;jsessionid=REDACTED/b?c=d"),
        ("http://u:p@host/a", "http://REDACTED:REDACTED@host/a"),
        ("http://u@host:1/a", "http://REDACTED:REDACTED@host:1/a"),
        ("http://u:p@q@host/a", "http://REDACTED:REDACTED@host/a"),
        ("u:p@host:443", "REDACTED:REDACTED@host:443"),
        ("/proxy/http://u:p@host/a", "/proxy/http://REDACTED:REDACTED@host/a"),
        ("/a?to=http://u:p@host/", "/a?to=http://REDACTED:REDACTED@host/"),
        ("/a?to=http%3A%2F%2Fu%3Ap%40host", "/a?to=REDACTED"),
        ("/@scope/package", "/@scope/package"),
        ("/mail/a@b.example", "/mail/a@b.example"),
        (&format!("/verify/{jwt}/now"), "/verify/REDACTED/now"),
        (&format!("/a?b={jwt}"), "/a?b=REDACTED"),
        ("/verify/%65yJhbGciOiJIUzI1NiJ9.e30.c2ln", "/verify/REDACTED"),
        ("/keyJob", "/keyJob"),
        ("/a?%", "/a?%"),
        ("/a?monkey=1", "/a?monkey=1"),
    ] {
        assert_eq!(redaction().url(given), expected, "{given}");
    }
}

#[test]
fn queries() {
    for (given, expected) in
        [("token=s&a=b", "token=REDACTED&a=b"), ("a=b", "a=b"), ("code=s", "code=REDACTED")]
    {
        assert_eq!(redaction().query(given), expected);
    }
}

#[test]
fn headers() {
    for name in
        ["authorization", "Cookie", "set-cookie", "x-api-key", "X-Acme-Session-Token", "x-hub-signature-256"]
    {
        assert!(redaction().secret_header(name), "{name}");
    }
    for name in ["content-type", "x-request-id", "user-agent", "etag"] {
        assert!(!redaction().secret_header(name), "{name}");
    }
}

#[test]
fn a_name_that_matches_nothing_is_refused() {
    let settings = Settings { secret_parameters: vec!["[]".into()], ..Settings::default() };
    assert_eq!(Redaction::new(&settings).err(), Some(SettingsError::Name("[]".into())));
}

/// Writes `text` with some of its characters percent-encoded, `rounds` deep.
fn encoded(text: &str, which: u32, rounds: u32) -> String {
    let encode = |text: String| -> String {
        let hide = |(index, c): (usize, char)| match which >> (index % 32) & 1 {
            1 if c.is_ascii() => format!("%{:02x}", u32::from(c)),
            _ => c.to_string(),
        };
        text.chars().enumerate().map(hide).collect()
    };
    (0..rounds).fold(text.to_owned(), |text, _| encode(text))
}

proptest! {
    #[test]
    fn no_secret_comes_through(
        before in "(/[a-z%;=@.]{0,8}){1,3}[?]([a-z]{1,3}=[a-z%;?/@+]{0,5}[&;?]){0,3}",
        name in proptest::sample::select(crate::settings::SECRET_PARAMETERS.to_vec()),
        which: u32,
        rounds in 0_u32..3,
        noise in "[a-z0-9;?#/=%@:.+]{0,12}",
        after in "(&[a-z%=;?]{0,8}){0,3}",
    ) {
        let url = format!("{before}{}={noise}MARKER{noise}{after}", encoded(name, which, rounds));
        let redaction = redaction();
        let clean = redaction.url(&url);
        prop_assert!(!clean.contains("MARKER"), "{url} gave {clean}");
        let query = url.split_once('?').map_or("", |(_, query)| query);
        prop_assert!(!redaction.query(query).contains("MARKER"));
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,64}") {
        let _ = redaction().url(&text);
        let _ = redaction().query(&text);
    }
}
