//! What is told of Memcached in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "Memcached (text, meta, binary)",
    recognised: "a storage command, a binary header, or a command with an answer in words of this \
        protocol",
    paired: "order; quiet commands are one span with the command that ends them",
    attributes: &[
        "db.system.name",
        "db.operation.name",
        "db.operation.batch.size",
        "db.query.text",
        "db.response.status_code",
        "error.type",
    ],
    limits: "keys are kept, values never; TCP and UNIX sockets, no UDP",
};
