//! Comes in: what to say, on which socket. Goes out: HTTP/1 over TCP and UNIX sockets, DNS over UDP, for machines that have
//! no other program to do it (`tests/vm/init`). Refuses: being a server of anything but these few words.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

const USAGE: &str = "usage: kernel_talk serve ADDRESS SOCKET DNS-ADDRESS | ask ADDRESS PATH COUNT | \
                     later ADDRESS PATH FILE | resolve ADDRESS NAME COUNT";
/// Behind this path the server asks its neighbour on the UNIX socket before it answers.
const CHAIN: &str = "/chain";
/// What follows is a file that the server waits for before it answers.
const SLOW: &str = "/slow";

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", address, socket, dns] => serve(address, socket, dns),
        ["ask", address, path, count] => {
            (0..count.parse()?).try_for_each(|_| ask(&mut TcpStream::connect(address)?, path))
        }
        ["later", address, path, file] => later(address, path, Path::new(file)),
        ["resolve", address, name, count] => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(address)?;
            (0..count.parse()?).try_for_each(|number| resolve(&socket, name, number))
        }
        _ => bail!(USAGE),
    }
}

fn serve(address: &str, path: &str, dns: &str) -> Result<()> {
    let tcp = TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
    let unix = UnixListener::bind(path).with_context(|| format!("listen on {path}"))?;
    let udp = UdpSocket::bind(dns).with_context(|| format!("bind {dns}"))?;
    let neighbour = path.to_owned();
    thread::spawn(move || names(&udp));
    thread::spawn(move || unix.incoming().flatten().for_each(|stream| drop(answer(stream, None))));
    println!("ready");
    for stream in tcp.incoming().flatten() {
        let neighbour = neighbour.clone();
        thread::spawn(move || answer(stream, Some(&neighbour)));
    }
    Ok(())
}

/// Answers requests until the client closes.
fn answer(mut stream: impl Read + Write, neighbour: Option<&str>) -> Result<()> {
    while let Some(request) = head(&mut stream)? {
        let path = request.split(' ').nth(1).unwrap_or_default();
        if let Some(neighbour) = neighbour.filter(|_| path.starts_with(CHAIN)) {
            ask(&mut UnixStream::connect(neighbour)?, &path.replace(CHAIN, "/stock"))?;
        }
        if let Some(file) = path.strip_prefix(SLOW) {
            println!("waiting");
            until_there(Path::new(file))?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")?;
    }
    Ok(())
}

/// The next head; `None` at the end. Nobody here sends a request with a body.
fn head(stream: &mut impl Read) -> Result<Option<String>> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(Some(String::from_utf8(head)?))
}

fn ask(stream: &mut (impl Read + Write), path: &str) -> Result<()> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: talk\r\n\r\n").as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"\r\n\r\nhello") {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "{path}: the answer ends early: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..length]);
    }
    Ok(())
}

/// Opens a connection, says so, and uses it when `file` is there.
fn later(address: &str, path: &str, file: &Path) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    ask(&mut stream, "/early")?;
    println!("open");
    until_there(file)?;
    ask(&mut stream, path)
}

fn until_there(file: &Path) -> Result<()> {
    while !fs::exists(file)? {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// RFC 1035: one question for an address, and its answer.
fn resolve(socket: &UdpSocket, name: &str, number: u16) -> Result<()> {
    let mut question = [number.to_be_bytes(), [1, 0], [0, 1], [0; 2], [0; 2], [0; 2]].concat();
    for label in name.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send(&question)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    ensure!(answer[..length].ends_with(&[192, 0, 2, 1]), "an answer that is not ours");
    Ok(())
}

/// Every name has the address 192.0.2.1 (RFC 5737).
fn names(socket: &UdpSocket) -> Result<()> {
    let mut question = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut question)?;
        let mut answer = question[..length].to_vec();
        answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        socket.send_to(&answer, from)?;
    }
}
