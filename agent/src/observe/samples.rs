//! Comes in: a [`Watch`]. Goes out: the page /metrics, in the order of the table. Refuses: labels whose values the traced
//! programs choose, of which there could be any number; of executables, only the busiest few are named.

use wirespan_export::otlp::{Delays, Intake};
use wirespan_kernel::Cost;

use super::{
    metric::*,
    page::Page,
    process,
    shares::Shares,
    watch::{Snapshot, Watch},
};
use crate::{daemon::Backlog, process::Process};

/// The page as it stands now.
#[must_use]
pub fn page(watch: &Watch) -> String {
    let (snapshot, age) = watch.latest();
    let mut page = Page::default();
    let plan = watch.setup.plan.to_string();
    page.metric(&BUILD, [([env!("CARGO_PKG_VERSION"), plan.as_str()], 1)]);
    bytes(&mut page, &snapshot);
    losses(&mut page, &snapshot, watch);
    connections(&mut page, &snapshot);
    spans(&mut page, &snapshot);
    queues(&mut page, &snapshot, watch);
    if let Some(exporter) = watch.exporter() {
        export(&mut page, exporter);
    }
    programs(&mut page, &snapshot);
    processes(&mut page, &snapshot);
    page.metric(&RELOADS, [(["used"], snapshot.reloads), (["refused"], watch.refused())]);
    page.one(&SILENCE, age.as_secs_f64());
    own(&mut page);
    page.finish()
}

fn bytes(page: &mut Page, snapshot: &Snapshot) {
    let counters = &snapshot.counters.connections;
    page.one(&EVENTS, counters.events);
    page.one(&BYTES, counters.bytes);
    page.one(&CAPTURED, counters.captured);
    let missing = [
        (["not_copied"], counters.not_copied),
        (["io_uring"], counters.io_uring),
        (["lost"], counters.lost),
        (["shed"], counters.shed),
    ];
    page.metric(&MISSING, missing);
    page.one(&CAPTURE_RATIO, ratio(counters.captured, counters.bytes.saturating_sub(counters.not_copied)));
}

/// Nothing to capture is captured completely.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn losses(page: &mut Page, snapshot: &Snapshot, watch: &Watch) {
    let counters = &snapshot.counters;
    let causes = [
        (["ring_full"], snapshot.losses.lost_records),
        (["interrupted"], snapshot.interrupted),
        (["unreadable"], snapshot.losses.faults),
        (["io_uring_calls"], snapshot.losses.io_uring),
        (["implausible"], counters.connections.implausible),
        (["parser_failed"], counters.panics),
        (["left_out"], counters.left_out),
        (["span_table_full"], counters.traces.untracked),
        (["terminal_full"], watch.terminal().map_or(0, Backlog::dropped)),
        (["export"], watch.exporter().map_or(0, |exporter| exporter.counters().spans_lost())),
    ];
    page.metric(&LOSSES, causes);
    page.one(&RING_LOST_BYTES, snapshot.losses.lost_bytes);
}

fn connections(page: &mut Page, snapshot: &Snapshot) {
    let counters = &snapshot.counters;
    page.one(&CONNECTIONS, snapshot.held.connections);
    page.one(&SAMPLING, counters.share);
    let changes = [
        (["opened"], counters.connections.opened),
        (["closed"], counters.connections.closed),
        (["evicted"], counters.connections.evicted),
        (["idle"], counters.connections.idle),
    ];
    page.metric(&CONNECTION_CHANGES, changes);
    page.one(&UNRECOGNISED, counters.unrecognised.connections);
    page.one(&UNRECOGNISED_BYTES, counters.unrecognised.bytes);
}

fn spans(page: &mut Page, snapshot: &Snapshot) {
    let traces = &snapshot.counters.traces;
    page.one(&EXCHANGES, snapshot.counters.exchanges);
    page.one(&SPANS, traces.spans);
    page.one(&TRACES, traces.parts);
    let methods = [
        (["header"], traces.header),
        (["wire"], traces.wire),
        (["task"], traces.task),
        (["handoff"], traces.handoff),
        (["echo"], traces.echo),
        (["timing"], traces.timing),
        (["none"], traces.roots),
    ];
    page.metric(&LINKS, methods);
    page.one(&VETOED, traces.vetoed);
    page.one(&FORGOTTEN_MESSAGES, traces.messages_full);
}

fn queues(page: &mut Page, snapshot: &Snapshot, watch: &Watch) {
    let export = watch.exporter().map(|exporter| exporter.counters().spans_waiting());
    let terminal = watch.terminal().map(Backlog::waiting);
    let waiting = [
        Some((["assembly"], snapshot.held.spans as u64)),
        export.map(|spans| (["export"], spans)),
        terminal.map(|spans| (["terminal"], spans)),
    ];
    page.metric(&QUEUE, waiting.into_iter().flatten());
    let limits = waiting.into_iter().flatten().map(|([queue], _)| {
        let assembly = queue == "assembly";
        ([queue], if assembly { watch.setup.open_spans } else { watch.setup.queue_spans })
    });
    page.metric(&QUEUE_LIMIT, limits);
    page.one(&STREAM_BYTES, snapshot.held.stream_bytes);
}

fn export(page: &mut Page, exporter: &Intake) {
    let counters = exporter.counters();
    let outcomes = [
        (["exported"], counters.spans_exported),
        (["overflowed"], counters.spans_overflowed),
        (["rejected"], counters.spans_rejected),
        (["refused"], counters.spans_refused),
        (["expired"], counters.spans_expired),
        (["abandoned"], counters.spans_abandoned),
    ];
    page.metric(&EXPORT_SPANS, outcomes);
    page.one(&EXPORT_REQUESTS, counters.requests_sent);
    page.one(&EXPORT_RETRIES, counters.requests_retriable);
    page.one(&EXPORT_BYTES, counters.bytes_sent);
    delays(page, &exporter.delays());
}

fn delays(page: &mut Page, delays: &Delays) {
    let bounds = Delays::bounds_ms().iter().map(|bound| *bound as f64 / 1e3);
    let buckets: Vec<_> = bounds.zip(delays.buckets).collect();
    let beyond = delays.buckets.last().copied().unwrap_or(0);
    page.histogram(&TRANSFER_DELAY, &buckets, beyond, delays.sum_ns as f64 / 1e9);
}

fn programs(page: &mut Page, snapshot: &Snapshot) {
    let costs = &snapshot.costs;
    page.metric(&PROGRAM_RUNS, costs.iter().map(|cost| ([cost.program, cost.tracepoint], cost.runs)));
    let seconds = costs.iter().map(|cost| ([cost.program, cost.tracepoint], cost.time_ns as f64 / 1e9));
    page.metric(&PROGRAM_SECONDS, seconds);
}

fn processes(page: &mut Page, snapshot: &Snapshot) {
    let Shares { named, rest } = &snapshot.shares;
    let names: Vec<_> = named.iter().map(|(who, _)| (executable(who), who.pid.to_string())).collect();
    let labels =
        names.iter().map(|(executable, pid)| [executable.as_str(), pid.as_str()]).chain([["other", ""]]);
    let events = named.iter().map(|(_, events)| *events).chain([*rest]);
    page.metric(&PROCESS_EVENTS, labels.clone().zip(events.clone()));
    if let Some(mean) = mean_run(&snapshot.costs) {
        page.metric(&PROCESS_SECONDS, labels.zip(events.map(|events| events as f64 * mean)));
    }
}

/// The name of its file; what is not common in such names, quotation marks among it, is replaced.
fn executable(process: &Process) -> String {
    let path = process.executable.as_deref().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.replace(|letter: char| !letter.is_ascii_alphanumeric() && !"._+-".contains(letter), "_")
}

/// What one run of a socket program took on average, s; `None` where none was measured. The other plans' program runs at
/// each system call: its mean says little of an event.
fn mean_run(costs: &[Cost]) -> Option<f64> {
    let (runs, time_ns) = costs
        .iter()
        .filter(|cost| cost.program.starts_with("ws_sock_"))
        .fold((0, 0), |(runs, time_ns), cost| (runs + cost.runs, time_ns + cost.time_ns));
    (runs > 0).then(|| time_ns as f64 / runs as f64 / 1e9)
}

fn own(page: &mut Page) {
    let cost = process::cost();
    page.one(&CPU, cost.cpu.as_secs_f64());
    page.one(&MEMORY, cost.memory);
    page.one(&STARTED, process::started());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::watch::tests::watch;

    fn sample() -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.counters.connections.bytes = 1000;
        snapshot.counters.connections.not_copied = 600;
        snapshot.counters.connections.captured = 300;
        snapshot.counters.connections.lost = 100;
        snapshot.counters.exchanges = 42;
        snapshot.losses.lost_records = 5;
        snapshot.interrupted = 3;
        let cost = Cost { program: "ws_sock_send", tracepoint: "sock_send_length", runs: 9, time_ns: 4_500 };
        snapshot.costs = vec![cost];
        let path = Some("/srv/my \"shop\"".to_owned());
        let shop = Process { pid: 77, executable: path, ..Process::default() };
        snapshot.shares = Shares { named: vec![(Arc::new(shop), 2_000_000)], rest: 4 };
        snapshot
    }

    #[test]
    fn every_counter_finds_its_line() {
        let watch = watch();
        watch.publish(sample());
        let page = page(&watch);
        for line in [
            "wirespan_bytes_total 1000",
            "wirespan_captured_bytes_total 300",
            "wirespan_capture_ratio 0.75",
            "wirespan_missing_bytes_total{cause=\"lost\"} 100",
            "wirespan_losses_total{cause=\"ring_full\"} 5",
            "wirespan_losses_total{cause=\"interrupted\"} 3",
            "wirespan_exchanges_total 42",
            "wirespan_kernel_program_runs_total{program=\"ws_sock_send\",tracepoint=\"sock_send_length\"} 9",
            "wirespan_kernel_program_seconds_total{program=\"ws_sock_send\",tracepoint=\"sock_send_length\"} 0.0000045",
            "wirespan_process_events_total{executable=\"my__shop_\",pid=\"77\"} 2000000",
            "wirespan_process_events_total{executable=\"other\",pid=\"\"} 4",
            "wirespan_process_kernel_seconds{executable=\"my__shop_\",pid=\"77\"} 1",
            "wirespan_queue_limit_spans{queue=\"assembly\"} 1000",
        ] {
            assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_told() {
        let watch = watch();
        let mut sample = sample();
        sample.costs[0].runs = 0;
        watch.publish(sample.clone());
        assert!(!page(&watch).contains(PROCESS_SECONDS.name));
        sample.costs[0].runs = 9;
        sample.costs[0].program = "ws_sys_exit";
        watch.publish(sample);
        assert!(!page(&watch).contains(PROCESS_SECONDS.name), "it runs at every system call");
    }

    /// All of the table but what belongs to an exporter, which this daemon does not have.
    #[test]
    fn the_page_is_the_table() {
        let watch = watch();
        watch.publish(sample());
        let page = page(&watch);
        let shown: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let exporters = |name: &str| name.starts_with("wirespan_export_") || name == TRANSFER_DELAY.name;
        let expected: Vec<_> = METRICS
            .iter()
            .filter(|metric| !exporters(metric.name))
            .map(|metric| format!("{} {}", metric.name, metric.kind.word()))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_delay_is_in_seconds() {
        let mut sample = Delays { sum_ns: 1_500_000_000, ..Delays::default() };
        sample.buckets[0] = 2;
        let mut page = Page::default();
        delays(&mut page, &sample);
        let page = page.finish();
        assert!(
            page.contains("_bucket{le=\"0.01\"} 2\n") && page.contains("_bucket{le=\"300\"} 2\n"),
            "{page}"
        );
        assert!(page.contains("_sum 1.5\n") && page.contains("_count 2\n"), "{page}");
    }
}
