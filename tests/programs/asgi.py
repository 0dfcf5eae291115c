"""An ASGI application for hypercorn: HTTP/1, HTTP/2 (by preface and by upgrade) and WebSocket on one port.

/missing...  404
anything     the length of the body, as text
websocket    says back what it is told
"""


async def app(scope, receive, send):
    if scope["type"] == "http":
        await answer(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)


async def answer(scope, receive, send):
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    status = 404 if scope["path"].startswith("/missing") else 200
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"%d" % length})


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})
