//! When it is not: dead, slow, full, refusing endpoints. Nothing is lost without a counter.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{
    NEVER, PROTOCOLS, ended, one,
    receiver::{Receiver, Reply, free},
    settings, start,
};
use crate::{
    otlp::{Protocol, Protocol::Grpc, Protocol::HttpProtobuf, Settings, Snapshot},
    sample,
};

/// Sends one span to a receiver with these answers.
async fn outcome(protocol: Protocol, replies: &[Reply], change: fn(&mut Settings)) -> (Snapshot, String) {
    let receiver = Receiver::start(protocol, replies).await;
    let mut settings = settings(protocol, receiver.address);
    change(&mut settings);
    let (exporter, mut said) = start(&settings);
    exporter.offer(one(1));
    let line = said.next().await;
    (ended(exporter).await, line)
}

fn unavailable(protocol: Protocol) -> Reply {
    match protocol {
        Grpc => Reply::Grpc(Status::unavailable("restarting")),
        HttpProtobuf => Reply::Http(503, "", "restarting"),
    }
}

#[tokio::test]
async fn what_may_go_well_later_is_tried_again() {
    for protocol in PROTOCOLS {
        let replies = [unavailable(protocol), unavailable(protocol)];
        let receiver = Receiver::start(protocol, &replies).await;
        let (exporter, mut said) = start(&settings(protocol, receiver.address));
        exporter.offer(one(1));
        assert_eq!(receiver.ids(3).await, [1, 1, 1]);
        assert!(said.next().await.contains("restarting"));
        let counters = ended(exporter).await;
        assert_eq!((counters.spans_exported, counters.spans_lost()), (1, 0));
        assert_eq!((counters.requests_sent, counters.requests_retriable), (3, 2));
    }
}

#[tokio::test]
async fn the_server_s_time_counts_not_ours() {
    let details = ErrorDetails::with_retry_info(Some(Duration::ZERO));
    let exhausted = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
    for (protocol, reply) in [
        (Grpc, Reply::Grpc(exhausted)),
        (HttpProtobuf, Reply::Http(429, "0", "slow down")),
        (HttpProtobuf, Reply::Http(503, "Tue, 15 Nov 1994 08:12:31 GMT", "slow down")),
    ] {
        let receiver = Receiver::start(protocol, &[reply]).await;
        let mut settings = settings(protocol, receiver.address);
        (settings.limits.retry_first, settings.limits.retry_longest) = (NEVER, NEVER);
        settings.limits.give_up = NEVER * 3;
        let (exporter, _) = start(&settings);
        exporter.offer(one(1));
        assert_eq!(receiver.ids(2).await, [1, 1]);
        assert_eq!(ended(exporter).await.spans_exported, 1);
    }
}

#[tokio::test]
async fn a_refusal_is_counted_and_the_server_s_words_are_told() {
    for (protocol, reply) in [
        (Grpc, Reply::Grpc(Status::unauthenticated("no token\x1b[2J"))),
        (Grpc, Reply::Grpc(Status::resource_exhausted("no token\x1b[2J"))),
        (HttpProtobuf, Reply::Http(401, "", "no token\x1b[2J")),
        (HttpProtobuf, Reply::Http(500, "0", "no token\x1b[2J")),
        (HttpProtobuf, Reply::Http(302, "", "no token\x1b[2J")),
    ] {
        let (counters, said) = outcome(protocol, &[reply], |_| {}).await;
        assert_eq!((counters.spans_refused, counters.spans_exported, counters.requests_sent), (1, 0, 1));
        assert!(said.contains("spans dropped (1), refused") && said.contains("no token\\u{1b}[2J"), "{said}");
    }
}

#[tokio::test]
async fn a_partial_success_counts_both_parts() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(protocol, &[Reply::Rejected(2, "too old")]).await;
        let (exporter, mut said) = start(&settings(protocol, receiver.address));
        exporter.offer(sample::shop());
        assert!(said.next().await.contains("rejected 2 of 3 spans: too old"));
        let counters = ended(exporter).await;
        assert_eq!((counters.spans_exported, counters.spans_rejected, counters.requests_sent), (1, 2, 1));
    }
}

#[tokio::test]
async fn a_warning_is_told_and_costs_nothing() {
    let (counters, said) = outcome(Grpc, &[Reply::Rejected(0, "old version")], |_| {}).await;
    assert!(said.contains("old version"));
    assert_eq!((counters.spans_exported, counters.spans_lost()), (1, 0));
}

#[tokio::test]
async fn a_dead_endpoint_that_comes_up_gets_everything() {
    for protocol in PROTOCOLS {
        let address = free().await;
        let mut settings = settings(protocol, address);
        settings.limits.batch_spans = 10;
        let (exporter, mut said) = start(&settings);
        (0..200).for_each(|id| exporter.offer(one(id)));
        let line = said.next().await;
        assert!(line.contains("cannot connect to") && line.contains("refused"), "{line}");
        assert_eq!(exporter.counters().spans_exported, 0);
        let receiver = Receiver::at(address, protocol, &[], None).await;
        let mut ids = receiver.ids(200).await;
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..200));
        let counters = ended(exporter).await;
        assert_eq!((counters.spans_exported, counters.spans_lost()), (200, 0));
    }
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest_and_counts_them() {
    let address = free().await;
    let mut settings = settings(HttpProtobuf, address);
    settings.limits.requests = 1;
    settings.limits.queue_spans = 5;
    let (exporter, mut said) = start(&settings);
    exporter.offer(one(0));
    // The first is under way now, outside of the queue.
    assert!(said.next().await.contains("cannot connect"));
    (1..=100).for_each(|id| exporter.offer(one(id)));
    assert!(said.next().await.contains("queue full"));
    assert_eq!(exporter.counters().spans_overflowed, 95);
    let receiver = Receiver::at(address, HttpProtobuf, &[], None).await;
    assert_eq!(receiver.ids(6).await, [0, 96, 97, 98, 99, 100]);
    let counters = ended(exporter).await;
    assert_eq!((counters.spans_exported, counters.spans_lost(), counters.spans_offered), (6, 95, 101));
}

#[tokio::test]
async fn silence_is_cut_by_the_timeout_and_tried_again() {
    for protocol in PROTOCOLS {
        let change = |settings: &mut Settings| settings.timeout = Duration::from_millis(100);
        let (counters, said) = outcome(protocol, &[Reply::Silence], change).await;
        assert!(said.contains("no answer within 100ms"), "{said}");
        assert_eq!((counters.spans_exported, counters.spans_lost()), (1, 0));
    }
}

#[tokio::test]
async fn what_never_arrives_is_given_up_at_last() {
    let change = |settings: &mut Settings| settings.limits.give_up = Duration::ZERO;
    let (counters, said) = outcome(HttpProtobuf, &[unavailable(HttpProtobuf)], change).await;
    assert!(said.contains("gave up"), "{said}");
    assert_eq!((counters.spans_expired, counters.spans_waiting()), (1, 0));
}

#[tokio::test]
async fn the_end_does_not_sit_out_a_long_pause() {
    for protocol in PROTOCOLS {
        let (counters, _) = outcome(protocol, &[unavailable(protocol)], |settings| {
            (settings.limits.retry_first, settings.limits.retry_longest) = (NEVER, NEVER);
            settings.limits.give_up = NEVER * 3;
        })
        .await;
        assert_eq!(counters.spans_exported, 1);
    }
}

#[tokio::test]
async fn the_end_has_a_deadline_and_counts_what_it_leaves() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start(protocol, &[Reply::Silence]).await;
        let mut settings = settings(protocol, receiver.address);
        (settings.limits.requests, settings.limits.batch_spans) = (1, 3);
        let (exporter, _) = start(&settings);
        exporter.offer(sample::shop());
        receiver.requests(1).await;
        exporter.offer(one(4));
        let report = exporter.shutdown(Duration::from_millis(50)).await;
        assert!(!report.complete);
        assert_eq!((report.counters.spans_abandoned, report.counters.spans_waiting()), (4, 0));
    }
}

#[tokio::test]
async fn the_end_comes_sooner_for_who_does_not_wait() {
    let receiver = Receiver::start(Grpc, &[Reply::Silence]).await;
    let (exporter, _) = start(&settings(Grpc, receiver.address));
    exporter.offer(one(1));
    let report = exporter.shutdown_unless(NEVER, async { drop(receiver.requests(1).await) }).await;
    assert!(!report.complete);
    assert_eq!((report.counters.spans_abandoned, report.counters.spans_waiting()), (1, 0));
}

#[tokio::test]
async fn the_wrong_protocol_is_hinted_at() {
    for (receiver, sender, hint) in [(HttpProtobuf, Grpc, "http/protobuf"), (Grpc, HttpProtobuf, "grpc")] {
        let receiver = Receiver::start(receiver, &[]).await;
        let (exporter, mut said) = start(&settings(sender, receiver.address));
        exporter.offer(one(1));
        let line = said.next().await;
        assert!(line.contains(&format!("if it speaks {hint}, set that protocol")), "{line}");
    }
}
