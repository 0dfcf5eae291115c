"""gRPC in all its forms, without generated code. `serve` prints its address and serves; `call ADDRESS` makes one call of
each form and one that fails."""

import sys
from concurrent import futures

import grpc

SERVICE = "/shop.Orders/"


def place(order, context):
    if order == b"missing":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
    return order


def watch(order, _):
    yield from [order] * 3


def upload(parts, _):
    return b"".join(parts)


def chat(parts, _):
    yield from parts


METHODS = {
    SERVICE + "Place": grpc.unary_unary_rpc_method_handler(place),
    SERVICE + "Watch": grpc.unary_stream_rpc_method_handler(watch),
    SERVICE + "Upload": grpc.stream_unary_rpc_method_handler(upload),
    SERVICE + "Chat": grpc.stream_stream_rpc_method_handler(chat),
}


class Orders(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([Orders()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def call(address):
    with grpc.insecure_channel(address) as channel:
        assert channel.unary_unary(SERVICE + "Place")(b"one") == b"one"
        assert list(channel.unary_stream(SERVICE + "Watch")(b"w")) == [b"w"] * 3
        assert channel.stream_unary(SERVICE + "Upload")(iter([b"a", b"b"])) == b"ab"
        assert list(channel.stream_stream(SERVICE + "Chat")(iter([b"x", b"y"]))) == [b"x", b"y"]
        try:
            channel.unary_unary(SERVICE + "Place")(b"missing")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
