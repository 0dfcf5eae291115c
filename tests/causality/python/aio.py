"""What the asyncio programs share: calls over a kept-alive pool of connections, and the patterns. The client is aiohttp's,
or plain asyncio streams."""

import asyncio
import random

import aiohttp

import rig


class Connector(aiohttp.TCPConnector):
    """aiohttp's own, which also tells the call's connection."""

    async def connect(self, req, traces, timeout):
        connection = await super().connect(req, traces, timeout)
        CALLS_BY_TASK[asyncio.current_task()] = rig.text(connection.transport.get_extra_info("sockname"))
        return connection


CALLS_BY_TASK = {}


class Aiohttp:
    def __init__(self):
        connector = Connector(limit=0, keepalive_timeout=60)
        self.session = aiohttp.ClientSession(f"http://{rig.BACKEND}", connector=connector)

    async def get(self, path, token):
        """Gives the status and the own address."""
        async with self.session.get(path, headers={"X-Item": token}) as response:
            await response.read()
            return response.status, CALLS_BY_TASK.pop(asyncio.current_task())


class Streams:
    def __init__(self):
        self.idle = []

    async def get(self, path, token):
        """Gives the status and the own address."""
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(*rig.BACKEND.split(":"))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {rig.BACKEND}\r\nX-Item: {token}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(int(head.lower().split("content-length:")[1].split("\r\n")[0]))
        self.idle.append((reader, writer))
        return int(head.split(" ")[1]), rig.text(writer.get_extra_info("sockname"))


class Program:
    def __init__(self, client):
        self.client = client
        self.jobs = {asyncio.create_task(self.background())}

    async def call(self, path, request):
        start, after = rig.now(), request is not None and request.answered
        status, local = await self.client.get(path, path.rsplit("/", 1)[1])
        rig.called(request, after, local, start)
        return status

    async def background(self):
        while True:
            await asyncio.sleep(random.expovariate(1 / rig.BACKGROUND_S))
            await self.call("/background/item", None)

    async def work(self, path, request):
        """Gives what is left to do once the request is answered, or None."""
        pattern, token, missed = rig.wanted(path)
        item = f"/item/{token}"
        if pattern == "forget":
            return self.call(item, request) if missed else None
        if pattern == "parallel":
            await asyncio.gather(*(self.call(item, request) for _ in range(missed)))
        elif pattern == "retry":
            for _ in range(3 * missed):
                if await self.call(f"/flaky/{token}", request) == 200:
                    break
        else:
            for _ in range(missed):
                await self.call(item, request)
        return None

    def later(self, rest):
        """Does it as a task of its own."""
        task = asyncio.create_task(rest)
        self.jobs.add(task)
        task.add_done_callback(self.jobs.discard)
