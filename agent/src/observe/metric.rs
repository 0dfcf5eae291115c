//! The table of everything on the metrics page: name, kind, labels and meaning. The page and `docs/metrics.md` come from
//! it. Refuses: a metric that is not in the table.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the daemon starts anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

impl Kind {
    /// As the exposition format has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// By Prometheus' naming conventions: base units, `_total` on counters.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts, one sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident: $kind:ident $name:literal [$($label:literal),*];)+) => {
        $($(#[doc = $help])+
        pub const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: concat!($($help),+).trim_ascii(),
        };)+

        /// The table, in the order of the page.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

metrics! {
    /// Always 1; the labels tell the version and the attach plan.
    BUILD: Gauge "wirespan_info" ["version", "plan"];
    /// Events taken from the kernel.
    EVENTS: Counter "wirespan_events_total" [];
    /// Bytes that programs read from and wrote to followed sockets, each counted once.
    BYTES: Counter "wirespan_bytes_total" [];
    /// Of these: copied for the parsers.
    CAPTURED: Counter "wirespan_captured_bytes_total" [];
    /// Of these: not copied; not_copied is on purpose (bodies, ignored connections), io_uring and lost are not, shed was copied and dropped over a limit.
    MISSING: Counter "wirespan_missing_bytes_total" ["cause"];
    /// Share of the bytes that should have been copied and were: captured / (total - not_copied), 0 to 1.
    CAPTURE_RATIO: Gauge "wirespan_capture_ratio" [];
    /// Things that were missed or dropped, by cause; docs/metrics.md lists the causes.
    LOSSES: Counter "wirespan_losses_total" ["cause"];
    /// Stream bytes whose event found the ring full.
    RING_LOST_BYTES: Counter "wirespan_ring_lost_bytes_total" [];
    /// Connections that are followed.
    CONNECTIONS: Gauge "wirespan_connections" [];
    /// Share of connections that is shown, 0 to 1; below 1 the CPU budget is reached.
    SAMPLING: Gauge "wirespan_sampling_ratio" [];
    /// Connections opened, closed, or forgotten to make room (evicted) or for quiet (idle).
    CONNECTION_CHANGES: Counter "wirespan_connection_changes_total" ["change"];
    /// Closed connections whose protocol was not recognised.
    UNRECOGNISED: Counter "wirespan_unrecognised_connections_total" [];
    /// Bytes on connections whose protocol was not recognised.
    UNRECOGNISED_BYTES: Counter "wirespan_unrecognised_bytes_total" [];
    /// Exchanges (request and response) finished.
    EXCHANGES: Counter "wirespan_exchanges_total" [];
    /// Spans given on.
    SPANS: Counter "wirespan_spans_total" [];
    /// Traces given on, and parts of such.
    TRACES: Counter "wirespan_traces_total" [];
    /// Spans given on, by how their parent is known; none is a root.
    LINKS: Counter "wirespan_links_total" ["method"];
    /// Links that evidence spoke for and a veto prevented.
    VETOED: Counter "wirespan_vetoed_links_total" [];
    /// Messages whose ids were forgotten, since too many were sent: who is handed one has no link to who sent it.
    FORGOTTEN_MESSAGES: Counter "wirespan_forgotten_messages_total" [];
    /// Spans that wait: in assembly for the rest of their trace, then for the export, for the terminal.
    QUEUE: Gauge "wirespan_queue_spans" ["queue"];
    /// Spans that such a queue holds at most.
    QUEUE_LIMIT: Gauge "wirespan_queue_limit_spans" ["queue"];
    /// Captured bytes that wait for the rest of their message.
    STREAM_BYTES: Gauge "wirespan_stream_held_bytes" [];
    /// Spans given to the exporter, by what became of them; the rest waits.
    EXPORT_SPANS: Counter "wirespan_export_spans_total" ["outcome"];
    /// Requests sent to the endpoint, first tries and retries.
    EXPORT_REQUESTS: Counter "wirespan_export_requests_total" [];
    /// Requests that failed and were, or could have been, tried again.
    EXPORT_RETRIES: Counter "wirespan_export_retriable_requests_total" [];
    /// Bytes of request bodies sent to the endpoint.
    EXPORT_BYTES: Counter "wirespan_export_bytes_total" [];
    /// From the end of a span to the endpoint's acknowledgement.
    TRANSFER_DELAY: Histogram "wirespan_transfer_delay_seconds" [];
    /// Runs of a kernel program; counted only while kernel.bpf_stats_enabled is 1.
    PROGRAM_RUNS: Counter "wirespan_kernel_program_runs_total" ["program", "tracepoint"];
    /// Time that all runs of a kernel program took; counted only while kernel.bpf_stats_enabled is 1.
    PROGRAM_SECONDS: Counter "wirespan_kernel_program_seconds_total" ["program", "tracepoint"];
    /// Events of a traced process: of the 20 with most by executable and pid, of all others as other.
    PROCESS_EVENTS: Counter "wirespan_process_events_total" ["executable", "pid"];
    /// Estimate of the time that kernel programs took from it: its events times the mean run of the socket programs; only with the plan sock and while kernel.bpf_stats_enabled is or was 1.
    PROCESS_SECONDS: Gauge "wirespan_process_kernel_seconds" ["executable", "pid"];
    /// Times that the configuration was read again (SIGHUP).
    RELOADS: Counter "wirespan_reloads_total" ["result"];
    /// Seconds since the capture thread last said that it lives; a few tenths when all is well.
    SILENCE: Gauge "wirespan_capture_silence_seconds" [];
    /// CPU time of this daemon, user and system.
    CPU: Counter "process_cpu_seconds_total" [];
    /// Memory of this daemon that is in RAM.
    MEMORY: Gauge "process_resident_memory_bytes" [];
    /// When this daemon started, seconds since the UNIX epoch.
    STARTED: Gauge "process_start_time_seconds" [];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for Metric { name, kind, help, .. } in METRICS {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}");
        }
    }

    /// The table in the documentation is this one, line for line.
    #[test]
    fn the_documentation_lists_them_all() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let text = std::fs::read_to_string(file).unwrap();
        let listed: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<_> = METRICS
            .iter()
            .map(|Metric { name, kind, labels, help }| {
                format!("| `{name}` | {} | {} | {help} |", kind.word(), labels.join(", "))
            })
            .collect();
        assert_eq!(listed, expected, "docs/metrics.md should have:\n{}", expected.join("\n"));
    }
}
