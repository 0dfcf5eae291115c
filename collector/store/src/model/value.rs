//! The value of an attribute: OpenTelemetry's `AnyValue` (common/v1/common.proto).

use std::{borrow::Cow, fmt::Write};

use serde::{Deserialize, Serialize};

use super::Text;

/// A value. Nesting is bounded by who makes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// UTF-8 text.
    Text(Text),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// Values in order.
    List(Box<[Value]>),
    /// Values by key.
    Map(Box<[(Text, Value)]>),
}

/// Millions are held: nothing in it is larger than a text.
const _: () = assert!(size_of::<Value>() == size_of::<Text>());

impl Value {
    /// As a person would read it: text as it is, bytes in hex, lists and maps as JSON.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(float(*number)),
            Self::Bytes(bytes) => Cow::Owned(hex(bytes)),
            Self::List(_) | Self::Map(_) => Cow::Owned(self.json().to_string()),
        }
    }

    /// As plain JSON. What JSON has no type for becomes text: bytes in hex, numbers that are not finite.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Text(text) => Json::String(text.to_string()),
            Self::Bool(yes) => Json::Bool(*yes),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => serde_json::Number::from_f64(*number)
                .map_or_else(|| Json::String(float(*number)), Json::Number),
            Self::Bytes(bytes) => Json::String(hex(bytes)),
            Self::List(values) => Json::Array(values.iter().map(Self::json).collect()),
            Self::Map(pairs) => {
                Json::Object(pairs.iter().map(|(key, value)| (key.to_string(), value.json())).collect())
            }
        }
    }
}

/// A float never looks like a whole number.
fn float(number: f64) -> String {
    format!("{number:?}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        let cases = [
            (Value::from("a b"), "a b"),
            (Value::from(-3), "-3"),
            (Value::from(3.0), "3.0"),
            (Value::from(f64::NAN), "NaN"),
            (Value::Bytes([0, 255].into()), "00ff"),
            (Value::List([Value::from("x"), Value::from(1)].into()), r#"["x",1]"#),
            (Value::Map([("k".into(), Value::from(true))].into()), r#"{"k":true}"#),
        ];
        for (value, text) in cases {
            assert_eq!(value.text(), text);
        }
    }
}
