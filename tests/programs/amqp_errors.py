"""Comes in: a port of RabbitMQ and one to wait at. Goes out: what the broker refuses, by pika, after the latter was connected
to and closed. Refuses nothing."""

import socket
import sys

import pika
from pika.exceptions import AMQPChannelError, AMQPConnectionError

server, gate = sys.argv[1:]
credentials = pika.PlainCredentials("guest", "guest")


def connect(**options):
    return pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", int(server), credentials=credentials, **options)
    )


connection = connect()
print("connected", flush=True)
with socket.create_connection(("127.0.0.1", gate)) as waits:
    waits.recv(1)

# To an exchange that is missing: nothing waits for the broker's word, then something does.
channel = connection.channel()
channel.basic_publish("missing", "orders.new", b"hush")
while channel.is_open:
    connection.process_data_events(time_limit=1)
channel = connection.channel()
channel.confirm_delivery()
try:
    channel.basic_publish("missing", "orders.new", b"hush")
except AMQPChannelError:
    pass
# With another type than it has.
channel = connection.channel()
try:
    channel.exchange_declare("amq.direct", "topic")
except AMQPChannelError:
    pass
# On a channel that was never opened, which ends the connection.
connection._impl._send_method(77, pika.spec.Basic.Qos(prefetch_count=1))
try:
    while True:
        connection.process_data_events(time_limit=1)
except AMQPConnectionError:
    pass
# Where there is nothing to connect to.
try:
    connect(virtual_host="missing")
except AMQPConnectionError:
    pass
