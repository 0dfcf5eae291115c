//! Zipkin's protobuf in (zipkin-api, zipkin.proto, `zipkin.proto3.ListOfSpans`), spans out.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use prost::Message;
use wirespan_store::{Kind, Span};

use super::convert::{MICRO, Resources, event, remote, scope, tag, wide};
use crate::{
    Batch,
    batch::{Cause, span_id, times, trace_id},
    otlp::BadRequest,
};

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<Proto>,
}

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local_endpoint: Option<Endpoint>,
    #[prost(message, optional, tag = "9")]
    remote_endpoint: Option<Endpoint>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<Annotation>,
    #[prost(btree_map = "string, string", tag = "11")]
    tags: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Endpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Annotation {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

/// Reads a `ListOfSpans`.
///
/// # Errors
/// It is no such message.
pub fn decode_protobuf(body: &[u8]) -> Result<Batch, BadRequest> {
    let list = List::decode(body)
        .map_err(|error| BadRequest::Malformed(format!("the body is no ListOfSpans: {error}")))?;
    let mut batch = Batch::default();
    let mut resources = Resources::default();
    list.spans.into_iter().for_each(|span| batch.add(convert(span, &mut resources)));
    Ok(batch)
}

fn convert(of: Proto, resources: &mut Resources) -> Result<Span, Cause> {
    let start = of.timestamp.saturating_mul(MICRO);
    let (start, duration) = times(start, start.saturating_add(of.duration.saturating_mul(MICRO)))?;
    let local = of.local_endpoint.unwrap_or_default();
    let mut span = Span {
        trace: trace_id(&wide(&of.trace_id))?,
        id: span_id(&of.id)?,
        parent: span_id(&of.parent_id).ok(),
        name: of.name.into(),
        kind: kind(of.kind),
        start,
        duration,
        events: of.annotations.iter().map(|one| event(one.timestamp, &one.value)).collect(),
        resource: resources.of(&local.service_name),
        scope: Arc::new(scope()),
        ..Span::default()
    };
    of.tags.iter().for_each(|(key, value)| tag(&mut span, key, value));
    let peer = of.remote_endpoint.unwrap_or_default();
    remote(&mut span, &peer.service_name, address(&peer).as_deref(), peer.port.into());
    Ok(span)
}

/// `Span.Kind` of zipkin.proto.
fn kind(number: i32) -> Kind {
    match number {
        1 => Kind::Client,
        2 => Kind::Server,
        3 => Kind::Producer,
        4 => Kind::Consumer,
        _ => Kind::Internal,
    }
}

fn address(of: &Endpoint) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(of.ipv4.as_slice()).map(|bytes| Ipv4Addr::from(bytes).to_string());
    let v6 = || <[u8; 16]>::try_from(of.ipv6.as_slice()).map(|bytes| Ipv6Addr::from(bytes).to_string());
    v4.or_else(|_| v6()).ok()
}

#[cfg(test)]
mod tests {
    use wirespan_store::{StatusCode, Value, attribute};

    use super::*;

    fn proto() -> Proto {
        Proto {
            trace_id: vec![0x5a, 0xf7, 0x18, 0x3f, 0xb1, 0xd4, 0xcf, 0x5f],
            id: vec![1; 8],
            parent_id: vec![2; 8],
            kind: 2,
            name: "get /api".into(),
            timestamp: 1_556_604_172_355_737,
            duration: 1431,
            local_endpoint: Some(Endpoint { service_name: "backend".into(), ..Endpoint::default() }),
            remote_endpoint: Some(Endpoint { ipv6: vec![0; 16], port: 58_648, ..Endpoint::default() }),
            annotations: vec![Annotation { timestamp: 1_556_604_172_355_800, value: "wr".into() }],
            tags: [("error".to_owned(), "timeout".to_owned())].into(),
        }
    }

    #[test]
    fn a_list_is_read_and_bad_spans_are_left_out() {
        let spans = vec![proto(), Proto { id: vec![1], ..proto() }, Proto { timestamp: 0, ..proto() }];
        let batch = decode_protobuf(&List { spans }.encode_to_vec()).unwrap();
        assert_eq!(batch.refused(), 2);
        let [span] = &batch.spans[..] else { panic!("one span") };
        assert_eq!(span.trace.to_string(), "00000000000000005af7183fb1d4cf5f");
        assert_eq!((span.kind, span.duration, &*span.resource.service), (Kind::Server, 1_431_000, "backend"));
        assert_eq!((span.status.code, span.events[0].name.as_str()), (StatusCode::Error, "wr"));
        assert_eq!(attribute(&span.attributes, "network.peer.address"), Some(&Value::from("::")));
        assert_eq!(attribute(&span.attributes, "network.peer.port"), Some(&Value::Int(58_648)));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(decode_protobuf(b"\xff\xff").is_err());
    }
}
