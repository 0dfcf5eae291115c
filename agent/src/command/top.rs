//! `wirespan top`: services and routes, live. It captures by itself, shows counts and sends nothing anywhere.

mod terminal;

use std::{
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval_at};

use self::terminal::Terminal;
use crate::{
    cli,
    config::{self, choice::Output},
    daemon::{Daemon, Purpose, Scope},
    observe::{
        board::{Board, Order},
        routes::Routes,
        screen::{self, Meter, Own},
        watch::Watch,
    },
};

/// Captures, and shows until `q` is pressed; or prints.
///
/// # Errors
/// An unusable configuration, a kernel that does not let us, no terminal.
pub fn run(args: &cli::Top) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.flags)?.config;
    let json = config.output.format == Output::Json;
    let live = !args.once && !json;
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    anyhow::ensure!(!live || is_terminal, "top needs a terminal; --once and --output json do without");
    let routes = Arc::new(Routes::default());
    let mut daemon = Daemon::start_for(&config, &Scope::Host, Purpose::Count(Arc::clone(&routes)))?;
    let top = Top::new(routes, Arc::clone(daemon.watch()), Duration::from_secs_f64(args.interval));
    let mut result = Ok(());
    if live {
        let terminal = Terminal::open()?;
        daemon.run_until(async { result = top.show(terminal).await })?;
    } else {
        eprintln!("wirespan: capturing for {} s", args.interval);
        daemon.run_until(async { result = top.print(json, args.once).await })?;
    }
    result?;
    Ok(ExitCode::SUCCESS)
}

/// The table and what feeds it.
struct Top {
    board: Board,
    own: Own,
    meter: Meter,
    routes: Arc<Routes>,
    watch: Arc<Watch>,
    interval: Duration,
    since: Instant,
    typing: bool,
}

impl Top {
    fn new(routes: Arc<Routes>, watch: Arc<Watch>, interval: Duration) -> Self {
        let mut meter = Meter::default();
        let own = meter.read(&watch, interval);
        let (board, since) = (Board::default(), Instant::now());
        Self { board, own, meter, routes, watch, interval, since, typing: false }
    }

    /// An interval is over.
    fn advance(&mut self) {
        let passed = self.since.elapsed();
        self.since = Instant::now();
        self.board.advance(&self.routes, passed);
        self.own = self.meter.read(&self.watch, passed);
    }

    /// Prints one interval, or one after the other.
    async fn print(mut self, json: bool, once: bool) -> io::Result<()> {
        loop {
            tokio::time::sleep(self.interval).await;
            self.advance();
            let text = if json {
                screen::json(&self.board, &self.own, self.interval).to_string()
            } else {
                screen::table(&self.board, &self.own)
            };
            writeln!(io::stdout().lock(), "{text}")?;
            if once {
                return Ok(());
            }
        }
    }

    /// Shows until somebody presses `q`.
    async fn show(mut self, mut terminal: Terminal) -> io::Result<()> {
        let mut ticks = interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            terminal.draw(&screen::lines(&self.board, &self.own, self.typing, terminal.size()))?;
            tokio::select! {
                _ = ticks.tick() => self.advance(),
                key = terminal.key() => {
                    if key.is_none_or(|key| self.press(key).is_break()) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What a key does.
    fn press(&mut self, key: u8) -> ControlFlow<()> {
        /// Ctrl-C, as a terminal in raw mode gives it.
        const INTERRUPT: u8 = 3;
        if key == INTERRUPT {
            return ControlFlow::Break(());
        }
        if self.typing {
            self.type_filter(key);
            return ControlFlow::Continue(());
        }
        match key {
            b'q' => return ControlFlow::Break(()),
            b's' => self.board.order = self.board.order.next(),
            b'r' => self.board.order = Order::Rate,
            b'e' => self.board.order = Order::Errors,
            b'l' => self.board.order = Order::P99,
            b'n' => self.board.order = Order::Name,
            b' ' | b'p' => self.board.paused = !self.board.paused,
            b'/' => self.typing = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn type_filter(&mut self, key: u8) {
        /// Longer than any line.
        const LONGEST: usize = 200;
        /// What the Escape key sends.
        const ESCAPE: u8 = 27;
        /// What the two kinds of backspace send.
        const DELETE: [u8; 2] = [8, 127];
        let filter = &mut self.board.filter;
        match key {
            b'\r' | b'\n' => self.typing = false,
            ESCAPE => {
                filter.clear();
                self.typing = false;
            }
            key if DELETE.contains(&key) => drop(filter.pop()),
            b' '..=b'~' if filter.len() < LONGEST => filter.push(char::from(key)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_kernel::Plan;

    use super::*;
    use crate::observe::watch::Setup;

    fn top() -> Top {
        let setup = Setup { plan: Plan::Sock, hooks: Vec::new(), queue_spans: 1, open_spans: 1 };
        let watch = Arc::new(Watch::new(setup, None, None));
        Top::new(Arc::default(), watch, Duration::from_secs(1))
    }

    fn pressed(keys: &[u8]) -> (Top, bool) {
        let mut top = top();
        let over = keys.iter().any(|key| top.press(*key).is_break());
        (top, over)
    }

    #[test]
    fn keys_sort_pause_and_end() {
        assert_eq!(pressed(b"s").0.board.order, Order::Errors);
        assert_eq!(pressed(b"sl").0.board.order, Order::P99);
        assert_eq!(pressed(b"lr").0.board.order, Order::Rate);
        assert_eq!(pressed(b"n").0.board.order, Order::Name);
        assert!(pressed(b" ").0.board.paused && !pressed(b" p").0.board.paused);
        assert!(pressed(b"q").1 && pressed(&[3]).1 && !pressed(b"x").1);
    }

    #[test]
    fn a_filter_is_typed() {
        let (top, over) = pressed(b"/quz\x7fx\r");
        assert!(!over && !top.typing && top.board.filter == "qux", "{}", top.board.filter);
        assert_eq!(pressed(b"/abc\x1b").0.board.filter, "");
        assert!(pressed(b"/a\x03").1, "Ctrl-C always ends");
    }
}
