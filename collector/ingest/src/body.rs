//! Bodies as sent in, bodies unpacked out. Refuses what is larger than it may be, before it is in memory.

use std::io::Read;

use axum::http::{HeaderMap, StatusCode, header::CONTENT_ENCODING};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBody {
    #[error("the body is larger than {0} bytes after unpacking: send smaller batches")]
    Large(usize),
    #[error("the body says that it is packed with gzip, and is not")]
    Packing,
    #[error("this Content-Encoding is not understood: use gzip, or none")]
    Encoding,
}

impl BadBody {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Large(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Packing => StatusCode::BAD_REQUEST,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// Unpacks by the headers.
pub(crate) fn unpack(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, BadBody> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => Ok(body),
        Some(b"gzip") => gunzip(&body, most),
        Some(_) => Err(BadBody::Encoding),
    }
}

fn gunzip(body: &[u8], most: usize) -> Result<Bytes, BadBody> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(body).take(most as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|_| BadBody::Packing)?;
    if plain.len() > most { Err(BadBody::Large(most)) } else { Ok(plain.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn with(encoding: &'static str, body: Bytes) -> Result<Bytes, BadBody> {
        unpack(&HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())]), body, 1000)
    }

    #[test]
    fn unpacks_what_fits() {
        assert_eq!(with("gzip", gzip(b"spans")).unwrap(), "spans");
        assert_eq!(with("identity", "spans".into()).unwrap(), "spans");
        assert_eq!(with("gzip", gzip(&[0; 1001])), Err(BadBody::Large(1000)));
        assert_eq!(with("gzip", "spans".into()), Err(BadBody::Packing));
        assert_eq!(with("br", "spans".into()), Err(BadBody::Encoding));
    }
}
