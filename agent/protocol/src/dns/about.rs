//! What is told of DNS in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "DNS (UDP, TCP)",
    recognised: "a message that can be read to its last byte",
    paired: "id, name and type, in any order, with the peer where the socket is not connected",
    attributes: &[
        "dns.question.name",
        "dns.answers",
        "network.protocol.name",
        "error.type",
        "wirespan.dns.question.type",
        "wirespan.dns.response_code",
        "wirespan.dns.aliases",
        "wirespan.dns.truncated",
    ],
    limits: "no multicast DNS; nothing of what is encrypted (DoT, DoH)",
};
