//! Crashes, really made: a process that appends is killed again and again, its log is torn, and a disk is filled. What was
//! acknowledged is there afterwards, every time, without a repair.
//!
//! The number of kills is `WIRESPAN_KILLS`, 25 if unset.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use common::{SPANS, trace, trace_id};
use wirespan_store::{Embedded, Settings, Store, StoreError};

/// Small, so that blocks are sealed all the time.
const BLOCK: usize = 150;
/// How often the log is torn.
const TEARS: usize = 9;
/// Size of the disk that is filled.
const DISK: &str = "size=6m";

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "append", directory, from] => append(Path::new(directory), from.parse().unwrap()),
        [_, "fill", directory] => fill(Path::new(directory)),
        _ => {
            kills();
            torn_writes();
            full_disk();
        }
    }
}

fn open(directory: &Path) -> Embedded {
    let settings = Settings { block_spans: BLOCK, age: None, ..Settings::new(directory.to_owned()) };
    Embedded::open(settings).unwrap_or_else(|error| panic!("the store does not open: {error}"))
}

/// The process that is killed: says which traces are acknowledged.
fn append(directory: &Path, from: u64) {
    let store = open(directory);
    let mut out = std::io::stdout().lock();
    for n in from.. {
        store.append(trace(n)).unwrap();
        writeln!(out, "{n}").unwrap();
    }
}

fn start(directory: &Path, from: u64) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("append").arg(directory).arg(from.to_string()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn kills() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let kills: u64 = env::var("WIRESPAN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(25);
    let mut next = 0;
    let mut acknowledged = Vec::new();
    for kill in 0..kills {
        let mut child = start(&data, next);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A different number each time, so that every step of sealing is met sooner or later.
        let wanted = 1 + kill * 37 % 101;
        acknowledged
            .extend(lines.by_ref().take(wanted as usize).map(|line| line.unwrap().parse::<u64>().unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| line.parse::<u64>().ok()));
        next = acknowledged.last().unwrap() + 2;
    }
    let store = open(&data);
    for n in &acknowledged {
        assert_eq!(store.trace(trace_id(*n)).unwrap(), trace(*n), "trace {n}");
    }
    let figure = store.figure().unwrap();
    let least = acknowledged.len() as u64 * SPANS;
    // The batch that was under way when the process died may be there or not.
    assert!((least..=least + kills * SPANS).contains(&figure.spans), "{} of {least}", figure.spans);
    assert!(figure.blocks > 0, "nothing was ever sealed");
    println!(
        "killed {kills} times: {} acknowledged traces are there, {} blocks",
        acknowledged.len(),
        figure.blocks
    );
}

/// What a crash leaves of a write that was under way: the log ends in half a frame, or in one that is not what was meant; a
/// block is not whole. None of that was acknowledged, so all that was is there.
fn torn_writes() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut acknowledged = 0;
    for (round, tear) in
        [short as fn(&mut Vec<u8>), noisy, zeroed].into_iter().cycle().take(TEARS).enumerate()
    {
        let mut child = start(&data, acknowledged);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let last = lines.by_ref().take(20 + round).last().unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let last = lines.map_while(Result::ok).last().unwrap_or(last);
        acknowledged = last.parse::<u64>().unwrap() + 1;
        let log = data.join("catalogue.sqlite-wal");
        let mut bytes = fs::read(&log).unwrap();
        tear(&mut bytes);
        fs::write(&log, bytes).unwrap();
        fs::write(data.join("blocks/9999999999.parquet"), b"PAR1 and no more").unwrap();
        let store = open(&data);
        check(&store, acknowledged);
        // What was under way may be there as well.
        acknowledged += u64::from(!store.trace(trace_id(acknowledged)).unwrap().is_empty());
    }
    println!("torn {TEARS} times: {acknowledged} acknowledged traces are there");
}

/// SQLite's log: a head of 32 bytes, then frames of 24 bytes and a page (sqlite.org/fileformat2.html, 4.1).
const FRAME: usize = 24 + 4096;

/// A frame that was written in part.
fn short(log: &mut Vec<u8>) {
    let part: Vec<u8> = log.iter().skip(32).take(FRAME / 3).copied().collect();
    log.extend(part);
}

/// A frame whose page is not what its check sum says.
fn noisy(log: &mut Vec<u8>) {
    let mut frame: Vec<u8> = log.iter().skip(32).take(FRAME).copied().collect();
    frame.iter_mut().skip(24).step_by(97).for_each(|byte| *byte ^= 0x55);
    log.extend(frame);
}

/// Room that was taken and never written.
fn zeroed(log: &mut Vec<u8>) {
    log.extend([0; 3 * FRAME]);
}

/// A small disk of our own, in a mount namespace that ends with the process.
fn full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o {DISK} tmpfs \"$1\" && exec \"$2\" fill \"$1\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]);
    command.arg(directory.path()).arg(env::current_exe().unwrap());
    let output = command.output();
    let allowed = Command::new("unshare").args(["--mount", "--map-root-user", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("full disk: left out, this user may make no mount namespaces");
        return;
    }
    let output = output.unwrap();
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the store does not survive a full disk");
}

fn fill(directory: &Path) {
    let reserve: PathBuf = directory.join("reserve");
    fs::write(&reserve, vec![1; 1 << 20]).unwrap();
    let data = directory.join("data");
    let store = open(&data);
    let mut acknowledged = 0;
    let refused = loop {
        match store.append(trace(acknowledged)) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1_000_000, "the disk is never full");
    };
    assert!(matches!(refused, StoreError::Full(_) | StoreError::Busy), "{refused:?}");
    check(&store, acknowledged);
    drop(store);
    fs::remove_file(&reserve).unwrap();
    let store = open(&data);
    check(&store, acknowledged);
    store.append(trace(acknowledged + 1)).unwrap();
    check(&store, acknowledged);
    println!(
        "full disk: {acknowledged} acknowledged traces are there, and more are taken when there is room"
    );
}

fn check(store: &Embedded, acknowledged: u64) {
    for n in 0..acknowledged {
        assert_eq!(store.trace(trace_id(n)).unwrap().len() as u64, SPANS, "trace {n} of {acknowledged}");
    }
}
