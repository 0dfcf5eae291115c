//! Recordings of the causality rig's runtimes are replayed, and their links scored against the truth beside them: the
//! thresholds in `recordings/causality/thresholds.json` hold on any machine, without root and without the programs.

use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan::{
    cli::End,
    config::{self, Flags},
    replay::Replay,
};
use wirespan_export::terminal::{Output, Terminal};
use wirespan_proto::event::Event;
use wirespan_recording::Record;
use wirespan_tests::{
    causality::{
        recorded::{self, Truth},
        score::{self, Score},
        truth::World,
    },
    span::Span,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/causality")
}

/// What is linked today, by the name of the recording.
fn thresholds() -> Result<BTreeMap<String, Value>> {
    let text = fs::read_to_string(folder().join("thresholds.json")).context("read the thresholds")?;
    serde_json::from_str(&text).context("thresholds.json")
}

fn replayed(file: &Path) -> Result<Vec<Span>> {
    let config = config::merge(None, &[], &Flags::default())?.config;
    let mut lines = Vec::new();
    let replayed = Replay::open(file, &config, End::Server.into())?.run(|traces| {
        let _always_open = Terminal::new(&mut lines, Output::Json, false).write(&traces)?;
        Ok(ControlFlow::Continue(()))
    })?;
    ensure!(replayed.damage.is_none() && replayed.notes.is_empty(), "{:?}", replayed.notes);
    String::from_utf8(lines)?.lines().map(Span::parse).collect()
}

fn scored(file: &Path) -> Result<Score> {
    let truth = Truth::beside(file)?;
    let (world, roots) = World::of(&truth.lines)?;
    Ok(score::score(&world, &replayed(file)?, &roots, truth.since))
}

/// What falls short of a threshold.
fn shortfalls(score: &Score, threshold: &Value) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, reached) in
        [("precision", score.precision()), ("recall", score.calls.recall()), ("wire", score.wire.recall())]
    {
        let wanted = threshold[name].as_f64().with_context(|| format!("no number `{name}`"))?;
        if reached < wanted {
            found.push(format!("{name} {reached:.4}, at least {wanted} is due"));
        }
    }
    let adopted = threshold["adopted"].as_u64().context("no number `adopted`")?;
    if score.adopted as u64 > adopted {
        found.push(format!("{} calls of jobs adopted, at most {adopted} may be", score.adopted));
    }
    Ok(found)
}

#[test]
fn links_of_every_runtime_are_as_good_as_they_were() -> Result<()> {
    let (files, thresholds) = (recorded::all(&folder())?, thresholds()?);
    ensure!(files.len() == thresholds.len(), "{} recordings, {} thresholds", files.len(), thresholds.len());
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let score = scored(file).with_context(|| name.to_string())?;
        ensure!(
            score.calls.expected + score.after.expected > 50 && score.wire.expected > 50,
            "{name}: {score:?}"
        );
        println!(
            "{name}: precision {:.4}, recall {:.4}, wire {:.4}, adopted {}",
            score.precision(),
            score.calls.recall(),
            score.wire.recall(),
            score.adopted
        );
        let threshold = thresholds.get(&*name).with_context(|| format!("no threshold for {name}"))?;
        wrong.extend(shortfalls(&score, threshold)?.into_iter().map(|what| format!("{name}: {what}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Adapters and the births of threads are what links tasks and threads: a format that dropped them would still replay.
#[test]
fn recordings_carry_tasks_births_wake_ups_and_sleeps() -> Result<()> {
    let count = |name: &str, what: fn(&Event<'_>) -> bool| -> Result<usize> {
        let see = |record: &Record<'_>| matches!(record, Record::Event(event) if what(event)).then_some(());
        Ok(recorded::look(&folder().join(name).with_extension("wirespan"), see)?.len())
    };
    let task = |event: &Event<'_>| matches!(event, Event::Data(data) if data.task.logical().is_some());
    let numbered = |event: &Event<'_>| matches!(event, Event::Data(data) if data.task.next.is_some());
    for (name, what, wanted) in [
        (
            "python-threads-threads",
            "births",
            (|event| matches!(event, Event::Birth(_))) as fn(&Event<'_>) -> bool,
        ),
        ("python-threads-threads", "deaths", |event| matches!(event, Event::Death(_))),
        ("java-pool-parallel", "wake-ups", |event| matches!(event, Event::Wake(_))),
        ("node-sequential", "sleeps", |event| matches!(event, Event::Data(data) if data.task.rests > 0)),
        ("go-inline-sequential", "goroutines", task),
        ("tokio-multi-inline-sequential", "tasks", task),
        ("tokio-multi-parallel-numbered", "numbers", numbered),
    ] {
        ensure!(count(name, wanted)? > 0, "no {what} in {name}");
    }
    Ok(())
}
