//! The table of `top`. Comes in: counts by route of one interval after the other, keys. Goes out: lines in the chosen
//! order. Refuses: forgetting a route that is quiet just now, until there are too many.

use std::{cmp::Reverse, time::Duration};

use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::routes::{MOST, Route, Routes, Tally};

/// What the lines are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Requests a second, the most first.
    #[default]
    Rate,
    /// Share of failed requests, the most first.
    Errors,
    /// The slow ones, the slowest first.
    P99,
    /// Service, then route.
    Name,
}

impl Order {
    /// The next one, round and round.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Rate => Self::Errors,
            Self::Errors => Self::P99,
            Self::P99 => Self::Name,
            Self::Name => Self::Rate,
        }
    }

    /// Its word on the screen.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Errors => "errors",
            Self::P99 => "p99",
            Self::Name => "name",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which route of which service.
    pub route: Route,
    /// Requests a second in the last interval.
    pub rate: f64,
    /// Failed requests in the last interval, percent.
    pub errors_percent: f64,
    /// Half of the requests of the last interval took no longer, µs.
    pub p50_us: u64,
    /// All but one in a hundred took no longer, µs.
    pub p99_us: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Failed ones since the start.
    pub errors: u64,
}

impl Line {
    fn matches(&self, filter: &str) -> bool {
        let text = format!("{} {}", self.route.service, self.route.name).to_lowercase();
        text.contains(&filter.to_lowercase())
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "service": self.route.service,
            "kind": if self.route.serves { "server" } else { "client" },
            "route": self.route.name,
            "rate": self.rate,
            "errors_percent": self.errors_percent,
            "p50_ms": self.p50_us as f64 / 1e3,
            "p99_ms": self.p99_us as f64 / 1e3,
            "requests": self.requests,
            "errors": self.errors,
        })
    }
}

/// All routes, and how they are to be shown.
#[derive(Debug, Default)]
pub struct Board {
    totals: FxHashMap<Route, (u64, u64)>,
    shown: Vec<Line>,
    /// The order of the lines.
    pub order: Order,
    /// Only lines with this text in service or route; empty: all.
    pub filter: String,
    /// Does the table stand still? Counting goes on.
    pub paused: bool,
}

impl Board {
    /// Takes the counts of the interval that has just ended.
    pub fn advance(&mut self, routes: &Routes, interval: Duration) {
        let tallies = routes.take();
        for (route, tally) in &tallies {
            if self.totals.len() >= MOST && !self.totals.contains_key(route) {
                self.totals.clear();
            }
            let (requests, errors) = self.totals.entry(route.clone()).or_default();
            *requests += tally.requests;
            *errors += tally.errors;
        }
        if !self.paused {
            let quiet = Tally::default();
            let line = |(route, totals): (&Route, &(u64, u64))| {
                line(route, *totals, tallies.get(route).unwrap_or(&quiet), interval)
            };
            self.shown = self.totals.iter().map(line).collect();
        }
    }

    /// What is to be shown, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<&Line> {
        let mut lines: Vec<_> = self.shown.iter().filter(|line| line.matches(&self.filter)).collect();
        lines.sort_by(|one, other| one.route.cmp(&other.route));
        match self.order {
            Order::Rate => lines.sort_by_key(|line| Reverse((line.rate * 1e3) as u64)),
            Order::Errors => lines.sort_by_key(|line| Reverse((line.errors_percent * 1e3) as u64)),
            Order::P99 => lines.sort_by_key(|line| Reverse(line.p99_us)),
            Order::Name => {}
        }
        lines
    }
}

fn line(route: &Route, (requests, errors): (u64, u64), tally: &Tally, interval: Duration) -> Line {
    Line {
        route: route.clone(),
        rate: tally.requests as f64 / interval.as_secs_f64().max(1e-3),
        errors_percent: 100.0 * tally.errors as f64 / tally.requests.max(1) as f64,
        p50_us: tally.latency.quantile_us(0.5),
        p99_us: tally.latency.quantile_us(0.99),
        requests,
        errors,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::observe::routes::tests::trace;

    const SECOND: Duration = Duration::from_secs(1);

    /// Three routes: a busy one, a failing one, a slow one.
    pub(in crate::observe) fn board() -> (Board, Routes) {
        let (mut board, routes) = (Board::default(), Routes::default());
        (0..20).for_each(|_| routes.count(&[trace("web", "GET /", 1, false)]));
        (0..4).for_each(|number| routes.count(&[trace("orders", "POST /orders", 10, number > 0)]));
        routes.count(&[trace("report", "GET /year/{id}", 2000, false)]);
        board.advance(&routes, SECOND * 2);
        (board, routes)
    }

    fn services(board: &Board) -> Vec<&str> {
        board.lines().iter().map(|line| line.route.service.as_str()).collect()
    }

    #[test]
    fn ordered_by_what_was_asked_for() {
        let (mut board, _) = board();
        for (order, expected) in [
            (Order::Rate, ["web", "orders", "report"]),
            (Order::Errors, ["orders", "report", "web"]),
            (Order::P99, ["report", "orders", "web"]),
            (Order::Name, ["orders", "report", "web"]),
        ] {
            assert_eq!(board.order, order);
            assert_eq!(services(&board), expected, "{order:?}");
            board.order = board.order.next();
        }
        assert_eq!(board.order, Order::Rate, "round and round");
    }

    #[test]
    fn rates_are_of_the_last_interval_and_counts_of_all() {
        let (mut board, routes) = board();
        let first = board.lines()[0];
        assert_eq!((first.rate, first.requests, first.errors), (10.0, 20, 0));
        assert_eq!(board.lines()[1].errors_percent, 75.0);
        board.advance(&routes, SECOND);
        let quiet = &board.lines()[0];
        assert_eq!((quiet.rate, quiet.p99_us), (0.0, 0));
        assert_eq!(board.lines().iter().map(|line| line.requests).sum::<u64>(), 25);
    }

    #[test]
    fn a_pause_stops_the_table_and_not_the_counting() {
        let (mut board, routes) = board();
        board.paused = true;
        routes.count(&[trace("web", "GET /", 1, false)]);
        board.advance(&routes, SECOND);
        assert_eq!(board.lines()[0].requests, 20);
        board.paused = false;
        board.advance(&routes, SECOND);
        assert_eq!(board.lines().iter().map(|line| line.requests).sum::<u64>(), 26);
    }

    #[test]
    fn a_filter_looks_at_service_and_route() {
        let (mut board, _) = board();
        for (filter, expected) in [("ORD", vec!["orders"]), ("year", vec!["report"]), ("nothing", vec![])] {
            board.filter = filter.to_owned();
            assert_eq!(services(&board), expected);
        }
    }
}
