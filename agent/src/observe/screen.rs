//! The screen of `top` as text. Comes in: the [`Board`], what wirespan itself costs, the size of the terminal. Goes out:
//! lines of exactly that size. Refuses: writing beyond the edge of a small terminal.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    board::{Board, Line},
    process,
    watch::Watch,
};

/// Columns for the numbers at the right: rate, errors, p50, p99, with the blanks before them.
const NUMBERS: usize = 9 + 7 + 9 + 9;

/// Columns for the service at the left.
const SERVICE: usize = 18;

/// What wirespan itself does and costs, in one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    /// Attach plan.
    pub plan: String,
    /// CPU time, percent of one CPU.
    pub cpu_percent: f64,
    /// Memory in RAM, bytes.
    pub memory: u64,
    /// CPU time of the kernel programs, percent of one CPU; `None` where the kernel does not measure it.
    pub programs_percent: Option<f64>,
    /// Events lost since the start.
    pub lost: u64,
}

/// Finds out what an interval cost.
#[derive(Debug, Default)]
pub struct Meter {
    cpu: Duration,
    programs_ns: u64,
}

impl Meter {
    /// What was spent since the last time.
    pub fn read(&mut self, watch: &Watch, interval: Duration) -> Own {
        let (snapshot, _) = watch.latest();
        let cost = process::cost();
        let programs_ns = snapshot.costs.iter().map(|cost| cost.time_ns).sum::<u64>();
        let percent = |spent: Duration| 100.0 * spent.as_secs_f64() / interval.as_secs_f64().max(1e-3);
        let programs = Duration::from_nanos(programs_ns.saturating_sub(self.programs_ns));
        let own = Own {
            plan: watch.setup.plan.to_string(),
            cpu_percent: percent(cost.cpu.saturating_sub(self.cpu)),
            memory: cost.memory,
            programs_percent: (programs_ns > 0).then(|| percent(programs)),
            lost: snapshot.losses.lost_records,
        };
        (self.cpu, self.programs_ns) = (cost.cpu, programs_ns);
        own
    }
}

impl Own {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "plan": self.plan,
            "cpu_percent": self.cpu_percent,
            "memory_bytes": self.memory,
            "programs_percent": self.programs_percent,
            "lost_events": self.lost,
        })
    }

    fn line(&self) -> String {
        let programs = match self.programs_percent {
            Some(percent) => format!("{percent:.1} %"),
            None => "not measured".to_owned(),
        };
        let (cpu, memory) = (self.cpu_percent, self.memory >> 20);
        format!(
            "own cost: {cpu:.1} % CPU, {memory} MiB; in the kernel: {programs}; {} events lost",
            self.lost
        )
    }
}

/// Everything that is known, as one object.
#[must_use]
pub fn json(board: &Board, own: &Own, interval: Duration) -> Value {
    let routes: Vec<_> = board.lines().iter().map(|line| line.json()).collect();
    json!({"interval_seconds": interval.as_secs_f64(), "own": own.json(), "routes": routes})
}

/// The screen. `typing`: the filter is being typed.
#[must_use]
pub fn lines(board: &Board, own: &Own, typing: bool, (width, height): (usize, usize)) -> Vec<String> {
    let mut lines = vec![state(board, own), own.line(), titles(width)];
    let rows = height.saturating_sub(lines.len() + 1);
    let shown = board.lines();
    lines.extend(shown.iter().take(rows).map(|line| row(line, width)));
    lines.resize(height.saturating_sub(1), String::new());
    lines.push(keys(board, typing));
    lines.truncate(height);
    lines.into_iter().map(|line| fit(&line, width)).collect()
}

/// The same without a terminal: as many lines as there are routes.
#[must_use]
pub fn table(board: &Board, own: &Own) -> String {
    let shown = board.lines();
    let rows = shown.iter().map(|line| row(line, 100));
    let lines: Vec<_> = [state(board, own), own.line(), titles(100)].into_iter().chain(rows).collect();
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn state(board: &Board, own: &Own) -> String {
    // The sum of nothing would be -0.
    let rate = board.lines().iter().fold(0.0, |sum, line| sum + line.rate);
    let paused = if board.paused { ", PAUSED" } else { "" };
    let routes = board.lines().len();
    format!(
        "wirespan top (plan {}): {rate:.0} spans/s, {routes} routes, by {}{paused}",
        own.plan,
        board.order.word()
    )
}

fn keys(board: &Board, typing: bool) -> String {
    match (typing, board.filter.as_str()) {
        (true, filter) => format!("filter: {filter}_   (Enter keeps it, Esc drops it)"),
        (false, "") => "q quit  s sort (r rate, e errors, l p99, n name)  / filter  space pause".to_owned(),
        (false, filter) => format!("q quit  s sort  / filter (now: {filter})  space pause"),
    }
}

fn titles(width: usize) -> String {
    let (rate, errors, p50, p99) = ("REQ/S", "ERR %", "P50", "P99");
    let route = fit("ROUTE", route_width(width));
    format!("{:SERVICE$}    {route}{rate:>9}{errors:>7}{p50:>9}{p99:>9}", "SERVICE")
}

fn row(line: &Line, width: usize) -> String {
    let arrow = if line.route.serves { '<' } else { '>' };
    let service = fit(&line.route.service, SERVICE);
    let route = fit(&line.route.name, route_width(width));
    let (p50, p99) = (duration(line.p50_us), duration(line.p99_us));
    format!("{service} {arrow}  {route}{:>9.1}{:>7.1}{p50:>9}{p99:>9}", line.rate, line.errors_percent)
}

const fn route_width(width: usize) -> usize {
    width.saturating_sub(SERVICE + 4 + NUMBERS)
}

/// Microseconds for people; a dash where there was nothing.
fn duration(us: u64) -> String {
    match us {
        0 => "-".to_owned(),
        1..1_000 => format!("{us} us"),
        1_000..100_000 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..10_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

/// Exactly so many characters.
fn fit(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return format!("{text}{}", " ".repeat(width - count));
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { String::new() } else { kept + "~" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::board::tests::board;

    fn own() -> Own {
        Own { plan: "sock".into(), cpu_percent: 1.25, memory: 20 << 20, programs_percent: Some(0.5), lost: 0 }
    }

    #[test]
    fn the_classic_terminal() {
        let (board, _) = board();
        let lines = lines(&board, &own(), false, (80, 24));
        assert!(lines.len() == 24 && lines.iter().all(|line| line.chars().count() == 80), "{lines:#?}");
        let expected = [
            "wirespan top (plan sock): 12 spans/s, 3 routes, by rate",
            "own cost: 1.2 % CPU, 20 MiB; in the kernel: 0.5 %; 0 events lost",
            "SERVICE               ROUTE                       REQ/S  ERR %      P50      P99",
            "web                <  GET /                        10.0    0.0   992 us   992 us",
            "orders             <  POST /orders                  2.0   75.0   9.7 ms   9.7 ms",
            "report             <  GET /year/{id}                0.5    0.0  2031 ms  2031 ms",
            "",
        ];
        let shown: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
        assert_eq!(shown[..expected.len()], expected);
        assert_eq!(shown[23], "q quit  s sort (r rate, e errors, l p99, n name)  / filter  space pause");
    }

    #[test]
    fn no_terminal_is_too_small() {
        let (board, _) = board();
        for size in [(0, 0), (1, 1), (10, 3), (40, 5), (200, 60)] {
            let lines = lines(&board, &own(), false, size);
            assert_eq!(lines.len(), size.1);
            assert!(lines.iter().all(|line| line.chars().count() == size.0), "{size:?}: {lines:#?}");
        }
    }

    #[test]
    fn the_last_line_says_what_is_going_on() {
        let (mut board, _) = board();
        board.filter = "ord".into();
        assert!(lines(&board, &own(), true, (80, 24))[23].starts_with("filter: ord_"));
        assert!(lines(&board, &own(), false, (80, 24))[23].contains("(now: ord)"));
        board.paused = true;
        assert!(lines(&board, &own(), false, (80, 24))[0].contains("PAUSED"));
    }

    #[test]
    fn for_programs() {
        let (board, _) = board();
        let value = json(&board, &own(), Duration::from_secs(2));
        let first = &value["routes"][0];
        assert_eq!((first["service"].as_str(), first["rate"].as_f64()), (Some("web"), Some(10.0)));
        assert_eq!(value["own"]["plan"], "sock");
        assert!(table(&board, &own()).lines().count() == 6);
        assert!(table(&Board::default(), &own()).contains(": 0 spans/s, 0 routes"));
    }
}
