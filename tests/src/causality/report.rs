//! Comes in: outcomes. Goes out: a table, or JSON. Refuses: rounding a wrong link away.

use serde_json::{Value, json};

use super::{
    run::{Outcome, Plan},
    score::{BINS, Links, Score},
};

/// The heading of [`row`].
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<16}{:<11}{:>6}{:>5} | {:>6}{:>8}{:>8}{:>7}{:>7}{:>7} | {:>9}{:>12} | {:>8}{:>8}{:>7} | methods: right/wrong",
        "runtime",
        "pattern",
        "flight",
        "echo",
        "calls",
        "prec%",
        "recall%",
        "wrong",
        "orphan",
        "unseen",
        "adopted",
        "after r/w/o",
        "wire%",
        "exact%",
        "merged"
    )
}

/// A line of the table.
#[must_use]
pub fn row(plan: &Plan, score: &Score) -> String {
    let Links { expected, wrong, orphans, unseen, .. } = score.calls;
    let after = format!("{}/{}/{}", score.after.right, score.after.wrong, score.after.orphans);
    let methods: Vec<_> =
        score.methods.iter().map(|(name, made)| format!("{name} {}/{}", made.right, made.wrong)).collect();
    format!(
        "{:<16}{:<11}{:>6}{:>5} | {expected:>6}{:>8}{:>8}{wrong:>7}{orphans:>7}{unseen:>7} | {:>9}{after:>12} | {:>8}{:>8}{:>7} | {}",
        plan.runtime.name,
        plan.pattern.name,
        plan.in_flight,
        if plan.echo { "yes" } else { "no" },
        percent(score.precision()),
        percent(score.calls.recall()),
        format!("{}/{}", score.adopted, score.background),
        percent(score.wire.recall()),
        percent(super::score::ratio(score.exact, score.traces)),
        score.merged,
        methods.join(", ")
    )
}

/// Two digits, and never 100 for less than all.
fn percent(share: f64) -> String {
    format!("{:.2}", (share * 1e4).floor() / 100.0)
}

/// Stated against observed confidence.
#[must_use]
pub fn calibration(score: &Score) -> String {
    let mut out = String::from("calibration: stated  observed  links\n");
    for (low, bin) in BINS.iter().zip(&score.bins).filter(|(_, bin)| bin.links > 0) {
        let links = bin.links as f64;
        let (stated, observed) = (bin.stated / links, bin.right as f64 / links);
        out += &format!("  from {low:<5} {stated:>8.4}{observed:>10.4}{:>7}\n", bin.links);
    }
    out
}

/// A run as JSON.
#[must_use]
pub fn json(plan: &Plan, outcome: &Outcome) -> Value {
    let score = &outcome.score;
    let methods: serde_json::Map<_, _> = score
        .methods
        .iter()
        .map(|(name, made)| (name.clone(), json!({"right": made.right, "wrong": made.wrong})))
        .collect();
    let bins: Vec<_> = BINS
        .iter()
        .zip(&score.bins)
        .map(|(low, bin)| json!({"from": low, "links": bin.links, "right": bin.right, "stated": bin.stated}))
        .collect();
    json!({
        "runtime": plan.runtime.name, "pattern": plan.pattern.name, "in_flight": plan.in_flight, "echo": plan.echo,
        "precision": score.precision(), "recall": score.calls.recall(),
        "calls": links(&score.calls), "after_answer": links(&score.after), "wire": links(&score.wire),
        "background": score.background, "adopted": score.adopted,
        "traces": score.traces, "exact": score.exact, "merged": score.merged,
        "methods": methods, "calibration": bins, "spans": outcome.spans,
    })
}

fn links(links: &Links) -> Value {
    json!({
        "expected": links.expected, "right": links.right, "wrong": links.wrong, "orphans": links.orphans,
        "unseen": links.unseen,
    })
}
