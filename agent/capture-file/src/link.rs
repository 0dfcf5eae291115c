//! Comes in: a captured frame. Goes out: the IP packet in it. Link types by their numbers in
//! <https://www.tcpdump.org/linktypes.html>.

use crate::cursor::Cursor;

const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const LINUX_SLL2: u32 = 276;
/// Raw IP: the registered number, those of two systems' `DLT_RAW`, and the two of one version alone.
const RAW: [u32; 5] = [101, 12, 14, 228, 229];

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and what was used before it.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags of one frame; two are usual where there is more than one.
const MAX_TAGS: usize = 4;

/// Can frames of this type be read?
pub(crate) fn is_known(link: u32) -> bool {
    matches!(link, NULL | ETHERNET | LOOP | LINUX_SLL | LINUX_SLL2) || RAW.contains(&link)
}

/// The IP packet in a frame; `None` where it holds something else.
pub(crate) fn ip(link: u32, frame: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::network(frame);
    match link {
        // The address family, whose number differs between systems: the packet's own version tells as much.
        NULL | LOOP => {
            cursor.take(4)?;
            Some(cursor.rest)
        }
        ETHERNET => {
            cursor.take(12)?;
            tagged(cursor)
        }
        LINUX_SLL => {
            cursor.take(14)?;
            tagged(cursor)
        }
        LINUX_SLL2 => {
            let protocol = cursor.u16()?;
            cursor.take(18)?;
            behind(protocol, cursor)
        }
        _ => RAW.contains(&link).then_some(frame),
    }
}

/// What stands behind an Ethernet type.
fn tagged(mut cursor: Cursor<'_>) -> Option<&[u8]> {
    let protocol = cursor.u16()?;
    behind(protocol, cursor)
}

fn behind(mut protocol: u16, mut cursor: Cursor<'_>) -> Option<&[u8]> {
    for _ in 0..MAX_TAGS {
        if !VLAN.contains(&protocol) {
            break;
        }
        cursor.take(2)?;
        protocol = cursor.u16()?;
    }
    matches!(protocol, IPV4 | IPV6).then_some(cursor.rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: u32, header: &[u8], found: bool) {
        let frame = [header, b"packet"].concat();
        let expected = found.then_some(&b"packet"[..]);
        assert_eq!(ip(link, &frame), expected, "{link} {header:x?}");
    }

    #[test]
    fn a_packet_is_found_behind_every_link_header() {
        let ethernet = |rest: &[u8]| [&[0; 12], rest].concat();
        check(1, &ethernet(&[8, 0]), true);
        check(1, &ethernet(&[0x86, 0xdd]), true);
        check(1, &ethernet(&[0x81, 0, 0, 7, 8, 0]), true);
        check(1, &ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]), true);
        check(1, &ethernet(&[8, 6]), false);
        check(113, &[&[0; 14], &[8, 0][..]].concat(), true);
        check(276, &[&[8, 0][..], &[0; 18]].concat(), true);
        check(276, &[&[0x81, 0][..], &[0; 18], &[0, 7, 0x86, 0xdd]].concat(), true);
        check(0, &[2, 0, 0, 0], true);
        check(108, &[0, 0, 0, 2], true);
        RAW.iter().for_each(|raw| check(*raw, &[], true));
        check(127, &[], false);
    }

    #[test]
    fn endless_tags_end() {
        check(1, &[&[0; 12], [0x81, 0, 0, 7].repeat(9).as_slice()].concat(), false);
    }
}
