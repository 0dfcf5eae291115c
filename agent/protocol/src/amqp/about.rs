//! What is told of AMQP in `docs/protocols.md`.

use crate::registry::About;

/// Its row.
pub(crate) const ABOUT: About = About {
    title: "AMQP 0-9-1 (RabbitMQ)",
    recognised: "its preface, or a whole frame with a method that exists",
    paired: "order on the channel; confirmations by the number that both sides count, settlements by the delivery's tag",
    attributes: &[
        "messaging.system",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.destination.name",
        "messaging.destination.anonymous",
        "messaging.rabbitmq.destination.routing_key",
        "messaging.rabbitmq.message.delivery_tag",
        "messaging.message.id",
        "messaging.message.conversation_id",
        "messaging.message.body.size",
        "error.type",
    ],
    limits: "payloads are passed over; whether a channel older than the daemon confirms shows only when it does; AMQP 1.0 is \
        another protocol",
};
