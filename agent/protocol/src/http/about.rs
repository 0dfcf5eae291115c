//! What is told of HTTP/1 in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "HTTP/1.0, HTTP/1.1",
    recognised: "a request line or a status line",
    paired: "order; interim answers (1xx) are passed over",
    attributes: &[
        "http.request.method",
        "http.request.method_original",
        "http.route",
        "url.template",
        "url.full",
        "url.path",
        "url.query",
        "url.scheme",
        "http.response.status_code",
        "http.request.body.size",
        "http.response.body.size",
        "http.request.header.<name>",
        "http.response.header.<name>",
        "user_agent.original",
        "network.protocol.name",
        "network.protocol.version",
        "server.address",
        "server.port",
        "client.address",
        "rpc.system.name",
        "rpc.method",
        "rpc.response.status_code",
        "error.type",
    ],
    limits: "headers become attributes where asked for; bodies are passed over by their lengths; \
        gRPC-Web is told as gRPC, without counts, and in its base64 form without the status that its \
        body ends with",
};
