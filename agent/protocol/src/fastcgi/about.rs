//! What is told of FastCGI in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "FastCGI 1.0",
    recognised: "a record that begins a request",
    paired: "request id",
    attributes: &[
        "http.request.method",
        "http.request.method_original",
        "http.route",
        "url.template",
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
        "server.address",
        "server.port",
        "client.address",
        "error.type",
        "wirespan.fastcgi.app_status",
        "wirespan.fastcgi.stderr_bytes",
    ],
    limits: "headers become attributes where asked for; of bodies and of what a program writes to its STDERR the \
        lengths alone; what servers ask of each other (GET_VALUES) is no span",
};
