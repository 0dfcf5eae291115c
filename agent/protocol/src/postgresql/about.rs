//! What is told of PostgreSQL in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "PostgreSQL (protocol 3)",
    recognised: "the start message, a query, or an answer whose messages fit",
    paired: "order; each execution of the extended query protocol is a span",
    attributes: &[
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "db.collection.name",
        "db.stored_procedure.name",
        "db.query.summary",
        "db.query.text",
        "db.response.returned_rows",
        "db.response.status_code",
        "error.type",
        "wirespan.affected_rows",
        "wirespan.request.bytes",
        "wirespan.response.bytes",
        "wirespan.statement_unknown",
    ],
    limits: "literals are replaced; the text of a statement prepared before the daemon came is \
        unknown; nothing of what is encrypted",
};
