//! The table of everything that can be configured: unit, range, default, flag and meaning of every setting, and of
//! every bound of every stage. Documentation, help, `config print` and the checks all come from here.

use std::{path::PathBuf, time::Duration};

use super::{
    choice::{Color, Compression, Output, Plan, Protocol},
    key::{Key, Source, settings},
    value::{Listen, Pairs, Pattern, PatternNames, Place, Ports, Setting, Size},
};

settings! {
    /// What the kernel programs see and copy.
    capture: Capture {
        /// Which kernel hooks to use: `sock` is cheapest and needs Linux 6.3, `syscall` works on older kernels.
        /// `auto` takes the cheapest that this kernel allows.
        plan: Plan = "auto", flag "plan";
        /// How much of the beginning of each socket call is copied, in bytes.
        /// Message heads that are longer are parsed as far as they go and marked as truncated.
        head_bytes: Size = "2KiB", range "256" to "16KiB", flag "head-bytes";
    }

    /// Which processes and connections are captured. An empty include list means all; an exclude list wins.
    filter: Filters {
        /// Capture only these process ids.
        include_pids: Vec<u32> = "", flag "include-pid";
        /// Leave out these process ids.
        exclude_pids: Vec<u32> = "", flag "exclude-pid";
        /// Capture only programs whose executable's path matches one of these globs, such as `/usr/sbin/nginx`.
        include_executables: Vec<Pattern> = "", flag "include-exe";
        /// Leave out programs whose executable's path matches one of these globs.
        exclude_executables: Vec<Pattern> = "", flag "exclude-exe";
        /// Capture only containers whose id begins with one of these.
        include_containers: Vec<String> = "", flag "include-container" as "ID";
        /// Leave out containers whose id begins with one of these.
        exclude_containers: Vec<String> = "", flag "exclude-container" as "ID";
        /// Capture only processes whose cgroup's path matches one of these globs, such as `/system.slice/*`.
        include_cgroups: Vec<Pattern> = "", flag "include-cgroup";
        /// Leave out processes whose cgroup's path matches one of these globs.
        exclude_cgroups: Vec<Pattern> = "", flag "exclude-cgroup";
        /// Capture only connections with one of these ports (or ranges of ports) at either end.
        include_ports: Vec<Ports> = "", flag "include-port";
        /// Leave out connections with one of these ports (or ranges of ports) at either end.
        exclude_ports: Vec<Ports> = "", flag "exclude-port";
    }

    /// The bounds of every stage. Whatever they make wirespan drop is counted.
    limits: Limits {
        /// Connections that are followed at once; beyond that the ones quiet for longest are given up.
        connections: u32 = "65536", range "64" to "1048576";
        /// Captured bytes held for one direction of one connection.
        stream_bytes: Size = "64KiB", range "4KiB" to "16MiB";
        /// Captured bytes held for all connections together.
        total_stream_bytes: Size = "128MiB", range "1MiB" to "64GiB";
        /// Requests of one connection that may wait for their responses (pipelining, multiplexing).
        pending_exchanges: u32 = "256", range "1" to "65536";
        /// Commands of one Redis or Memcached pipeline that get a span each; a longer pipeline is one span.
        pipeline_exchanges: u32 = "16", range "1" to "65536";
        /// How long a request may stay unanswered before its span ends with an error.
        request_timeout: Duration = "60s", range "100ms" to "24h";
        /// Text kept of a database query, after its literals were replaced.
        query_bytes: Size = "4KiB", range "64" to "64KiB";
        /// Prepared statements remembered of one connection; executions of older ones say that they are unknown.
        prepared_statements: u32 = "256", range "1" to "65536";
        /// What the prepared statements of one connection may take.
        prepared_statement_bytes: Size = "64KiB", range "1KiB" to "16MiB";
        /// Processes whose names and attributes are kept.
        processes: u32 = "8192", range "64" to "1048576";
        /// Requests that may be open at once, in all connections together.
        open_spans: u32 = "65536", range "64" to "1048576";
        /// How long a trace is held back for spans that may still belong to it.
        trace_wait: Duration = "2s", range "0" to "5m";
        /// Spans in one trace that are given on together; a longer trace comes in several parts.
        trace_spans: u32 = "1000", range "1" to "100000";
        /// Spans that may wait for the OTLP endpoint or the terminal; beyond that new ones are dropped and counted.
        queue_spans: u32 = "16384", range "64" to "1048576";
        /// Spans sent to the OTLP endpoint in one request.
        batch_spans: u32 = "512", range "1" to "16384";
        /// How long spans wait for a batch to fill up.
        batch_wait: Duration = "1s", range "10ms" to "1m";
        /// How long a stopping wirespan goes on sending what it still holds.
        flush_timeout: Duration = "5s", range "0" to "5m";
    }

    /// What the daemon may take from the host.
    budget: Budget {
        /// Percent of all processors' time that capture may take; `0`: no bound.
        /// Above it whole connections are left out, at random, and the spans of the others say what share is shown.
        cpu_percent: u32 = "20", range "0" to "100", flag "cpu-percent";
    }

    /// What spans of HTTP show beyond the standard attributes.
    http: Http {
        /// Request headers that become attributes `http.request.header.<name>`.
        capture_request_headers: Vec<String> = "", flag "capture-request-header" as "NAME";
        /// Response headers that become attributes `http.response.header.<name>`.
        capture_response_headers: Vec<String> = "", flag "capture-response-header" as "NAME";
    }

    /// What never leaves this process in clear text.
    redaction: Redaction {
        /// Redact the built-in list of headers and query keys (Authorization, Cookie, tokens, signatures …).
        /// With `false`, only what the two lists below name.
        defaults: bool = "true";
        /// Further headers whose values are redacted. Not case-sensitive.
        headers: Vec<String> = "", flag "redact-header" as "NAME";
        /// Further keys of query strings whose values are redacted. Not case-sensitive.
        query_keys: Vec<String> = "", flag "redact-query-key" as "NAME";
    }

    /// How services get their names.
    service: Service {
        /// Names for executables that match a glob, before everything else; the first match counts.
        names: PatternNames = "", flag "service-name";
    }

    /// Where spans are sent by OTLP. What is not set here comes from the OTEL_EXPORTER_OTLP_* variables.
    otlp: Otlp {
        /// Send spans to this endpoint, such as `http://localhost:4317`. Not set anywhere: spans are not sent.
        endpoint: Option<String> = "", flag "otlp" as "ENDPOINT", otel "OTEL_EXPORTER_OTLP_ENDPOINT";
        /// How to speak to the endpoint.
        protocol: Option<Protocol> = "", flag "otlp-protocol", otel "OTEL_EXPORTER_OTLP_PROTOCOL";
        /// Headers sent along, such as an API key. Never shown.
        headers: Pairs = "", flag "otlp-header", otel "OTEL_EXPORTER_OTLP_HEADERS", secret true;
        /// How long one request may take, retries not counted.
        timeout: Option<Duration> = "", range "1ms" to "10m", otel "OTEL_EXPORTER_OTLP_TIMEOUT";
        /// Compression of what is sent.
        compression: Option<Compression> = "", flag "otlp-compression", otel "OTEL_EXPORTER_OTLP_COMPRESSION";
        /// Certificates (PEM) of the authorities that the endpoint's certificate may come from.
        ca_file: Option<PathBuf> = "", flag "otlp-ca-file", otel "OTEL_EXPORTER_OTLP_CERTIFICATE";
        /// Certificate (PEM) with which wirespan proves who it is.
        client_certificate_file: Option<PathBuf> = "", otel "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
        /// Private key (PEM) of that certificate.
        client_key_file: Option<PathBuf> = "", otel "OTEL_EXPORTER_OTLP_CLIENT_KEY";
    }

    /// What wirespan says about itself.
    observe: Observe {
        /// Where `run` and `agent` answer /metrics (Prometheus) and /healthz; `off` for nowhere.
        /// Where the port is taken, they say so and go on without.
        listen: Listen = "127.0.0.1:9464", flag "metrics";
    }

    /// The collector: `wirespan collector`, and the one that `wirespan run` brings along.
    collector: Collector {
        /// Where the page, the API and Jaeger's API listen.
        listen: Place = "127.0.0.1:16686", flag "listen";
        /// Where OTLP over gRPC is received; `off`: nowhere.
        otlp_grpc: Place = "127.0.0.1:4317";
        /// Where OTLP over HTTP is received; `off`: nowhere.
        otlp_http: Place = "127.0.0.1:4318";
        /// Where Zipkin's spans are received and its API answers; `off`: nowhere.
        zipkin: Place = "127.0.0.1:9411";
        /// Where Tempo's API answers; `off`: nowhere.
        tempo: Place = "127.0.0.1:3200";
        /// Where Jaeger's API answers over gRPC; `off`: nowhere.
        jaeger_grpc: Place = "127.0.0.1:16685";
        /// Certificate (PEM, with those between it and its authority) with which every port speaks TLS. Not set: in clear.
        tls_certificate_file: Option<PathBuf> = "";
        /// Private key (PEM) of that certificate.
        tls_key_file: Option<PathBuf> = "";
        /// Certificates (PEM) of the authorities that clients' certificates must come from. Not set: clients need none.
        tls_client_ca_file: Option<PathBuf> = "";
        /// Where spans are kept; `none`: in memory, as many as fit into about 300 MiB.
        /// Not set: /var/lib/wirespan for root, .local/share/wirespan at home for others.
        data: Option<PathBuf> = "", flag "data" as "DIR";
        /// Whether every batch is flushed to the disk by itself; otherwise those of up to 200 ms share a flush.
        /// What is acknowledged is on the disk either way.
        strict: bool = "false";
        /// The most bytes that spans take on disk; the oldest are forgotten.
        max_bytes: Size = "10GiB", range "64MiB" to "1048576GiB";
        /// How long spans are kept.
        max_age: Duration = "168h", range "1h" to "87600h";
        /// Listen on addresses that other hosts reach, also without TLS.
        remote: bool = "false", flag "remote";
        /// What readers have to know. Not set: made up, and kept beside the spans.
        token: Option<String> = "", secret true;
        /// What senders have to know. Not set: whoever reaches the port may send.
        ingest_token: Option<String> = "", secret true;
        /// Whether `wirespan run` brings a collector along. It does not when an OTLP endpoint is set.
        embedded: bool = "true";
    }

    /// What is shown on the terminal. Spans go to stdout, everything else to stderr.
    output: Terminal {
        /// How spans are shown; `auto` is `line`, or `none` for a service that sends its spans to an endpoint.
        format: Output = "auto", flag "output";
        /// Whether to use colours.
        color: Color = "auto", flag "color";
    }
}
