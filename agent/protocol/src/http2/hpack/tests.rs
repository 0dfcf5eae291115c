//! Header blocks in, fields out: the examples of RFC 7541 appendix C, and blocks of which a part is not known.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn lines(fields: &Fields) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

fn decoded(decoder: &mut Decoder, hex: &str) -> Fields {
    let mut fields = Fields::default();
    decoder.decode(&bytes(hex), false, &mut fields);
    fields
}

fn whole(decoder: &mut Decoder, hex: &str) -> Vec<String> {
    let fields = decoded(decoder, hex);
    assert_eq!((fields.unknown, fields.truncated), (0, false));
    lines(&fields)
}

/// Appendix C.2.
#[test]
fn every_form_of_a_field() {
    let one = |hex: &str| whole(&mut Decoder::new(), hex);
    assert_eq!(
        one("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"),
        ["custom-key: custom-header"]
    );
    assert_eq!(one("040c 2f73 616d 706c 652f 7061 7468"), [":path: /sample/path"]);
    assert_eq!(one("1008 7061 7373 776f 7264 0673 6563 7265 74"), ["password: secret"]);
    assert_eq!(one("82"), [":method: GET"]);
}

/// Appendix C.3 and C.4: the same requests without and with Huffman's code.
#[test]
fn requests_on_one_connection() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        let [first, second, third] = blocks.map(|block| whole(&mut decoder, block));
        assert_eq!(first, [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]);
        assert!(second.ends_with(&[":authority: www.example.com".into(), "cache-control: no-cache".into()]));
        assert_eq!(
            third,
            [
                ":method: GET",
                ":scheme: https",
                ":path: /index.html",
                ":authority: www.example.com",
                "custom-key: custom-value"
            ]
        );
    }
}

/// Appendix C.5, with a table of 256 bytes, from which entries go.
#[test]
fn responses_with_eviction() {
    let mut decoder = Decoder::new();
    decoder.table.resize(256);
    whole(
        &mut decoder,
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    );
    let second = whole(&mut decoder, "4803 3330 37c1 c0bf");
    assert_eq!(
        second,
        [
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com"
        ]
    );
    assert!(decoder.table.get(66).is_none(), "`:status: 302` went");
}

#[test]
fn who_joins_late_knows_what_is_sent_from_then_on() {
    let mut decoder = Decoder::joined();
    let fields = decoded(&mut decoder, "82 be bf 44 02 2f61");
    assert_eq!(
        (lines(&fields), fields.unknown, fields.truncated),
        (vec![":method: GET".into(), ":path: /a".into()], 2, false)
    );
    assert_eq!(whole(&mut decoder, "82 be"), [":method: GET", ":path: /a"]);
    let fields = decoded(&mut decoder, "7f 00 01 62 bf");
    assert_eq!(
        (fields.unknown, lines(&fields)),
        (1, vec![":path: /a".to_owned()]),
        "a value whose name is unknown"
    );
}

#[test]
fn a_block_that_was_missed_takes_the_table_with_it() {
    let mut decoder = Decoder::new();
    whole(&mut decoder, "44 02 2f61");
    decoder.forget();
    assert_eq!(decoded(&mut decoder, "82 be").unknown, 1);
    assert_eq!(whole(&mut decoder, "44 02 2f62 be"), [":path: /b", ":path: /b"]);
}

#[test]
fn a_cut_block_gives_what_it_has() {
    let mut decoder = Decoder::new();
    let mut fields = Fields::default();
    decoder.decode(&bytes("82 44 02 2f61 41 0f77 77"), true, &mut fields);
    assert_eq!(lines(&fields), [":method: GET", ":path: /a"]);
    assert!(fields.truncated && fields.unknown > 0);
    assert_eq!(decoded(&mut decoder, "be").unknown, 1, "the rest may have inserted more");
}

#[test]
fn broken_blocks_end_where_they_break() {
    for broken in ["82 ff ff ff ff ff 7f", "82 00 85 ff ff ff ff ff 00", "82 40 7f 80", "82 00 03 6162"] {
        let fields = decoded(&mut Decoder::new(), broken);
        assert_eq!((lines(&fields), fields.truncated), (vec![":method: GET".to_owned()], true), "{broken}");
    }
}

#[test]
fn what_a_small_block_refers_to_is_bounded() {
    let mut decoder = Decoder::joined();
    decoder.table.insert(Some(b"name"), Some(&[b'x'; 4000]));
    let mut fields = Fields::default();
    decoder.decode(&[0xbe; 1000], false, &mut fields);
    assert!(fields.truncated && fields.text.len() <= MAX_TEXT && fields.iter().count() == 8);
}
