//! Ways to make a request: curl, or bytes on a socket of the test's own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::net::sockopt;

use crate::{program, wait};

/// The body that curl gets; an error for a status of 400 and more.
pub fn curl(arguments: &[&str]) -> Result<String> {
    program::run(
        Command::new("curl").args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments),
    )
}

/// A request without a body, as bytes.
#[must_use]
pub fn request(method: &str, path: &str, server: SocketAddr) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: wirespan-tests\r\n\r\n").into_bytes()
}

/// A connection of the test's own.
pub struct Visitor {
    stream: BufReader<TcpStream>,
}

impl Visitor {
    /// Connects; each write leaves at once, as a segment of its own.
    pub fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).with_context(|| format!("connect to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait::DEADLINE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Writes `bytes` with one system call.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let length = self.stream.get_mut().write(bytes).context("write the request")?;
        if length != bytes.len() {
            bail!("{length} of {} bytes written", bytes.len());
        }
        Ok(())
    }

    /// Reads one answer, which must be 200 and have a `Content-Length`; gives its body.
    pub fn answer(&mut self) -> Result<Vec<u8>> {
        let status = self.line()?;
        if !status.starts_with("HTTP/1.1 200") {
            bail!("not 200: {status}");
        }
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            length = line.strip_prefix("content-length:").map(|text| text.trim().parse()).or(length);
        }
        let mut body = vec![0; length.context("no Content-Length")?.context("Content-Length")?];
        self.stream.read_exact(&mut body).context("read the body")?;
        Ok(body)
    }

    /// Whatever comes until the other side closes.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).context("read to the end")?;
        Ok(bytes)
    }

    /// Breaks the connection off: the other side gets a reset.
    pub fn reset(self) -> Result<()> {
        let linger = Some(Duration::ZERO);
        sockopt::set_socket_linger(self.stream.get_ref(), linger).context("make the close a reset")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("read the answer's head")?;
        if line.is_empty() {
            bail!("the connection ended where an answer should be");
        }
        Ok(line.trim_end().to_owned())
    }
}
