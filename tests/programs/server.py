"""A plain HTTP/1.1 server for the end-to-end tests. Prints its address, then serves until it is stopped.

/hello...    hello
/chunked...  hello in three chunks
/hang...     prints `hanging`, never answers
"""

import argparse
import os
import signal
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/hang"):
            print("hanging", flush=True)
            signal.sigwait([signal.SIGUSR1])
        elif self.path.startswith("/chunked"):
            self.chunked([b"he", b"ll", b"o"])
        else:
            self.whole(b"hello")

    def whole(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunked(self, parts):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in [*parts, b""]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def address_string(self):
        return "peer"  # The peer of a UNIX socket has none.

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        # HTTPServer's own asks DNS for the host's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


class Server6(Server):
    address_family = socket.AF_INET6


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)


def listen(options):
    if options.unix:
        return UnixServer(options.unix, Answers), options.unix
    server = Server6(("::1", 0), Answers) if options.ipv6 else Server(("127.0.0.1", 0), Answers)
    port = server.socket.getsockname()[1]
    return server, f"[::1]:{port}" if options.ipv6 else f"127.0.0.1:{port}"


def fork(number):
    """Forks children that share the listening socket; the parent passes SIGTERM on and waits. Children return."""
    children = []
    for _ in range(number):
        child = os.fork()
        if child == 0:
            return
        children.append(child)
    if children:
        signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGKILL) for child in children])
    return children


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--unix", help="listen on this path")
    options.add_argument("--ipv6", action="store_true")
    options.add_argument("--prefork", type=int, default=0, help="so many processes share the socket")
    options.add_argument("--tls", help="file with a key and its certificate")
    options = options.parse_args()
    server, address = listen(options)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    children = fork(options.prefork)
    if not options.prefork or children:
        print(address, flush=True)
    if children:
        for child in children:
            os.waitpid(child, 0)
        sys.exit(0)
    server.serve_forever()


main()
