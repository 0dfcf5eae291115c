//! Records of FastCGI for the tests (FastCGI Specification 1.0, section 8).

pub(crate) const PARAMS: u8 = 4;
pub(crate) const STDIN: u8 = 5;
pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;

/// Any record, with so many bytes of padding.
pub(crate) fn record(kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short content");
    let head = [[1, kind], id.to_be_bytes(), length.to_be_bytes(), [padding, 0]].concat();
    [&head[..], content, &vec![0; padding.into()]].concat()
}

/// BEGIN_REQUEST of a responder; `keep` the connection.
pub(crate) fn begin(id: u16, keep: bool) -> Vec<u8> {
    record(1, id, &[0, 1, keep.into(), 0, 0, 0, 0, 0], 0)
}

/// END_REQUEST with what the application and the protocol say.
pub(crate) fn end(id: u16, app: u32, protocol: u8) -> Vec<u8> {
    record(3, id, &[&app.to_be_bytes()[..], &[protocol, 0, 0, 0]].concat(), 0)
}

/// Name-value pairs; a value of 128 bytes and more has a length of four.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: &str| match u8::try_from(text.len()) {
        Ok(short @ 0..128) => vec![short],
        _ => (u32::try_from(text.len()).expect("short") | 1 << 31).to_be_bytes().to_vec(),
    };
    pairs
        .iter()
        .flat_map(|(name, value)| {
            [&length(name)[..], &length(value), name.as_bytes(), value.as_bytes()].concat()
        })
        .collect()
}
