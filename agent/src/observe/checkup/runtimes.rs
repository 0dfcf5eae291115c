//! Which runtimes the programs of this host have, and whether their tasks are read. Comes in: every process. Goes out: one
//! finding a runtime. Refuses: to call a program's own way of being built a fault of this host.

use std::{collections::BTreeMap, fs, path::Path};

use super::Finding;
use crate::runtime::Programs;

/// Processes that are looked at.
const MOST: usize = 4096;
/// Processes that are named in one finding.
const NAMED: usize = 8;

/// What was found of one runtime.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    read: usize,
    /// Those of which something tells who starts a task.
    started: usize,
    /// Those of which is known who hands requests to tasks that write for others.
    handed: usize,
    /// Those of which is known who waits for a task.
    awaited: usize,
    /// Process and why its tasks are not read.
    unread: Vec<(u32, String)>,
}

/// About the processes below `/proc`.
pub(super) fn findings() -> Vec<Finding> {
    let mut programs = Programs::default();
    let mut tallies = BTreeMap::<_, Tally>::new();
    for pid in processes(Path::new("/proc")) {
        let Some(runtime) = programs.of(pid) else { continue };
        let tally = tallies.entry(runtime.name).or_default();
        match runtime.tasks {
            Ok(place) => {
                tally.read += 1;
                let starter = place.within.is_some_and(|fields| fields.starter.is_some());
                tally.started += usize::from(starter || place.next.is_some());
                tally.handed += usize::from(place.writers.is_some());
                tally.awaited += usize::from(place.awaited.is_some());
            }
            Err(why) => tally.unread.push((pid, why.to_string())),
        }
    }
    tallies.into_iter().map(|(name, tally)| finding(name, &tally)).collect()
}

fn processes(root: &Path) -> Vec<u32> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(MOST).collect()
}

fn finding(name: &'static str, tally: &Tally) -> Finding {
    let processes = if tally.read == 1 { "process" } else { "processes" };
    let mut text = format!("the tasks of {} {processes} are read", tally.read);
    if tally.started > 0 {
        text += &format!(", of {} of these also when or by whom they were started", tally.started);
    }
    if tally.handed > 0 {
        text += &format!(", of {} who hands requests to pooled connections", tally.handed);
    }
    if tally.awaited > 0 {
        text += &format!(", of {} who waits for a task", tally.awaited);
    }
    if !tally.unread.is_empty() {
        let named = tally.unread.iter().take(NAMED).map(|(pid, why)| format!("{pid} ({why})"));
        let (named, more) = (named.collect::<Vec<_>>().join(", "), tally.unread.len().saturating_sub(NAMED));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &format!("; of these only the threads are known: {named}{more}");
    }
    Finding::well(name, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_named_with_its_reason() {
        let unread = (1..=9).map(|pid| (pid, "it is stripped".to_owned())).collect();
        let text = finding("Go", &Tally { read: 3, started: 2, handed: 1, awaited: 2, unread }).text;
        let start = "the tasks of 3 processes are read, of 2 of these also when or by whom they were started, of 1 who \
                     hands requests to pooled connections, of 2 who waits for a task; of these only";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("1 (it is stripped)") && text.ends_with("and 1 more"), "{text}");
    }
}
