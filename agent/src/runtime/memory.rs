//! Comes in: a process. Goes out: which files it runs code from, and words of its memory. Refuses: more files and longer
//! lists than a process has use for, and files that have been replaced since.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use super::elf::Elf;

/// Bytes of the list of mappings that are read: some 10,000 of them.
const MAX_MAPS: u64 = 1 << 20;
/// Files that are remembered of one process.
const MAX_IMAGES: usize = 1024;

/// A process and the files that it has mapped from their start.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) images: Vec<Image>,
}

/// A file in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// Where its first byte is.
    start: u64,
    /// Address of its first byte as the file has it: 0 for libraries.
    linked: u64,
    pub(super) inode: u64,
    path: String,
}

impl Process {
    /// `None`: it is gone, or may not be looked into.
    pub(super) fn look(pid: u32) -> Option<Self> {
        let maps = BufReader::new(File::open(format!("/proc/{pid}/maps")).ok()?.take(MAX_MAPS));
        let images = maps.lines().map_while(Result::ok).filter_map(|line| image(&line)).take(MAX_IMAGES);
        Some(Self { pid, images: images.collect() })
    }

    /// The first file whose name `named`, as it is in memory, and the file.
    pub(super) fn find(&self, named: impl Fn(&str) -> bool) -> Option<(Image, File)> {
        let image = self.images.iter().find(|image| named(image.name()))?;
        Some((image.clone(), image.open(self.pid)?))
    }

    /// 32 bits of its memory.
    pub(super) fn word(&self, address: u64) -> Option<u32> {
        let mut word = [0; 4];
        self.memory()?.read(address, &mut word)?;
        Some(u32::from_le_bytes(word))
    }

    /// All of its memory. `None`: it is gone, or may not be looked into.
    pub(super) fn memory(&self) -> Option<Memory> {
        File::open(format!("/proc/{}/mem", self.pid)).ok().map(Memory)
    }
}

/// The memory of a process.
pub(super) struct Memory(File);

impl Memory {
    /// `None`: not all of it is there.
    pub(super) fn read(&self, address: u64, into: &mut [u8]) -> Option<()> {
        self.0.read_exact_at(into, address).ok()
    }
}

impl Image {
    /// The same, of a file that was linked to run at a certain place.
    pub(super) fn linked(self, file: &dyn FileExt) -> Self {
        let linked = Elf::read(file).and_then(|elf| elf.first()).unwrap_or(0);
        Self { linked, ..self }
    }

    /// Where an address of the file is in memory.
    pub(super) const fn address(&self, of_file: u64) -> u64 {
        self.start.wrapping_sub(self.linked).wrapping_add(of_file)
    }

    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The file as the process sees it; `None` where another one has its name by now.
    pub(super) fn open(&self, pid: u32) -> Option<File> {
        plain(Path::new(&format!("/proc/{pid}/root{}", self.path)), self.inode)
    }
}

/// The plain file of this inode. Opened without waiting: what has its name by now may be a pipe of the traced process's.
fn plain(path: &Path, inode: u64) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path).ok()?;
    let facts = file.metadata().ok()?;
    (facts.is_file() && facts.ino() == inode).then_some(file)
}

/// A line of `/proc/PID/maps` (proc(5)): a file that is mapped from its start.
fn image(line: &str) -> Option<Image> {
    let mut words = line.splitn(6, ' ');
    let start = u64::from_str_radix(words.next()?.split('-').next()?, 16).ok()?;
    let (_, offset, _) = (words.next()?, words.next()?, words.next()?);
    let inode = words.next()?.parse().ok().filter(|inode| *inode != 0)?;
    let path = words.next()?.trim_start();
    let from_start = offset.bytes().all(|digit| digit == b'0');
    (from_start && path.starts_with('/')).then(|| Image { start, linked: 0, inode, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_mapping() {
        let line = "7f581c400000-7f581c4f5000 r--p 00000000 fe:00 1443312    /usr/lib/libpython3.11.so.1.0";
        let found = image(line).unwrap();
        assert_eq!((found.name(), found.address(0x10)), ("libpython3.11.so.1.0", 0x7f58_1c40_0010));
        for other in [
            "7f581c4f5000-7f581c6fa000 r-xp 000f5000 fe:00 1443312    /usr/lib/libpython3.11.so.1.0",
            "7ffc1a9d2000-7ffc1a9f3000 rw-p 00000000 00:00 0          [stack]",
            "7f581c9f0000-7f581c9f1000 rw-p 00000000 00:00 0 ",
            "nonsense",
            "",
        ] {
            assert_eq!(image(other), None, "{other}");
        }
    }

    #[test]
    fn a_pipe_in_a_library_s_place_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, file) = (folder.path().join("libpython3.so"), folder.path().join("file"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::write(&file, b"").unwrap();
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        assert!(plain(&pipe, inode(&pipe)).is_none());
        assert!(plain(&file, inode(&file)).is_some());
        assert!(plain(&file, inode(&pipe)).is_none(), "replaced");
    }

    static MARK: u32 = 0x5eed_cafe;

    #[test]
    fn a_word_of_memory_is_read_where_the_file_says() {
        let process = Process::look(std::process::id()).unwrap();
        assert_eq!(process.word(&raw const MARK as u64), Some(MARK));
        assert_eq!(process.word(8), None);
        let own = std::env::current_exe().unwrap();
        let own = own.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(process.find(|name| name == own).is_some());
    }
}
