"""Takes orders; asks the stock service (its port is the first argument) for each of them. Order 17 is too much for it."""

import http.client
import json
import sys

import service

STOCK = int(sys.argv[1])


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
    return {"order": order, "stock": body}


service.serve(answer)
