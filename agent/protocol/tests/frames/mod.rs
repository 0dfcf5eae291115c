//! Frames of HTTP/2 for the tests: fields in, bytes out. Blocks are made by another program's encoder, so that the
//! tests do not check our reading by our own writing.
#![expect(dead_code, reason = "each test program uses a part of it")]

use httlib_hpack::Encoder;

/// What a client sends first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's header, bytes.
pub(crate) const HEAD: usize = 9;

/// Any frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HEADERS with a whole block.
pub(crate) fn headers(stream: u32, ends: bool, block: &[u8]) -> Vec<u8> {
    frame(1, 4 | u8::from(ends), stream, block)
}

/// DATA.
pub(crate) fn data(stream: u32, ends: bool, payload: &[u8]) -> Vec<u8> {
    frame(0, u8::from(ends), stream, payload)
}

/// SETTINGS with one value.
pub(crate) fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])
}

/// RST_STREAM.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, &code.to_be_bytes())
}

/// GOAWAY.
pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// A message of gRPC.
pub(crate) fn message(flag: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short message").to_be_bytes();
    [&[flag][..], &length, text.as_bytes()].concat()
}

/// One direction's encoder. It indexes whatever it can.
#[derive(Default)]
pub(crate) struct Client<'a>(Encoder<'a>);

impl Client<'_> {
    /// A block of these fields; those sent before are referred to.
    pub(crate) fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        self.coded(fields, Encoder::BEST_FORMAT | Encoder::WITH_INDEXING)
    }

    /// A block in the form that the flags say.
    pub(crate) fn coded(&mut self, fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            let field = (name.as_bytes().to_vec(), value.as_bytes().to_vec(), flags);
            self.0.encode(field, &mut block).expect("every field can be encoded");
        }
        block
    }

    /// A block that refers to nothing and is not referred to.
    pub(crate) fn plain(fields: &[(&str, &str)]) -> Vec<u8> {
        Client::default().coded(fields, 0)
    }
}
