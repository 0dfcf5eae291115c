//! The head of an answer (RFC 3875 section 6.2). Comes in: what the application wrote first. Goes out: its status and the
//! headers that were asked for. Refuses: to look at what follows.

use crate::{
    exchange::Message,
    http::{
        closing::Answer,
        fields::{Noted, decimal},
        head,
        message::Attributes,
    },
    settings::Settings,
};

/// A head, read or not.
#[derive(Debug)]
pub(super) enum Head {
    /// What is there of it.
    Begun(Vec<u8>),
    /// It is over.
    Read(Told),
}

/// What a head tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `None` where that line may have been cut off, or nothing was written.
    status: Option<u16>,
    captured: Attributes,
    /// Of the head, bytes; `None` where its end was not seen.
    length: Option<u64>,
    truncated: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self::Begun(Vec::new())
    }
}

impl Head {
    /// How many bytes may still be kept of a head of at most `max`; `None` where it is read.
    pub(super) fn room(&self, max: usize) -> Option<usize> {
        match self {
            Self::Begun(bytes) => Some(max.saturating_sub(bytes.len())),
            Self::Read(_) => None,
        }
    }

    /// The next bytes; `last`: no more will be there.
    pub(super) fn feed(&mut self, piece: &[u8], last: bool, settings: &Settings) {
        let Self::Begun(bytes) = self else { return };
        // The end may lie across two pieces.
        let from = bytes.len().saturating_sub(3);
        bytes.extend_from_slice(piece);
        let end = match bytes.as_slice() {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => head::end(bytes, from),
        };
        if end.is_some() || last || bytes.len() >= settings.max_head {
            let told =
                bytes.get(..end.unwrap_or(bytes.len())).map(|head| read(head, end.is_none(), settings));
            *self = Self::Read(told.unwrap_or_default());
        }
    }

    /// Of the head, bytes; `None` where its end was not seen.
    pub(super) const fn length(&self) -> Option<u64> {
        match self {
            Self::Begun(_) => None,
            Self::Read(told) => told.length,
        }
    }

    /// The answer of which this is the head.
    pub(super) fn answer(&mut self, message: Message) -> Answer {
        let told = match self {
            Self::Begun(_) => Told::default(),
            Self::Read(told) => std::mem::take(told),
        };
        let message = Message { truncated: told.truncated, ..message };
        Answer { status: told.status, captured: told.captured, message }
    }
}

/// A head without a status means 200, or, where it names another place, 302 (RFC 3875 sections 6.2.3 and 6.3.3).
fn read(bytes: &[u8], cut: bool, settings: &Settings) -> Told {
    let (mut told, mut moved, mut fields) = (None, false, head::fields(bytes));
    for (name, value) in &mut fields {
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"status") => told = told.or(value.get(..3).and_then(decimal)),
            8 => moved |= name.eq_ignore_ascii_case(b"location"),
            _ => {}
        }
    }
    if fields.is_folded() {
        let length = (!cut).then_some(bytes.len() as u64);
        return Told { length, ..read(&head::unfolded(bytes), cut, settings) };
    }
    let mut noted = Noted::default();
    noted.response(&mut head::fields(bytes), settings);
    let meant = (!cut).then_some(if moved { 302 } else { 200 });
    Told {
        status: told.and_then(|status| status.try_into().ok()).filter(|status| *status >= 100).or(meant),
        captured: noted.captured,
        length: (!cut).then_some(bytes.len() as u64),
        truncated: cut && !bytes.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str]) -> (Option<u16>, Option<u64>, bool) {
        let mut head = Head::default();
        pieces.iter().for_each(|piece| head.feed(piece.as_bytes(), false, &Settings::default()));
        head.feed(b"", true, &Settings::default());
        match head {
            Head::Read(told) => (told.status, told.length, told.truncated),
            Head::Begun(_) => panic!("it is over"),
        }
    }

    #[test]
    fn the_status_is_told_or_meant() {
        assert_eq!(told(&["Status: 404 Not Found\r\nA: b\r\n\r\nbody"]), (Some(404), Some(31), false));
        assert_eq!(told(&["Content-Type: text/plain\n\nbody"]), (Some(200), Some(26), false));
        assert_eq!(told(&["Location: http://a.example/\r\n\r\n"]), (Some(302), Some(31), false));
        assert_eq!(told(&["status: none\r\n\r\n"]), (Some(200), Some(16), false));
        assert_eq!(told(&["\nbody"]), (Some(200), Some(1), false));
        assert_eq!(told(&["\r", "\nbody"]), (Some(200), Some(2), false));
    }

    #[test]
    fn a_head_may_come_in_pieces() {
        assert_eq!(told(&["Sta", "tus: 500\r", "\n\r", "\nbody"]), (Some(500), Some(15), false));
    }

    #[test]
    fn what_was_cut_off_is_not_guessed() {
        assert_eq!(told(&["Status: 503 Busy\r\nX-"]), (Some(503), None, true));
        assert_eq!(told(&["X-Powered-By: PHP"]), (None, None, true));
        assert_eq!(told(&[]), (None, None, false));
    }
}
