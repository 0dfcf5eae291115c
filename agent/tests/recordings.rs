//! Every file in `tests/recordings` is replayed and gives the spans in the `.json` file beside it, for ever. To write
//! those of a new file, or to see what a change does to the old ones: `REPLAY_GOLDEN=write cargo test -p wirespan
//! --test recordings`, then read the difference like code.

use std::{
    fs,
    io::Cursor,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use wirespan::{
    cli::End,
    config::{self, Config, Flags},
    replay::{Replay, Replayed},
};
use wirespan_export::terminal::{Output, Terminal};

fn defaults() -> Config {
    config::merge(None, &[], &Flags::default()).expect("the defaults are sound").config
}

/// All recordings and captures, by name.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.retain(|file| {
        let name = file.to_string_lossy();
        [".wirespan", ".pcap", ".pcap.gz", ".pcapng.gz"].iter().any(|end| name.ends_with(end))
    });
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    files
}

/// The spans of a file, a line each, and the summary.
fn replay(bytes: Vec<u8>, end: End) -> Option<(String, Replayed)> {
    let replay = Replay::read(Cursor::new(bytes), &defaults(), end.into()).ok()?;
    let mut spans = Vec::new();
    let replayed = replay
        .run(|traces| {
            let _always_open = Terminal::new(&mut spans, Output::Json, false).write(&traces)?;
            Ok(ControlFlow::Continue(()))
        })
        .expect("memory takes everything");
    Some((String::from_utf8(spans).expect("JSON is UTF-8"), replayed))
}

#[test]
fn old_files_give_the_same_spans_for_ever() {
    for file in files() {
        let golden = PathBuf::from(format!("{}.json", file.display()));
        let (spans, replayed) = replay(fs::read(&file).unwrap(), End::Server).expect("it is readable");
        assert!(replayed.damage.is_none(), "{}", file.display());
        let spans = format!("{spans}{}\n", replayed.notes.join("\n"));
        if std::env::var_os("REPLAY_GOLDEN").is_some_and(|asked| asked == "write") {
            fs::write(&golden, &spans).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(spans, expected, "{} has other spans now", file.display());
    }
}

#[test]
fn both_ends_of_a_capture_are_linked_by_the_wire() {
    let file = files().into_iter().find(|file| file.ends_with("loopback.pcap")).expect("it is there");
    let (server, _) = replay(fs::read(&file).unwrap(), End::Server).unwrap();
    let (client, _) = replay(fs::read(&file).unwrap(), End::Client).unwrap();
    let (both, _) = replay(fs::read(&file).unwrap(), End::Both).unwrap();
    let count = |spans: &str, what: &str| spans.matches(what).count();
    let exchanges = server.lines().count();
    assert!(exchanges > 0 && client.lines().count() == exchanges);
    assert_eq!((count(&server, r#""kind":2"#), count(&client, r#""kind":3"#)), (exchanges, exchanges));
    assert_eq!(both.lines().count(), 2 * exchanges);
    assert_eq!(count(&both, r#""wirespan.link.method":"wire""#), exchanges);
}

/// Every file cut at many places, and with bytes changed at many places: it ends, and harms nothing.
#[test]
fn damaged_files_are_replayed_as_far_as_they_go() {
    for file in files() {
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            let cut = whole.get(..at).unwrap_or_default().to_vec();
            if let Some((_, replayed)) = replay(cut, End::Both) {
                assert_eq!(replayed.summary.counters.panics, 0);
            }
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            if let Some((_, replayed)) = replay(changed, End::Both) {
                assert_eq!(replayed.summary.counters.panics, 0);
            }
        }
    }
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let refused = |bytes: &[u8]| {
        let replay = Replay::read(Cursor::new(bytes.to_vec()), &defaults(), End::Server.into());
        replay.err().map(|error| format!("{error:#}")).expect("it is refused")
    };
    let neither = "it is neither a recording of wirespan nor a pcap or pcapng file";
    assert_eq!(refused(b""), neither);
    assert_eq!(refused(b"\x7fELF and so on"), neither);
    let wireless = [&b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], &[0; 12], &[127, 0, 0, 0]].concat();
    assert!(refused(&wireless).starts_with("link type 127 is not supported"), "{}", refused(&wireless));
}
