//! Comes in: `grpc-status` and `grpc-message`. Goes out: the code's name, and whether it is an error for this role.
//! Refuses: codes that there are not; they are `UNKNOWN`, as the protocol has it.

use smol_str::SmolStr;

use crate::{
    exchange::Role,
    http::fields::{decimal, text},
};

/// Codes in their order (gRPC, statuscodes).
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A call's status, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

impl Status {
    /// The client gave the call up.
    pub(crate) const CANCELLED: Self = Self(1);
    /// The server cannot be had; the call may be tried again.
    pub(crate) const UNAVAILABLE: Self = Self(14);
    /// The server has no such method, or does not offer it.
    pub(super) const UNIMPLEMENTED: Self = Self(12);
    const UNKNOWN: Self = Self(2);

    /// Reads `grpc-status`.
    pub(super) fn read(digits: &[u8]) -> Option<Self> {
        let code = decimal(digits)?;
        Some(
            u8::try_from(code)
                .ok()
                .filter(|code| usize::from(*code) < NAMES.len())
                .map_or(Self::UNKNOWN, Self),
        )
    }

    /// What a client takes the error code of a server's `RST_STREAM` for (gRPC over HTTP2, section errors).
    pub(crate) const fn of_reset(code: u32) -> Self {
        Self(match code {
            7 => 14,
            8 => 1,
            11 => 8,
            12 => 7,
            _ => 13,
        })
    }

    /// Its name, in upper case.
    pub(super) fn name(self) -> SmolStr {
        SmolStr::new_static(NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN"))
    }

    /// Semantic conventions for gRPC, note on `rpc.response.status_code`: to a client everything but `OK` is an
    /// error, to a server what is its own fault.
    pub(super) const fn is_error(self, role: Role) -> bool {
        match role {
            Role::Server | Role::Consumer => matches!(self.0, 2 | 4 | 12..=15),
            Role::Client | Role::Producer => self.0 != 0,
        }
    }
}

/// `grpc-message` is percent-encoded (gRPC over HTTP2, section responses). What is encoded wrongly stays as it is.
pub(super) fn decoded(message: &[u8], max: usize) -> String {
    let mut out = Vec::with_capacity(message.len().min(max));
    let mut rest = message;
    while let Some((first, behind)) = rest.split_first().filter(|_| out.len() <= max) {
        let escaped = behind.split_at_checked(2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|(digits, behind)| Some((hex(digits)?, behind)));
        let (byte, behind) = byte.unwrap_or((*first, behind));
        out.push(byte);
        rest = behind;
    }
    text(&out, max).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names() {
        assert_eq!(Status::read(b"0").unwrap().name(), "OK");
        assert_eq!(Status::read(b"16").unwrap().name(), "UNAUTHENTICATED");
        assert_eq!(
            (Status::read(b"17"), Status::read(b"99999")),
            (Some(Status::UNKNOWN), Some(Status::UNKNOWN))
        );
        assert_eq!(Status::read(b"x"), None);
    }

    /// The table of the semantic conventions, by role.
    #[test]
    fn a_server_answers_for_its_own_faults_alone() {
        let errors = |role| (0..17).filter(|code| Status(*code).is_error(role)).collect::<Vec<_>>();
        assert_eq!(errors(Role::Server), [2, 4, 12, 13, 14, 15]);
        assert_eq!(errors(Role::Client), (1..17).collect::<Vec<_>>());
    }

    #[test]
    fn messages_are_decoded_and_bounded() {
        assert_eq!(decoded(b"caf%C3%A9 100% %zz %+1 %4", 99), "café 100% %zz %+1 %4");
        assert_eq!(decoded("é".repeat(99).as_bytes(), 5), "éé");
        assert_eq!(decoded(b"%41%42%43", 2), "AB");
    }
}
