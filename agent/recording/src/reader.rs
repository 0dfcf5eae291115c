//! Comes in: an unpacked file, of whatever origin. Goes out: its records, one at a time. Refuses: files of other
//! kinds and of newer formats. Never holds more than one record; never believes a length before it has the bytes.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::{
    MAGIC, MAX_PAYLOAD, VERSION,
    record::{FRAME, Record},
};

/// First bytes of a gzip member (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// Why a recording cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another kind of file.
    #[error("it is not a recording of wirespan")]
    NotARecording,
    /// Made by a version to come.
    #[error("it has format {0}, and this wirespan reads up to format {VERSION}: replay it with a newer one")]
    Newer(u16),
    /// The file cannot be read, or its compressed data are damaged.
    #[error("cannot read on: {0}")]
    Read(#[from] io::Error),
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// With its last record.
    Whole,
    /// Before it: whoever wrote it was stopped, or the rest was lost.
    Cut,
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Next<'a> {
    /// A record.
    Record(Record<'a>),
    /// One that this version does not know, or that is damaged. There may be more behind it.
    Unknown,
    /// Nothing.
    End(Finish),
}

/// `file` without its compression, if it has one. A file that is cut within a gzip member gives what can be had.
///
/// # Errors
/// It cannot be read.
pub fn unpacked(file: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER, file);
    if file.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

/// Do these first unpacked bytes begin a recording?
#[must_use]
pub fn is_recording(first: &[u8]) -> bool {
    first.starts_with(&MAGIC)
}

/// Reads records.
pub struct Reader<R> {
    file: R,
    payload: Vec<u8>,
    finish: Option<Finish>,
}

impl<R: Read> Reader<R> {
    /// Reads the header of an [unpacked](unpacked()) file.
    ///
    /// # Errors
    /// It is no recording, or one that is too new.
    pub fn new(mut file: R) -> Result<Self, Error> {
        let mut head = [0; MAGIC.len() + 4];
        file.read_exact(&mut head).map_err(|_| Error::NotARecording)?;
        let [magic @ .., v0, v1, l0, l1] = head;
        if magic != MAGIC {
            return Err(Error::NotARecording);
        }
        match u16::from_le_bytes([v0, v1]) {
            1..=VERSION => {}
            version => return Err(Error::Newer(version)),
        }
        let rest = u64::from(u16::from_le_bytes([l0, l1]));
        let mut reader = Self { file, payload: Vec::new(), finish: None };
        if !reader.skip(rest)? {
            reader.finish = Some(Finish::Cut);
        }
        Ok(reader)
    }

    /// What comes next.
    ///
    /// # Errors
    /// The file cannot be read on. What came before stands.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its items")]
    pub fn next(&mut self) -> Result<Next<'_>, Error> {
        if let Some(finish) = self.finish {
            return Ok(Next::End(finish));
        }
        let Some(kind) = self.fetch()? else {
            self.finish = Some(Finish::Cut);
            return Ok(Next::End(Finish::Cut));
        };
        let record = Record::read(kind, &self.payload);
        if matches!(record, Some(Record::End(_))) {
            self.finish = Some(Finish::Whole);
        }
        Ok(record.map_or(Next::Unknown, Next::Record))
    }

    /// Reads the next record into `payload` and gives its kind; `None` where the file ends. The payload of a record
    /// that is too long is stepped over and stays empty, which no record that is known can be read from.
    fn fetch(&mut self) -> Result<Option<u16>, Error> {
        self.payload.clear();
        let Some((kind, len)) = self.frame()? else { return Ok(None) };
        if len > MAX_PAYLOAD {
            return Ok(self.skip(len as u64)?.then_some(kind));
        }
        let mut wanted = (&mut self.file).take(len as u64);
        let got = whole(wanted.read_to_end(&mut self.payload).map(drop))?;
        Ok((got && self.payload.len() == len).then_some(kind))
    }

    /// Kind and length of the next record; `None` where the file ends.
    fn frame(&mut self) -> Result<Option<(u16, usize)>, Error> {
        let mut frame = [0; FRAME];
        if !whole(self.file.read_exact(&mut frame))? {
            return Ok(None);
        }
        let [k0, k1, len @ ..] = frame;
        Ok(Some((u16::from_le_bytes([k0, k1]), u32::from_le_bytes(len) as usize)))
    }

    /// Steps over bytes; false where there are fewer.
    fn skip(&mut self, len: u64) -> Result<bool, Error> {
        match io::copy(&mut (&mut self.file).take(len), &mut io::sink()) {
            Ok(skipped) => Ok(skipped == len),
            Err(error) => whole(Err(error)),
        }
    }
}

/// False where the file ends too early, which is no error: it was cut.
fn whole(read: io::Result<()>) -> Result<bool, Error> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}
