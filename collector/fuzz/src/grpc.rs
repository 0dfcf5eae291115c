//! Comes in: a method of gRPC and its request as bytes. Goes out: the messages of the answer as bytes, or why there is none.

use axum::http::uri::PathAndQuery;
use bytes::{Buf, BufMut};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// Messages as they are on the wire.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// Calls one of Jaeger's methods, named with its version, as `api_v3.QueryService/GetTrace`.
pub(crate) async fn call(
    channel: &Channel,
    method: &str,
    body: Vec<u8>,
    token: &str,
) -> Result<Vec<Vec<u8>>, Status> {
    let path: PathAndQuery = format!("/jaeger.{method}").parse().expect("methods have plain names");
    let mut request = Request::new(body);
    let bearer = format!("Bearer {token}").parse().expect("tokens are of letters and digits");
    request.metadata_mut().insert("authorization", bearer);
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}
