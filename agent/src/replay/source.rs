//! Comes in: an unpacked file of either kind. Goes out: what it holds, one thing at a time, to the pipeline; and what
//! is to be said of it at the end.

use std::io::Read;

use anyhow::Context;
use wirespan_capture_file::{Capture, Ends, Observation};
use wirespan_kernel::Losses;
use wirespan_recording::{End, Finish, Next, Reader, Record, Start};

use super::drive::Drive;

/// An unpacked file.
pub(super) type Content = Box<dyn Read + Send>;

/// Is there more?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    On,
    End,
}

/// A file of either kind.
pub(super) enum Source {
    Recording(Box<Recording>),
    Capture(Box<Capture<Content>>, Option<wirespan_capture_file::Finish>),
}

/// A recording, and what is known of it so far.
pub(super) struct Recording {
    reader: Reader<Content>,
    /// Records that this version does not know.
    unknown: u64,
    end: Option<End>,
    finish: Option<Finish>,
}

impl Source {
    /// A recording, and its first record.
    pub(super) fn recording(content: Content) -> anyhow::Result<(Self, Option<Start>)> {
        let mut reader = Reader::new(content)?;
        let start = match reader.next().context("its first record cannot be read")? {
            Next::Record(Record::Start(start)) => start,
            // Cut, or odd: it is replayed without what only the first record knows.
            Next::Record(_) | Next::Unknown | Next::End(_) => Start::default(),
        };
        let recording = Recording { reader, unknown: 0, end: None, finish: None };
        Ok((Self::Recording(Box::new(recording)), Some(start)))
    }

    /// A packet capture.
    pub(super) fn capture(content: Content, ends: Ends) -> anyhow::Result<Self> {
        let capture = Capture::new(content, ends).map_err(|error| match error {
            wirespan_capture_file::Error::NotACapture => {
                anyhow::anyhow!("it is neither a recording of wirespan nor a pcap or pcapng file")
            }
            error => error.into(),
        })?;
        Ok(Self::Capture(Box::new(capture), None))
    }

    /// Reads on by one record or packet.
    pub(super) fn step(&mut self, drive: &mut Drive) -> anyhow::Result<Step> {
        match self {
            Self::Recording(recording) => recording.step(drive),
            Self::Capture(capture, finish) => {
                *finish = capture.step(|observation| match observation {
                    Observation::Event(event) => drive.event(&event),
                    Observation::Endpoint { pid, address, port } => {
                        drive.processes().learn_endpoint(pid, address, port);
                    }
                })?;
                Ok(if finish.is_some() { Step::End } else { Step::On })
            }
        }
    }

    /// What the kernel programs lost while a recording was made.
    pub(super) fn losses(&self) -> Losses {
        let Self::Recording(recording) = self else { return Losses::default() };
        let end = recording.end.unwrap_or_default();
        Losses {
            lost_records: end.lost_records,
            lost_bytes: end.lost_bytes,
            faults: end.faults,
            io_uring: end.io_uring,
            ..Losses::default()
        }
    }

    /// What a person should know about the file.
    pub(super) fn notes(&self) -> Vec<String> {
        match self {
            Self::Recording(recording) => recording.notes(),
            Self::Capture(capture, finish) => {
                let cut = *finish == Some(wirespan_capture_file::Finish::Cut);
                let mut notes = vec![packets(&capture.counters())];
                notes.extend(cut.then(|| "the file ends within a packet".to_owned()));
                notes
            }
        }
    }
}

impl Recording {
    fn step(&mut self, drive: &mut Drive) -> anyhow::Result<Step> {
        match self.reader.next()? {
            Next::Record(Record::Event(event)) => drive.event(&event),
            Next::Record(Record::Fact(fact)) => drive.processes().learn(fact),
            Next::Record(Record::Clock(boot)) => drive.set_clock(boot),
            Next::Record(Record::End(end)) => {
                drive.ends_at(end.time);
                self.end = Some(end);
            }
            Next::Record(Record::Start(_)) => {}
            Next::Unknown => self.unknown += 1,
            Next::End(finish) => {
                self.finish = Some(finish);
                return Ok(Step::End);
            }
        }
        Ok(Step::On)
    }

    fn notes(&self) -> Vec<String> {
        let unwritten = self.end.map_or(0, |end| end.unwritten);
        let cut = self.finish == Some(Finish::Cut);
        [
            (cut, "the recording was cut: it ends without its last record".to_owned()),
            (unwritten > 0, format!("{unwritten} events were not recorded (disk too slow)")),
            (
                self.unknown > 0,
                format!("{} records are damaged or of a newer version, and were left out", self.unknown),
            ),
        ]
        .into_iter()
        .filter_map(|(holds, note)| holds.then_some(note))
        .collect()
    }
}

fn packets(counters: &wirespan_capture_file::Counters) -> String {
    let mut text = format!("{} packets", counters.packets);
    for (count, what) in [
        (counters.other, "neither TCP nor UDP"),
        (counters.fragments, "IP fragments without the rest"),
        (counters.missing, "bytes of TCP streams not captured"),
        (counters.evicted, "connections given up (too many at a time)"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}
