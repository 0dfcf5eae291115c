//! The server that the MongoDB tests start. MongoDB itself is in no registry, and FerretDB takes minutes to build; this one
//! is written in Java, keeps its data in memory, and answers the drivers of today.

use super::maven::Program;

/// The server, and an interpreter for the script that starts it on a port (`tests/programs/mongodb.bsh`): its own main
/// program knows but one.
pub(super) const MONGODB: Program = Program {
    name: "mongodb",
    title: "mongo-java-server 1.47.0 (3 MB)",
    artifacts: &[
        ["de.bwaldvogel", "mongo-java-server", "1.47.0"],
        ["org.apache-extras.beanshell", "bsh", "2.0b6"],
    ],
};
