"""Knows what is in stock. Article 13 is never found, article 7 takes its time."""

import time

import service


def answer(path):
    article = int(path.rsplit("/", 1)[-1]) % 20
    if article == 13:
        raise service.Refusal(404, "no such article")
    time.sleep(0.25 if article == 7 else 0.002)
    return {"article": article, "in_stock": 100 - article}


service.serve(answer)
