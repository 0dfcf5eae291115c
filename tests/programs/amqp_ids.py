"""Comes in: a port of RabbitMQ and one to wait at. Goes out: messages with ids and without a context, sent and received by
pika, after the latter was connected to and closed. Refuses nothing."""

import socket
import sys
import uuid

import pika

server, gate = sys.argv[1:]
credentials = pika.PlainCredentials("guest", "guest")
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(server), credentials=credentials))
channel = connection.channel()
print("connected", flush=True)
with socket.create_connection(("127.0.0.1", gate)) as waits:
    waits.recv(1)

channel.queue_declare("named", auto_delete=True)
for _ in range(2):
    named = pika.BasicProperties(message_id=str(uuid.uuid4()))
    channel.basic_publish("", "named", b"hush", named)
while channel.basic_get("named", auto_ack=True)[0] is None:
    pass
seen = []
channel.basic_consume("named", lambda *delivery: seen.append(delivery), auto_ack=True)
while not seen:
    connection.process_data_events(time_limit=1)
connection.close()
