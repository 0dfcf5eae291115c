//! Comes in: an IP address. Goes out: its text. Refuses: nothing.

use std::net::IpAddr;

use smol_str::{SmolStr, ToSmolStr};

/// Characters of the longest IPv4 address, and the dot that would follow.
const LONGEST_V4: usize = 16;

/// As the standard library writes it. Most spans have three of them, and its way with IPv4 takes ten times as long.
#[must_use]
pub fn text(address: IpAddr) -> SmolStr {
    let IpAddr::V4(v4) = address else { return address.to_smolstr() };
    let (mut text, mut len) = ([b'.'; LONGEST_V4], 0);
    for octet in v4.octets() {
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least
                && let Some(digit) = text.get_mut(len)
            {
                *digit = b'0' + octet / unit % 10;
                len += 1;
            }
        }
        // A dot stands there already.
        len += 1;
    }
    let written = text.get(..len - 1).unwrap_or_default();
    str::from_utf8(written).map_or_else(|_| address.to_smolstr(), SmolStr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for octet in 0..=255 {
            for address in [IpAddr::from([octet, 10, 0, 99]), IpAddr::from([1, 100, octet, octet])] {
                assert_eq!(text(address), address.to_string());
            }
        }
        assert_eq!(text("::ffff:1.2.3.4".parse().unwrap()), "::ffff:1.2.3.4");
    }
}
