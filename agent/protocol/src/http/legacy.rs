//! What HTTP/1 leaves to the protocol that a connection goes on with: a request that is yet to be answered there, or
//! the handshake of a session.

use super::message::{Attributes, Request};
use crate::exchange::{Key, Message, Role, Target};

/// To HTTP/2: the request that asked for it is answered on stream 1 (RFC 7540 section 3.2).
pub(crate) struct Upgrade {
    pub(crate) key: Key,
    pub(crate) role: Role,
    pub(crate) request: Request,
    pub(crate) asked: Message,
}

/// To WebSocket: who asked, and what for. The request itself was answered by the handshake.
pub(crate) struct Handshake {
    pub(crate) role: Role,
    pub(crate) target: Target,
    /// Where the server is.
    pub(crate) attributes: Attributes,
    /// `Sec-WebSocket-Extensions` of the answer, where messages are compressed.
    pub(crate) deflate: bool,
}

impl Handshake {
    /// From the request that was answered.
    pub(super) fn of(request: &Request, role: Role, deflate: bool) -> Self {
        let kept = ["server.address", "server.port", "url.path", "url.scheme", "user_agent.original"];
        let attributes = request.attributes.iter().filter(|(name, _)| kept.contains(&name.as_ref())).cloned();
        Self { role, target: request.target.clone(), attributes: attributes.collect(), deflate }
    }
}
