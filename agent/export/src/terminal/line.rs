//! Comes in: a trace. Goes out: one line a span, in columns that stay in place:
//!
//! ```text
//! 12:00:00.001  9.90 ms  shop             → GET 10.0.0.7:8080                      200    4bf92f35
//! ```

use std::fmt::Write;

use super::{
    duration::{duration, time_of_day},
    label,
    style::{Part, Style},
};
use crate::{
    convention::hex,
    trace::{Trace, TracedSpan},
};

const SERVICE: usize = 16;
const SUBJECT: usize = 38;

/// Appends the lines of a trace.
pub(super) fn render(trace: &Trace, style: Style, out: &mut String) {
    // The first half of a trace id suffices to find its fellows in what fits on a screen.
    let id = hex(trace.id.0.get(..4).unwrap_or_default());
    for span in &trace.spans {
        line(span, &id, style, out);
    }
}

fn line(traced: &TracedSpan, id: &str, style: Style, out: &mut String) {
    let span = traced.span.as_ref();
    let (outcome, failed) = label::outcome(span);
    let lasted = duration(span.end.0.saturating_sub(span.start.0));
    style.put(out, Part::Faint, time_of_day(span.start));
    let _infallible = write!(out, " {lasted:>8}  ");
    style.put(out, Part::Service, format_args!("{:SERVICE$}", label::cut(&label::service(span), SERVICE)));
    let _infallible = write!(out, " {} ", label::arrow(span.role));
    style.put(out, Part::Name, format_args!("{:SUBJECT$}", label::cut(&label::subject(span), SUBJECT)));
    out.push(' ');
    style.put(
        out,
        if failed { Part::Error } else { Part::Faint },
        format_args!("{:6}", mark(&outcome, failed)),
    );
    out.push(' ');
    style.put(out, Part::Faint, id);
    out.push('\n');
}

/// Without colour a failure must still be seen.
fn mark(outcome: &str, failed: bool) -> String {
    if failed { format!("{outcome} !") } else { outcome.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, span::Value};

    fn plain(trace: &Trace) -> String {
        let mut out = String::new();
        render(trace, Style { colour: false }, &mut out);
        out
    }

    #[test]
    fn one_line_a_span() {
        let expected = "\
12:00:00.000  12.4 ms  shop             ← GET /cart/{id}                         200    4bf92f35
12:00:00.001  9.90 ms  shop             → GET 10.0.0.7:8080                      ok     4bf92f35
12:00:00.001  9.60 ms  cart             ← GET /items                             500 !  4bf92f35
";
        assert_eq!(plain(&sample::shop()), expected);
    }

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        let span =
            sample::with(sample::server(1, "GET"), "url.path", Value::Text("/\x1b[2J\n\u{202e}x".into()));
        let line = plain(&sample::trace(vec![span]));
        assert_eq!(line.matches(|c: char| c.is_control()).collect::<Vec<_>>(), ["\n"]);
        assert!(line.contains("GET /\\u{1b}[2J\\n\\u{202e}x"), "{line}");
    }

    #[test]
    fn long_text_is_cut_to_its_column() {
        let long = Box::leak("n".repeat(99).into_boxed_str());
        let span = sample::span(1, crate::span::Role::Server, long, long);
        assert_eq!(
            plain(&sample::trace(vec![span])).chars().count(),
            plain(&sample::trace(vec![sample::server(1, "GET /")])).chars().count()
        );
    }

    #[test]
    fn colour_only_when_asked_for() {
        let mut out = String::new();
        render(&sample::shop(), Style { colour: true }, &mut out);
        assert!(out.contains("\x1b[31m500 ! \x1b[0m") && !plain(&sample::shop()).contains('\x1b'));
    }
}
