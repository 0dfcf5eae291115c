//! The daemon under test: started as root, waited for until it captures, read until it ends.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::{program::Program, span::Span, wait};

/// What it says on its standard error once every hook is attached: an agent, and one that records.
const READY: [&str; 2] = ["capturing", "recording to"];

/// A running `wirespan` whose spans are gathered. Dropping it ends it.
pub struct Agent {
    program: Program,
    spans: Lines,
    words: Lines,
}

impl Agent {
    /// `wirespan agent` with its default plan.
    pub fn start() -> Result<Self> {
        Self::with(&[])
    }

    /// `wirespan agent --output json` with more arguments.
    pub fn with(arguments: &[&str]) -> Result<Self> {
        let mut command = wirespan();
        command.args(["agent", "--output", "json"]).args(arguments);
        Self::run(&mut command)
    }

    /// Any wirespan command that captures and prints JSON on its standard output.
    pub fn run(command: &mut Command) -> Result<Self> {
        let mut program =
            Program::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let words = program.child().stderr.take().context("the daemon's errors are not piped")?;
        let spans = Lines::gather(program.take_words()?);
        let mut agent = Self { program, spans, words: Lines::gather(words) };
        agent.wait_until_ready()?;
        Ok(agent)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let ready = wait::until("the daemon to capture", || {
            let is_ready = |line: &String| READY.iter().any(|words| line.contains(words));
            let ready = self.words.lines().iter().any(is_ready);
            let ended = matches!(self.program.child().try_wait(), Ok(Some(_)));
            (ready || ended).then_some(ready)
        });
        match ready {
            Ok(true) => Ok(()),
            _ => bail!("the daemon does not capture; it said:\n{}", self.words()),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// What it has said on its standard error.
    #[must_use]
    pub fn words(&self) -> String {
        self.words.lines().join("\n")
    }

    /// The spans it has printed up to now.
    pub fn spans(&self) -> Result<Vec<Span>> {
        self.spans.lines().iter().map(|line| Span::parse(line)).collect()
    }

    /// Waits until at least `number` printed lines satisfy `wanted`.
    pub fn until(&self, number: usize, what: &str, wanted: impl Fn(&Span) -> bool) -> Result<()> {
        let (mut seen, mut found) = (0, 0);
        let result = wait::until(what, || {
            let lines = self.spans.lines();
            for line in lines.get(seen..).unwrap_or_default() {
                match Span::parse(line) {
                    Ok(span) => found += usize::from(wanted(&span)),
                    Err(error) => return Some(Err(error)),
                }
            }
            seen = lines.len();
            (found >= number).then_some(Ok(()))
        });
        result
            .with_context(|| {
                format!("{found} of {number} among {seen} spans; the daemon said:\n{}", self.words())
            })
            .flatten()
    }

    /// Waits for `number` spans with this path, of both kinds together.
    pub fn until_path(&self, number: usize, path: &str) -> Result<()> {
        self.until(number, &format!("spans of {path}"), |span| span.path() == path)
    }

    /// Memory of its own, KiB: without the program itself and what it shares with the kernel.
    pub fn memory_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
        line.trim().trim_end_matches(" kB").parse().context("RssAnon")
    }

    /// Waits until what its start needed, some 40 MiB, has gone back to the kernel; gives what is left, KiB.
    pub fn at_rest(&self) -> Result<u64> {
        wait::until("the daemon's memory to go back to the kernel", || {
            self.memory_kib().ok().filter(|kib| *kib < 12 << 10)
        })
    }

    /// Ends it as a service manager does (SIGTERM); gives every span it ever printed.
    pub fn stop(self) -> Result<Vec<Span>> {
        self.stop_with_words().map(|(spans, _)| spans)
    }

    /// The same, and all that it said on its standard error. The last line says what it lost.
    pub fn stop_with_words(mut self) -> Result<(Vec<Span>, String)> {
        self.program.signal(Signal::TERM)?;
        let status = self.program.wait()?;
        if !status.success() {
            bail!("the daemon ended with {status}; it said:\n{}", self.words());
        }
        self.spans.end();
        self.words.end();
        Ok((self.spans()?, self.words()))
    }

    /// Waits for the end of a command that ends by itself; gives its status and its spans.
    pub fn wait(mut self) -> Result<(ExitStatus, Vec<Span>)> {
        let status = self.program.wait()?;
        self.spans.end();
        Ok((status, self.spans()?))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.program.signal(signal)
    }

    /// Ends it without a chance to clean up.
    pub fn kill(mut self) -> Result<()> {
        self.program.signal(Signal::KILL)?;
        self.program.wait().map(drop)
    }
}

/// The binary under test: `WIRESPAN_BIN`, else the release build of this workspace.
#[must_use]
pub fn wirespan() -> Command {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/wirespan");
    let mut command = Command::new(env::var_os("WIRESPAN_BIN").map_or_else(built, PathBuf::from));
    without_ours(&mut command);
    command
}

/// Takes the tests' own variables away: to the daemon they would be settings that it does not know, which it refuses.
pub fn without_ours(command: &mut Command) {
    for ours in
        ["BIN", "KAFKA", "KILLS", "MONGODB", "NODE_MODULES", "OTELCOL", "PYTHON", "RESOLVED", "TEST_LONG"]
    {
        command.env_remove(format!("WIRESPAN_{ours}"));
    }
}

/// Lines of a pipe, gathered by a thread so that the writer never waits.
struct Lines {
    gathered: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn gather(pipe: impl Read + Send + 'static) -> Self {
        let gathered = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&gathered);
        let reader = thread::spawn(move || {
            let lines = BufReader::new(pipe).lines().map_while(Result::ok);
            lines.for_each(|line| shared.lock().unwrap_or_else(PoisonError::into_inner).push(line));
        });
        Self { gathered, reader: Some(reader) }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of the pipe; its writer must have ended.
    fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It panics nowhere; if it did, what it gathered stays.
            let _ended = reader.join();
        }
    }
}
