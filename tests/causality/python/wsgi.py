"""A WSGI application, for gunicorn's workers (processes, threads)."""

import rig


class Answer:
    """Iterated for the body; closed by the server once the answer is out."""

    def __init__(self, request, rest):
        self.request, self.rest = request, rest

    def __iter__(self):
        yield b"ok"

    def close(self):
        self.request.done()
        if self.rest:
            self.rest()


def application(environ, start_response):
    peer = rig.text(environ["gunicorn.socket"].getpeername())
    request = rig.Request(peer)
    rest = rig.work(environ["PATH_INFO"], request)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return Answer(request, rest)
