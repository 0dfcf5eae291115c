//! Comes in: outcomes. Goes out: a table, or JSON. Refuses: rounding a wrong link away.

use serde_json::{Value, json};

use super::{
    run::{Outcome, Plan},
    score::{BINS, Links, Made, Score, ratio},
};

/// The heading of [`row`].
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<21}{:<11}{:>5}{:>8}{:>7}{:>6}{:>5} | {:>6}{:>8}{:>8}{:>7}{:>7}{:>7} | {:>9}{:>12} | {:>8}{:>8}{:>7} | \
         methods: right/wrong",
        "runtime",
        "pattern",
        "asked",
        "flight",
        "failed",
        "lost",
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

/// A line of the table; in echo mode two.
#[must_use]
pub fn rows(plan: &Plan, outcome: &Outcome) -> String {
    let echo = if plan.echo { "seen" } else { "no" };
    let masked = outcome.masked.iter().map(|score| format!("\n{}", row(plan, outcome, score, "mask")));
    row(plan, outcome, &outcome.score, echo) + &masked.collect::<String>()
}

fn row(plan: &Plan, outcome: &Outcome, score: &Score, echo: &str) -> String {
    let Links { expected, wrong, orphans, unseen, .. } = score.calls;
    let after = format!("{}/{}/{}", score.after.right, score.after.wrong, score.after.orphans);
    let methods: Vec<_> = score
        .methods
        .iter()
        .map(|(name, made)| format!("{name} {}/{}", made.right(), made.wrong()))
        .collect();
    format!(
        "{:<21}{:<11}{:>5}{:>8.1}{:>7}{:>6}{:>5} | {expected:>6}{:>8}{:>8}{wrong:>7}{orphans:>7}{unseen:>7} | \
         {:>9}{after:>12} | {:>8}{:>8}{:>7} | {}",
        plan.runtime.name,
        plan.pattern.name,
        plan.in_flight,
        outcome.in_flight,
        outcome.failed,
        outcome.lost,
        echo,
        percent(score.precision()),
        percent(score.calls.recall()),
        format!("{}/{}", score.adopted, score.background),
        percent(score.wire.recall()),
        percent(ratio(score.exact, score.traces)),
        score.merged,
        methods.join(", ")
    )
}

/// Two digits, and never 100 for less than all.
fn percent(share: f64) -> String {
    format!("{:.2}", (share * 1e4).floor() / 100.0)
}

/// What each method made, and its stated against its observed confidence.
#[must_use]
pub fn by_method(score: &Score) -> String {
    let mut out = String::from("by method        from  stated  observed   links   wrong  of all links%\n");
    let all = score.calls.expected + score.after.expected + score.wire.expected;
    for (method, made) in &score.methods {
        for (low, bin) in BINS.iter().zip(&made.0).filter(|(_, bin)| bin.links > 0) {
            let links = bin.links as f64;
            out += &format!(
                "{method:<14}{low:>7}{:>8.4}{:>10.4}{:>8}{:>8}{:>15}\n",
                bin.stated / links,
                bin.right as f64 / links,
                bin.links,
                bin.links - bin.right,
                percent(ratio(bin.right, all)),
            );
        }
    }
    out
}

/// A run as JSON.
#[must_use]
pub fn json(plan: &Plan, outcome: &Outcome) -> Value {
    let mut report = json!({
        "runtime": plan.runtime.name, "pattern": plan.pattern.name, "in_flight": plan.in_flight, "echo": plan.echo,
        "reached_in_flight": outcome.in_flight, "failed": outcome.failed, "lost_events": outcome.lost,
        "requests": plan.requests, "warm_up": plan.warm_up, "rate": plan.rate,
        "spans": outcome.spans, "words": outcome.words,
    });
    if let (Some(report), Value::Object(verdict)) = (report.as_object_mut(), verdict(&outcome.score)) {
        report.extend(verdict);
        report.extend(outcome.masked.as_ref().map(|score| ("masked".to_owned(), self::verdict(score))));
    }
    report
}

fn verdict(score: &Score) -> Value {
    let methods: serde_json::Map<_, _> =
        score.methods.iter().map(|(name, made)| (name.clone(), method(score, name, made))).collect();
    json!({
        "precision": score.precision(), "recall": score.calls.recall(),
        "calls": links(&score.calls), "after_answer": links(&score.after), "wire": links(&score.wire),
        "background": score.background, "adopted": score.adopted,
        "traces": score.traces, "exact": score.exact, "merged": score.merged, "methods": methods,
    })
}

/// `recall` is the method's own share of all that were to be found.
fn method(score: &Score, name: &str, made: &Made) -> Value {
    let bins = BINS.iter().zip(&made.0).filter(|(_, bin)| bin.links > 0);
    let bins: Vec<_> = bins
        .map(|(low, bin)| json!({"from": low, "links": bin.links, "right": bin.right, "stated": bin.stated}))
        .collect();
    let (right, wrong) = (made.right(), made.wrong());
    let all = if name == "wire" { score.wire.expected } else { score.calls.expected + score.after.expected };
    json!({
        "right": right, "wrong": wrong, "precision": ratio(right, right + wrong), "recall": ratio(right, all),
        "calibration": bins,
    })
}

fn links(links: &Links) -> Value {
    json!({
        "expected": links.expected, "right": links.right, "wrong": links.wrong, "orphans": links.orphans,
        "unseen": links.unseen,
    })
}
