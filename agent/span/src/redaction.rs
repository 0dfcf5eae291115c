//! Comes in: URLs, queries and header values as they were on the wire. Goes out: the same without secrets. Refuses:
//! to fail. Where hostile input can be read in two ways, both readings are redacted.
//!
//! A secret is: user and password of an authority; the value of a parameter with a secret name, wherever it stands
//! (query, `;` parameters of a path, a URL inside a value, encoded up to three times); anything that looks like a
//! JSON web token.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use crate::{
    percent::decoded,
    settings::{Settings, SettingsError},
};

/// What stands where a secret was: the word of the semantic conventions for `url.full` and `url.query`.
pub const REDACTED: &str = "REDACTED";

/// Parts of a header's name that tell that its value is a secret, whatever the rest of the name.
const TELLTALES: &[&str] = &[
    "token",
    "secret",
    "passw",
    "apikey",
    "authoriz",
    "cookie",
    "session",
    "credential",
    "signature",
    "jwt",
];

/// A JSON web token begins with the base64 of `{"`; shorter runs are words.
const JWT_PREFIX: &[u8] = b"eyJ";
const JWT_SHORTEST: usize = 12;

/// What follows a path, or parts of one.
const SEPARATORS: [char; 5] = ['/', '?', '&', ';', '#'];

/// Takes secrets out of text.
#[derive(Clone, Debug)]
pub struct Redaction {
    parameters: FxHashSet<String>,
    headers: FxHashSet<String>,
}

impl Redaction {
    /// From the lists of names.
    ///
    /// # Errors
    /// A name without a letter or digit would match nothing.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            parameters: canonical_names(&settings.secret_parameters)?,
            headers: canonical_names(&settings.secret_headers)?,
        })
    }

    /// Is every value of this header a secret?
    #[must_use]
    pub fn secret_header(&self, name: &str) -> bool {
        let name = canonical(name.as_bytes());
        self.headers.contains(&name) || TELLTALES.iter().any(|part| name.contains(part))
    }

    /// A URL in any form of a request's target (RFC 9112 section 3.2), or text that may hold URLs.
    #[must_use]
    pub fn url<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !suspicious(text) {
            return Cow::Borrowed(text);
        }
        let (path, query) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
        let (mark, query) = query.split_at(usize::from(!query.is_empty()));
        let mut out = String::with_capacity(text.len());
        self.path_into(path, &mut out);
        out.push_str(mark);
        self.parameters_into(query, &mut out);
        // Parameters come first: what looks like a user may begin within the value of one.
        let front = !text.starts_with(['/', '?', '*']) && !text.contains("://");
        Cow::Owned(without_users(out, front))
    }

    /// The query of a URL, without its `?`.
    #[must_use]
    pub fn query<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !suspicious(text) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        self.parameters_into(text, &mut out);
        Cow::Owned(without_users(out, false))
    }

    fn path_into(&self, path: &str, out: &mut String) {
        for piece in path.split_inclusive(['/', ';', '&']) {
            let (piece, separator) = piece.split_at(piece.trim_end_matches(['/', ';', '&']).len());
            self.parameter_into(piece, out);
            out.push_str(separator);
        }
    }

    fn parameters_into(&self, query: &str, out: &mut String) {
        for (index, piece) in query.split('&').enumerate() {
            if index > 0 {
                out.push('&');
            }
            self.parameter_into(piece, out);
        }
    }

    /// One `key=value`. Some servers also separate by `;`, or take a second `?` for one: a secret key behind such
    /// hides all that follows, since others take that for part of the value.
    fn parameter_into(&self, piece: &str, out: &mut String) {
        match self.secret_from(piece) {
            Some(at) => {
                out.push_str(piece.split_at(at).0);
                out.push_str(REDACTED);
            }
            None => out.push_str(&without_jwt(piece)),
        }
    }

    /// Where in `piece` a secret value begins.
    fn secret_from(&self, piece: &str) -> Option<usize> {
        let mut at = 0;
        for part in piece.split_inclusive([';', '?', '#']) {
            let (key, value) = part.split_once('=').unwrap_or(("", part));
            if self.secret_name(&decoded(key)) || self.hides_secret(value) {
                return Some(at + part.len() - value.len());
            }
            at += part.len();
        }
        None
    }

    /// Does an encoded text hold a secret when it is decoded: `next=%2Fcallback%3Ftoken%3Dabc`? Also where further
    /// `=` follow the first.
    fn hides_secret(&self, value: &str) -> bool {
        if !value.contains(['%', '=']) {
            return false;
        }
        let bytes = decoded(value);
        bytes.split(|byte| b"&;?#/ ,{".contains(byte)).any(|part| {
            part.split(|byte| b"=:".contains(byte)).rev().skip(1).any(|key| self.secret_name(key))
        }) || bytes.windows(3).any(|three| three == b"://") && bytes.contains(&b'@')
    }

    /// `user[password]` and `login.password` are secret by their parts.
    fn secret_name(&self, key: &[u8]) -> bool {
        self.parameters.contains(&canonical(key))
            || key
                .split(|byte| b"[].=:/,&?\0".contains(byte))
                .any(|part| self.parameters.contains(&canonical(part)))
    }
}

fn canonical_names(names: &[String]) -> Result<FxHashSet<String>, SettingsError> {
    let check = |name: &String| match canonical(name.as_bytes()) {
        text if text.is_empty() => Err(SettingsError::Name(name.clone())),
        text => Ok(text),
    };
    names.iter().map(check).collect()
}

/// Letters and digits in lower case: programs write `api_key`, `api-key` and `apiKey` for the same.
fn canonical(name: &[u8]) -> String {
    let kept = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// Most URLs hold nothing that could hide a secret, and go on untouched: one look at their bytes tells.
fn suspicious(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'=' | b'@' | b'%' | b'J'))
        && (text.contains(['=', '@', '%']) || text.contains("eyJ"))
}

/// Replaces user and password in every authority of the text: behind each `//`, and at the front where the text is
/// the target of a CONNECT.
fn without_users(text: String, front: bool) -> String {
    if !text.contains('@') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    if front {
        rest = authority_into(rest, &mut out);
    }
    while let Some(at) = rest.find("//") {
        let (before, authority) = rest.split_at(at + 2);
        out.push_str(before);
        rest = authority_into(authority, &mut out);
    }
    out.push_str(rest);
    out
}

/// Copies the authority at the front of `text` without its user; gives what follows it.
fn authority_into<'a>(text: &'a str, out: &mut String) -> &'a str {
    let end = text.find(['/', '?', '#', '&', '\\', ' ', '"', '>']).unwrap_or(text.len());
    let (authority, rest) = text.split_at(end);
    match authority.rfind('@') {
        Some(at) if at > 0 => {
            out.push_str("REDACTED:REDACTED");
            out.push_str(&authority[at..]);
        }
        _ => out.push_str(authority),
    }
    rest
}

/// Replaces each part of the text that looks like a JSON web token (RFC 7519), whole or cut.
fn without_jwt(text: &str) -> Cow<'_, str> {
    if !decoded(text).windows(JWT_PREFIX.len()).any(|three| three == JWT_PREFIX) {
        return Cow::Borrowed(text);
    }
    let parts = text.split_inclusive(SEPARATORS).map(|part| {
        let (part, separator) = part.split_at(part.trim_end_matches(SEPARATORS).len());
        let shown = jwt_start(part).map_or(part, |at| part.split_at(at).0);
        [shown, if shown.len() < part.len() { REDACTED } else { "" }, separator]
    });
    Cow::Owned(parts.flatten().collect())
}

/// Where a token begins; 0 where the part is encoded, so that the place cannot be told.
fn jwt_start(part: &str) -> Option<usize> {
    if let Some(at) = part.find("eyJ").filter(|at| part.len() - at >= JWT_SHORTEST) {
        return Some(at);
    }
    let bytes = decoded(part);
    let at = bytes.windows(JWT_PREFIX.len()).position(|three| three == JWT_PREFIX)?;
    (part.contains('%') && bytes.len() - at >= JWT_SHORTEST).then_some(0)
}

#[cfg(test)]
#[path = "redaction_tests.rs"]
mod tests;
