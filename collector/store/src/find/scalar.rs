//! A value as a condition sees it: borrowed, without structure.

use std::borrow::Cow;

use crate::{Kind, StatusCode, Value};

/// One value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// A whole number; durations too, in nanoseconds.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A span's kind.
    Kind(Kind),
    /// How a span ended.
    Status(StatusCode),
}

impl<'a> Scalar<'a> {
    /// Calls `test` with the value, or with each of a list's; true as soon as it is. Bytes and maps have no scalar.
    pub fn any_of(value: &'a Value, test: &mut dyn FnMut(Scalar<'a>) -> bool) -> bool {
        match value {
            Value::Text(text) => test(Self::Text(text)),
            Value::Int(number) => test(Self::Int(*number)),
            Value::Float(number) => test(Self::Float(*number)),
            Value::Bool(yes) => test(Self::Bool(*yes)),
            Value::List(values) => values.iter().any(|value| Self::any_of(value, test)),
            Value::Bytes(_) | Value::Map(_) => false,
        }
    }

    /// As a person would write it.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Bool(yes) => Cow::Borrowed(if yes { "true" } else { "false" }),
            Self::Kind(kind) => Cow::Borrowed(kind.name()),
            Self::Status(code) => Cow::Borrowed(code.name()),
        }
    }
}
