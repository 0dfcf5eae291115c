//! Spans as they arrive: server-sent events of the collector in, a line for each span out, until one of the two ends.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, bail};
use serde_json::Value as Json;

use super::{http, show};
use crate::{cli::Shape, config::Config};

/// Bytes of the longest line that is read.
const LONGEST: u64 = 1 << 20;

/// Shows what comes.
///
/// # Errors
/// There is no collector, it does not answer, or it has ended.
pub(super) fn follow(out: &mut dyn Write, config: &Config, path: &str, shape: Shape) -> anyhow::Result<()> {
    let mut stream = BufReader::new(http::send(config, "GET", path, &[])?);
    let status = head(&mut stream)?;
    if status != 200 {
        http::accept(status, &http::gather(&mut stream)?)?;
    }
    while let Some(line) = line(&mut stream)? {
        let Some(event) = line.strip_prefix("data:").and_then(|text| serde_json::from_str(text).ok()) else {
            continue;
        };
        write(out, &event, shape)?;
        out.flush()?;
    }
    bail!("the collector has ended")
}

fn write(out: &mut dyn Write, event: &Json, shape: Shape) -> std::io::Result<()> {
    match (shape, event["batches"].as_u64()) {
        (Shape::Json, _) => writeln!(out, "{event}"),
        (Shape::Table, Some(batches)) => writeln!(out, "({batches} batches were missed: too many spans)"),
        (Shape::Table, None) => show::hit(out, event),
    }
}

/// Reads the answer's head; its status.
fn head(stream: &mut dyn BufRead) -> anyhow::Result<u16> {
    let first = line(stream)?.context("the collector does not answer")?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    while line(stream)?.is_some_and(|line| !line.is_empty()) {}
    status.context("the collector's answer is not HTTP")
}

fn line(stream: &mut dyn BufRead) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::Read::take(stream, LONGEST).read_line(&mut line);
    let bytes = read.context("the collector does not answer any more")?;
    Ok((bytes > 0).then(|| line.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines() {
        let mut stream = &b"HTTP/1.0 200 OK\r\na: b\r\n\r\nevent: span\ndata: {}\n"[..];
        assert_eq!(head(&mut stream).unwrap(), 200);
        assert_eq!(line(&mut stream).unwrap().as_deref(), Some("event: span"));
        assert_eq!(line(&mut stream).unwrap().as_deref(), Some("data: {}"));
        assert_eq!(line(&mut stream).unwrap(), None);
    }
}
