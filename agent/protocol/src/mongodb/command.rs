//! Comes in: a client's message behind its header, whole or cut. Goes out: what it asks for. Refuses: everything but
//! names and counts: no filter, no document, no credential is kept.

use smol_str::SmolStr;

use super::{
    bson::{Element, Elements},
    wire::{HEADER, Header, Opcode},
};
use crate::{attributes, cursor::Cursor};

/// `checksumPresent`: four bytes behind the sections are a CRC-32C of the message.
const CHECKSUM: u32 = 1;
/// `moreToCome`: of a client, that it wants no answer; of a server, that the next message goes on with this one.
const MORE_TO_COME: u32 = 1 << 1;

/// Commands whose first value is the name of a collection (MongoDB manual, "Database Commands"); those of other
/// commands are names of users, roles or indexes, or a 1.
static OF_COLLECTIONS: [&str; 27] = [
    "aggregate",
    "cloneCollectionAsCapped",
    "collMod",
    "collStats",
    "compact",
    "convertToCapped",
    "count",
    "create",
    "createIndexes",
    "delete",
    "deleteIndexes",
    "distinct",
    "drop",
    "dropIndexes",
    "find",
    "findAndModify",
    "findandmodify",
    "geoSearch",
    "insert",
    "killCursors",
    "listIndexes",
    "mapReduce",
    "mapreduce",
    "reIndex",
    "update",
    "validate",
    "createSearchIndexes",
];

/// Where the statements of a batch stand, as a field or as a section of this name.
const STATEMENTS: [&[u8]; 4] = [b"documents", b"updates", b"deletes", b"ops"];

/// What a client asks for.
#[derive(Debug, Default)]
pub(super) struct Command {
    /// Its name; `None` where it is compressed.
    pub(super) operation: Option<SmolStr>,
    pub(super) collection: Option<SmolStr>,
    /// The database.
    pub(super) namespace: Option<SmolStr>,
    /// Statements in it, where they could be counted.
    pub(super) statements: Option<u64>,
    /// No answer is wanted.
    pub(super) silent: bool,
    /// What says where it goes stood behind what was captured or looked at.
    pub(super) truncated: bool,
}

impl Command {
    /// A handshake, which a server may go on answering whenever something changes.
    pub(super) fn is_hello(&self) -> bool {
        self.operation.as_ref().is_some_and(|name| matches!(name.as_ref(), "hello" | "isMaster" | "ismaster"))
    }
}

/// What `content`, a message from its header on, asks for; `None` where it is no command.
pub(super) fn read(header: Header, content: &[u8], max_text: usize) -> Option<Command> {
    let whole = content.len() == header.length as usize;
    match header.opcode {
        Opcode::Message => message(content, whole, max_text),
        Opcode::Query => query(content, max_text),
        Opcode::Compressed => Some(Command::default()),
        Opcode::Reply => None,
    }
}

/// OP_MSG: a document with the command, and runs of documents that belong to it.
fn message(content: &[u8], whole: bool, max_text: usize) -> Option<Command> {
    let mut sections = Sections::of(content, whole)?;
    let mut command = Command { silent: sections.more_to_come, truncated: true, ..Command::default() };
    for section in sections.by_ref() {
        match section {
            Section::Body(body) => command.take(body, max_text)?,
            Section::Run(name, documents) if STATEMENTS.contains(&name) => command.statements = documents,
            Section::Run(..) => {}
        }
    }
    command.operation.is_some().then_some(command)
}

/// OP_QUERY to the pseudo collection `$cmd` of a database: a command; to another one, what `find` does today.
fn query(content: &[u8], max_text: usize) -> Option<Command> {
    let mut cursor = Cursor::new(content.get(HEADER..)?);
    let _flags = cursor.u32_le()?;
    let full = attributes::text(cursor.until(0)?, max_text);
    let (namespace, collection) = full.split_once('.')?;
    let mut command = Command { namespace: Some(namespace.into()), ..Command::default() };
    let _skip_and_limit = cursor.take(8)?;
    if collection == "$cmd" {
        let body = Elements::of(cursor.rest())?;
        command.take(unwrapped(body), max_text)?;
    } else {
        command.operation = Some(SmolStr::new_static("find"));
        command.collection = Some(collection.into());
    }
    Some(command)
}

/// With a read preference the command stands inside `$query`.
fn unwrapped(body: Elements<'_>) -> Elements<'_> {
    let first = body.clone().next().filter(|first| matches!(first.name, b"$query" | b"query"));
    first.and_then(|first| first.elements()).unwrap_or(body)
}

impl Command {
    /// Takes what is told of the command's document. Its first element is the command.
    fn take(&mut self, mut body: Elements<'_>, max_text: usize) -> Option<()> {
        let first = body.next()?;
        let name = std::str::from_utf8(first.name).ok().filter(|name| is_name(name))?;
        let known = OF_COLLECTIONS.iter().find(|known| **known == name);
        let text = |element: &Element<'_>| element.text().map(|text| attributes::text(text, max_text).into());
        self.operation = Some(known.map_or_else(|| name.into(), |known| SmolStr::new_static(known)));
        self.collection = known.and_then(|_| text(&first));
        for element in body.by_ref() {
            match element.name {
                b"$db" => self.namespace = text(&element),
                // Of a cursor, the command's own value is its id.
                b"collection" if name == "getMore" => self.collection = text(&element),
                field if STATEMENTS.contains(&field) => self.statements = element.count(),
                _ => {}
            }
        }
        self.truncated = !body.complete && self.namespace.is_none();
        Some(())
    }
}

/// Names of commands are words.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A part of OP_MSG.
pub(super) enum Section<'a> {
    /// Kind 0: the command or the answer.
    Body(Elements<'a>),
    /// Kind 1: its name, and how many documents it has, where all of them are there.
    Run(&'a [u8], Option<u64>),
}

/// The sections of OP_MSG, as far as they are there.
pub(super) struct Sections<'a> {
    cursor: Cursor<'a>,
    pub(super) more_to_come: bool,
}

impl<'a> Sections<'a> {
    /// Of a message from its header on. The checksum is not checked: what arrived, the kernel has checked.
    pub(super) fn of(content: &'a [u8], whole: bool) -> Option<Self> {
        let mut cursor = Cursor::new(content.get(HEADER..)?);
        let flags = cursor.u32_le()?;
        let checksum = if whole && flags & CHECKSUM != 0 { 4 } else { 0 };
        let sections = cursor.rest();
        let sections = sections.get(..sections.len().checked_sub(checksum)?)?;
        Some(Self { cursor: Cursor::new(sections), more_to_come: flags & MORE_TO_COME != 0 })
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        let kind = self.cursor.u8()?;
        let rest = self.cursor.rest();
        let length = usize::try_from(Cursor::new(rest).u32_le()?).ok()?;
        let (section, whole) = match self.cursor.take(length) {
            Some(section) => (section, true),
            None => {
                self.cursor = Cursor::new(&[]);
                (rest, false)
            }
        };
        match kind {
            0 => Elements::of(section).map(Section::Body),
            1 => run(section, whole),
            _ => None,
        }
    }
}

/// A named run of documents: its length, its name, the documents.
fn run(section: &[u8], whole: bool) -> Option<Section<'_>> {
    let mut cursor = Cursor::new(section);
    let _length = cursor.u32_le()?;
    let name = cursor.until(0)?;
    let mut count = 0;
    while let Some(length) = Cursor::new(cursor.rest()).u32_le() {
        cursor.take(usize::try_from(length).ok()?.max(1))?;
        count += 1;
    }
    Some(Section::Run(name, (whole && cursor.is_empty()).then_some(count)))
}
