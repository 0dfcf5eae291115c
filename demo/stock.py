"""Knows what is in stock, from PostgreSQL where its port is the first argument. Article 13 is never found, article 7 takes
its time."""

import sys
import time

import service


def warehouse(port):
    import psycopg

    return psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True)


SHELVES = warehouse(sys.argv[1]) if len(sys.argv) > 1 else None


def in_stock(article):
    if SHELVES is None:
        return 100 - article
    return SHELVES.execute("SELECT in_stock FROM articles WHERE id = %s", (article,)).fetchone()[0]


def answer(path):
    article = int(path.rsplit("/", 1)[-1]) % 20
    if article == 13:
        raise service.Refusal(404, "no such article")
    time.sleep(0.25 if article == 7 else 0.002)
    return {"article": article, "in_stock": in_stock(article)}


service.serve(answer)
