//! Comes in: numbers of the IANA registry "Domain Name System (DNS) Parameters". Goes out: their names. Refuses: to name
//! what it does not know: such a type is `TYPE` and its number (RFC 3597).

use smol_str::SmolStr;

const TYPES: [(u16, &str); 34] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (37, "CERT"),
    (39, "DNAME"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (61, "OPENPGPKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];

/// Name of a type of records.
pub(super) fn kind(number: u16) -> SmolStr {
    match TYPES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => SmolStr::new_static(name),
        None => format!("TYPE{number}").into(),
    }
}

/// Is it a type that questions are asked of?
pub(super) fn is_known(number: u16) -> bool {
    TYPES.iter().any(|(known, _)| *known == number)
}

/// Name of an operation (RFC 1035 section 4.1.1, RFC 1996, RFC 2136).
pub(super) const fn operation(opcode: u8) -> &'static str {
    match opcode {
        0 => "QUERY",
        1 => "IQUERY",
        2 => "STATUS",
        4 => "NOTIFY",
        5 => "UPDATE",
        6 => "DSO",
        _ => "OPCODE",
    }
}

/// Name of a response code, the upper bits of which come with EDNS (RFC 6895 section 2.3).
pub(super) fn response_code(number: u16) -> SmolStr {
    let name = match number {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        _ => return format!("RCODE{number}").into(),
    };
    SmolStr::new_static(name)
}

/// What the resolver's library makes of a response code (`res_query` and `netdb.h` of the C library).
pub(super) const fn error_type(number: u16) -> Option<&'static str> {
    match number {
        0 => None,
        2 => Some("try_again"),
        3 => Some("host_not_found"),
        _ => Some("no_recovery"),
    }
}
