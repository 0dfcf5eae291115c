//! Comes in: the payload of a content header frame (AMQP 0-9-1 sections 4.2.6.1 and 4.2.5.5). Goes out: the size of the
//! body, what names the message, and the headers that carry a trace context. Refuses: other headers; nested tables,
//! which are passed over by their lengths.

use smol_str::SmolStr;

use crate::{attributes, carrier::Carrier, cursor::Cursor};

/// What a content header tells.
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// Of the body, bytes.
    pub(super) size: u64,
    pub(super) message_id: Option<SmolStr>,
    pub(super) correlation_id: Option<SmolStr>,
    pub(super) carrier: Carrier,
    /// It was not there whole.
    pub(super) cut: bool,
}

/// Properties in the order of their flags, the highest bit first.
#[derive(Clone, Copy)]
enum Property {
    /// A short string that is not told.
    Text,
    MessageId,
    CorrelationId,
    Headers,
    Byte,
    Time,
}

const ORDER: [Property; 14] = [
    Property::Text,
    Property::Text,
    Property::Headers,
    Property::Byte,
    Property::Byte,
    Property::CorrelationId,
    Property::Text,
    Property::Text,
    Property::MessageId,
    Property::Time,
    Property::Text,
    Property::Text,
    Property::Text,
    Property::Text,
];

impl Properties {
    /// Reads a payload, which may be cut. `None` where not even the size of the body is there.
    pub(super) fn read(payload: &[u8], max_text: usize) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let _class_and_weight = cursor.take(4)?;
        let mut properties = Self { size: cursor.u64_be()?, ..Self::default() };
        properties.cut = properties.fill(&mut cursor, max_text).is_none();
        Some(properties)
    }

    fn fill(&mut self, cursor: &mut Cursor<'_>, max_text: usize) -> Option<()> {
        let flags = cursor.u16_be()?;
        for (place, property) in ORDER.into_iter().enumerate() {
            if flags << place & 0x8000 == 0 {
                continue;
            }
            match property {
                Property::Byte => drop(cursor.u8()?),
                Property::Time => drop(cursor.u64_be()?),
                Property::Headers => self.headers(cursor)?,
                Property::Text => drop(short(cursor)?),
                Property::MessageId => {
                    self.message_id = Some(attributes::text(short(cursor)?, max_text).into())
                }
                Property::CorrelationId => {
                    self.correlation_id = Some(attributes::text(short(cursor)?, max_text).into());
                }
            }
        }
        Some(())
    }

    fn headers(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let length = cursor.u32_be()? as usize;
        let (table, whole) = match cursor.take(length) {
            Some(table) => (table, true),
            None => (cursor.rest(), false),
        };
        let mut table = Cursor::new(table);
        while let Some(name) = short(&mut table) {
            match value(&mut table) {
                Some(Some(text)) => self.carrier.offer(name, text),
                Some(None) => {}
                None => break,
            }
        }
        whole.then_some(())
    }
}

/// A short string: a byte with its length, then the bytes.
fn short<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = cursor.u8()?;
    cursor.take(length.into())
}

/// A value of a table: a text, or nothing that could carry a context. Types as RabbitMQ reads them.
fn value<'a>(cursor: &mut Cursor<'a>) -> Option<Option<&'a [u8]>> {
    let size = match cursor.u8()? {
        b'S' | b'x' => {
            let length = cursor.u32_be()? as usize;
            return Some(Some(cursor.take(length)?));
        }
        b'F' | b'A' => cursor.u32_be()? as usize,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' | b'U' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'V' => 0,
        _ => return None,
    };
    cursor.take(size)?;
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"\0\x3c\0\0\0\0\0\0\0\0\0\x05\xa4\x80\x04text\0\0\0\x1d\x01aI\0\0\0\x01\x0btraceparentS\0\0\0\x0500-01\x02c1\x02m1";

    #[test]
    fn names_and_contexts_are_found() {
        let properties = Properties::read(HEADER, 99).expect("a header");
        assert_eq!((properties.size, properties.cut), (5, false));
        assert_eq!(properties.message_id.as_deref(), Some("m1"));
        assert_eq!(properties.correlation_id.as_deref(), Some("c1"));
        assert_eq!(properties.carrier.into_headers(), [("traceparent".into(), "00-01".to_owned())]);
    }

    #[test]
    fn what_is_cut_is_said() {
        for end in 12..HEADER.len() {
            let begin = HEADER.get(..end).expect("a shorter one");
            let properties = Properties::read(begin, 99).expect("a size");
            assert!(properties.cut && properties.size == 5, "{end}");
        }
        assert!(HEADER.get(..11).is_some_and(|begin| Properties::read(begin, 99).is_none()));
    }
}
