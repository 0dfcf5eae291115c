//! Comes in: lines that the parties of a run wrote, one a message. Goes out: the messages of the run, who caused whom, and
//! the two ends of each. Refuses: lines that name an unknown cause.
//!
//! A line is `{"in": 7, "local": "A:P", "peer": "A:P", "start": NS, "end": NS}` for a request that a process answered
//! (7 is its own count), or `{"cause": 7, "after": false, "local": …}` for a call that it made. `cause` is null for a
//! background job; `after` says that the cause was answered before. Times are nanoseconds since the UNIX epoch.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    net::SocketAddr,
    ops::Range,
    path::Path,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::align::{Interval, align};

/// Index into [`World::messages`].
pub type Id = usize;

/// Which end of an exchange wrote the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It answered.
    Server,
    /// It asked.
    Client,
}

/// Why a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// For a request that is being answered.
    During(Id),
    /// For a request that was answered before.
    After(Id),
    /// For nobody: a background job, or the load itself. Also for what a server got, which its wire tells.
    Nobody,
}

/// One end of one exchange.
#[derive(Clone, Debug)]
pub struct Message {
    /// Which end.
    pub side: Side,
    /// This end's address.
    pub local: SocketAddr,
    /// The other end's.
    pub peer: SocketAddr,
    /// When it was worked on.
    pub time: Interval,
    /// Why it was made.
    pub cause: Cause,
}

/// A connection as one of its ends sees it.
pub type Tuple = (Side, SocketAddr, SocketAddr);

impl Message {
    /// The connection it went over, from its end.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        (self.side, self.local, self.peer)
    }
}

/// All that happened in a run.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Every end of every exchange.
    pub messages: Vec<Message>,
    /// For a server's end its client's.
    pub partner: HashMap<Id, Id>,
}

impl World {
    /// Of what each process wrote, the load's last; also gives its requests.
    pub fn of(lines: &[String]) -> Result<(Self, Vec<Id>)> {
        let (mut world, mut last) = (Self::default(), 0..0);
        for text in lines {
            last = world.process(text)?;
        }
        world.pair();
        Ok((world, last.collect()))
    }

    /// Adds what one process wrote; gives its messages.
    pub fn process(&mut self, text: &str) -> Result<Range<Id>> {
        let first = self.messages.len();
        let mut numbers = HashMap::new();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect::<Result<_>>()?;
        for line in lines.iter().filter(|line| !line["in"].is_null()) {
            numbers.insert(line["in"].as_u64(), self.messages.len());
            self.messages.push(message(line, Side::Server, Cause::Nobody)?);
        }
        for line in lines.iter().filter(|line| line["in"].is_null()) {
            let cause = cause(line, &numbers)?;
            self.messages.push(message(line, Side::Client, cause)?);
        }
        Ok(first..self.messages.len())
    }

    /// Finds the two ends of every exchange. To be called once, after the last process was added.
    pub fn pair(&mut self) {
        let tuples = self.tuples();
        for ((side, local, peer), servers) in &tuples {
            let clients = tuples.get(&(Side::Client, *peer, *local));
            let Some(clients) = clients.filter(|_| *side == Side::Server) else { continue };
            let found = align(&self.times(servers), &self.times(clients));
            let pairs = servers.iter().zip(found);
            self.partner.extend(pairs.filter_map(|(server, at)| Some((*server, *clients.get(at?)?))));
        }
    }

    /// The messages of each connection, in the order of its bytes.
    #[must_use]
    pub fn tuples(&self) -> HashMap<Tuple, Vec<Id>> {
        let mut tuples: HashMap<_, Vec<Id>> = HashMap::new();
        for (id, message) in self.messages.iter().enumerate() {
            tuples.entry(message.tuple()).or_default().push(id);
        }
        for ids in tuples.values_mut() {
            // Equal times keep the order of the lines.
            ids.sort_by_key(|id| self.messages.get(*id).map(|message| message.time.start));
        }
        tuples
    }

    /// The ports that requests came to.
    #[must_use]
    pub fn served(&self) -> BTreeSet<u16> {
        let servers = self.messages.iter().filter(|message| message.side == Side::Server);
        servers.map(|message| message.local.port()).collect()
    }

    /// When each of them was worked on.
    #[must_use]
    pub fn times(&self, ids: &[Id]) -> Vec<Interval> {
        ids.iter().filter_map(|id| self.messages.get(*id)).map(|message| message.time).collect()
    }

    /// The true parent, also across an answer.
    #[must_use]
    pub fn parent(&self, id: Id) -> Option<Id> {
        match self.messages.get(id)?.cause {
            Cause::During(cause) | Cause::After(cause) => Some(cause),
            Cause::Nobody => self.partner.get(&id).copied(),
        }
    }

    /// The message that all began with.
    #[must_use]
    pub fn root(&self, id: Id) -> Id {
        let up = std::iter::successors(Some(id), |id| self.parent(*id));
        up.take(self.messages.len()).last().unwrap_or(id)
    }
}

/// Every file of a folder, one process each.
pub fn read(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let text = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry?.path();
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    entries.map(text).collect()
}

fn cause(line: &Value, numbers: &HashMap<Option<u64>, Id>) -> Result<Cause> {
    let Some(number) = line["cause"].as_u64() else { return Ok(Cause::Nobody) };
    let Some(id) = numbers.get(&Some(number)) else { bail!("a call for request {number}, which is unknown") };
    Ok(if line["after"] == true { Cause::After(*id) } else { Cause::During(*id) })
}

fn message(line: &Value, side: Side, cause: Cause) -> Result<Message> {
    let address = |key: &str| -> Result<SocketAddr> {
        let text = line[key].as_str().with_context(|| format!("no address `{key}` in {line}"))?;
        text.parse().with_context(|| format!("`{text}` is no address"))
    };
    let nanos = |key: &str| line[key].as_u64().with_context(|| format!("no number `{key}` in {line}"));
    let time = Interval { start: nanos("start")?, end: nanos("end")? };
    Ok(Message { side, local: address("local")?, peer: address("peer")?, time, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_make_a_chain() -> Result<()> {
        let mut world = World::default();
        world
            .process(r#"{"cause":null,"local":"127.0.0.1:5000","peer":"127.0.0.1:80","start":1,"end":9}"#)?;
        world.process(concat!(
            r#"{"cause":1,"after":true,"local":"127.0.0.1:6000","peer":"127.0.0.1:90","start":3,"end":5}"#,
            "\n",
            r#"{"in":1,"local":"127.0.0.1:80","peer":"127.0.0.1:5000","start":2,"end":8}"#
        ))?;
        world.pair();
        assert_eq!((world.parent(2), world.parent(1), world.parent(0)), (Some(1), Some(0), None));
        assert_eq!(world.root(2), 0);
        assert_eq!(world.messages[2].cause, Cause::After(1));
        Ok(())
    }

    #[test]
    fn a_call_for_an_unknown_request_is_refused() {
        let line = r#"{"cause":1,"local":"127.0.0.1:5000","peer":"127.0.0.1:80","start":1,"end":9}"#;
        assert!(World::default().process(line).is_err());
    }
}
