"""Spans from the SDKs that programs really use: senders.py KIND HOST:PORT NUMBER sends NUMBER traces of two spans.

KIND is grpc or http (OpenTelemetry's SDK over OTLP), or zipkin-json, zipkin-proto, zipkin-v1 (py_zipkin)."""

import sys


def opentelemetry(kind, place, number):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind

    if kind == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=f"http://{place}", insecure=True)
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=f"http://{place}/v1/traces", compression=Compression.Gzip)
    provider = TracerProvider(resource=Resource.create({"service.name": "sender"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("senders", "1")
    for at in range(number):
        with tracer.start_as_current_span("serve", kind=SpanKind.SERVER, attributes={"number": at}):
            with tracer.start_as_current_span("ask", kind=SpanKind.CLIENT) as span:
                span.add_event("asked", {"words": ["a", "b"]})
    provider.shutdown()


def zipkin(kind, place, number):
    from py_zipkin import Encoding, Kind
    from py_zipkin.transport import SimpleHTTPTransport
    from py_zipkin.zipkin import zipkin_span

    host, port = place.rsplit(":", 1)
    encodings = {"zipkin-json": Encoding.V2_JSON, "zipkin-proto": Encoding.V2_PROTO3, "zipkin-v1": Encoding.V1_JSON}
    transport = SimpleHTTPTransport(host, int(port))
    for at in range(number):
        with zipkin_span(
            service_name="sender",
            span_name="serve",
            transport_handler=transport,
            sample_rate=100.0,
            encoding=encodings[kind],
            kind=Kind.SERVER,
            binary_annotations={"number": str(at)},
        ):
            with zipkin_span(service_name="sender", span_name="ask", kind=Kind.CLIENT):
                pass


if __name__ == "__main__":
    kind, place, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    (zipkin if kind.startswith("zipkin") else opentelemetry)(kind, place, number)
