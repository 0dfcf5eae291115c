//! What is told of WebSocket in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "WebSocket",
    recognised: "HTTP/1's upgrade",
    paired: "one span a session, told when it is over",
    attributes: &[
        "network.protocol.name",
        "wirespan.websocket.sent.frames",
        "wirespan.websocket.sent.messages",
        "wirespan.websocket.sent.bytes",
        "wirespan.websocket.received.frames",
        "wirespan.websocket.received.messages",
        "wirespan.websocket.received.bytes",
        "wirespan.websocket.close_code",
        "wirespan.websocket.compression",
    ],
    limits: "sessions older than the daemon are not recognised; no span for a message",
};
