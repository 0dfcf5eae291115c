//! Comes in: a recording or a packet capture. Goes out: traces, by the same pipeline as the live kernel's, and a
//! summary. Refuses: chance. Ids come from the file, time from its events, so that the same file gives the same
//! traces on any machine.

mod drive;
mod source;

use std::{io::Read, ops::ControlFlow, path::Path};

use anyhow::Context;
use siphasher::sip128::SipHasher24;
use wirespan_capture_file::Ends;
use wirespan_recording::{is_recording, unpacked};
use wirespan_trace::trace::Trace;

use self::{
    drive::Drive,
    source::{Content, Source, Step},
};
use crate::{config::Config, daemon::Summary};

/// First bytes of a file that tell it from all others: a recording's identity; the header and the first packet, with
/// its time, of a capture.
const IDENTITY: u64 = 64;

/// A file on its way through the pipeline.
pub struct Replay {
    source: Source,
    drive: Drive,
}

/// What became of a replay.
pub struct Replayed {
    /// As a daemon says it at its end.
    pub summary: Summary,
    /// What else is to be known about the file, for a person.
    pub notes: Vec<String>,
    /// Why the file was not read to its end. What came before was given out.
    pub damage: Option<anyhow::Error>,
}

impl Replay {
    /// Opens a file; `-` is stdin. `ends` are those that a packet capture is told from.
    ///
    /// # Errors
    /// It cannot be read, it is neither a recording nor a capture, or the configuration cannot be used.
    pub fn open(path: &Path, config: &Config, ends: Ends) -> anyhow::Result<Self> {
        let opened = if path == Path::new("-") {
            Self::read(std::io::stdin(), config, ends)
        } else {
            std::fs::File::open(path).map_err(Into::into).and_then(|file| Self::read(file, config, ends))
        };
        opened.with_context(|| format!("cannot replay {}", path.display()))
    }

    /// The same from anything that gives a file's bytes, packed or not.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(file: impl Read + Send + 'static, config: &Config, ends: Ends) -> anyhow::Result<Self> {
        let mut content = unpacked(file)?;
        let mut first = Vec::new();
        // A file that is damaged or cut so early is recognised by what there is, or refused below.
        let _ = (&mut content).take(IDENTITY).read_to_end(&mut first);
        let keys = [0, 1].map(|purpose| key(purpose, &first));
        let is_recording = is_recording(&first);
        let content: Content = Box::new(std::io::Cursor::new(first).chain(content));
        let (source, start) =
            if is_recording { Source::recording(content)? } else { (Source::capture(content, ends)?, None) };
        let drive = match start {
            Some(start) => Drive::recorded(config, keys, start)?,
            None => Drive::captured(config, keys)?,
        };
        Ok(Self { source, drive })
    }

    /// Replays as fast as it goes. `give` takes traces as they are finished, and may say that it is enough.
    ///
    /// # Errors
    /// Those of `give`. A file that cannot be read on is no error here: see [`Replayed::damage`].
    pub fn run(
        mut self,
        mut give: impl FnMut(Vec<Trace>) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<Replayed> {
        let damage = loop {
            match self.source.step(&mut self.drive) {
                Ok(Step::On) => {}
                Ok(Step::End) => break None,
                Err(error) => break Some(error),
            }
            let traces = self.drive.take();
            if !traces.is_empty() && give(traces)?.is_break() {
                break None;
            }
        };
        self.drive.finish();
        let _reader_has_gone = give(self.drive.take())?;
        let mut summary = self.drive.summary();
        summary.losses = self.source.losses();
        Ok(Replayed { summary, notes: self.source.notes(), damage })
    }
}

/// A key that only this file has.
fn key(purpose: u64, first: &[u8]) -> [u8; 16] {
    SipHasher24::new_with_keys(purpose, 0).hash(first).as_bytes()
}
