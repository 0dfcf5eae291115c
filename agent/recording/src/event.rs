//! Comes in: an [`Event`]. Goes out: its payload, field by field, and back. Refuses: choices it does not know
//! (`None`).

use wirespan_proto::event::{
    Birth, Change, Cookie, Data, DataFlags, Death, Direction, Exec, Exit, Fork, Life, Nanos, Number, Socket,
    Task, Transport, Wake,
};

use crate::field::{Fields, Payload};

const TCP: u8 = 0;
const UDP: u8 = 1;
const UNIX: u8 = 2;

const RECEIVED: u8 = 0;
const SENT: u8 = 1;

const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
const ACCEPTED: u8 = 2;
const SENT_END: u8 = 3;
const RECEIVED_END: u8 = 4;
const CLOSED: u8 = 5;

fn put_socket(fields: &mut Fields<'_>, socket: &Socket) {
    fields.u64(socket.cookie.0);
    fields.u32(socket.netns);
    fields.u8(match socket.transport {
        Transport::Tcp => TCP,
        Transport::Udp => UDP,
        Transport::Unix => UNIX,
    });
    fields.address(socket.local);
    fields.address(socket.peer);
}

fn socket(payload: &mut Payload<'_>) -> Option<Socket> {
    Some(Socket {
        cookie: Cookie(payload.u64()?),
        netns: payload.u32()?,
        transport: match payload.u8()? {
            TCP => Transport::Tcp,
            UDP => Transport::Udp,
            UNIX => Transport::Unix,
            _ => return None,
        },
        local: payload.address()?,
        peer: payload.address()?,
    })
}

fn put_task(fields: &mut Fields<'_>, task: &Task) {
    fields.u32(task.pid);
    fields.u32(task.tid);
    fields.u64(task.key);
    fields.u32(task.rests);
}

fn task(payload: &mut Payload<'_>) -> Option<Task> {
    let (pid, tid) = (payload.u32()?, payload.u32()?);
    Some(Task { pid, tid, key: payload.u64()?, rests: payload.u32()?, next: None })
}

pub(crate) fn put_data(fields: &mut Fields<'_>, data: &Data<'_>) {
    fields.u64(data.time.0);
    put_socket(fields, &data.socket);
    fields.u8(match data.direction {
        Direction::Received => RECEIVED,
        Direction::Sent => SENT,
    });
    fields.u64(data.offset);
    fields.u32(data.len);
    put_task(fields, &data.task);
    fields.u64(data.cgroup);
    fields.u16(data.flags.0);
    fields.u32(data.lost);
    fields.u32(data.rtt_us);
    fields.u32(data.retransmits);
    fields.bytes(data.head);
    fields.bytes(data.tail);
    if data.acked.is_some() || data.task.next.is_some() {
        fields.u32(data.acked.unwrap_or_default());
    }
    if let Some(next) = data.task.next {
        fields.u32(next.bits());
    }
}

pub(crate) fn data<'a>(payload: &mut Payload<'a>) -> Option<Data<'a>> {
    let mut data = Data {
        time: Nanos(payload.u64()?),
        socket: socket(payload)?,
        direction: match payload.u8()? {
            RECEIVED => Direction::Received,
            SENT => Direction::Sent,
            _ => return None,
        },
        offset: payload.u64()?,
        len: payload.u32()?,
        task: task(payload)?,
        cgroup: payload.u64()?,
        flags: DataFlags(payload.u16()?),
        lost: payload.u32()?,
        rtt_us: payload.u32()?,
        retransmits: payload.u32()?,
        head: payload.bytes()?,
        tail: payload.bytes()?,
        // Records of what was sent end here, and those of older recordings.
        acked: payload.u32(),
    };
    if let Some(next) = payload.u32() {
        data.task.next = Some(Number::of(next.into()));
        data.acked = data.acked.filter(|_| acknowledges(&data));
    }
    Some(data)
}

/// Is it told what the peer had acknowledged?
fn acknowledges(data: &Data<'_>) -> bool {
    data.direction == Direction::Received && data.socket.transport == Transport::Tcp
}

pub(crate) fn put_life(fields: &mut Fields<'_>, life: &Life) {
    fields.u64(life.time.0);
    put_socket(fields, &life.socket);
    put_task(fields, &life.task);
    fields.u8(match life.change {
        Change::Connecting => CONNECTING,
        Change::Connected => CONNECTED,
        Change::Accepted => ACCEPTED,
        Change::SentEnd => SENT_END,
        Change::ReceivedEnd => RECEIVED_END,
        Change::Closed { .. } => CLOSED,
    });
    if let Change::Closed { error, sent, received } = life.change {
        fields.u16(error);
        fields.u64(sent);
        fields.u64(received);
    }
}

pub(crate) fn life(payload: &mut Payload<'_>) -> Option<Life> {
    Some(Life {
        time: Nanos(payload.u64()?),
        socket: socket(payload)?,
        task: task(payload)?,
        change: match payload.u8()? {
            CONNECTING => Change::Connecting,
            CONNECTED => Change::Connected,
            ACCEPTED => Change::Accepted,
            SENT_END => Change::SentEnd,
            RECEIVED_END => Change::ReceivedEnd,
            CLOSED => {
                Change::Closed { error: payload.u16()?, sent: payload.u64()?, received: payload.u64()? }
            }
            _ => return None,
        },
    })
}

pub(crate) fn put_exec(fields: &mut Fields<'_>, exec: &Exec<'_>) {
    fields.u64(exec.time.0);
    fields.u32(exec.pid);
    fields.u32(exec.parent);
    fields.u64(exec.cgroup);
    fields.bytes(exec.args);
    fields.bytes(exec.env);
}

pub(crate) fn exec<'a>(payload: &mut Payload<'a>) -> Option<Exec<'a>> {
    Some(Exec {
        time: Nanos(payload.u64()?),
        pid: payload.u32()?,
        parent: payload.u32()?,
        cgroup: payload.u64()?,
        args: payload.bytes()?,
        env: payload.bytes()?,
    })
}

pub(crate) fn put_fork(fields: &mut Fields<'_>, fork: &Fork) {
    fields.u64(fork.time.0);
    fields.u32(fork.pid);
    fields.u32(fork.parent);
}

pub(crate) fn fork(payload: &mut Payload<'_>) -> Option<Fork> {
    Some(Fork { time: Nanos(payload.u64()?), pid: payload.u32()?, parent: payload.u32()? })
}

pub(crate) fn put_exit(fields: &mut Fields<'_>, exit: &Exit) {
    fields.u64(exit.time.0);
    fields.u32(exit.pid);
}

pub(crate) fn exit(payload: &mut Payload<'_>) -> Option<Exit> {
    Some(Exit { time: Nanos(payload.u64()?), pid: payload.u32()? })
}

pub(crate) fn put_birth(fields: &mut Fields<'_>, birth: &Birth) {
    fields.u64(birth.time.0);
    put_task(fields, &birth.by);
    fields.u32(birth.tid);
}

pub(crate) fn birth(payload: &mut Payload<'_>) -> Option<Birth> {
    Some(Birth { time: Nanos(payload.u64()?), by: task(payload)?, tid: payload.u32()? })
}

pub(crate) fn put_death(fields: &mut Fields<'_>, death: &Death) {
    fields.u64(death.time.0);
    fields.u32(death.pid);
    fields.u32(death.tid);
}

pub(crate) fn death(payload: &mut Payload<'_>) -> Option<Death> {
    Some(Death { time: Nanos(payload.u64()?), pid: payload.u32()?, tid: payload.u32()? })
}

pub(crate) fn put_wake(fields: &mut Fields<'_>, wake: &Wake) {
    fields.u64(wake.time.0);
    put_task(fields, &wake.by);
    fields.u32(wake.tid);
    fields.u64(wake.address);
}

pub(crate) fn wake(payload: &mut Payload<'_>) -> Option<Wake> {
    Some(Wake {
        time: Nanos(payload.u64()?),
        by: task(payload)?,
        tid: payload.u32()?,
        address: payload.u64()?,
    })
}
