"""A small shop of real, unmodified programs: nginx -> orders.py -> stock.py, on free loopback ports; with `--databases`
orders.py also uses Redis, and stock.py PostgreSQL.

Prints `open http://127.0.0.1:PORT` when its doors are open, then visits itself `--rate` times a second (0: nobody comes)
until SIGTERM, SIGINT or the end of one of its programs. Nothing in it knows of tracing.
"""

import argparse
import http.client
import itertools
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def service(name, *arguments):
    """Starts a service; its first line is its port."""
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def nginx(folder, front, orders):
    """Starts nginx and waits until it lets people in."""
    text = (HERE / "nginx.conf").read_text().replace("@FRONT@", str(front)).replace("@ORDERS@", str(orders))
    (folder / "nginx.conf").write_text(text)
    (folder / "temp").mkdir()
    program = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    process = subprocess.Popen([program or "nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"])
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", front)).close()
            return process
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise SystemExit("nginx did not start:\n" + (folder / "error.log").read_text())


def visit(front, number):
    """One visitor, who comes and goes: a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=10)
    try:
        connection.request("GET", f"/orders/{number}")
        connection.getresponse().read()
    except OSError:
        pass  # The shop is closing, or too busy; the next one tries again.
    finally:
        connection.close()


def visits(front, rate, processes):
    start = time.monotonic()
    for number in itertools.count(1):
        if any(process.poll() is not None for process in processes):
            raise SystemExit("a program of the shop has ended")
        if rate > 0:
            visit(front, number)
        else:
            time.sleep(0.2)
        time.sleep(max(0.0, start + number / rate - time.monotonic()) if rate > 0 else 0)


def stop(processes):
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait()


def staff(folder, with_databases, processes):
    """Starts everybody, each noted at once, so that whoever is there is stopped; gives the front door's port."""
    shelves, book = [], []
    if with_databases:
        import databases

        shelves, book = [free_port()], [free_port()]
        processes.append(databases.postgresql(folder, *shelves))
        processes.append(databases.redis(folder, *book))
    stock, stock_port = service("stock.py", *shelves)
    processes.append(stock)
    orders, orders_port = service("orders.py", stock_port, *book)
    processes.append(orders)
    front = free_port()
    processes.append(nginx(folder, front, orders_port))
    return front


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=float, default=5.0, help="visits a second; 0: none")
    options.add_argument("--databases", action="store_true", help="with PostgreSQL and Redis")
    options = options.parse_args()
    # An exception, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    processes = []
    with tempfile.TemporaryDirectory(prefix="wirespan-shop-") as folder:
        # nginx's worker, another user when started by root, must get to its files.
        pathlib.Path(folder).chmod(0o755)
        try:
            front = staff(pathlib.Path(folder), options.databases, processes)
            print(f"open http://127.0.0.1:{front}", flush=True)
            visits(front, options.rate, processes)
        except KeyboardInterrupt:
            pass
        finally:
            stop(processes)


main()
