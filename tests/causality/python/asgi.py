"""An ASGI application on uvicorn with its standard set: uvloop and httptools."""

import uvicorn

import aio
import rig

PROGRAM = None


async def application(scope, receive, send):
    global PROGRAM
    if scope["type"] == "lifespan":
        await receive()
        PROGRAM = aio.Program(aio.Streams())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    request = rig.Request(rig.text(scope["client"]))
    rest = await PROGRAM.work(scope["path"], request)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
    request.done()
    if rest:
        PROGRAM.later(rest)


if __name__ == "__main__":
    uvicorn.run(application, host=rig.HOST, port=rig.PORT, backlog=4096, log_level="error", timeout_keep_alive=60)
