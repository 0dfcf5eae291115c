//! Comes in: a Huffman-coded string (RFC 7541 section 5.2). Goes out: its bytes. Refuses: a padding that is none, and
//! the end-of-string symbol.
//!
//! The code is canonical: sorted by length and then by symbol, codes count up. So a code's length tells where its
//! symbol stands, and two short tables stand for the code's 257 lines.

/// Codes of one length.
struct Rank {
    /// Length, bits.
    bits: u32,
    /// The first of them, at the left of 32 bits.
    first: u32,
    /// The last of them, followed by ones.
    last: u32,
    /// Place of the first one's symbol in [`SYMBOLS`].
    place: usize,
}

/// Lengths and how many codes have them (RFC 7541 appendix B). The last one of 30 bits is the end of string, which
/// stands in no table.
const LENGTHS: [(u32, u32); 21] = [
    (5, 10),
    (6, 26),
    (7, 32),
    (8, 6),
    (10, 5),
    (11, 3),
    (12, 2),
    (13, 6),
    (14, 2),
    (15, 3),
    (19, 3),
    (20, 8),
    (21, 13),
    (22, 26),
    (23, 29),
    (24, 12),
    (25, 4),
    (26, 15),
    (27, 19),
    (28, 29),
    (30, 3),
];

const RANKS: [Rank; LENGTHS.len()] = ranks();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, over constants")]
const fn ranks() -> [Rank; LENGTHS.len()] {
    let mut ranks = [const { Rank { bits: 0, first: 0, last: 0, place: 0 } }; LENGTHS.len()];
    let (mut first, mut place, mut index) = (0_u64, 0, 0);
    while index < ranks.len() {
        let (bits, count) = LENGTHS[index];
        let next = first + ((count as u64) << (32 - bits));
        ranks[index] = Rank { bits, first: first as u32, last: (next - 1) as u32, place };
        (first, place, index) = (next, place + count as usize, index + 1);
    }
    ranks
}

/// Symbols in the order of their codes (RFC 7541 appendix B).
const SYMBOLS: [u8; 256] = [
    48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57, 61, 65, 95,
    98, 100, 102, 103, 104, 108, 109, 110, 112, 114, 117, 58, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77,
    78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118, 119, 120, 121, 122, 38, 42, 44, 59, 88,
    90, 33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36, 64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195, 208,
    128, 130, 131, 162, 184, 194, 224, 226, 153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230,
    129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190,
    196, 198, 228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158,
    165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9, 142, 144, 145, 148, 159, 171, 206,
    215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242,
    243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254,
    2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127,
    220, 249, 10, 13, 22,
];

/// Appends the decoded string to `out`. `None` where the code is broken; what was decoded before stays.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The bits not yet decoded stand at the left of `window`.
    let (mut window, mut held) = (0_u64, 0_u32);
    let mut coded = coded.iter();
    loop {
        while held <= 56
            && let Some(byte) = coded.next()
        {
            window |= u64::from(*byte) << (56 - held);
            held += 8;
        }
        // Fewer than eight ones at the end are padding.
        if held < 8 && window.leading_ones() >= held {
            return Some(());
        }
        let code = (window >> 32) as u32;
        let rank = RANKS.iter().find(|rank| code <= rank.last && rank.bits <= held)?;
        let place = rank.place + ((code - rank.first) >> (32 - rank.bits)) as usize;
        out.push(*SYMBOLS.get(place)?);
        window <<= rank.bits;
        held -= rank.bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    /// RFC 7541 appendix C.4 and C.6.
    #[test]
    fn strings_of_the_standard() {
        let coded = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&coded).as_deref(), Some(&b"www.example.com"[..]));
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).as_deref(), Some(&b"no-cache"[..]));
        assert_eq!(decoded(&[0x64, 0x0e, 0xff]).as_deref(), Some(&b"307"[..]));
        assert_eq!(decoded(&[]).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn padding_is_ones_and_short() {
        assert_eq!(decoded(&[0x64, 0x0e]), None, "a zero bit is left over");
        assert_eq!(decoded(&[0x64, 0x0e, 0xff, 0xff]), None, "eight ones and more are no padding");
        assert_eq!(decoded(&[0xff; 4]), None, "the end of string");
    }
}
