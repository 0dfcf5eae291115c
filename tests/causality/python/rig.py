"""What the Python programs of the causality rig share: the truth on a side channel, calls over a kept-alive pool, and the
patterns of calls. A program brings the server and its runtime.

Environment: CAUSALITY_LISTEN and CAUSALITY_BACKEND (address:port), CAUSALITY_TRUTH (folder), CAUSALITY_BACKGROUND_MS
(mean time between calls of the background job).
"""

import http.client
import itertools
import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

LISTEN = os.environ["CAUSALITY_LISTEN"]
HOST, PORT = LISTEN.split(":")[0], int(LISTEN.split(":")[1])
BACKEND = os.environ["CAUSALITY_BACKEND"]
BACKGROUND_S = float(os.environ["CAUSALITY_BACKGROUND_MS"]) / 1000

# Which calls a request makes; half of them are answered from a cache, at random.
CALLS = {"sync": 1, "pipelining": 1, "forget": 1, "retry": 1, "sequential": 3, "parallel": 3, "threads": 3}


def now():
    return time.time_ns()


def text(address):
    return f"{address[0]}:{address[1]}"


def cached():
    return random.random() < 0.5


class Truth:
    """A file per process, opened at the first line: after the server has forked."""

    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.file = None

    def line(self, **values):
        with self.lock:
            if self.file is None:
                name = f"{os.getpid()}.jsonl"
                self.file = open(os.path.join(os.environ["CAUSALITY_TRUTH"], name), "w", buffering=1)
            self.file.write(json.dumps(values) + "\n")


TRUTH = Truth()


class Request:
    """A request that the program answers."""

    def __init__(self, peer, local=LISTEN):
        self.number, self.peer, self.local, self.start = next(TRUTH.numbers), peer, local, now()
        self.answered = False

    def done(self):
        """To be called when the answer is out, or handed to the server."""
        if not self.answered:
            self.answered = True
            values = {"in": self.number, "local": self.local, "peer": self.peer}
            TRUTH.line(**values, start=self.start, end=now())


def called(request, after, local, start):
    """A call was made for a request, or for none."""
    cause = request.number if request else None
    TRUTH.line(cause=cause, after=after, local=local, peer=BACKEND, start=start, end=now())


class Pool:
    """Kept-alive connections; whoever comes first takes the one used last."""

    def __init__(self):
        self.idle = []

    def call(self, path, request):
        """Gives the status."""
        try:
            connection, local = self.idle.pop()
        except IndexError:
            connection = http.client.HTTPConnection(BACKEND, timeout=60)
            connection.connect()
            local = text(connection.sock.getsockname())
        start, after = now(), request is not None and request.answered
        connection.request("GET", path, headers={"X-Item": path.rsplit("/", 1)[1]})
        response = connection.getresponse()
        response.read()
        called(request, after, local, start)
        self.idle.append((connection, local))
        return response.status


POOL = Pool()
EXECUTOR = ThreadPoolExecutor(max_workers=int(os.environ["CAUSALITY_THREADS"]))


def wanted(path):
    """What a request asks for: its pattern, its token, and how many calls the cache did not spare."""
    pattern, token = path.strip("/").split("/")
    return pattern, token, sum(not cached() for _ in range(CALLS[pattern]))


def work(path, request):
    """Does what a request asks for. Gives what is left to do once it is answered, or None."""
    pattern, token, missed = wanted(path)
    call = lambda name="item": POOL.call(f"/{name}/{token}", request)
    if pattern == "forget":
        return call if missed else None
    if pattern == "parallel":
        for future in [EXECUTOR.submit(call) for _ in range(missed)]:
            future.result()
    elif pattern == "threads":
        threads = [threading.Thread(target=call) for _ in range(missed)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elif pattern == "retry":
        tries = range(3 * missed)
        next((None for _ in tries if call("flaky") == 200), None)
    else:
        for _ in range(missed):
            call()
    return None


def background():
    """Calls that belong to no request."""
    while True:
        time.sleep(random.expovariate(1 / BACKGROUND_S))
        POOL.call("/background/item", None)


def start_background():
    threading.Thread(target=background, daemon=True).start()
