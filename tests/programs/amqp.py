"""Comes in: a port of RabbitMQ and one to wait at. Goes out: a scripted set of operations by pika, after the latter was
connected to and closed. Refuses nothing."""

import socket
import sys

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

server, gate = sys.argv[1:]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
credentials = pika.PlainCredentials("guest", "guest")
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(server), credentials=credentials))
channel = connection.channel()
print("connected", flush=True)
with socket.create_connection(("127.0.0.1", gate)) as waits:
    waits.recv(1)

channel.exchange_declare("shop", "topic", auto_delete=True)
channel.queue_declare("orders")
channel.queue_bind("orders", "shop", "orders.*")
channel.confirm_delivery()
named = pika.BasicProperties(message_id="m-1", correlation_id="c-1", headers={"traceparent": TRACE, "n": 1})
channel.basic_publish("shop", "orders.new", b"hush", named)
try:
    channel.basic_publish("shop", "nowhere", b"hush", mandatory=True)
except UnroutableError:
    pass
channel.basic_publish("shop", "orders.12345", b"hush" * 75_000)
method, _, _ = channel.basic_get("orders")
channel.basic_ack(method.delivery_tag)
channel.basic_qos(prefetch_count=1)
channel.basic_publish("shop", "orders.new", b"hush", named)
settle = [channel.basic_reject, channel.basic_ack]
for method, _, _ in channel.consume("orders"):
    settle.pop()(method.delivery_tag, **({} if settle else {"requeue": False}))
    if not settle:
        break
channel.cancel()
channel.basic_get("orders")
try:
    channel.queue_declare("missing", passive=True)
except ChannelClosedByBroker:
    pass
channel = connection.channel()
seen = []
channel.basic_consume("orders", lambda *delivery: seen.append(delivery), auto_ack=True)
channel.basic_publish("", "orders", b"hush")
while not seen:
    connection.process_data_events(time_limit=1)
channel.queue_delete("orders")
connection.close()
