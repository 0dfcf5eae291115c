//! Comes in: the first packets of both sides (MySQL Internals, "Connection Phase"). Goes out: who greets, what both can
//! do, the client's characters, the database. Refuses: to keep anything of the authentication.

use crate::cursor::Cursor;

/// CLIENT_CONNECT_WITH_DB
const WITH_DATABASE: u32 = 1 << 3;
/// CLIENT_COMPRESS
const COMPRESS: u32 = 1 << 5;
/// CLIENT_SSL
const SSL: u32 = 1 << 11;
/// CLIENT_SECURE_CONNECTION
const SECURE: u32 = 1 << 15;
/// CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
const LENGTH_ENCODED: u32 = 1 << 21;
/// CLIENT_DEPRECATE_EOF
const DEPRECATE_EOF: u32 = 1 << 24;
/// CLIENT_ZSTD_COMPRESSION_ALGORITHM
const ZSTD: u32 = 1 << 26;
/// CLIENT_QUERY_ATTRIBUTES
const ATTRIBUTES: u32 = 1 << 27;

/// The only version of the protocol since MySQL 3.21.
const VERSION: u8 = 10;

/// Longest text of a server's version.
const MAX_VERSION: usize = 128;

/// Payload of a request to encrypt: the begin of a response, and no user.
const SSL_REQUEST: usize = 32;

/// What a side, or both, can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities(u32);

impl Abilities {
    /// What this side and the other can do.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What follows the handshake is compressed.
    pub(super) const fn compresses(self) -> bool {
        self.0 & (COMPRESS | ZSTD) != 0
    }

    /// Results end with OK, not with EOF, and no EOF stands behind columns.
    pub(super) const fn deprecates_eof(self) -> bool {
        self.0 & DEPRECATE_EOF != 0
    }

    /// Queries may carry attributes.
    pub(super) const fn attributes(self) -> bool {
        self.0 & ATTRIBUTES != 0
    }
}

/// A server's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) abilities: Abilities,
    pub(super) status: u16,
    /// `db.system.name`
    pub(super) system: &'static str,
}

/// Reads a greeting.
pub(super) fn greeting(payload: &[u8]) -> Option<Greeting> {
    let mut cursor = Cursor::new(payload);
    (cursor.u8()? == VERSION).then_some(())?;
    let version = cursor.until(0).filter(|text| is_version(text))?;
    let _thread = cursor.u32_le()?;
    let _challenge = cursor.take(8)?;
    (cursor.u8()? == 0).then_some(())?;
    let low = u32::from(cursor.u16_le()?);
    let _charset = cursor.u8()?;
    let status = cursor.u16_le()?;
    let high = u32::from(cursor.u16_le()?);
    let maria = memchr::memmem::find(version, b"MariaDB").is_some();
    let system = if maria { "mariadb" } else { "mysql" };
    Some(Greeting { abilities: Abilities(high << 16 | low), status, system })
}

fn is_version(text: &[u8]) -> bool {
    let printable = text.iter().all(|byte| matches!(byte, b'!'..=b'~'));
    text.len() <= MAX_VERSION && text.first().is_some_and(u8::is_ascii_digit) && printable
}

/// Could a greeting begin so?
pub(super) fn greets(payload: &[u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    match cursor.u8() {
        None => true,
        Some(VERSION) => {
            let text = cursor.rest();
            is_version(text.split(|byte| *byte == 0).next().unwrap_or_default()) || text.is_empty()
        }
        Some(_) => false,
    }
}

/// A client's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It encrypts from here on.
    Encrypts,
    /// It logs in, with these characters, to this database.
    Begins(Abilities, Characters, Option<String>),
}

/// The character set of a client's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Characters {
    /// Every byte below 128 is a character of its own.
    Plain,
    /// The second byte of a character may be that of a backslash.
    Tricky,
}

impl Characters {
    /// By the low byte of a collation's number: Big5, Shift-JIS, GBK, GB 18030 (MySQL, `SHOW COLLATION`).
    const fn of_collation(number: u8) -> Self {
        match number {
            1 | 13 | 28 | 84 | 87 | 88 | 95 | 96 | 248..=250 => Self::Tricky,
            _ => Self::Plain,
        }
    }

    /// As a statement sets them: `SET NAMES gbk`.
    pub(super) fn of_statement(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii_start();
        let text = text.get(..MAX_SET).unwrap_or(text);
        text.get(..4).filter(|word| word.eq_ignore_ascii_case(b"set "))?;
        let text = text.to_ascii_lowercase();
        let has = |word: &&str| memchr::memmem::find(&text, word.as_bytes()).is_some();
        let tricky = || ["big5", "sjis", "cp932", "gbk", "gb18030"].iter().any(has);
        let sets = ["names", "character"].iter().any(has);
        sets.then(|| if tricky() { Self::Tricky } else { Self::Plain })
    }
}

/// Bytes of a statement in which the name of a character set is looked for.
const MAX_SET: usize = 64;

/// Reads a client's first packet, as far as it is there.
pub(super) fn reply(payload: &[u8]) -> Option<Reply> {
    let mut cursor = Cursor::new(payload);
    let abilities = cursor.u32_le()?;
    if abilities & SSL != 0 && payload.len() == SSL_REQUEST {
        return Some(Reply::Encrypts);
    }
    let _size = cursor.u32_le()?;
    let characters = Characters::of_collation(cursor.u8()?);
    let _filler = cursor.take(SSL_REQUEST - 9)?;
    Some(Reply::Begins(Abilities(abilities), characters, database(&mut cursor, abilities)))
}

fn database(cursor: &mut Cursor<'_>, abilities: u32) -> Option<String> {
    let _user = cursor.until(0)?;
    if abilities & LENGTH_ENCODED != 0 {
        super::wire::text(cursor)?;
    } else if abilities & SECURE != 0 {
        let length = cursor.u8()?;
        cursor.take(length.into())?;
    } else {
        cursor.until(0)?;
    }
    let name = cursor.until(0).filter(|_| abilities & WITH_DATABASE != 0)?;
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}
