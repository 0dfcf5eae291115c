//! The process (and host) that a span belongs to, by OpenTelemetry's resource conventions.

use crate::span::Value;

/// Attributes of a process: `service.name`, `process.*`, `host.*`, `container.id`. Found by the daemon, shared by
/// all spans of the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// By name, in the order in which they are shown. `service.name` is always there.
    pub attributes: Vec<(std::borrow::Cow<'static, str>, Value)>,
}

impl Resource {
    /// The value of `service.name`; empty where it is missing.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.attributes
            .iter()
            .find_map(|(name, value)| match value {
                Value::Text(text) if name == "service.name" => Some(text.as_str()),
                _ => None,
            })
            .unwrap_or_default()
    }
}
