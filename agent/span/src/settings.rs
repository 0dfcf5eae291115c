//! What the user may choose about spans. Refuses: names that could never match.

use std::fmt;

/// Names of query parameters whose values are secrets. Compared without regard to case and punctuation, after
/// percent-decoding: `apikey` also stands for `API-Key`, `api_key` and `api%5Fkey`.
pub const SECRET_PARAMETERS: &[&str] = &[
    "token",
    "access_token",
    "id_token",
    "refresh_token",
    "auth_token",
    "csrf_token",
    "xsrf_token",
    "authenticity_token",
    "api_key",
    "key",
    "private_key",
    "access_key",
    "secret",
    "client_secret",
    "secret_key",
    "client_assertion",
    "assertion",
    "saml_response",
    "saml_request",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "sig",
    "signature",
    "code",
    "code_verifier",
    "otp",
    "pin",
    "session",
    "session_id",
    "sid",
    "jsessionid",
    "phpsessid",
    "jwt",
    "bearer",
    "ticket",
    // Signed URLs of AWS, Google and Azure.
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "X-Goog-Credential",
    "AWSAccessKeyId",
    "GoogleAccessId",
];

/// Names of headers whose values are secrets, compared without regard to case.
pub const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "www-authenticate",
    "proxy-authenticate",
    "cookie",
    "cookie2",
    "set-cookie",
    "set-cookie2",
    "x-api-key",
    "api-key",
    "apikey",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-amz-security-token",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
    "x-vault-token",
    "x-consul-token",
    "private-token",
    "job-token",
    "x-forwarded-client-cert",
    "x-amzn-oidc-data",
    "x-amzn-oidc-accesstoken",
    "x-ms-authorization-auxiliary",
];

/// How spans are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Query parameters (also `;key=value` in paths) whose values are replaced by `REDACTED`.
    pub secret_parameters: Vec<String>,
    /// Headers whose values are replaced by `REDACTED`, in addition to all whose name speaks of a token, a secret,
    /// a password, a key, a cookie, a session or a signature.
    pub secret_headers: Vec<String>,
    /// Longest text of an attribute in bytes; longer ones are cut. 1 to 1 MiB.
    pub max_text: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            secret_parameters: owned(SECRET_PARAMETERS),
            secret_headers: owned(SECRET_HEADERS),
            max_text: 4096,
        }
    }
}

/// The settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// The name of a secret parameter or header has no letter and no digit, so that it would match nothing.
    Name(String),
    /// `max_text` is outside its range.
    MaxText(usize),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "the list of secrets to redact has the name {name:?}, which matches nothing: \
                 give a name with letters or digits"
            ),
            Self::MaxText(bytes) => {
                write!(f, "attribute texts of at most {bytes} bytes: choose a limit from 1 to 1048576")
            }
        }
    }
}

impl std::error::Error for SettingsError {}
