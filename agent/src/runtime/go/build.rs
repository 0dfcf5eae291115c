//! Comes in: the section `.go.buildinfo`. Goes out: the version of Go. Refuses: the form before Go 1.18, which holds
//! pointers. Layout: Go's `src/debug/buildinfo/buildinfo.go`.

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Behind the magic number: size of a pointer, flags; padding up to the version.
const FLAGS: usize = 15;
const VERSION: usize = 32;
/// The strings stand in the section, each behind its length.
const INLINE: u8 = 2;

/// As `go version` prints it: `go1.26.8`.
pub(super) fn version(section: &[u8]) -> Option<String> {
    if !section.starts_with(MAGIC) || section.get(FLAGS)? & INLINE == 0 {
        return None;
    }
    // A varint; no version is longer than 127 bytes.
    let len = usize::from(*section.get(VERSION)?);
    let text = section.get(VERSION + 1..VERSION + 1 + len).filter(|_| len < 0x80)?;
    std::str::from_utf8(text).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(len: u8) -> Vec<u8> {
        let head = [MAGIC, &[8, 2], &[0; 16], &[len]].concat();
        [&head, &b"go1.26.8\x05path\tmain"[..]].concat()
    }

    #[test]
    fn the_version_stands_behind_its_length() {
        assert_eq!(version(&section(8)).as_deref(), Some("go1.26.8"));
    }

    #[test]
    fn cut_and_foreign_sections_have_none() {
        let whole = section(8);
        for len in 0..41 {
            assert_eq!(version(&whole[..len]), None, "cut at {len}");
        }
        assert_eq!(version(&section(0x88)), None);
        assert_eq!(version(&[0; 64]), None);
    }
}
