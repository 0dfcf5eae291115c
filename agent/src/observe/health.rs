//! Is a daemon well? Comes in: a [`Watch`] here, or an address there. Goes out: [`Health`], as JSON between the two.
//! Refuses: waiting long for an answer, and answers without end.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

use super::watch::Watch;

/// How long a daemon on this host may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer that is read, bytes.
const LONGEST: u64 = 64 << 10;

/// What a daemon says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Does its capture thread go round?
    pub well: bool,
    /// Its process.
    pub pid: u64,
    /// Its version.
    pub version: String,
    /// Its attach plan.
    pub plan: String,
    /// What is attached: `program at tracepoint`.
    pub attached: Vec<String>,
}

impl Health {
    /// Of this daemon.
    #[must_use]
    pub fn of(watch: &Watch) -> Self {
        let attached =
            watch.setup.hooks.iter().map(|(program, tracepoint)| format!("{program} at {tracepoint}"));
        Self {
            well: watch.alive(),
            pid: std::process::id().into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            plan: watch.setup.plan.to_string(),
            attached: attached.collect(),
        }
    }

    /// As /healthz says it.
    #[must_use]
    pub fn json(&self) -> Value {
        let Self { well, pid, version, plan, attached } = self;
        let status = if *well { "ok" } else { "the capture thread hangs" };
        json!({"status": status, "pid": pid, "version": version, "plan": plan, "attached": attached})
    }

    /// What /healthz said; `None` where that was somebody else.
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |key: &str| value[key].as_str().map(str::to_owned);
        let attached = value["attached"].as_array()?.iter().filter_map(|one| one.as_str().map(str::to_owned));
        Some(Self {
            well: word("status")? == "ok",
            pid: value["pid"].as_u64()?,
            version: word("version")?,
            plan: word("plan")?,
            attached: attached.collect(),
        })
    }
}

/// Who answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody.
    Nobody,
    /// A daemon.
    Daemon(Health),
    /// Something that is no wirespan, or does not answer in time.
    Other,
}

/// Asks for /healthz.
#[must_use]
pub fn ask(address: SocketAddr) -> Answer {
    match text(address) {
        Ok(answer) => body(&answer).and_then(Health::parse).map_or(Answer::Other, Answer::Daemon),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Answer::Nobody,
        Err(_) => Answer::Other,
    }
}

fn text(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn body(answer: &str) -> Option<&str> {
    answer.split_once("\r\n\r\n").map(|(_, body)| body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::watch::tests::watch;

    #[test]
    fn what_is_said_is_understood() {
        let health = Health::of(&watch());
        assert!(health.well && health.plan == "sock");
        assert_eq!(health.attached, ["ws_sock_send at sock_send_length"]);
        assert_eq!(Health::parse(&health.json().to_string()), Some(health));
        assert_eq!(Health::parse("{\"status\":\"ok\"}"), None, "somebody else's");
    }

    #[test]
    fn nobody_is_nobody() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask(free), Answer::Nobody);
    }
}
