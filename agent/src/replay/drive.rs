//! Comes in: events of another time. Goes out: the same into the pipeline, with the sweeps that a daemon would have
//! made between them.

use wirespan_connection::limits::Limits;
use wirespan_proto::event::{Address, Cookie, Event, Nanos, Policy, Socket};
use wirespan_recording::Start;
use wirespan_span::{Clock, span::UnixNanos};
use wirespan_trace::trace::Trace;

use crate::{
    config::Config,
    daemon::{Summary, setup},
    filter::{Filter, PortFilter, Verdict},
    pipeline::{Orders, Pipeline},
    process::{HostFacts, Processes},
};

/// Time between two sweeps while events come in, ns; as the daemon's.
const SWEEP_NS: u64 = 5_000_000;

/// A hole in a captured stream was waited for already, while its packets were put in order.
const CAPTURE_REORDER_NS: u64 = 1_000_000;

/// The kernel of another time takes no orders.
struct Nobody;

impl Orders for Nobody {
    fn policy(&mut self, _: Cookie, _: Policy) {}

    fn verdict(&mut self, _: u32, _: bool) {}

    fn follow(&mut self, _: u32) {}

    fn wakes(&mut self, _: u32, _: bool) {}
}

/// The pipeline, and the time in it.
pub(super) struct Drive {
    pipeline: Pipeline,
    /// In a live capture the kernel looks at them.
    ports: PortFilter,
    clock: Clock,
    now: Nanos,
    /// Time of the last sweep; `None` before the first event.
    swept: Option<Nanos>,
    /// When the recording ended, if it says so.
    end: Option<Nanos>,
}

impl Drive {
    /// For the events of a host.
    pub(super) fn recorded(config: &Config, keys: [[u8; 16]; 2], start: Start) -> anyhow::Result<Self> {
        let host = HostFacts { name: start.host_name, id: start.host_id };
        let processes = Processes::recorded(host, &config.service.names, config.limits.processes as usize);
        Self::new(config, keys, start.own_pid, processes, |_| {})
    }

    /// For the events of a packet capture.
    pub(super) fn captured(config: &Config, keys: [[u8; 16]; 2]) -> anyhow::Result<Self> {
        let processes = Processes::captured(&config.service.names, config.limits.processes as usize);
        Self::new(config, keys, 0, processes, |limits| limits.reorder_ns = CAPTURE_REORDER_NS)
    }

    fn new(
        config: &Config,
        keys: [[u8; 16]; 2],
        own_pid: u32,
        processes: Processes,
        limit: impl FnOnce(&mut Limits),
    ) -> anyhow::Result<Self> {
        let mut settings = setup::stages(config, keys, own_pid)?;
        limit(&mut settings.connections);
        Ok(Self {
            pipeline: Pipeline::new(settings, processes),
            ports: Filter::new(&config.filter)?.ports().clone(),
            clock: Clock::default(),
            now: Nanos(0),
            swept: None,
            end: None,
        })
    }

    /// Takes one event.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.pass_time(event.time());
        let is_in = match event {
            Event::Data(data) => self.takes(&data.socket),
            Event::Life(life) => self.takes(&life.socket),
            _ => true,
        };
        if is_in {
            self.pipeline.event(event, self.clock, &mut Nobody);
        }
    }

    /// The time of day at which the boot-time clock stood at zero, from here on.
    pub(super) const fn set_clock(&mut self, boot: u64) {
        self.clock = Clock { boot: UnixNanos(boot) };
    }

    /// The recording ended then.
    pub(super) const fn ends_at(&mut self, end: Nanos) {
        self.end = Some(end);
    }

    /// The processes that spans are of.
    pub(super) const fn processes(&mut self) -> &mut Processes {
        self.pipeline.processes()
    }

    /// The traces finished since the last call.
    pub(super) fn take(&mut self) -> Vec<Trace> {
        self.pipeline.take()
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        self.now = self.now.max(self.end.unwrap_or_default());
        self.pass_time(self.now);
        self.sweep(self.now);
        self.pipeline.flush();
    }

    /// What happened.
    pub(super) fn summary(&self) -> Summary {
        Summary {
            counters: self.pipeline.counters(),
            unrecognised: self.pipeline.unrecognised(),
            ..Summary::default()
        }
    }

    fn takes(&self, socket: &Socket) -> bool {
        match (socket.local, socket.peer) {
            (Address::Inet(local), Address::Inet(peer)) => {
                self.ports.verdict(local.port(), peer.port()) == Verdict::Capture
            }
            _ => true,
        }
    }

    /// Sweeps as often as a daemon would have until `to`; ever more rarely where nothing happens for long.
    fn pass_time(&mut self, to: Nanos) {
        self.now = self.now.max(to);
        let mut swept = *self.swept.get_or_insert(to);
        let mut step = SWEEP_NS;
        while to.since(swept) >= SWEEP_NS {
            swept = Nanos(swept.0.saturating_add(step)).min(to);
            self.sweep(swept);
            step = step.saturating_mul(2);
        }
    }

    fn sweep(&mut self, now: Nanos) {
        self.swept = Some(now);
        self.pipeline.sweep(now, self.clock, &mut Nobody);
    }
}
