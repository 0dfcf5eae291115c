//! Comes in: captured bytes. Goes out: integers, slices and lines, each checked. Refuses: reading past the end; a
//! read that does not fit answers `None` and moves nothing.

/// A place in captured bytes from which protocols read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Cursor<'a> {
    /// At the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, place: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// All bytes not yet read. Moves nothing.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.place..).unwrap_or_default()
    }

    /// Is nothing left?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.place >= self.bytes.len()
    }

    /// The next byte, without moving.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.place).copied()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..count)?;
        self.place += count;
        Some(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Steps over `expected` if it comes next.
    pub fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.rest().starts_with(expected).then(|| self.place += expected.len())
    }

    /// A byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// 16 bits, most significant byte first.
    pub fn u16_be(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// 24 bits, most significant byte first.
    pub fn u24_be(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// 32 bits, most significant byte first.
    pub fn u32_be(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// 64 bits, most significant byte first.
    pub fn u64_be(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// 16 bits, least significant byte first.
    pub fn u16_le(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// 24 bits, least significant byte first.
    pub fn u24_le(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// 32 bits, least significant byte first.
    pub fn u32_le(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// 64 bits, least significant byte first.
    pub fn u64_le(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes up to `end`, which is stepped over and left out.
    pub fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let length = memchr::memchr(end, self.rest())?;
        let taken = self.take(length)?;
        self.place += 1;
        Some(taken)
    }

    /// A line without its LF or CRLF. `None` where the line is not complete.
    pub fn line(&mut self) -> Option<&'a [u8]> {
        let line = self.until(b'\n')?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_in_both_orders() {
        let mut cursor = Cursor::new(&[1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6]);
        assert_eq!(cursor.u16_be(), Some(0x0102));
        assert_eq!(cursor.u32_le(), Some(0x0403_0201));
        assert_eq!(cursor.u24_be(), Some(0x0001_0203));
        assert_eq!(cursor.u24_le(), Some(0x0006_0504));
        assert_eq!(cursor.u8(), None);
    }

    #[test]
    fn a_read_that_does_not_fit_moves_nothing() {
        let mut cursor = Cursor::new(&[7, 8, 9]);
        assert_eq!((cursor.u64_be(), cursor.u64_le(), cursor.u32_be()), (None, None, None));
        assert_eq!(cursor.take(4), None);
        assert_eq!(cursor.take(usize::MAX), None);
        assert_eq!(cursor.rest(), [7, 8, 9]);
    }

    #[test]
    fn lines_end_with_lf_or_crlf() {
        let mut cursor = Cursor::new(b"one\r\ntwo\n\nthr");
        assert_eq!(cursor.line(), Some(&b"one"[..]));
        assert_eq!(cursor.line(), Some(&b"two"[..]));
        assert_eq!(cursor.line(), Some(&b""[..]));
        assert_eq!(cursor.line(), None);
        assert_eq!((cursor.place(), cursor.rest()), (10, &b"thr"[..]));
    }

    #[test]
    fn literals_match_whole_or_not_at_all() {
        let mut cursor = Cursor::new(b"\r\nx");
        assert_eq!(cursor.literal(b"\r\n\r"), None);
        assert_eq!(cursor.literal(b"\r\n"), Some(()));
        assert_eq!(cursor.peek(), Some(b'x'));
    }
}
