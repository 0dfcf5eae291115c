//! Comes in: a run's recording and its truth. Goes out: both as files small enough to be kept, and these files read again, to
//! be replayed and scored on any machine. Refuses: to keep what is not the run's own (other programs' starts and connections,
//! what the host said of its processes, the host's name).

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use wirespan_proto::event::{Address, Data, Event, Socket};
use wirespan_recording::{Chunk, Next, Reader, Record, Start, header, pack, unpacked};

use super::truth::World;

/// What the names of the truth's files end in, in place of `wirespan`.
const TRUTH: &str = "truth.gz";

/// Hexadecimal digits of a token that the load puts into a request, at least.
const TOKEN: usize = 16;

/// The truth of a run that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// What each process wrote; the load's own comes last. For [`World::of`](super::truth::World::of).
    pub lines: Vec<String>,
    /// What began before is not scored, nanoseconds since the UNIX epoch.
    pub since: u64,
}

impl Truth {
    /// The one beside this recording.
    pub fn beside(recording: &Path) -> Result<Self> {
        let path = recording.with_extension(TRUTH);
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let mut text = String::new();
        unpacked(file)?.read_to_string(&mut text).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// The first line is the time from which is scored; then what each process wrote, behind an empty line each.
    fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split("\n\n");
        let since = parts.next().unwrap_or_default().parse().context("its first line is no time")?;
        Ok(Self { lines: parts.map(str::to_owned).collect(), since })
    }

    fn text(&self) -> String {
        let parts = self.lines.iter().map(|lines| lines.trim_end());
        parts.fold(self.since.to_string(), |text, lines| text + "\n\n" + lines)
    }
}

/// Keeps the daemon's recording `run` of a run as `to`, and its truth beside it.
pub fn keep(to: &Path, run: &Path, truth: &Truth) -> Result<()> {
    let ports = World::of(&truth.lines)?.0.served();
    let pids = look(run, |record| match record {
        Record::Event(Event::Data(data)) => is_of(&data.socket, &ports).then_some(data.task.pid),
        _ => None,
    })?;
    let own = Own { ports, pids: pids.into_iter().collect() };
    let kept = own.events(run).with_context(|| format!("read {}", run.display()))?;
    for (path, content) in [(to.to_path_buf(), kept), (to.with_extension(TRUTH), truth.text().into_bytes())] {
        let mut file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        file.write_all(&pack(&content)).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Copies the daemon's recording `run` to `to` without the tokens of echo mode: every run of digits as long as one, in all
/// that was captured of a call, is made unknowable.
pub fn mask(run: &Path, to: &Path) -> Result<()> {
    let mut chunk = Chunk::default();
    look(run, |record| {
        match record {
            Record::Event(Event::Data(data)) => {
                let [head, tail] = [data.head, data.tail].map(masked);
                chunk.push(&Record::Event(Event::Data(Data { head: &head, tail: &tail, ..*data })));
            }
            record => chunk.push(record),
        }
        None::<()>
    })?;
    let content = pack(&[&header([7; 16])[..], chunk.bytes()].concat());
    fs::write(to, content).with_context(|| format!("write {}", to.display()))
}

fn masked(bytes: &[u8]) -> Vec<u8> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let runs = bytes.chunk_by(|one, next| is_digit(one) == is_digit(next));
    let is_token = |run: &[u8]| run.len() >= TOKEN && run.iter().all(is_digit);
    runs.flat_map(|run| if is_token(run) { vec![b'x'; run.len()] } else { run.to_vec() }).collect()
}

/// All recordings in a folder, by name.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension() == Some(OsStr::new("wirespan")));
    paths.sort();
    Ok(paths)
}

/// What a kept recording holds, as `see` sees each record.
pub fn look<T>(recording: &Path, mut see: impl FnMut(&Record<'_>) -> Option<T>) -> Result<Vec<T>> {
    let file = File::open(recording).with_context(|| format!("open {}", recording.display()))?;
    let (mut reader, mut seen) = (Reader::new(unpacked(file)?)?, Vec::new());
    loop {
        match reader.next()? {
            Next::Record(record) => seen.extend(see(&record)),
            Next::Unknown => bail!("{} holds an unknown record", recording.display()),
            Next::End(_) => return Ok(seen),
        }
    }
}

/// What is of a run: its servers' ports, and the processes at either end of their connections.
struct Own {
    ports: BTreeSet<u16>,
    pids: BTreeSet<u32>,
}

impl Own {
    /// The recording without what is not of the run, unpacked.
    fn events(&self, run: &Path) -> Result<Vec<u8>> {
        let mut chunk = Chunk::default();
        look(run, |record| {
            match record {
                Record::Start(start) => {
                    chunk.push(&Record::Start(Start { host_name: None, host_id: None, ..start.clone() }));
                }
                Record::Event(event) if !self.holds(event) => {}
                Record::Fact(_) => {}
                record => chunk.push(record),
            }
            None::<()>
        })?;
        // Replays make their ids from it: the same each time that a run is recorded anew.
        Ok([&header([7; 16])[..], chunk.bytes()].concat())
    }

    fn holds(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Data(data) => is_of(&data.socket, &self.ports),
            Event::Life(life) => is_of(&life.socket, &self.ports),
            Event::Birth(birth) => self.pids.contains(&birth.by.pid),
            Event::Death(death) => self.pids.contains(&death.pid),
            Event::Wake(wake) => self.pids.contains(&wake.by.pid),
            Event::Exec(_) | Event::Fork(_) | Event::Exit(_) => false,
        }
    }
}

/// Is one of these ports at either end?
fn is_of(socket: &Socket, ports: &BTreeSet<u16>) -> bool {
    let is_one = |address| matches!(address, Address::Inet(address) if ports.contains(&address.port()));
    is_one(socket.local) || is_one(socket.peer)
}

#[cfg(test)]
mod tests {
    use wirespan_proto::event::{Death, Exit, Nanos};
    use wirespan_recording::{End, Fact};

    use super::*;

    #[test]
    fn a_truth_is_read_as_it_was_written() -> Result<()> {
        let truth = Truth { lines: vec!["{1}\n{2}".into(), "{3}".into()], since: 17 };
        assert_eq!(truth.text(), "17\n\n{1}\n{2}\n\n{3}");
        assert_eq!(Truth::parse(&truth.text())?, truth);
        assert!(Truth::parse("soon").is_err());
        Ok(())
    }

    #[test]
    fn tokens_are_masked_and_nothing_else() {
        let request = b"GET /sync/00deadbeef00cafe1 HTTP/1.1\r\nUser-Agent: causality/1\r\n";
        assert_eq!(masked(request), b"GET /sync/xxxxxxxxxxxxxxxxx HTTP/1.1\r\nUser-Agent: causality/1\r\n");
        assert_eq!(masked(b"/item/00deadbeef00caf"), b"/item/00deadbeef00caf");
    }

    #[test]
    fn what_is_not_of_the_run_is_left_out() -> Result<()> {
        let start = Start { host_name: Some("mine".into()), own_pid: 3, ..Start::default() };
        let mut chunk = Chunk::default();
        for record in [
            Record::Start(start),
            Record::Fact(Fact::Package(7, "shop".into())),
            Record::Event(Event::Exit(Exit { time: Nanos(1), pid: 9 })),
            Record::Event(Event::Death(Death { time: Nanos(2), pid: 7, tid: 8 })),
            Record::Event(Event::Death(Death { time: Nanos(2), pid: 9, tid: 9 })),
            Record::End(End::default()),
        ] {
            chunk.push(&record);
        }
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), pack(&[&header([1; 16])[..], chunk.bytes()].concat()))?;
        let own = Own { ports: BTreeSet::new(), pids: BTreeSet::from([7]) };
        fs::write(file.path(), own.events(file.path())?)?;
        let kept = look(file.path(), |record| {
            let shown = format!("{record:?}");
            Some(shown.split(['(', ' ']).take(2).collect::<Vec<_>>().join(" "))
        })?;
        assert_eq!(kept, ["Start Start", "Event Death", "End End"]);
        Ok(())
    }
}
