"""Asks a DNS server for the addresses of several names at once, through one socket that is not connected.

resolve.py PORT NAME...
"""

import socket
import struct
import sys


def question(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def main():
    server, names = ("127.0.0.1", int(sys.argv[1])), sys.argv[2:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        for number, name in enumerate(names):
            client.sendto(question(number, name), server)
        waiting = set(range(len(names)))
        while waiting:
            answer, _ = client.recvfrom(65535)
            waiting.discard(struct.unpack_from(">H", answer)[0])


main()
