"""gevent's pywsgi: a greenlet a connection on one thread, blocking calls patched."""

from gevent import monkey

monkey.patch_all()

import gevent
from gevent.pywsgi import WSGIServer

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
            gevent.spawn(self.rest)


def application(environ, start_response):
    request = rig.Request(f"{environ['REMOTE_ADDR']}:{environ['REMOTE_PORT']}")
    rest = rig.work(environ["PATH_INFO"], request)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return Answer(request, rest)


if __name__ == "__main__":
    rig.start_background()
    WSGIServer((rig.HOST, rig.PORT), application, backlog=4096, log=None).serve_forever()
