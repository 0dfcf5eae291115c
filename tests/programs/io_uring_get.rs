//! Comes in: an address and a path. Goes out: the answer to a GET that was sent and received by io_uring, without a
//! system call of the socket family. Refuses: anything but one request on one connection.

use std::{env, io::Write, net::TcpStream, os::fd::AsRawFd};

use anyhow::{Context, Result, bail};
use io_uring::{IoUring, opcode, squeue, types::Fd};

fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    let (server, path) = words.next().zip(words.next()).context("usage: io_uring_get ADDRESS:PORT PATH")?;
    let stream = TcpStream::connect(&server).with_context(|| format!("connect to {server}"))?;
    let mut ring = IoUring::new(4).context("set up io_uring")?;

    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    let length = u32::try_from(request.len())?;
    let send = opcode::Send::new(Fd(stream.as_raw_fd()), request.as_ptr(), length).build();
    if complete(&mut ring, &send)? != request.len() {
        bail!("a partial send");
    }
    let answer = receive(&mut ring, &stream)?;
    std::io::stdout().write_all(&answer).context("print the answer")
}

/// Everything until the server closes.
fn receive(ring: &mut IoUring, stream: &TcpStream) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        let mut buffer = [0_u8; 4096];
        let receive = opcode::Recv::new(Fd(stream.as_raw_fd()), buffer.as_mut_ptr(), 4096).build();
        match complete(ring, &receive)? {
            0 => return Ok(answer),
            length => answer.extend_from_slice(buffer.get(..length).context("more than the buffer holds")?),
        }
    }
}

/// Submits one entry and waits for its result.
fn complete(ring: &mut IoUring, entry: &squeue::Entry) -> Result<usize> {
    // SAFETY: the entry's buffer belongs to the caller, which does not touch it before this function has seen the
    // entry's completion.
    unsafe { ring.submission().push(entry) }.context("the submission queue is full")?;
    ring.submit_and_wait(1).context("wait for io_uring")?;
    let result = ring.completion().next().context("no completion")?.result();
    usize::try_from(result)
        .map_err(|_| std::io::Error::from_raw_os_error(-result))
        .context("io_uring's result")
}
