"""Requests whose calls are made by tasks of asyncio that another task waits for, in each way that it has.

backend            answers each request after a while, in any order
server BACKEND     asks it twice for each request, /WAY/NUMBER/0 and /WAY/NUMBER/1; answers /ways with the ways that it knows
load SERVER COUNT  asks in all of these ways at once, so often on each of some connections; at the end once more, /gather/last

The first two print their port.
"""

import asyncio
import random
import sys

CONNECTIONS = 2
LASTS_S = 0.02


async def gather(calls):
    await asyncio.gather(*calls)


async def wait(calls):
    await asyncio.wait([asyncio.ensure_future(call) for call in calls])


async def task(calls):
    for call in calls:
        await asyncio.ensure_future(call)


async def wait_for(calls):
    for call in calls:
        await asyncio.wait_for(asyncio.ensure_future(call), 60)


async def group(calls):
    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(call)


WAYS = {way.__name__: way for way in [gather, wait, task, wait_for]}
if hasattr(asyncio, "TaskGroup"):
    WAYS["group"] = group


class Client:
    """Connections that are kept alive."""

    def __init__(self, port):
        self.port, self.idle = port, []

    async def get(self, path):
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: waits\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.rsplit(b"Content-Length: ")[1]))
        self.idle.append((reader, writer))
        return body.decode()


async def listen(answer):
    async def serve(reader, writer):
        while line := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            body = await answer(line.split()[1].decode())
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def backend():
    random.seed(1)

    async def answer(path):
        await asyncio.sleep(random.expovariate(1 / LASTS_S))
        return path

    await listen(answer)


async def server(port):
    client = Client(port)

    async def answer(path):
        if path == "/ways":
            return " ".join(WAYS)
        await WAYS[path.split("/")[1]]([client.get(f"{path}/{part}") for part in range(2)])
        return path

    await listen(answer)


async def load(port, count):
    numbers = iter(range(10**9))

    async def connection(way):
        client = Client(port)
        for _ in range(int(count)):
            await client.get(f"/{way}/{next(numbers)}")

    ways = (await Client(port).get("/ways")).split()
    await asyncio.gather(*(connection(way) for way in ways for _ in range(CONNECTIONS)))
    await Client(port).get("/gather/last")


asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
