//! Comes in: the text of the configuration file. Goes out: its settings with the line of each. Refuses: YAML that a
//! configuration does not need (anchors, tags, several documents), keys written twice, and nesting beyond
//! `group: name: value`. Values stay texts: what `no` or `1e3` means is decided by the setting, not by YAML.

use granit_parser::{Event, Parser, ScalarStyle};

use super::value::Raw;

/// One setting of the file. Its path is not yet known to exist.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// `group.name`; a text that is no mapping where a group should be has only the `group`.
    pub path: String,
    /// 1-based line of its key.
    pub line: usize,
    /// What is written there.
    pub raw: Raw,
}

/// Why a file cannot be read as a configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// 1-based.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Depth below which nothing makes sense here, and a bound on recursion: document, group, setting, item.
const MAX_DEPTH: usize = 4;

enum Node {
    Null,
    Text(String),
    List(Vec<(usize, Node)>),
    Map(Vec<(String, usize, Node)>),
}

/// Reads the settings of a file.
///
/// # Errors
/// The first thing that is no YAML, or no configuration.
pub fn entries(text: &str) -> Result<Vec<Entry>, Malformed> {
    let root = Tree { parser: Parser::new_from_str(text), line: 1 }.document()?;
    let groups = match root {
        Node::Null => return Ok(Vec::new()),
        Node::Map(groups) => groups,
        Node::Text(_) | Node::List(_) => {
            return Err(malformed(1, "the file must be a mapping of groups to settings"));
        }
    };
    let mut entries = Vec::new();
    for (group, line, node) in groups {
        group_entries(&group, line, node, &mut entries)?;
    }
    Ok(entries)
}

fn malformed(line: usize, message: impl Into<String>) -> Malformed {
    Malformed { line, message: message.into() }
}

fn group_entries(group: &str, line: usize, node: Node, entries: &mut Vec<Entry>) -> Result<(), Malformed> {
    match node {
        Node::Null => {}
        Node::Map(settings) => {
            for (name, line, node) in settings {
                let path = format!("{group}.{name}");
                if let Some(raw) = raw(&path, node)? {
                    entries.push(Entry { path, line, raw });
                }
            }
        }
        Node::Text(text) => entries.push(Entry { path: group.to_owned(), line, raw: Raw::Text(text) }),
        Node::List(_) => entries.push(Entry { path: group.to_owned(), line, raw: Raw::List(Vec::new()) }),
    }
    Ok(())
}

/// `None` for a key without a value: it keeps its default, so that all lines below it can be commented out.
fn raw(path: &str, node: Node) -> Result<Option<Raw>, Malformed> {
    let scalar = |(line, node)| scalar(path, line, node);
    Ok(match node {
        Node::Null => None,
        Node::Text(text) => Some(Raw::Text(text)),
        Node::List(items) => Some(Raw::List(items.into_iter().map(scalar).collect::<Result<_, _>>()?)),
        Node::Map(pairs) => {
            let pairs = pairs.into_iter().map(|(key, line, value)| Ok((key, scalar((line, value))?)));
            Some(Raw::Pairs(pairs.collect::<Result<_, _>>()?))
        }
    })
}

fn scalar(path: &str, line: usize, node: Node) -> Result<String, Malformed> {
    match node {
        Node::Text(text) => Ok(text),
        Node::Null => Ok(String::new()),
        Node::List(_) | Node::Map(_) => Err(malformed(line, format!("`{path}` is nested too deeply"))),
    }
}

/// The parser's events as a tree.
struct Tree<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Tree<'a> {
    fn next(&mut self) -> Result<Event<'a>, Malformed> {
        match self.parser.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line().max(1);
                Ok(event)
            }
            Some(Err(error)) => {
                Err(malformed(error.marker().line().max(1), format!("not YAML: {}", error.info())))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn document(&mut self) -> Result<Node, Malformed> {
        let mut root = Node::Null;
        let mut documents = 0;
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) => documents += 1,
                Event::StreamStart | Event::DocumentEnd => {}
                _ if documents > 1 => {
                    return Err(malformed(self.line, "a second document: everything belongs in one"));
                }
                event => root = self.node(event, 0)?,
            }
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Malformed> {
        if depth > MAX_DEPTH {
            return Err(malformed(self.line, "nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, 0, None) => Ok(plain(&text, style)),
            Event::SequenceStart(_, 0, None) => self.list(depth),
            Event::MappingStart(_, 0, None) => self.map(depth),
            _ => {
                Err(malformed(self.line, "anchors, aliases and tags are not supported: write the value out"))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::List(items)),
                event => items.push((self.line, self.node(event, depth + 1)?)),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, Malformed> {
        let mut pairs: Vec<(String, usize, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Map(pairs)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(malformed(self.line, "a key must be a plain text")),
            };
            let line = self.line;
            if let Some((_, first, _)) = pairs.iter().find(|(known, ..)| *known == key) {
                return Err(malformed(line, format!("`{key}` is already set in line {first}")));
            }
            let value = self.next()?;
            pairs.push((key, line, self.node(value, depth + 1)?));
        }
    }
}

/// YAML 1.2.2 §10.2.1.1: null is written as nothing, `~` or `null`, without quotes.
fn plain(text: &str, style: ScalarStyle) -> Node {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Node::Null,
        _ => Node::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, usize, Raw)]) {
        let entries = entries(text).unwrap();
        let entries: Vec<_> = entries.iter().map(|e| (e.path.as_str(), e.line, e.raw.clone())).collect();
        assert_eq!(entries, expected, "{text}");
    }

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn settings_come_with_their_lines() {
        check(
            "# top\ncapture:\n  plan: sock\n\n  head_bytes: 4KiB # more\nfilter:\n  include_pids: [1, 2]\n",
            &[
                ("capture.plan", 3, text("sock")),
                ("capture.head_bytes", 5, text("4KiB")),
                ("filter.include_pids", 7, Raw::List(vec!["1".into(), "2".into()])),
            ],
        );
    }

    #[test]
    fn values_stay_texts() {
        check(
            "a: {b: no, c: 1e3, d: 007, e: \"null\", f: 0x10, g: {k: v, on: off}}",
            &[
                ("a.b", 1, text("no")),
                ("a.c", 1, text("1e3")),
                ("a.d", 1, text("007")),
                ("a.e", 1, text("null")),
                ("a.f", 1, text("0x10")),
                ("a.g", 1, Raw::Pairs(vec![("k".into(), "v".into()), ("on".into(), "off".into())])),
            ],
        );
    }

    #[test]
    fn what_is_commented_out_keeps_its_default() {
        check("", &[]);
        check("# nothing\n", &[]);
        check("---\nfilter:\n#  include_pids: [1]\nhttp:\n  capture_request_headers:\n#  - x\n  b: ~\n", &[]);
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        let cases = [
            ("a:\n  b: 1\n  b: 2\n", 3, "`b` is already set in line 2"),
            ("a: 1\n---\nb: 2\n", 3, "second document"),
            ("a: &x\n  b: 1\n", 2, "anchors"),
            ("a:\n  b: &x 1\n  c: *x\n", 2, "anchors"),
            ("a:\n  b: !!int 1\n", 2, "tags"),
            ("a:\n  b:\n    - [1]\n", 3, "`a.b` is nested too deeply"),
            ("a:\n  b: [[[[[1]]]]]\n", 2, "nested too deeply"),
            ("- a\n", 1, "must be a mapping"),
            ("text", 1, "must be a mapping"),
            ("a:\n  b: [1\n", 2, "not YAML"),
            ("a:\n\tb: 1\n", 2, "not YAML"),
            ("? [a]\n: b\n", 1, "plain text"),
        ];
        for (text, line, message) in cases {
            let error = entries(text).unwrap_err();
            assert!(error.line == line && error.message.contains(message), "{text:?}: {error:?}");
        }
    }
}
