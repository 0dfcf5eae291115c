//! What tests against recorded servers share: a collector, requests to it, and what an answer says.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::{Value as Json, json};
use wirespan_collector::{Running, Settings};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn start() -> Running {
    wirespan_collector::start(&Settings::scratch(TOKEN)).unwrap()
}

/// Status and body.
pub(crate) fn http(place: SocketAddr, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(place).unwrap();
    let length = body.len();
    write!(stream, "{head}\r\nHost: {place}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
        .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

pub(crate) fn get(place: SocketAddr, path: &str) -> (u16, Json) {
    let (status, body) = http(place, &format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}"), &[]);
    (status, serde_json::from_slice(&body).unwrap())
}

/// What an answer says: lists in no order, where the API promises none; no list is an empty one; an error in whose words
/// does not matter; how many there are only in the list itself.
pub(crate) fn said(mut json: Json) -> Json {
    match &mut json {
        Json::Null => json = json!([]),
        Json::Array(all) => {
            all.iter_mut().for_each(|one| *one = said(one.take()));
            all.sort_by_key(ToString::to_string);
        }
        Json::Object(object) => {
            object.remove("total");
            for (key, one) in object.iter_mut() {
                *one = if matches!(key.as_str(), "msg" | "message") { json!("") } else { said(one.take()) };
            }
        }
        _ => {}
    }
    json
}

/// The requests of a record, each with the status and the answer.
pub(crate) fn requests(record: &str) -> impl Iterator<Item = (&str, u16, Json)> {
    let lines = record.lines().filter(|line| line.starts_with('/'));
    lines.map(|line| {
        let (path, rest) = line.split_once(' ').unwrap();
        let (status, body) = rest.split_once(' ').unwrap();
        (path, status.parse().unwrap(), serde_json::from_str(body).unwrap())
    })
}
