"""Comes in: a port of a MongoDB server and one to wait at. Goes out: a scripted set of operations by pymongo, after the
latter was connected to and closed. Refuses nothing."""

import socket
import sys

import pymongo
from pymongo.errors import PyMongoError

server, gate = (int(port) for port in sys.argv[1:])
# One connection for the operations, and monitoring that asks once.
options = {"directConnection": True, "serverMonitoringMode": "poll", "heartbeatFrequencyMS": 600_000, "maxPoolSize": 1}

with pymongo.MongoClient("127.0.0.1", server, **options) as client:
    shop = client["shop"]
    users = shop["users"]
    shop.command("ping")
    print("connected", flush=True)
    with socket.create_connection(("127.0.0.1", gate)) as waits:
        waits.recv(1)

    users.insert_one({"_id": 1, "name": "hush"})
    users.insert_many([{"_id": number, "name": "hush" * 9} for number in range(2, 1002)])
    try:
        users.insert_one({"_id": 1, "name": "hush"})
    except PyMongoError:
        pass
    list(users.find({"name": "hush"}, batch_size=3))
    list(users.find({"_id": {"$lt": 1000}}, batch_size=600))
    users.update_many({"_id": {"$lt": 3}}, {"$set": {"name": "hush"}})
    list(users.aggregate([{"$match": {"name": "hush"}}, {"$count": "count"}]))
    try:
        shop.command("nonsense", "hush")
    except PyMongoError:
        pass
    users.drop()
    shop.command("ping")
