//! When all is well: what arrives, over both protocols, with and without compression and TLS.

use super::{NEVER, PROTOCOLS, certificates::Certificates, ended, one, receiver::Receiver, settings, start};
use crate::{
    otlp::{Compression, Endpoint, Headers, Limits, Protocol, Settings, Snapshot, Tls},
    sample,
};

#[tokio::test]
async fn spans_and_headers_arrive() {
    for protocol in PROTOCOLS {
        for (compression, encoding) in [(Compression::None, None), (Compression::Gzip, Some("gzip"))] {
            let receiver = Receiver::start(protocol, &[]).await;
            let headers = Headers(vec![("authorization".into(), "Bearer x".into())]);
            let settings = Settings { compression, headers, ..settings(protocol, receiver.address) };
            let (exporter, _) = start(&settings);
            exporter.offer(sample::shop());
            let received = receiver.requests(1).await.remove(0);
            let header = |name| received.headers.get(name).and_then(|value| value.to_str().ok());
            assert_eq!(received.ids(), [1, 2, 3]);
            assert_eq!(header("authorization"), Some("Bearer x"));
            assert_eq!(header("user-agent"), Some(concat!("wirespan/", env!("CARGO_PKG_VERSION"))));
            match protocol {
                Protocol::Grpc => assert_eq!(header("grpc-encoding"), encoding),
                Protocol::HttpProtobuf => {
                    assert_eq!(
                        (received.path.as_str(), header("content-encoding")),
                        ("/v1/traces", encoding)
                    );
                    assert_eq!(header("content-type"), Some("application/x-protobuf"));
                }
            }
            let counters = ended(exporter).await;
            assert_eq!((counters.spans_exported, counters.spans_lost(), counters.requests_sent), (3, 0, 1));
            assert!(counters.bytes_sent > 0);
        }
    }
}

#[tokio::test]
async fn the_resources_and_the_scope_are_there() {
    let receiver = Receiver::start(Protocol::Grpc, &[]).await;
    let (exporter, _) = start(&settings(Protocol::Grpc, receiver.address));
    exporter.offer(sample::shop());
    let received = receiver.requests(1).await.remove(0);
    let groups = received.request.resource_spans;
    let scope = groups[0].scope_spans[0].scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("wirespan", env!("CARGO_PKG_VERSION")));
    let spans: Vec<_> = groups.iter().map(|group| group.scope_spans[0].spans.len()).collect();
    assert_eq!(spans, [2, 1]);
    ended(exporter).await;
}

#[tokio::test]
async fn a_url_of_traces_is_taken_as_it_is() {
    let receiver = Receiver::start(Protocol::HttpProtobuf, &[]).await;
    let endpoint = Some(Endpoint::Traces(format!("http://{}/intake", receiver.address)));
    let (exporter, _) = start(&Settings { endpoint, ..settings(Protocol::HttpProtobuf, receiver.address) });
    exporter.offer(one(1));
    assert_eq!(receiver.requests(1).await[0].path, "/intake");
    ended(exporter).await;
}

#[tokio::test]
async fn a_full_batch_does_not_wait() {
    let receiver = Receiver::start(Protocol::HttpProtobuf, &[]).await;
    let mut settings = settings(Protocol::HttpProtobuf, receiver.address);
    settings.limits = Limits { batch_spans: 2, batch_delay: NEVER, ..settings.limits };
    let (exporter, _) = start(&settings);
    exporter.offer(one(1));
    exporter.offer(one(2));
    assert_eq!(receiver.requests(1).await[0].ids(), [1, 2]);
    ended(exporter).await;
}

#[tokio::test]
async fn the_end_sends_what_waits() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(protocol, &[]).await;
        let mut settings = settings(protocol, receiver.address);
        settings.limits.batch_delay = NEVER;
        let (exporter, _) = start(&settings);
        let intake = exporter.intake();
        exporter.offer(one(1));
        assert_eq!(ended(exporter).await.spans_exported, 1);
        assert_eq!(receiver.ids(1).await, [1]);
        intake.offer(one(2));
        let late = Snapshot { spans_abandoned: 1, ..intake.counters() };
        assert_eq!((intake.counters(), late.spans_waiting()), (late, 0));
    }
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    for protocol in PROTOCOLS {
        let receiver = Receiver::with_tls(protocol, &certificates).await;
        let endpoint = Some(Endpoint::Base(format!("https://{}", receiver.address)));
        let trusted =
            Settings { endpoint, tls: certificates.client(), ..settings(protocol, receiver.address) };
        let (exporter, _) = start(&trusted);
        exporter.offer(one(1));
        assert_eq!(receiver.ids(1).await, [1]);
        ended(exporter).await;

        for (tls, reason) in [
            // Whether the alert or the end of the connection is read first depends on the moment.
            (certificates.stranger(), "if it wants a client certificate, name one"),
            (Tls { ca: others.client().ca, ..certificates.client() }, "invalid peer certificate"),
        ] {
            let (exporter, mut said) = start(&Settings { tls, ..trusted.clone() });
            exporter.offer(one(2));
            let line = said.next().await;
            assert!(line.contains(reason), "{line}");
        }
        assert_eq!(receiver.ids(1).await, [1]);
    }
}
