//! What is told of Kafka in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "Kafka",
    recognised: "the head of a request: a length, a kind and version that exist, a client that names itself",
    paired: "correlation id; a produce request without acknowledgement is over when it is sent",
    attributes: &[
        "messaging.system",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.destination.name",
        "messaging.destination.partition.id",
        "messaging.batch.message_count",
        "messaging.client.id",
        "messaging.consumer.group.name",
        "messaging.kafka.offset",
        "messaging.kafka.message.tombstone",
        "error.type",
        "wirespan.kafka.api_version",
        "wirespan.kafka.acks",
        "wirespan.kafka.topics",
        "wirespan.kafka.partitions",
    ],
    limits: "keys and values of records are passed over; contexts are read from the headers of uncompressed records; a topic id \
        has no name before an answer told it; answers to requests older than the daemon are passed over",
};
