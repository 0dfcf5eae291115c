//! A file of traces in, spans out: OTLP's JSON or Jaeger's, whichever it is.

use serde_json::Value as Json;

use crate::{
    Batch, Limits, jaeger_file,
    otlp::{self, BadRequest},
};

/// Reads a file that was exported here or elsewhere.
///
/// # Errors
/// It is neither.
pub fn decode_file(body: &[u8], limits: &Limits) -> Result<Batch, BadRequest> {
    let json: Json = serde_json::from_slice(body)
        .map_err(|error| BadRequest::Malformed(format!("the file is no JSON: {error}")))?;
    if json["data"].is_array() {
        return Ok(jaeger_file::read(&json, limits));
    }
    if json["resourceSpans"].is_array() || json["batches"].is_array() {
        return otlp::read_json(&json, limits);
    }
    let said = "the file has neither OTLP's list `resourceSpans` nor Jaeger's list `data`";
    Err(BadRequest::Malformed(said.to_owned()))
}
