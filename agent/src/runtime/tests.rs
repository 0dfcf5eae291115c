//! Executables made of the facts of real ones, and this test's own.

use wirespan_proto::event::Writers;

use super::*;

/// What a section holds, and of which type and length it says to be.
struct Part<'a> {
    name: &'a str,
    kind: u32,
    link: u32,
    content: Vec<u8>,
}

/// An executable with these sections, loaded at its offset in the file, and thread-local storage of this length.
fn executable_of(machine: u16, thread_local: u64, parts: &[Part<'_>]) -> Vec<u8> {
    let names: String = parts.iter().map(|part| format!("{}\0", part.name)).collect();
    let mut file = vec![0; 64 + 2 * 56];
    let mut headers = Vec::new();
    for part in parts.iter().chain([&Part { name: "", kind: 3, link: 0, content: names.into_bytes() }]) {
        let at = parts
            .iter()
            .take_while(|other| other.name != part.name)
            .map(|other| other.name.len() + 1)
            .sum::<usize>();
        let mut header = [0; 64];
        header[..4].copy_from_slice(&(at as u32).to_le_bytes());
        header[4..8].copy_from_slice(&part.kind.to_le_bytes());
        header[24..32].copy_from_slice(&(file.len() as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(part.content.len() as u64).to_le_bytes());
        header[40..44].copy_from_slice(&part.link.to_le_bytes());
        headers.push(header);
        file.extend(&part.content);
    }
    let (sections, len) = (file.len() as u64, file.len() as u64);
    headers.iter().for_each(|header| file.extend(header));
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[40..48].copy_from_slice(&sections.to_le_bytes());
    file[56..58].copy_from_slice(&2_u16.to_le_bytes());
    file[60..62].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    file[62..64].copy_from_slice(&(parts.len() as u16).to_le_bytes());
    for (at, kind, file_len, len) in [(64, 1_u32, len, len), (120, 7, 0, thread_local)] {
        file[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        file[at + 32..at + 40].copy_from_slice(&file_len.to_le_bytes());
        file[at + 40..at + 48].copy_from_slice(&len.to_le_bytes());
        file[at + 48..at + 56].copy_from_slice(&8_u64.to_le_bytes());
    }
    file
}

fn symbol(name: u32, kind: u8, value: u64, len: u64) -> Vec<u8> {
    [&name.to_le_bytes()[..], &[kind, 0, 0, 0], &value.to_le_bytes(), &len.to_le_bytes()].concat()
}

/// `mov 0x30(%rax),%rcx; mov %rbx,0x30(%rax)`, with a return and padding around it.
const CODE: [u8; 24] = [
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x48, 0x8b, 0x48, 0x30, 0x48, 0x89, 0x58, 0x30, 0xc3,
    0xc3, 0xc3, 0xc3, 0xc3, 0xc3, 0xc3, 0xc3,
];

/// As rustc 1.95 builds a server with tokio 1.54.1: 0x148 bytes of thread-local storage, the context at 0x30 with 80
/// bytes.
fn tokio(code: &[u8], setter: &str) -> Vec<u8> {
    tokio_with(code, setter, &[])
}

/// The same with variables of a word each, from 0x1000 on.
fn tokio_with(code: &[u8], setter: &str, variables: &[&str]) -> Vec<u8> {
    let context = "_ZN5tokio7runtime7context7CONTEXT29_$u7b$$u7b$constant$u7d$$u7d$17h1661679239c0612fE";
    let mut names = format!("\0{context}\0{setter}\0");
    let text = Part { name: ".text", kind: 1, link: 0, content: code.to_vec() };
    // Its own place is known beforehand: it comes first.
    let mut symbols = vec![
        vec![0; 24],
        symbol(1, 6, 0x30, 80),
        symbol(2 + context.len() as u32, 2, 64 + 2 * 56, code.len() as u64),
    ];
    for (address, variable) in (0x1000..).step_by(8).zip(variables) {
        symbols.push(symbol(names.len() as u32, 1, address, 8));
        names += &format!("{variable}\0");
    }
    let symbols = Part { name: ".symtab", kind: 2, link: 2, content: symbols.concat() };
    let names = Part { name: ".strtab", kind: 3, link: 0, content: names.into_bytes() };
    executable_of(elf::X86_64, 0x148, &[text, symbols, names])
}

const SETTER: &str = "_ZN5tokio7runtime7context19set_current_task_id17h9c5367f367f275e8E";

/// Bytes as a file.
struct Image(Vec<u8>);

impl FileExt for Image {
    fn read_at(&self, into: &mut [u8], at: u64) -> std::io::Result<usize> {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        let rest = &self.0[from..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> std::io::Result<usize> {
        unreachable!("nothing writes to an executable")
    }
}

#[test]
fn a_task_of_tokio_is_a_word_below_the_thread_pointer() {
    let runtime = recognise(&Image(tokio(&CODE, SETTER))).unwrap();
    assert_eq!((runtime.name, runtime.found), ("tokio", Ok(Found::Task(TaskPlace::at(0x30 + 0x30 - 0x148)))));
}

/// As both manglings have it; another crate's variable of this name is no matter, and of two nobody knows which.
#[test]
fn what_tokio_numbers_tasks_from_is_a_variable() {
    let next = |variables: &[&str]| {
        let Ok(Found::Task(place)) = recognise(&Image(tokio_with(&CODE, SETTER, variables))).unwrap().found
        else {
            panic!("not found")
        };
        place.next
    };
    let other = "_ZN3mio3sys4unix8selector7NEXT_ID17h4ae88969687d2a28E";
    let legacy = "_ZN5tokio7runtime4task2id2Id4next7NEXT_ID17h085219cbd6a5e590E.llvm.6264024734321378009";
    let v0 = "_RNvNvMs_NtNtNtCs1pvt0hcdN19_5tokio7runtime4task2idNtB6_2Id4next7NEXT_ID";
    assert_eq!((next(&[other, legacy]), next(&[v0]), next(&[other])), (Some(0x1008), Some(0x1000), None));
    assert_eq!(next(&[legacy, legacy]), None);
}

#[test]
fn tokio_without_its_setter_is_not_guessed() {
    let unknown = |file| recognise(&Image(file)).unwrap().found.unwrap_err();
    assert_eq!(unknown(tokio(&CODE, "_ZN5tokio7runtime4task4otherE")), Unknown::Code);
    assert_eq!(unknown(tokio(&CODE[12..], SETTER)), Unknown::Code);
    let mut outside = CODE;
    (outside[11], outside[15]) = (0x50, 0x50);
    assert_eq!(unknown(tokio(&outside, SETTER)), Unknown::Code, "not within the context");
    let data = Part { name: ".rodata", kind: 1, link: 0, content: b"/tokio-1.54.1/src/net".to_vec() };
    assert_eq!(unknown(executable_of(elf::X86_64, 0x148, &[data])), Unknown::NoSymbols);
}

/// `.go.buildinfo` as Go 1.26.8 writes it.
fn go(machine: u16, thread_local: u64, version: &str) -> Kind {
    let head =
        [b"\xff Go buildinf:\x08\x02", &[0; 16][..], &[version.len() as u8], version.as_bytes()].concat();
    let build = Part { name: ".go.buildinfo", kind: 1, link: 0, content: head };
    recognise(&Image(executable_of(machine, thread_local, &[build]))).expect("it is Go")
}

#[test]
fn a_goroutine_is_found_by_way_of_its_structure() {
    let Ok(Found::Task(place)) = go(elf::X86_64, 8, "go1.26.8").found else { panic!("not found") };
    assert_eq!((place.word, place.within.unwrap().id), (-8, 152));
    let Ok(Found::Task(place)) = go(elf::X86_64, 0, "go1.26.8").found else { panic!("not found") };
    assert_eq!(place.word, -8, "built without support for C");
    let unknown = |machine, len, version| go(machine, len, version).found.unwrap_err();
    assert_eq!(unknown(elf::X86_64, 8, "go1.77"), Unknown::Version("go1.77".into()));
    assert_eq!(unknown(elf::X86_64, 64, "go1.26.8"), Unknown::NoSymbols, "linked with C, stripped");
    assert_eq!(unknown(elf::AARCH64, 8, "go1.26.8"), Unknown::Machine);
}

/// `net/http.(*Transport).dialConn.gowrap3` and the beginning of `net/http.(*persistConn).writeLoop` as Go 1.26.8 and 1.27.2 compile
/// them, the second 64 bytes behind the first. `frame` and `room` are the last byte of the first's frame and of where the second keeps
/// its argument.
fn client(frame: u8, room: u8) -> Vec<u8> {
    let mut code = vec![0x49, 0x3b, 0x66, 0x10, 0x76, 0x17, 0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, frame];
    code.extend([0x48, 0x8b, 0x42, 0x08, 0xe8, 41, 0, 0, 0, 0x48, 0x83, 0xc4, frame, 0x5d, 0xc3]);
    code.resize(64, 0x90);
    code.extend([0x4c, 0x8d, 0xa4, 0x24, 0x78, 0xff, 0xff, 0xff, 0x4d, 0x3b, 0x66, 0x10]);
    code.extend([0x0f, 0x86, 0xcd, 2, 0, 0, 0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec, 0, 1, 0, 0]);
    code.extend([0x48, 0x89, 0x84, 0x24, room, 1, 0, 0]);
    code.resize(256, 0x90);
    code
}

/// The table of functions of Go 1.20 and later, of functions that begin so far behind `text`.
fn functions(text: u64, functions: &[(&str, u32)]) -> Vec<u8> {
    let count = functions.len() as u32;
    let names: String = functions.iter().map(|(name, _)| format!("{name}\0")).collect();
    let rows = 72 + names.len() as u64;
    let head = [u64::from(count), 0, text, 72, rows, 0, 0, rows];
    let mut table = vec![0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    head.iter().for_each(|number| table.extend(number.to_le_bytes()));
    table.extend(names.as_bytes());
    for (row, (_, begin)) in (0..).zip(functions) {
        let more: u32 = 8 * count + 4 + 8 * row;
        [*begin, more].iter().for_each(|number| table.extend(number.to_le_bytes()));
    }
    table.extend([0; 4]);
    let mut name: u32 = 0;
    for (of, begin) in functions {
        [*begin, name].iter().for_each(|number| table.extend(number.to_le_bytes()));
        name += of.len() as u32 + 1;
    }
    table
}

/// A program in Go 1.26.8 with such code. It is the file's first section, and told to begin there.
fn go_client(code: &[u8], listed: &[(&str, u32)]) -> Vec<u8> {
    let version = "go1.26.8";
    let head =
        [b"\xff Go buildinf:\x08\x02", &[0; 16][..], &[version.len() as u8], version.as_bytes()].concat();
    let text = 64 + 2 * 56;
    let part = |name, content| Part { name, kind: 1, link: 0, content };
    let table = functions(text, listed);
    executable_of(
        elf::X86_64,
        8,
        &[part(".text", code.to_vec()), part(".go.buildinfo", head), part(".gopclntab", table)],
    )
}

const CLIENT: [(&str, u32); 4] = [
    ("net/http.(*Transport).dialConn.gowrap3", 0),
    ("net/http.(*persistConn).writeLoop", 64),
    ("net/http.(*Transport).dialConn.func2", 128),
    ("net/http.(*Transport).dialConn", 192),
];

fn writers(file: Vec<u8>) -> Option<Writers> {
    let Ok(Found::Task(place)) = recognise(&Image(file)).unwrap().found else { panic!("not found") };
    place.writers
}

#[test]
fn goroutines_that_write_for_others_are_known_by_their_first_function() {
    let found = writers(go_client(&client(8, 0x10), &CLIENT)).unwrap();
    assert_eq!((found.begin, found.connection), (64 + 2 * 56, 56));
    assert_eq!((found.stack_end, found.channel, found.waiting), (8, 144, 64));
    assert_eq!(writers(go_client(&client(24, 0x10), &CLIENT)).map(|found| found.connection), Some(72));
}

#[test]
fn goroutines_that_write_for_others_are_not_guessed() {
    assert_eq!(writers(go_client(&client(8, 0x18), &CLIENT)), None, "its argument is kept elsewhere");
    assert_eq!(writers(go_client(&client(8, 0x10), &CLIENT[..1])), None, "no such client");
    assert_eq!(writers(go_client(&client(8, 0x10), &CLIENT[1..])), None, "begins with another function");
    let twice = [CLIENT[0], CLIENT[1], ("net/http.(*Transport).dialConn.func9", 0)];
    assert_eq!(writers(go_client(&client(8, 0x10), &twice)), None, "two call it");
    assert_eq!(writers(go_client(&[0; 256], &CLIENT)), None, "other code");
}

/// Whatever piece a name stands in.
#[test]
fn a_table_of_many_functions_is_read_in_pieces() {
    let names: Vec<_> =
        (0..10_000).map(|number| format!("some/module.(*Type).function{number:05}")).collect();
    let mut listed: Vec<_> = names.iter().map(|name| (name.as_str(), 192)).collect();
    listed.splice(9_000..9_000, CLIENT);
    assert_eq!(writers(go_client(&client(8, 0x10), &listed)).map(|found| found.connection), Some(56));
}

#[test]
fn no_file_is_too_broken() {
    for whole in [tokio(&CODE, SETTER), go_client(&client(8, 0x10), &CLIENT)] {
        for len in 0..whole.len() {
            let _ = recognise(&Image(whole[..len].to_vec()));
        }
        for at in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[at] = 0xff;
            let _ = recognise(&Image(spoilt));
        }
    }
    assert_eq!(recognise(&Image(b"#!/bin/sh\n".to_vec())), None);
}

#[test]
fn thread_local_storage_lies_below_the_thread_pointer_or_above() {
    let place = |machine, len, at| {
        let image = Image(executable_of(machine, len, &[]));
        elf::Elf::read(&image).unwrap().thread_place(at)
    };
    assert_eq!(place(elf::X86_64, 0x148, 0x30), Some(0x30 - 0x148));
    assert_eq!(place(elf::X86_64, 0x144, 0x30), Some(0x30 - 0x148), "rounded up to its alignment");
    assert_eq!(place(elf::AARCH64, 0x148, 0x30), Some(0x40));
    assert_eq!(place(elf::X86_64, 0x148, 0x148), None);
}
