//! What is not HTTP yields no span: detection never exports a guess. Each test ends with a request that is HTTP, so that
//! a blind daemon does not pass.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use wirespan_tests::{
    agent::Agent,
    program,
    servers::{Nginx, Server},
    span::{Kind, only},
    visitors::curl,
};

/// Client and server take turns on one connection: each pair is what the client writes and what the server answers.
fn talk(turns: &[(&[u8], &[u8])]) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let server = scope.spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            turns.iter().try_for_each(|(question, answer)| {
                stream.read_exact(&mut vec![0; question.len()])?;
                Ok(stream.write_all(answer)?)
            })
        });
        let mut stream = TcpStream::connect(address)?;
        for (question, answer) in turns {
            stream.write_all(question)?;
            stream.read_exact(&mut vec![0; answer.len()])?;
        }
        server.join().map_err(|_| anyhow!("the server's thread panicked"))?
    })?;
    Ok(address)
}

/// Makes a request that must be shown, then expects no span that speaks of `port`.
fn silent_about(agent: Agent, port: u16) -> Result<()> {
    let nginx = Nginx::start()?;
    curl(&[&nginx.url("/hello/fence")])?;
    agent.until_path(2, "/hello/fence")?;
    let spans = agent.stop()?;
    only(&spans, Kind::Server, "/hello/fence")?;
    let guesses: Vec<_> = spans.iter().filter(|span| span.mentions_port(port)).collect();
    ensure!(guesses.is_empty(), "guessed: {guesses:#?}");
    Ok(())
}

fn no_span(turns: &[(&[u8], &[u8])]) -> Result<()> {
    let agent = Agent::start()?;
    let address = talk(turns)?;
    silent_about(agent, address.port())
}

/// Bytes without structure; xorshift, so that a failure can be repeated.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn random_bytes() -> Result<()> {
    let bytes = noise(8192);
    let (question, answer) = bytes.split_at(4096);
    no_span(&[(question, answer), (answer, question)])
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn inline_commands_that_begin_like_http() -> Result<()> {
    no_span(&[
        (b"POST foo\r\n", b"bar 1\r\n"),
        (b"GET foo bar\r\n", b"bar 3 of foo\r\n"),
        (b"DELETE foo\r\n", b"gone 1\r\n"),
    ])
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn a_greeting_before_the_first_command() -> Result<()> {
    no_span(&[
        (b"", b"220 mail ready\r\n"),
        (b"HELO host\r\n", b"250 hello\r\n"),
        (b"QUIT\r\n", b"221 bye\r\n"),
    ])
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn encrypted_http() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("key-and-certificate.pem");
    let file = file.to_str().context("the folder's name is not text")?;
    program::run(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"])
            .args(["-keyout", file, "-out", &format!("{file}.certificate")]),
    )?;
    let certificate = std::fs::read(format!("{file}.certificate"))?;
    std::fs::OpenOptions::new().append(true).open(file)?.write_all(&certificate)?;
    let (agent, server) = (Agent::start()?, Server::start(&["--tls", file])?);

    ensure!(curl(&["--insecure", &format!("https://{}/hello", server.address)])? == "hello");

    silent_about(agent, server.socket()?.port())
}
