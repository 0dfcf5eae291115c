//! Comes in: one thing that a recording holds. Goes out: its frame (kind, length, payload), and back.

use wirespan_proto::event::Event;

use crate::{
    event,
    fact::{self, End, Fact, Start},
    field::{Fields, Payload},
};

/// Bytes before a payload: kind and length.
pub(crate) const FRAME: usize = 6;

const START: u16 = 1;
const CLOCK: u16 = 2;
const DATA: u16 = 3;
const LIFE: u16 = 4;
const EXEC: u16 = 5;
const FORK: u16 = 6;
const EXIT: u16 = 7;
const PROCESS: u16 = 8;
const CGROUP: u16 = 9;
const PACKAGE: u16 = 10;
const CONTAINER: u16 = 11;
const END: u16 = 12;
const BIRTH: u16 = 13;
const DEATH: u16 = 14;
const WAKE: u16 = 15;

/// One thing that a recording holds.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// Where it was made.
    Start(Start),
    /// The time of day, in nanoseconds since 1970, at which the boot-time clock stood at zero; from here on.
    Clock(u64),
    /// An observation.
    Event(Event<'a>),
    /// What the host said of a process.
    Fact(Fact),
    /// All that there was.
    End(End),
}

impl<'a> Record<'a> {
    /// Appends the frame to `out`.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME]);
        let kind = self.put_payload(&mut Fields(out));
        let len = (out.len() - start - FRAME) as u32;
        let [k0, k1] = kind.to_le_bytes();
        let [l0, l1, l2, l3] = len.to_le_bytes();
        if let Some(frame) = out.get_mut(start..start + FRAME) {
            frame.copy_from_slice(&[k0, k1, l0, l1, l2, l3]);
        }
    }

    fn put_payload(&self, fields: &mut Fields<'_>) -> u16 {
        match self {
            Self::Start(start) => fact::put_start(fields, start),
            Self::Clock(boot) => fields.u64(*boot),
            Self::Event(event) => put_event(fields, event),
            Self::Fact(fact) => put_fact(fields, fact),
            Self::End(end) => fact::put_end(fields, end),
        }
        self.kind()
    }

    const fn kind(&self) -> u16 {
        match self {
            Self::Start(_) => START,
            Self::Clock(_) => CLOCK,
            Self::Event(Event::Data(_)) => DATA,
            Self::Event(Event::Life(_)) => LIFE,
            Self::Event(Event::Exec(_)) => EXEC,
            Self::Event(Event::Fork(_)) => FORK,
            Self::Event(Event::Exit(_)) => EXIT,
            Self::Event(Event::Birth(_)) => BIRTH,
            Self::Event(Event::Death(_)) => DEATH,
            Self::Event(Event::Wake(_)) => WAKE,
            Self::Fact(Fact::Process(..)) => PROCESS,
            Self::Fact(Fact::Cgroup(..)) => CGROUP,
            Self::Fact(Fact::Package(..)) => PACKAGE,
            Self::Fact(Fact::Container(..)) => CONTAINER,
            Self::End(_) => END,
        }
    }

    /// Reads a payload. `None` for kinds and choices that are not known, and for fields that are missing.
    pub(crate) fn read(kind: u16, payload: &'a [u8]) -> Option<Self> {
        let payload = &mut Payload(payload);
        Some(match kind {
            START => Self::Start(fact::start(payload)?),
            CLOCK => Self::Clock(payload.u64()?),
            DATA => Self::Event(Event::Data(event::data(payload)?)),
            LIFE => Self::Event(Event::Life(event::life(payload)?)),
            EXEC => Self::Event(Event::Exec(event::exec(payload)?)),
            FORK => Self::Event(Event::Fork(event::fork(payload)?)),
            EXIT => Self::Event(Event::Exit(event::exit(payload)?)),
            BIRTH => Self::Event(Event::Birth(event::birth(payload)?)),
            DEATH => Self::Event(Event::Death(event::death(payload)?)),
            WAKE => Self::Event(Event::Wake(event::wake(payload)?)),
            PROCESS => Self::Fact(fact::process(payload)?),
            CGROUP => Self::Fact(Fact::Cgroup(payload.u32()?, payload.bytes()?.to_vec())),
            PACKAGE => Self::Fact(Fact::Package(payload.u32()?, payload.text()??)),
            CONTAINER => Self::Fact(Fact::Container(payload.text()??, payload.text()??)),
            END => Self::End(fact::end(payload)?),
            _ => return None,
        })
    }
}

/// May it be dropped when there is no room? What is not an observation is small and needed later.
pub(crate) const fn is_event(kind: u16) -> bool {
    matches!(kind, DATA | LIFE | EXEC | FORK | EXIT | BIRTH | DEATH | WAKE)
}

fn put_event(fields: &mut Fields<'_>, event: &Event<'_>) {
    match event {
        Event::Data(data) => event::put_data(fields, data),
        Event::Life(life) => event::put_life(fields, life),
        Event::Exec(exec) => event::put_exec(fields, exec),
        Event::Fork(fork) => event::put_fork(fields, fork),
        Event::Exit(exit) => event::put_exit(fields, exit),
        Event::Birth(birth) => event::put_birth(fields, birth),
        Event::Death(death) => event::put_death(fields, death),
        Event::Wake(wake) => event::put_wake(fields, wake),
    }
}

fn put_fact(fields: &mut Fields<'_>, fact: &Fact) {
    match fact {
        Fact::Process(pid, process) => fact::put_process(fields, *pid, process),
        Fact::Cgroup(pid, file) => {
            fields.u32(*pid);
            fields.bytes(file);
        }
        Fact::Package(pid, name) => {
            fields.u32(*pid);
            fields.text(Some(name));
        }
        Fact::Container(id, name) => {
            fields.text(Some(id));
            fields.text(Some(name));
        }
    }
}
