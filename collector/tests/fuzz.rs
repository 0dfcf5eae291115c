//! The fuzz targets on a few inputs each: their seeds, the same with some bytes changed, and noise, always the same. What a
//! sanitizer and more time find, `cargo xtask fuzz` finds.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "for libFuzzer it is a crate of its own")]
mod targets;

use std::{fs, path::Path};

/// SplitMix64.
struct Noise(u64);

impl Noise {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.number() % most.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.number() as u8).collect()
    }

    /// With up to four bytes replaced, put in or left out.
    fn changed(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let (at, byte) = (self.below(bytes.len()), self.number() as u8);
            match self.below(3) {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    }
}

fn check(name: &str, target: fn(&[u8]), times: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut noise = Noise(7);
    for file in files {
        let seed = fs::read(file).unwrap();
        target(&seed);
        (0..times).for_each(|_| target(&noise.changed(&seed)));
    }
    (0..times).for_each(|_| target(&noise.bytes(60)));
}

#[test]
fn otlp() {
    check("otlp", targets::otlp, 500);
}

#[test]
fn zipkin_and_files() {
    check("zipkin", targets::zipkin, 300);
}

#[test]
fn traceql() {
    check("traceql", targets::traceql, 500);
}

#[test]
fn both_stores() {
    check("search", targets::search, 30);
}

#[test]
fn sql() {
    check("sql_query", targets::sql_query, 10);
}

#[test]
fn query_parameters() {
    check("api", targets::api, 40);
}

#[test]
fn jaegers_calls() {
    check("jaeger", targets::jaeger, 200);
}
