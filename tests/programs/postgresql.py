"""Comes in: a port of PostgreSQL and one to wait at. Goes out: a scripted set of operations by psycopg, after the latter
was connected to and closed. Refuses nothing."""

import socket
import sys

import psycopg

server, gate = sys.argv[1:]
conninfo = f"host=127.0.0.1 port={server} user=postgres dbname=shop"

with psycopg.connect(conninfo, autocommit=True) as connection:
    execute = connection.execute
    prepared = "SELECT name FROM users WHERE id = %s"
    for _ in range(6):
        execute(prepared, (1,))
    print("connected", flush=True)
    with socket.create_connection(("127.0.0.1", gate)) as waits:
        waits.recv(1)

    execute("SELECT count(*) FROM users WHERE name <> 'hush'")
    execute(prepared, (2,))
    for broken in ["SELECT missing FROM nowhere", "INSERT INTO users VALUES (1, 'hush')"]:
        try:
            execute(broken)
        except psycopg.Error:
            pass
    with connection.cursor() as cursor:
        with cursor.copy("COPY users FROM STDIN") as copy:
            for number in range(1000, 1010):
                copy.write_row((number, "hush" * 9))
        with cursor.copy("COPY users TO STDOUT") as copy:
            for _ in copy:
                pass
        cursor.execute("SELECT a.id, b.name FROM users a, users b")
    with connection.pipeline():
        execute("UPDATE users SET name = %s WHERE id = %s", ("hush", 1))
        execute("DELETE FROM users WHERE id >= %s", (1000,))
    execute("SELECT 'fence'")
