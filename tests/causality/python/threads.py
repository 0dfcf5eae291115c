"""Python's own threading HTTP server: a thread per connection."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rig


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        request = rig.Request(rig.text(self.client_address))
        rest = rig.work(self.path, request)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        request.done()
        if rest:
            threading.Thread(target=rest).start()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    rig.start_background()
    Server((rig.HOST, rig.PORT), Answers).serve_forever()
