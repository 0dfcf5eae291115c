// Spans from OpenTelemetry's SDK for JavaScript over OTLP/HTTP, as JSON: senders.cjs HOST:PORT NUMBER sends NUMBER traces of two spans.

const { context, SpanKind, trace } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const [place, number] = process.argv.slice(2);
const exporter = new OTLPTraceExporter({ url: `http://${place}/v1/traces` });
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'sender' }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer('senders', '1');
for (let at = 0; at < Number(number); at += 1) {
  const serve = tracer.startSpan('serve', { kind: SpanKind.SERVER, attributes: { number: at } });
  const ask = tracer.startSpan('ask', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), serve));
  ask.addEvent('asked', { words: ['a', 'b'] });
  ask.end();
  serve.end();
}
provider.shutdown();
