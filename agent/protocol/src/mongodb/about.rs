//! What is told of MongoDB in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "MongoDB (OP_MSG; OP_QUERY for hello)",
    recognised: "a header whose opcode fits what follows",
    paired: "the id that an answer names; the answers of an exhaust cursor are one span",
    attributes: &[
        "db.system.name",
        "db.namespace",
        "db.collection.name",
        "db.operation.name",
        "db.operation.batch.size",
        "db.response.returned_rows",
        "db.response.status_code",
        "error.type",
        "wirespan.compressed",
    ],
    limits: "filters and documents are never kept; of OP_COMPRESSED the lengths alone, not the \
        command; the database is unknown where it stands behind 16 KiB of documents; a \
        handshake's later answers (streamed monitoring) are no spans; opcodes that servers no \
        longer take (OP_INSERT and its like) are passed over",
};
