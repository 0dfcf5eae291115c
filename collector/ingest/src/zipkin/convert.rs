//! What Zipkin's formats have in common, as parts of our spans.

use std::sync::Arc;

use wirespan_store::{Attribute, Event, Resource, Scope, Span, Status, StatusCode, Text, Value};

/// Microseconds in nanoseconds.
pub(super) const MICRO: u64 = 1000;

/// Services of one request, each made once.
#[derive(Default)]
pub(super) struct Resources(Vec<Arc<Resource>>);

impl Resources {
    pub(super) fn of(&mut self, service: &str) -> Arc<Resource> {
        if let Some(known) = self.0.iter().find(|known| known.service == service) {
            return known.clone();
        }
        let named = Attribute { key: "service.name".into(), value: Value::from(service) };
        let resource = Arc::new(Resource::new(if service.is_empty() { Vec::new() } else { vec![named] }));
        // A request may name as many services as it has spans; a search among more than these costs more than it saves.
        if self.0.len() < 64 {
            self.0.push(resource.clone());
        }
        resource
    }
}

pub(super) fn scope() -> Scope {
    Scope { name: Text::new_static("zipkin"), ..Scope::default() }
}

/// A trace id of 64 bits is the right-hand half of ours.
pub(super) fn wide(id: &[u8]) -> Vec<u8> {
    if id.len() == 8 { [&[0; 8], id].concat() } else { id.to_vec() }
}

/// `time` in microseconds since 1970.
pub(super) fn event(time: u64, name: &str) -> Event {
    Event { time: time.saturating_mul(MICRO), name: name.into(), attributes: Vec::new() }
}

pub(super) fn tag(span: &mut Span, key: &str, value: &str) {
    if key.is_empty() {
        return;
    }
    // Zipkin: the tag's being there is what says that it failed. `false` is what some write all the same.
    if key == "error" && value != "false" {
        span.status = Status { code: StatusCode::Error, message: value.into() };
    }
    span.attributes.push(Attribute { key: key.into(), value: Value::from(value) });
}

/// Who was at the other end. A port of 0 is not known.
pub(super) fn remote(span: &mut Span, service: &str, address: Option<&str>, port: i64) {
    let mut add = |key: &str, value: Value| span.attributes.push(Attribute { key: key.into(), value });
    if !service.is_empty() {
        add("peer.service", Value::from(service));
    }
    if let Some(address) = address.filter(|address| !address.is_empty()) {
        add("network.peer.address", Value::from(address));
    }
    if port > 0 {
        add("network.peer.port", Value::Int(port));
    }
}
