"""aiohttp's server and client on asyncio's own loop."""

from aiohttp import web

import aio
import rig


async def answer(incoming):
    request = rig.Request(rig.text(incoming.transport.get_extra_info("peername")))
    program = incoming.app["program"]
    rest = await program.work(incoming.path, request)
    response = web.Response(text="ok")
    await response.prepare(incoming)
    await response.write_eof()
    request.done()
    if rest:
        program.later(rest)
    return response


async def application():
    app = web.Application()
    app["program"] = aio.Program(aio.Aiohttp())
    app.router.add_get("/{pattern}/{token}", answer)
    return app


if __name__ == "__main__":
    web.run_app(application(), host=rig.HOST, port=rig.PORT, backlog=4096, access_log=None, print=None)
