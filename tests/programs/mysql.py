"""Comes in: a port of MySQL and one to wait at. Goes out: a scripted set of operations by PyMySQL, after the latter was
connected to and closed. Refuses nothing."""

import socket
import sys
import tempfile

import pymysql
from pymysql.constants import CLIENT

server, gate = sys.argv[1:]
connection = pymysql.connect(
    host="127.0.0.1", port=int(server), user="alice", password="hush", database="shop",
    autocommit=True, local_infile=True, client_flag=CLIENT.MULTI_STATEMENTS,
)
print("connected", flush=True)
with socket.create_connection(("127.0.0.1", gate)) as waits:
    waits.recv(1)

with connection, connection.cursor() as cursor:
    execute = cursor.execute
    execute("SELECT count(*) FROM users WHERE name <> %s", ("it's hush\\",))
    for broken in ["SELECT missing FROM nowhere", "INSERT INTO users VALUES (1, 'hush')"]:
        try:
            execute(broken)
        except pymysql.Error:
            pass
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for number in range(1000, 1010):
            print(number, "hush" * 9, sep="\t", file=file)
        file.flush()
        execute(f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE users")
    execute("SELECT a.id, b.name FROM users a, users b")
    execute("UPDATE users SET name = 'hush' WHERE id = 1; SELECT 1; DELETE FROM users WHERE id >= 1000")
    while cursor.nextset():
        pass
    connection.ping()
    connection.select_db("mysql")
    execute("SELECT 'fence'")
