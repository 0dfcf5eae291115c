//! Comes in: a trace. Goes out: a waterfall beside a tree. Numbers stand left, so that depth cannot push them out
//! of their columns:
//!
//! ```text
//! trace 4bf92f3577b34da6a3ce929d0e0e4736  12:00:00.000  2 spans  12.4 ms
//!      +0 ns  12.4 ms  ████████████████  shop ← GET /cart/{id} 200
//!   +1.10 ms  9.90 ms   █████████████    └─ shop → GET 10.0.0.7:8080 ok  task 90 %
//! ```
//!
//! Rows and depth are bounded; what is not drawn is counted. Ids come from strangers' headers: parents may be
//! missing, doubled or in a circle, and every span is drawn once all the same.

use std::{collections::HashMap, fmt::Write};

use super::{
    duration::{duration, offset, time_of_day},
    label,
    style::{Part, Style},
};
use crate::{
    convention::hex,
    span::UnixNanos,
    trace::{Method, SpanId, Trace, TracedSpan},
};

/// Rows of one part of a trace.
const ROWS: usize = 1000;
/// Levels that are indented; deeper ones show their level as a number.
const DEPTH: usize = 24;
/// Columns of the waterfall.
const BAR: u64 = 16;
/// From here on a link is not worth a word.
const CERTAIN: f32 = 0.995;

/// Appends a trace.
pub(super) fn render(trace: &Trace, style: Style, out: &mut String) {
    let Some(extent) = Extent::of(trace) else { return };
    style.put(out, Part::Faint, format_args!("trace {}", hex(&trace.id.0)));
    let count = trace.spans.len();
    let plural = if count == 1 { "" } else { "s" };
    let (time, lasted) = (time_of_day(extent.start), duration(extent.length));
    let _infallible = writeln!(out, "  {time}  {count} span{plural}  {lasted}");
    for row in Rows::of(trace).take(ROWS) {
        draw(&row, &extent, style, out);
    }
    if count > ROWS {
        let _infallible = writeln!(out, "{:38}… and {} more spans, not drawn", "", count - ROWS);
    }
}

/// From the first start to the last end.
struct Extent {
    start: UnixNanos,
    length: u64,
}

impl Extent {
    fn of(trace: &Trace) -> Option<Self> {
        let start = trace.spans.iter().map(|span| span.span.start).min()?;
        let end = trace.spans.iter().map(|span| span.span.end).max()?;
        Some(Self { start, length: end.0.saturating_sub(start.0) })
    }

    /// The span's share as blocks; at least one.
    fn bar(&self, span: &TracedSpan) -> String {
        let column = |time: UnixNanos, round_up: bool| {
            let scaled = u128::from(time.0.saturating_sub(self.start.0)) * u128::from(BAR);
            let length = u128::from(self.length.max(1));
            let column = if round_up { scaled.div_ceil(length) } else { scaled / length };
            usize::try_from(column).unwrap_or(usize::MAX).min(BAR as usize)
        };
        let first = column(span.span.start, false).min(BAR as usize - 1);
        let width = column(span.span.end, true).saturating_sub(first).max(1);
        format!("{:first$}{}", "", "█".repeat(width))
    }
}

/// One span and where it hangs.
struct Row<'a> {
    span: &'a TracedSpan,
    /// The lines left of it.
    branches: String,
    /// Its parent is not in this part.
    severed: bool,
}

/// Spans in the order of drawing: depth first, siblings by start.
struct Rows<'a> {
    children: HashMap<SpanId, Vec<&'a TracedSpan>>,
    stack: Vec<Pending<'a>>,
}

struct Pending<'a> {
    span: &'a TracedSpan,
    depth: usize,
    /// What its children's rows begin with, before their own branch.
    stem: String,
    branch: &'static str,
    severed: bool,
}

impl<'a> Rows<'a> {
    fn of(trace: &'a Trace) -> Self {
        let (children, roots) = family(trace);
        let mut rows = Self { children, stack: Vec::new() };
        rows.push_roots(roots);
        rows
    }

    fn push_roots(&mut self, roots: Vec<&'a TracedSpan>) {
        for span in roots.into_iter().rev() {
            let severed = span.parent.is_some();
            self.stack.push(Pending { span, depth: 0, stem: String::new(), branch: "", severed });
        }
    }

    fn push_children(&mut self, parent: &Pending<'a>) {
        let Some(children) = self.children.remove(&parent.span.span_id) else { return };
        let depth = parent.depth + 1;
        let stem = match parent.branch {
            _ if depth > DEPTH => parent.stem.clone(),
            "" => String::new(),
            "├─ " => format!("{}│  ", parent.stem),
            _ => format!("{}   ", parent.stem),
        };
        for (nth, span) in children.into_iter().rev().enumerate() {
            let branch = if nth == 0 { "└─ " } else { "├─ " };
            self.stack.push(Pending { span, depth, stem: stem.clone(), branch, severed: false });
        }
    }

    /// Only circles are left: the earliest of them becomes a root, which opens its circle.
    fn open_circle(&mut self) -> Option<Pending<'a>> {
        let earliest =
            |(_, children): &(&SpanId, &Vec<&'a TracedSpan>)| children.first().map(|s| s.span.start);
        let (&id, _) = self.children.iter().min_by_key(earliest)?;
        let mut circle = self.children.remove(&id)?;
        let span = circle.remove(0);
        if !circle.is_empty() {
            self.children.insert(id, circle);
        }
        Some(Pending { span, depth: 0, stem: String::new(), branch: "", severed: true })
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let pending = match self.stack.pop() {
            Some(pending) => pending,
            None => self.open_circle()?,
        };
        self.push_children(&pending);
        let Pending { span, depth, stem, branch, severed } = pending;
        let level = if depth > DEPTH { format!("({depth}) ") } else { String::new() };
        Some(Row { span, branches: format!("{stem}{branch}{level}"), severed })
    }
}

type Children<'a> = HashMap<SpanId, Vec<&'a TracedSpan>>;

/// Children by their parent's id, and those that have none here; both by start.
fn family(trace: &Trace) -> (Children<'_>, Vec<&TracedSpan>) {
    let mut children: Children<'_> = trace.spans.iter().map(|span| (span.span_id, Vec::new())).collect();
    let mut roots = Vec::new();
    let mut spans: Vec<_> = trace.spans.iter().collect();
    spans.sort_by_key(|span| span.span.start);
    for span in spans {
        match span.parent.and_then(|parent| children.get_mut(&parent.span_id)) {
            Some(siblings) => siblings.push(span),
            None => roots.push(span),
        }
    }
    children.retain(|_, siblings| !siblings.is_empty());
    (children, roots)
}

fn draw(row: &Row<'_>, extent: &Extent, style: Style, out: &mut String) {
    let span = row.span.span.as_ref();
    let (outcome, failed) = label::outcome(span);
    let lasted = duration(span.end.0.saturating_sub(span.start.0));
    let _infallible = write!(out, "{:>10} {lasted:>8}  ", offset(extent.start, span.start));
    let bar_part = if failed { Part::Error } else { Part::Service };
    style.put(out, bar_part, format_args!("{:width$}", extent.bar(row.span), width = BAR as usize));
    out.push_str("  ");
    style.put(out, Part::Faint, &row.branches);
    style.put(out, Part::Service, label::service(span));
    let _infallible = write!(out, " {} ", label::arrow(span.role));
    style.put(out, Part::Name, label::subject(span));
    out.push(' ');
    style.put(out, if failed { Part::Error } else { Part::Faint }, outcome);
    out.push_str(if failed { " !" } else { "" });
    remarks(row, style, out);
    out.push('\n');
}

/// What the tree itself does not show: uncertain parents, missing ones, links.
fn remarks(row: &Row<'_>, style: Style, out: &mut String) {
    if let Some(parent) = row.span.parent {
        if row.severed {
            let whence = if parent.remote { "on another host" } else { "elsewhere" };
            style.put(out, Part::Notable, format_args!("  ↑ parent {} {whence}", hex(&parent.span_id.0)));
        }
        if parent.confidence < CERTAIN {
            style.put(out, Part::Notable, format_args!("  {}", certainty(parent.method, parent.confidence)));
        }
    }
    if let Some(link) = row.span.links.first() {
        let id = hex(link.trace_id.0.get(..4).unwrap_or_default());
        let how = certainty(link.method, link.confidence);
        let more = row.span.links.len() - 1;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        style.put(out, Part::Notable, format_args!("  ⤳ {id}/{} {how}{more}", hex(&link.span_id.0)));
    }
}

fn certainty(method: Method, confidence: f32) -> String {
    format!("{} {:.0} %", method.name(), confidence * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample::{self, at, below, client, parent, server},
        trace::{Link, Parent, TraceId},
    };

    fn plain(trace: &Trace) -> String {
        let mut out = String::new();
        render(trace, Style { colour: false }, &mut out);
        out
    }

    /// The part right of the bars, without the head.
    fn labels(spans: Vec<TracedSpan>) -> Vec<String> {
        let text = plain(&sample::trace(spans));
        text.lines().skip(1).map(|line| line.chars().skip(39).collect()).collect()
    }

    #[test]
    fn a_trace() {
        let expected = "\
trace 4bf92f3577b34da6a3ce929d0e0e4736  12:00:00.000  3 spans  12.4 ms
     +0 ns  12.4 ms  ████████████████  shop ← GET /cart/{id} 200
  +1.10 ms  9.90 ms   ██████████████   └─ shop → GET 10.0.0.7:8080 ok  task 90 %
  +1.30 ms  9.60 ms   ██████████████      └─ cart ← GET /items 500 !
";
        assert_eq!(plain(&sample::shop()), expected);
    }

    #[test]
    fn siblings_by_start_with_their_lines() {
        let spans = vec![
            at(server(1, "GET /"), 0, 100),
            below(at(client(4, "GET d"), 50, 60), parent(1, Method::Task, 1.0)),
            below(at(client(2, "GET b"), 10, 20), parent(1, Method::Task, 1.0)),
            below(at(server(3, "GET c"), 11, 12), parent(2, Method::Wire, 1.0)),
        ];
        let expected =
            ["shop ← GET / ok", "├─ shop → GET b ok", "│  └─ shop ← GET c ok", "└─ shop → GET d ok"];
        assert_eq!(labels(spans), expected);
    }

    #[test]
    fn a_parent_that_is_not_here_is_said() {
        let remote = Parent { remote: true, ..parent(9, Method::Header, 1.0) };
        let spans = vec![
            below(at(server(1, "GET /a"), 0, 2), remote),
            below(at(client(2, "GET"), 1, 2), parent(8, Method::Handoff, 0.7)),
        ];
        let expected = [
            "shop ← GET /a ok  ↑ parent 0000000000000009 on another host",
            "shop → GET ok  ↑ parent 0000000000000008 elsewhere  handoff 70 %",
        ];
        assert_eq!(labels(spans), expected);
    }

    #[test]
    fn links_are_shown() {
        let mut span = client(1, "GET");
        let link = Link {
            trace_id: TraceId([5; 16]),
            span_id: sample::id(6),
            method: Method::Task,
            confidence: 0.4,
        };
        span.links = vec![link, link];
        assert_eq!(labels(vec![span]), ["shop → GET ok  ⤳ 05050505/0000000000000006 task 40 % and 1 more"]);
    }

    #[test]
    fn circles_and_doubled_ids_are_drawn_once() {
        let wire = |id| parent(id, Method::Wire, 1.0);
        let spans = vec![
            below(at(server(1, "own child"), 0, 9), wire(1)),
            below(at(server(2, "a"), 1, 9), wire(3)),
            below(at(server(3, "b"), 2, 9), wire(2)),
            at(server(4, "root"), 3, 9),
            at(server(4, "double"), 4, 9),
            below(at(server(5, "child"), 5, 9), wire(4)),
        ];
        let drawn = labels(spans);
        let expected = [
            "shop ← root ok",
            "└─ shop ← child ok",
            "shop ← double ok",
            "shop ← own child ok  ↑ parent 0000000000000001 elsewhere",
            "shop ← a ok  ↑ parent 0000000000000003 elsewhere",
            "└─ shop ← b ok",
        ];
        assert_eq!(drawn, expected);
    }

    /// `count` spans, each below the one before (or all below the first).
    fn many(count: u32, chain: bool) -> Trace {
        let id = |number: u32| SpanId((u64::from(number) + 1).to_be_bytes());
        let span = |number: u32| {
            let mut span = at(server(1, "GET /"), u64::from(number), 200_000);
            span.span_id = id(number);
            let above = if chain { number.checked_sub(1) } else { (number > 0).then_some(0) };
            span.parent = above.map(|above| Parent { span_id: id(above), ..parent(0, Method::Wire, 1.0) });
            span
        };
        sample::trace((0..count).map(span).collect())
    }

    #[test]
    fn deep_and_wide_traces_are_bounded() {
        for chain in [true, false] {
            let text = plain(&many(100_000, chain));
            assert_eq!(text.lines().count(), ROWS + 2);
            assert!(text.ends_with("… and 99000 more spans, not drawn\n"));
            assert!(text.lines().all(|line| line.chars().count() < 160));
        }
        assert!(plain(&many(30, true)).contains("(29) shop"));
    }

    #[test]
    fn clocks_that_disagree_do_not_overflow() {
        let mut span = server(1, "GET /");
        (span.span.start, span.span.end) = (UnixNanos(u64::MAX), UnixNanos(0));
        let drawn = plain(&sample::trace(vec![span, server(2, "GET /")]));
        assert_eq!(drawn.lines().count(), 3);
    }
}
