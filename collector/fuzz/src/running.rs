//! Comes in: nothing. Goes out: a collector with every port, which the shop's spans were sent to; one for all targets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
};

use wirespan_collector::{Running, Settings};
use wirespan_ingest::otlp::encode_protobuf;

use super::spans;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    let running =
        wirespan_collector::start(&Settings::scratch(TOKEN)).expect("ports of the loopback can be had");
    let body = encode_protobuf(&spans());
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(running.addresses.otlp_http.expect("it was asked for"));
    assert_eq!(exchange(&mut stream, &[head.as_bytes(), &body].concat()), Some(200));
    running
});

pub(crate) fn connect(place: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(place).expect("the collector listens");
    stream.set_nodelay(true).expect("it is TCP");
    BufReader::new(stream)
}

/// Sends a request and reads the answer; gives its status.
pub(crate) fn exchange(stream: &mut BufReader<TcpStream>, request: &[u8]) -> Option<u16> {
    stream.get_mut().write_all(request).ok()?;
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let status = line.get(9..12)?.parse().ok()?;
    let mut length = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        length = length.or(line.strip_prefix("content-length: ").and_then(|number| number.parse().ok()));
    }
    let mut body = vec![0; length.expect("answers have a length")];
    stream.read_exact(&mut body).ok()?;
    Some(status)
}
