//! One file's name and text in; findings about its lines out.

use super::{Finding, code};

/// Where `unsafe` may stand: the two sides of the kernel's border and the bytes that cross it, and one test program
/// that drives io_uring.
const UNSAFE_HOMES: &[&str] = &["ebpf/", "proto/src/abi", "agent/kernel/", "tests/programs/"];
/// The stages that compute and do nothing else.
const PURE: &[&str] =
    &["proto/src/", "agent/connection/src/", "agent/protocol/src/", "agent/span/src/", "agent/trace/src/"];
/// What a pure stage does not touch: clocks, files, sockets, processes, threads, the environment.
const IMPURE: &[&str] =
    &["Instant", "SystemTime", "TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener"];
/// Modules of std that a pure stage does not touch, by path or in a `use`.
const IMPURE_MODULES: &[&str] = &["fs", "process", "thread", "env"];
/// A file has one subject; beyond this length it surely has two.
const LONGEST_FILE: usize = 800;
/// A function fits on a screen.
const LONGEST_FUNCTION: usize = 60;
/// How far above `unsafe` its reason may begin.
const SAFETY_REACH: usize = 8;

struct Source<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
    code: Vec<&'a str>,
}

/// Every rule that can be checked on one file.
pub(super) fn check(name: &str, text: &str) -> Vec<Finding> {
    let blanked = if name.ends_with(".rs") { code::blank(text) } else { String::new() };
    let source = Source { name, lines: text.lines().collect(), code: blanked.lines().collect() };
    let mut findings = machine_paths(&source);
    findings.extend(open_ends(&source));
    if name.ends_with(".rs") {
        findings.extend(rust(&source));
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn rust(source: &Source<'_>) -> Vec<Finding> {
    let rules =
        [module_doc, file_length, function_length, allowed_lints, unsafe_places, purity, forbidden_unsafe];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

impl Source<'_> {
    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: self.name.to_owned(), line: line + 1, message: message.into() }
    }

    /// A finding for each line of code that `wrong` has a message for.
    fn each(&self, wrong: impl Fn(usize, &str) -> Option<String>) -> Vec<Finding> {
        let lines = self.code.iter().enumerate();
        lines.filter_map(|(at, line)| Some(self.finding(at, wrong(at, line)?))).collect()
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.name.starts_with(folder))
    }

    /// The line from which on there are only tests, by custom at the end of a file; a file of tests is one from its start.
    fn tests_begin(&self) -> usize {
        if self.name.ends_with("/tests.rs") || self.name.contains("/tests/") {
            return 0;
        }
        self.code.iter().position(|line| line.contains("#[cfg(test)]")).unwrap_or(usize::MAX)
    }
}

fn module_doc(source: &Source<'_>) -> Vec<Finding> {
    let first = source.lines.first().copied().unwrap_or_default();
    let message = "the first line is not `//!`: say what comes in, what goes out, what it refuses";
    (!first.starts_with("//!")).then(|| source.finding(0, message)).into_iter().collect()
}

fn file_length(source: &Source<'_>) -> Vec<Finding> {
    let length = source.lines.len();
    let message = format!("{length} lines, more than {LONGEST_FILE}: a file has one subject, split it");
    (length > LONGEST_FILE).then(|| source.finding(LONGEST_FILE, message)).into_iter().collect()
}

fn function_length(source: &Source<'_>) -> Vec<Finding> {
    source.each(|at, line| {
        let name = function_name(line)?;
        let length = body_length(source.code.get(at..)?)?;
        (length > LONGEST_FUNCTION).then(|| {
            format!("fn {name} has {length} lines, more than {LONGEST_FUNCTION}: a function does one thing, split it")
        })
    })
}

/// The name of the function that begins on this line. A type such as `fn(u8)` has none.
fn function_name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("fn ").filter(|(before, _)| !before.ends_with(is_word))?;
    let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
    rest.get(..end).filter(|name| !name.is_empty())
}

/// Lines from the first to the closing brace of what begins here; none for a declaration without a body.
fn body_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_i32;
    let mut opened = false;
    for (at, line) in lines.iter().enumerate() {
        for character in line.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' if !opened && depth == 0 && !line.contains('[') => return None,
                _ => {}
            }
            opened |= depth > 0;
            if opened && depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

fn allowed_lints(source: &Source<'_>) -> Vec<Finding> {
    source.each(|_, line| {
        let found = line.contains("#[allow(") || line.contains("#![allow(");
        found.then(|| "`allow`: use `#[expect(lint, reason = \"…\")]`".to_owned())
    })
}

fn unsafe_places(source: &Source<'_>) -> Vec<Finding> {
    source.each(|at, line| {
        if !has_word(line, "unsafe") || line.contains("#[unsafe(") || line.contains("#![unsafe(") {
            return None;
        }
        if !source.is_in(UNSAFE_HOMES) {
            return Some(format!("`unsafe` outside {}", UNSAFE_HOMES.join(", ")));
        }
        let explained = !needs_reason(line) || reason_above(source, at);
        (!explained)
            .then(|| "`unsafe` without a `// SAFETY:` comment above it: say why it is sound".to_owned())
    })
}

/// Blocks and implementations do; declarations state their contract in their documentation.
fn needs_reason(line: &str) -> bool {
    let rest = line.split_once("unsafe").map(|(_, rest)| rest.trim_start()).unwrap_or_default();
    rest.starts_with('{') || rest.starts_with("impl") || rest.is_empty()
}

fn reason_above(source: &Source<'_>, at: usize) -> bool {
    let nearby = source.lines.get(at.saturating_sub(SAFETY_REACH)..=at).unwrap_or_default();
    let same_paragraph = nearby.iter().rev().take_while(|line| !line.trim().is_empty());
    same_paragraph.into_iter().any(|line| line.contains("SAFETY:"))
}

fn purity(source: &Source<'_>) -> Vec<Finding> {
    if !source.is_in(PURE) {
        return Vec::new();
    }
    let tests = source.tests_begin();
    source.each(|at, line| {
        let named = IMPURE.iter().find(|name| has_word(line, name));
        let reached = || IMPURE_MODULES.iter().find(|name| reaches(source, at, name));
        let found = named.or_else(reached).filter(|_| at < tests)?;
        Some(format!("`{found}` in a pure stage: no I/O, no clock; take the value as an argument"))
    })
}

/// Does this line reach for the module `name` of std: `std::name`, or `name` within a `use std::{…}`?
fn reaches(source: &Source<'_>, at: usize, name: &str) -> bool {
    let line = source.code.get(at).copied().unwrap_or_default();
    has_word(line, name) && (line.contains(&format!("std::{name}")) || in_use_of_std(source, at))
}

/// Does the statement around this line begin with `use std`?
fn in_use_of_std(source: &Source<'_>, at: usize) -> bool {
    let above = source.code.get(..=at).unwrap_or_default().iter().rev().enumerate();
    let mut statement = above.take_while(|(distance, line)| *distance == 0 || !line.contains(';'));
    statement.any(|(_, line)| line.trim_start_matches("pub ").starts_with("use std::"))
}

/// Every pure stage says `forbid(unsafe_code)` in its root, except the ABI's, whose derives may need it.
fn forbidden_unsafe(source: &Source<'_>) -> Vec<Finding> {
    let is_root =
        source.name.ends_with("src/lib.rs") && source.is_in(PURE) && source.name != "proto/src/lib.rs";
    let said = source.code.iter().any(|line| line.contains("#![forbid(unsafe_code)]"));
    let message = "a pure stage without `#![forbid(unsafe_code)]`";
    (is_root && !said).then(|| source.finding(0, message)).into_iter().collect()
}

/// Paths that exist on one machine only. The pieces are put together here so that this file does not find itself.
fn machine_paths(source: &Source<'_>) -> Vec<Finding> {
    let homes =
        [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"], ["/Us", "ers/"]].map(|pieces| pieces.concat());
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| homes.iter().any(|home| begins_a_path(line, home)))
        .map(|(at, _)| {
            source.finding(at, "an absolute path of one machine: make it relative or configurable")
        })
        .collect()
}

/// `home` stands in the line, not as the middle of a longer path or URL, and not as that of the examples' usual user.
fn begins_a_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let (before, after) = line.split_at(at);
        let is_example = after.get(home.len()..).is_some_and(|user| user.starts_with("alice"));
        !is_example && !before.ends_with(|before| is_word(before) || before == '.')
    })
}

/// A note to do something later names the issue that will.
fn open_ends(source: &Source<'_>) -> Vec<Finding> {
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|pieces| pieces.concat());
    let lines = source.lines.iter().enumerate();
    lines
        .filter_map(|(at, line)| {
            let word = words.iter().find(|word| has_word(line, word))?;
            let (_, rest) = line.split_once(word.as_str())?;
            let message = format!("{word} without an issue: write {word}(#12), or do it");
            (!rest.starts_with("(#")).then(|| source.finding(at, message))
        })
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + word.len()..).unwrap_or_default();
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests;
