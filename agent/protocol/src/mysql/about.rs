//! What is told of MySQL and MariaDB in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "MySQL, MariaDB (protocol 10)",
    recognised: "the server's greeting, a statement, or an answer whose packets fit",
    paired: "order",
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
        "wirespan.sqlstate",
        "wirespan.statement_unknown",
        "wirespan.compressed",
    ],
    limits: "literals are replaced; of compressed connections the lengths alone; older connections \
        are called `mysql` whichever server it is; nothing of what is encrypted",
};
