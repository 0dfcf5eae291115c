//! What is told of HTTP/2 and gRPC in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "HTTP/2, gRPC",
    recognised: "the connection preface, HTTP/1's `h2c` upgrade, or, in older connections, frames in both \
        directions",
    paired: "stream id",
    attributes: &[
        "those of HTTP/1",
        "rpc.method_original",
        "wirespan.grpc.request.messages",
        "wirespan.grpc.response.messages",
    ],
    limits: "clear text alone; fields that were sent before the daemon came are unknown until they \
        are sent again; pushed streams are no spans",
};
