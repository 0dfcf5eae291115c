"""Takes orders; asks the stock service (its port is the first argument) for each of them, and notes them in Redis (its
port is the second one, if there is one). Order 17 is too much for it."""

import http.client
import json
import sys

import service

STOCK = int(sys.argv[1])


def notebook(port):
    import redis

    return redis.Redis("127.0.0.1", int(port))


BOOK = notebook(sys.argv[2]) if len(sys.argv) > 2 else None


def answer(path):
    order = int(path.rsplit("/", 1)[-1])
    if order % 20 == 17:
        raise service.Refusal(500, "the order book has no more pages")
    stock = http.client.HTTPConnection("127.0.0.1", STOCK, timeout=10)
    try:
        stock.request("GET", f"/stock/{order}")
        found = stock.getresponse()
        body = json.loads(found.read())
    finally:
        stock.close()
    if found.status != 200:
        raise service.Refusal(502, f"stock says {found.status}")
    if BOOK:
        BOOK.incr("orders")
    return {"order": order, "stock": body}


service.serve(answer)
