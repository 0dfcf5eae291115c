//! Comes in: a run's recording and its truth. Goes out: both as files small enough to be kept, and these files read again, to
//! be replayed and scored on any machine. Refuses: to keep what is not the run's own (other programs' starts, what the
//! host said of its processes, the host's name).

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use wirespan_proto::event::Event;
use wirespan_recording::{Chunk, Next, Reader, Record, Start, header, pack, unpacked};

/// What the names of the truth's files end in, in place of `wirespan`.
const TRUTH: &str = "truth.gz";

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
    let file = File::open(run).with_context(|| format!("open {}", run.display()))?;
    let kept = own_events(file).with_context(|| format!("read {}", run.display()))?;
    for (path, content) in [(to.to_path_buf(), kept), (to.with_extension(TRUTH), truth.text().into_bytes())] {
        let mut file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        file.write_all(&pack(&content)).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// All recordings in a folder, by name.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension() == Some(OsStr::new("wirespan")));
    paths.sort();
    Ok(paths)
}

/// The recording without what is not of the run, unpacked.
fn own_events(file: impl Read + Send + 'static) -> Result<Vec<u8>> {
    let mut reader = Reader::new(unpacked(file)?)?;
    let mut chunk = Chunk::default();
    loop {
        match reader.next()? {
            Next::Record(Record::Start(start)) => {
                chunk.push(&Record::Start(Start { host_name: None, host_id: None, ..start }));
            }
            Next::Record(Record::Fact(_)) => {}
            Next::Record(Record::Event(Event::Exec(_) | Event::Fork(_) | Event::Exit(_))) => {}
            Next::Record(record) => chunk.push(&record),
            Next::Unknown => bail!("it holds a record that the rig does not know: build both anew"),
            Next::End(_) => break,
        }
    }
    // Replays make their ids from it: the same each time that a run is recorded anew.
    Ok([&header([7; 16])[..], chunk.bytes()].concat())
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
    fn what_is_not_of_the_run_is_left_out() -> Result<()> {
        let start = Start { host_name: Some("mine".into()), own_pid: 3, ..Start::default() };
        let mut chunk = Chunk::default();
        for record in [
            Record::Start(start),
            Record::Fact(Fact::Package(7, "shop".into())),
            Record::Event(Event::Exit(Exit { time: Nanos(1), pid: 9 })),
            Record::Event(Event::Death(Death { time: Nanos(2), pid: 7, tid: 8 })),
            Record::End(End::default()),
        ] {
            chunk.push(&record);
        }
        let file = pack(&[&header([1; 16])[..], chunk.bytes()].concat());
        let mut reader = Reader::new(&*own_events(std::io::Cursor::new(file))?.leak())?;
        let mut kept = Vec::new();
        while let Next::Record(record) = reader.next()? {
            kept.push(format!("{record:?}").split(['(', ' ']).take(2).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(kept, ["Start Start", "Event Death", "End End"]);
        Ok(())
    }
}
