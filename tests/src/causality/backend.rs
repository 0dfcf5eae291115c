//! Comes in: calls of the program under test. Goes out: an answer after a random time, and a line of truth. `/flaky…` fails
//! every third time with 503. Refuses: being clever; a thread a connection, so that a thousand calls may wait at once.

use std::{
    fs::File,
    io::{BufRead, BufReader, LineWriter, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use serde_json::json;

use super::dice::Dice;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Its threads do nothing but wait.
const STACK: usize = 64 << 10;

/// The longest service time, in means: a run shall end.
const LONGEST: u32 = 3;

/// A wall-clock time in nanoseconds.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

struct Backend {
    truth: Mutex<LineWriter<File>>,
    requests: AtomicU64,
    mean: Duration,
}

/// Serves on `address` until the process is stopped. A service time is exponentially distributed with the
/// mean `mean`, and three of it at most; truth goes to the folder `truth`.
pub fn serve(address: SocketAddr, truth: &Path, mean: Duration) -> Result<()> {
    let file = truth.join(format!("{}.jsonl", std::process::id()));
    let file = File::create(&file).with_context(|| format!("make {}", file.display()))?;
    let truth = Mutex::new(LineWriter::new(file));
    let backend = Arc::new(Backend { truth, requests: AtomicU64::new(0), mean });
    let listener = TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
    // The standard library's own is short of what a load of a thousand may open at once. A second call sets it anew.
    rustix::net::listen(&listener, BACKLOG).context("lengthen the queue of connections")?;
    println!("{address}");
    for stream in listener.incoming() {
        let (stream, backend) = (stream.context("accept")?, Arc::clone(&backend));
        // A connection that breaks off is the other side's business; the truth has what was answered.
        let work = move || backend.connection(stream).unwrap_or_default();
        thread::Builder::new().stack_size(STACK).spawn(work).context("start a thread")?;
    }
    Ok(())
}

impl Backend {
    fn connection(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        let mut stream = BufReader::new(stream);
        let mut dice = Dice::new(u64::from(peer.port()) << 32 | now() & 0xffff_ffff);
        while let Some(path) = request(&mut stream)? {
            let start = now();
            thread::sleep(dice.exponential(self.mean).min(self.mean * LONGEST));
            let fails = path.starts_with("/flaky") && dice.unit() < 1.0 / 3.0;
            let status = if fails { "503 Service Unavailable" } else { "200 OK" };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nX-Seen: {peer}\r\n\r\nok"
            );
            stream.get_mut().write_all(answer.as_bytes())?;
            self.note(local, peer, start)?;
        }
        Ok(())
    }

    fn note(&self, local: SocketAddr, peer: SocketAddr, start: u64) -> Result<()> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let line = json!({"in": number, "local": local, "peer": peer, "start": start, "end": now()});
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(truth, "{line}").context("write the truth")
    }
}

/// The path of the next request; `None` at the end of the connection.
fn request(stream: &mut impl BufRead) -> Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(head.split(' ').nth(1).map(str::to_owned))
}
