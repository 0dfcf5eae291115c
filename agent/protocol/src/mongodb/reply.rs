//! Comes in: a server's message from its header on, whole or cut. Goes out: what it answers. Refuses: the text of errors,
//! which quotes what was asked; documents are counted.

use smol_str::SmolStr;

use super::{
    bson::{Element, Elements},
    command::{Section, Sections},
    wire::{HEADER, Header, Opcode},
};
use crate::{attributes, cursor::Cursor};

/// What a server answers.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Id of the message itself: the next one may answer it.
    pub(super) id: u32,
    /// Id of the message that it answers.
    pub(super) answers: u32,
    /// The next message goes on with this one.
    pub(super) more_to_come: bool,
    /// Documents in it, where it is of a cursor and they could be counted.
    pub(super) returned: Option<u64>,
    pub(super) failure: Option<Failure>,
    /// Whether it failed stood behind what was captured or looked at.
    pub(super) truncated: bool,
}

/// Why it failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The number, as text: `db.response.status_code`.
    pub(super) code: SmolStr,
    /// Name of the number, where the server told it.
    pub(super) name: Option<String>,
}

/// What `content` answers.
pub(super) fn read(header: Header, content: &[u8], max_text: usize) -> Reply {
    let mut reply = Reply { id: header.id, answers: header.answers, ..Reply::default() };
    let whole = content.len() == header.length as usize;
    let body = match header.opcode {
        Opcode::Message => Sections::of(content, whole).and_then(|mut sections| {
            reply.more_to_come = sections.more_to_come;
            sections.find_map(|section| match section {
                Section::Body(body) => Some(body),
                Section::Run(..) => None,
            })
        }),
        Opcode::Reply => legacy(content),
        Opcode::Compressed | Opcode::Query => return reply,
    };
    match body {
        Some(body) => reply.take(body, max_text),
        None => reply.truncated = !whole,
    }
    reply
}

/// OP_REPLY: flags, cursor, where it starts and a count come before the documents.
fn legacy(content: &[u8]) -> Option<Elements<'_>> {
    let mut cursor = Cursor::new(content.get(HEADER..)?);
    cursor.take(20)?;
    Elements::of(cursor.rest())
}

impl Reply {
    fn take(&mut self, mut body: Elements<'_>, max_text: usize) {
        let (mut ok, mut code, mut name, mut partly) = (None, None, None, None);
        for element in body.by_ref() {
            match element.name {
                b"ok" => ok = element.number(),
                b"code" => code = element.number(),
                b"codeName" => {
                    name = element.text().map(|text| attributes::text(text, max_text).into_owned())
                }
                b"cursor" => {
                    self.returned = batch(&element);
                    // An error has none: nobody has to see the end to know.
                    ok = ok.or(Some(1));
                }
                b"writeErrors" => partly = partly.or(first(&element)),
                b"writeConcernError" => partly = partly.or(element.elements().and_then(error)),
                _ => {}
            }
        }
        self.truncated = ok.is_none() && !body.complete;
        self.failure = match (ok, partly) {
            (Some(0), _) => {
                Some(Failure { code: code.map_or("_OTHER".into(), |code| code.to_string().into()), name })
            }
            (_, partly) => partly,
        };
    }
}

/// Documents that a cursor brought.
fn batch(cursor: &Element<'_>) -> Option<u64> {
    cursor.elements()?.find(|element| matches!(element.name, b"firstBatch" | b"nextBatch"))?.count()
}

/// The first of several errors.
fn first(errors: &Element<'_>) -> Option<Failure> {
    errors.elements()?.next()?.elements().and_then(error)
}

/// An error inside an answer that is well otherwise.
fn error(mut body: Elements<'_>) -> Option<Failure> {
    let code = body.find(|element| element.name == b"code")?.number()?;
    Some(Failure { code: code.to_string().into(), name: None })
}
