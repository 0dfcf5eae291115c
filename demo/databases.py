"""The shop's databases: Debian's PostgreSQL and Redis, each on a free loopback port, with all that they keep in a folder of
the shop's. Each function gives the process and its port."""

import os
import pathlib
import subprocess
import time

DEADLINE = 30
ARTICLES = """CREATE TABLE articles (id INT PRIMARY KEY, in_stock INT);
    INSERT INTO articles SELECT id, 100 - id FROM generate_series(0, 19) AS id"""


def postgresql(folder, port):
    """PostgreSQL with the table `articles`. As root it runs as its own user: it refuses to be root."""
    import psycopg

    home = folder / "postgresql"
    home.mkdir(mode=0o700)
    user = []
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", str(home)], check=True)
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    tools = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if tools is None:
        raise SystemExit("PostgreSQL is not there: apt-get install postgresql")
    made = [*user, str(tools / "initdb"), "-D", str(home), "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run(made, check=True, cwd=home, stdout=subprocess.DEVNULL)
    command = [*user, str(tools / "postgres"), "-D", str(home), "-h", "127.0.0.1", "-p", str(port), "-F"]
    command += ["-c", f"unix_socket_directories={home}", "-c", "log_min_messages=panic"]
    process = subprocess.Popen(command, cwd=home)

    def answers():
        with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres") as connection:
            connection.execute(ARTICLES)

    until(process, answers, psycopg.OperationalError)
    return process


def redis(folder, port):
    """Redis that keeps nothing."""
    import redis as client

    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    # Its advice on memory is not for a demo.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(process, client.Redis("127.0.0.1", port).ping, client.ConnectionError)
    return process


def until(process, answers, refusal):
    """Waits until the server answers. One that does not is stopped: nobody else knows of it yet."""
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return answers()
        except refusal:
            time.sleep(0.05)
    process.kill()
    raise SystemExit(f"the shop's database did not start: {' '.join(process.args)}")
