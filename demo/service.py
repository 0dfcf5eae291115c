"""The frame of the shop's services: HTTP/1.1 with kept-alive connections on a loopback port, a thread a connection."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def serve(answer):
    """Serves `answer(path) -> object as JSON`; prints the port it listens on, then runs until it is stopped."""

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one segment: in two, the second waits 40 ms for a delayed acknowledgement.
        wbufsize = -1

        def do_GET(self):
            try:
                status, body = 200, answer(self.path)
            except Refusal as refusal:
                status, body = refusal.status, {"error": str(refusal)}
            content = (json.dumps(body) + "\n").encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # A burst of visits must not be turned away by a short queue.
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Service) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
