//! The broker that the Kafka tests start.

use super::maven::Program;

/// The server, the tool that formats its folder, and what both write their logs with.
pub(super) const KAFKA: Program = Program {
    name: "kafka",
    title: "Kafka 4.1.0 (54 MB)",
    artifacts: &[["org.apache.kafka", "kafka_2.13", "4.1.0"], ["org.apache.kafka", "kafka-tools", "4.1.0"]],
};
