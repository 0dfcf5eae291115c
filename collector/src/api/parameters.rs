//! A query string in, its parameters out, one after the other. What is left over is refused by name.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use wirespan_query::{duration, time};

use super::{Problem, now};

/// The parameters of a request that were not looked at yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = pairs.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        Ok(Self(pairs))
    }
}

impl Parameters {
    /// All values of a parameter, in their order.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        let (wanted, rest) = std::mem::take(&mut self.0).into_iter().partition(|(known, _)| known == name);
        self.0 = rest;
        let wanted: Vec<(String, String)> = wanted;
        wanted.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of a parameter; an empty one is none.
    pub(crate) fn one(&mut self, name: &str) -> Option<String> {
        self.all(name).pop().filter(|value| !value.is_empty())
    }

    /// Is the parameter said and still to be looked at?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, value)| known == name && !value.is_empty())
    }

    pub(crate) fn number(&mut self, name: &str, usual: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.one(name) else { return Ok(usual) };
        let number: Option<usize> = text.parse().ok();
        number
            .filter(|number| *number <= most)
            .ok_or_else(|| Problem::bad(name, format!("`{text}` is no whole number up to {most}")))
    }

    /// How many of something at most: none would be no question.
    pub(crate) fn limit(&mut self, usual: usize, most: usize) -> Result<usize, Problem> {
        match self.number("limit", usual, most)? {
            0 => Err(Problem::bad("limit", "ask for at least one")),
            limit => Ok(limit),
        }
    }

    /// In nanoseconds.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        let text = self.one(name);
        text.map(|text| duration(&text).map_err(|error| Problem::bad_text(name, &error))).transpose()
    }

    /// In nanoseconds since 1970.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        let text = self.one(name);
        text.map(|text| time(&text).map_err(|error| Problem::bad_text(name, &error))).transpose()
    }

    /// A word that stands for something.
    pub(crate) fn word<T: std::str::FromStr>(
        &mut self,
        name: &str,
        words: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let read = text.parse().map_err(|_| Problem::bad(name, format!("`{text}` is none of {words}")));
        read.map(Some)
    }

    /// `start` and `end`, or `since` before `end`, or the last hour.
    pub(crate) fn range(&mut self) -> Result<(u64, u64), Problem> {
        // A span that began a moment ago by a clock that is ahead belongs to now.
        let end = self.time("end")?.unwrap_or_else(|| now().saturating_add(60_000_000_000));
        let since = self.duration("since")?;
        let start = self.time("start")?;
        if start.is_some() && since.is_some() {
            return Err(Problem::bad("since", "give `start` or `since`, not both"));
        }
        let start = start.unwrap_or_else(|| end.saturating_sub(since.unwrap_or(3_600_000_000_000)));
        if start > end {
            return Err(Problem::bad("start", "`start` is after `end`"));
        }
        Ok((start, end))
    }

    /// Refuses what nobody has looked at.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            Some((name, _)) => {
                Err(Problem::bad(&name, format!("the parameter `{name}` is not supported here")))
            }
            None => Ok(()),
        }
    }
}
