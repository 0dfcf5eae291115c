"""Writes each argument to a server, as one call, and reads until the answer ends as the argument says.

calls.py PORT BYTES<TAB>END...: with the escapes of Python's bytes, without quotes.
"""

import ast
import socket
import sys


def unescaped(text):
    return ast.literal_eval(f"b'{text}'")


def read_until(connection, end):
    answer = b""
    while not answer.endswith(end):
        piece = connection.recv(65536)
        if not piece:
            sys.exit(f"closed after {answer!r}")
        answer += piece


def main():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as connection:
        for argument in sys.argv[2:]:
            ask, end = (unescaped(text) for text in argument.split("\t"))
            connection.sendall(ask)
            if end:
                read_until(connection, end)


main()
