//! Messages of MongoDB for the tests: elements in, bytes out.

/// A document of these elements, each with its type, name and value.
pub(crate) fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let content = elements.concat();
    [&(content.len() as u32 + 5).to_le_bytes()[..], &content, &[0]].concat()
}

/// An element that is text.
pub(crate) fn text(name: &str, value: &str) -> Vec<u8> {
    let length = value.len() as u32 + 1;
    [&[2], name.as_bytes(), &[0], &length.to_le_bytes(), value.as_bytes(), &[0]].concat()
}

/// An element that is an `int32`.
pub(crate) fn number(name: &str, value: i32) -> Vec<u8> {
    [&[0x10], name.as_bytes(), &[0], &value.to_le_bytes()[..]].concat()
}

/// An element that is a document (3) or an array (4).
pub(crate) fn inner(kind: u8, name: &str, document: Vec<u8>) -> Vec<u8> {
    [&[kind][..], name.as_bytes(), &[0], &document].concat()
}

/// A message of any opcode.
pub(crate) fn packet(id: u32, answers: u32, opcode: u32, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u32 + 16;
    let head: Vec<_> = [length, id, answers, opcode].into_iter().flat_map(u32::to_le_bytes).collect();
    [head, content.to_vec()].concat()
}

/// OP_MSG with a body, and perhaps a run of documents and a checksum.
pub(crate) fn message(id: u32, answers: u32, flags: u32, body: &[u8], run: &[Vec<u8>]) -> Vec<u8> {
    let mut content = [&flags.to_le_bytes()[..], &[0], body].concat();
    if !run.is_empty() {
        let documents = run.concat();
        content.extend(
            [&[1][..], &(documents.len() as u32 + 14).to_le_bytes(), b"documents\0", &documents].concat(),
        );
    }
    content.extend(if flags & 1 != 0 { &[9; 4][..] } else { &[] });
    packet(id, answers, 2013, &content)
}
