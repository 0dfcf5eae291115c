//! Files in, an initramfs out: busybox, programs with the libraries that they load, and the check script as `/init`.
//! Written as the kernel's Documentation/driver-api/early-userspace/buffer-format.rst has it (cpio "newc", not compressed).

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};

use super::libraries;
use crate::arch::Arch;

const FOLDER: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// What goes in.
pub(super) struct Content<'a> {
    /// The processor that it is for.
    pub(super) arch: Arch,
    pub(super) busybox: &'a Path,
    /// The script that is started first.
    pub(super) init: &'a Path,
    /// What that script calls.
    pub(super) programs: &'a [&'a Path],
}

/// Writes the archive to `file`.
pub(super) fn write(file: &Path, content: &Content<'_>) -> Result<()> {
    let out = File::create(file).with_context(|| format!("create {}", file.display()))?;
    let mut archive = Archive { out: BufWriter::new(out), number: 0, folders: BTreeSet::new() };
    for name in ["proc", "sys", "dev", "tmp"] {
        archive.folder(name)?;
    }
    archive.copy(content.init, "init")?;
    archive.copy(content.busybox, "bin/busybox")?;
    for program in content.programs {
        let name = program.file_name().context("a program without a name")?.to_string_lossy();
        archive.copy(program, &format!("bin/{name}"))?;
    }
    for (from, name) in libraries::of(content.programs, content.arch)? {
        archive.copy(&from, &name)?;
    }
    archive.finish()
}

struct Archive<W> {
    out: W,
    /// Inode numbers: each entry its own.
    number: u32,
    folders: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// Adds a file, and the folders it lies in.
    fn copy(&mut self, from: &Path, name: &str) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        for (at, _) in name.match_indices('/') {
            self.folder(name.get(..at).unwrap_or_default())?;
        }
        self.entry(name, EXECUTABLE, &content).with_context(|| format!("write {name} to the initramfs"))
    }

    /// Adds a folder, once.
    fn folder(&mut self, name: &str) -> Result<()> {
        if self.folders.insert(name.to_owned()) {
            self.entry(name, FOLDER, &[]).with_context(|| format!("write {name} to the initramfs"))?;
        }
        Ok(())
    }

    /// Header (magic, then 13 numbers of 8 hexadecimal digits), name, content; name and content padded to 4 bytes.
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.number += 1;
        let size = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let name_size = u32::try_from(name.len() + 1).map_err(|_| io::ErrorKind::InvalidFilename)?;
        self.out.write_all(b"070701")?;
        for field in [self.number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(name.as_bytes())?;
        self.out.write_all(padding(110 + name.len() + 1, 1))?;
        self.out.write_all(content)?;
        self.out.write_all(padding(content.len(), 0))
    }

    fn finish(mut self) -> Result<()> {
        self.entry(TRAILER, 0, &[])?;
        self.out.flush().context("write the initramfs")
    }
}

/// `least` zero bytes, and as many more as bring `length` (which counts those least ones) to a multiple of 4.
fn padding(length: usize, least: usize) -> &'static [u8] {
    const ZEROS: [u8; 4] = [0; 4];
    ZEROS.get(..least + length.next_multiple_of(4) - length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_padded_to_four_bytes() -> io::Result<()> {
        let mut archive = Archive { out: Vec::new(), number: 0, folders: BTreeSet::new() };
        archive.entry("ab", EXECUTABLE, b"hello")?;

        let (head, rest) = archive.out.split_at(110);
        assert!(head.starts_with(b"07070100000001000081ed"));
        assert!(head.ends_with(b"0000000300000000"), "name size 3, no checksum");
        assert_eq!(rest, b"ab\0\0\0\0hello\0\0\0".get(..rest.len()).unwrap_or_default());
        assert_eq!(archive.out.len() % 4, 0);
        Ok(())
    }

    #[test]
    fn a_folder_is_written_once() -> Result<()> {
        let mut archive = Archive { out: Vec::new(), number: 0, folders: BTreeSet::new() };
        archive.folder("lib")?;
        let once = archive.out.len();
        archive.folder("lib")?;
        assert_eq!(archive.out.len(), once);
        Ok(())
    }
}
