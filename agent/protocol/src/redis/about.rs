//! What is told of Redis in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "Redis (RESP2, RESP3, inline)",
    recognised: "an array of strings that begins with a known command",
    paired: "order; what the server pushes answers nothing; a pipeline longer than configured is one \
        span",
    attributes: &[
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "db.operation.batch.size",
        "db.query.text",
        "db.stored_procedure.name",
        "db.response.status_code",
        "error.type",
    ],
    limits: "keys are kept, values never; the database's index is that of the last SELECT that was \
        seen, and unknown in older connections before one; of modules' commands no argument is shown",
};
