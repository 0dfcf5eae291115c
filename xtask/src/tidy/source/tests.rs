//! Bad snippets in, their findings out; good ones yield none.

use super::check;

/// Lines on which `text`, as the file `name`, has findings that speak of `about`.
fn lines(name: &str, text: &str, about: &str) -> Vec<usize> {
    let found = check(name, text);
    found.iter().filter(|finding| finding.message.contains(about)).map(|finding| finding.line).collect()
}

fn clean(name: &str, text: &str) {
    assert_eq!(check(name, text), []);
}

#[test]
fn a_file_begins_by_saying_what_it_is() {
    assert_eq!(lines("xtask/src/a.rs", "use std::fs;\n", "//!"), [1]);
    assert_eq!(lines("xtask/src/a.rs", "", "//!"), [1]);
    clean("xtask/src/a.rs", "//! Bytes in, frames out.\n");
}

#[test]
fn unsafe_has_its_places() {
    let text = "//! x\n// SAFETY: the pointer is live.\nunsafe { read(pointer) }\n";
    assert_eq!(lines("agent/protocol/src/a.rs", text, "`unsafe` outside"), [3]);
    clean("agent/kernel/src/a.rs", text);
    clean("ebpf/src/a.rs", text);
}

#[test]
fn unsafe_has_its_reason() {
    let bare = "//! x\n\nlet a = unsafe { read(pointer) };\n";
    assert_eq!(lines("agent/kernel/src/a.rs", bare, "SAFETY"), [3]);
    let far = "//! x\n// SAFETY: other.\nb();\n\nunsafe impl Send for A {}\n";
    assert_eq!(lines("agent/kernel/src/a.rs", far, "SAFETY"), [5]);
    clean("agent/kernel/src/a.rs", "//! x\n// SAFETY: live.\nlet a =\n    unsafe { read(pointer) };\n");
    clean("ebpf/src/a.rs", "//! x\n#[unsafe(no_mangle)]\npub unsafe fn f(pointer: *const u8);\n");
}

#[test]
fn unsafe_in_words_is_no_code() {
    clean("agent/span/src/a.rs", "//! unsafe\n// unsafe {\nlet a = \"unsafe {\";\n");
    clean("agent/span/src/lib.rs", "//! x\n#![forbid(unsafe_code)]\n");
}

#[test]
fn pure_stages_forbid_unsafe_code() {
    assert_eq!(lines("agent/trace/src/lib.rs", "//! x\n", "forbid"), [1]);
    clean("agent/export/src/lib.rs", "//! x\n");
}

#[test]
fn pure_stages_touch_no_clock_and_no_file() {
    for bad in [
        "use std::time::Instant;",
        "use std::{\n    time::{Duration, SystemTime},\n};",
        "let text = std::fs::read(path);",
        "use std::{fs, process::Command};",
        "use std::net::TcpStream;",
    ] {
        let text = format!("//! x\n{bad}\n");
        assert_eq!(lines("agent/connection/src/a.rs", &text, "pure stage").len(), 1, "{bad}");
        assert_eq!(lines("agent/export/src/a.rs", &text, "pure stage").len(), 0, "{bad}");
    }
    clean("agent/connection/src/a.rs", "//! x\nuse std::net::SocketAddr;\nlet prefs::A = instant;\n");
    clean("agent/connection/src/a.rs", "//! x\n#[cfg(test)]\nmod tests {\n    use std::fs::read;\n}\n");
}

#[test]
fn lints_are_expected_not_allowed() {
    let attribute = ["#[al", "low(dead_code)]"].concat();
    assert_eq!(lines("agent/src/a.rs", &format!("//! x\n{attribute}\nfn f() {{}}\n"), "expect"), [2]);
    clean("agent/src/a.rs", "//! x\n#[expect(dead_code, reason = \"shown\")]\nfn f() {}\n");
}

#[test]
fn open_ends_name_their_issue() {
    let word = ["TO", "DO"].concat();
    assert_eq!(lines("README.md", &format!("a\n{word}: more\n"), "issue"), [2]);
    clean("README.md", &format!("{word}(#12): more\n"));
    clean("README.md", &format!("MAS{word}N\n"));
}

#[test]
fn no_path_of_one_machine() {
    let home = ["/ho", "me/ann/x"].concat();
    assert_eq!(lines("docs/a.md", &format!("see {home}\n"), "absolute"), [1]);
    clean("docs/a.md", &format!("see https://example.org{home} and ./a{home}\n"));
}

#[test]
fn long_functions_and_files_are_found() {
    let body = "    step();\n".repeat(60);
    let text = format!("//! x\nfn long(\n    a: [u8; 2],\n) {{\n{body}}}\nfn short() {{}}\n");
    assert_eq!(lines("agent/src/a.rs", &text, "fn long has 64 lines"), [2]);
    assert_eq!(lines("agent/src/a.rs", &"//! x\n".repeat(801), "one subject"), [801]);
    clean("agent/src/a.rs", "//! x\ntrait A {\n    fn f(&self);\n    fn g(&self) {}\n}\n");
}
