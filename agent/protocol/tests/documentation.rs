//! `docs/protocols.md` says what the registry says. To write it anew: `PROTOCOLS_PAGE=write cargo test -p
//! wirespan-protocol --test documentation`.

use std::{fs, path::Path};

use wirespan_protocol::registry::{About, Entry, REGISTRY};

const HEAD: &str = "\
# Protocols

Made from the registry (`agent/protocol/src/registry.rs`); a test fails where it is out of date, and says how to renew it.

A connection is recognised by its bytes, whichever port it uses, also when it is older than the daemon. Every row is told of
both sides, the program that asks (client span) and the one that answers (server span). Beside the attributes of its row
every span has `network.transport`, `network.peer.*`, `network.local.*`, `server.*` or `client.*`, `thread.id`,
`wirespan.link.*` (how its parent is known), and where they apply `wirespan.truncated`, `wirespan.missing_bytes`,
`wirespan.ending`, `wirespan.tcp.*`. Of TLS nothing is seen: such a connection is left alone from its first bytes, and counted as one that
is not recognised.

| protocol | recognised by | answers paired by | attributes | limits |
|---|---|---|---|---|
";

fn row(entry: &Entry) -> String {
    let About { title, recognised, paired, attributes, limits } =
        entry.about.unwrap_or_else(|| panic!("say in the registry what {} is: `.told(&ABOUT)`", entry.name));
    let attributes: Vec<_> = attributes
        .iter()
        .map(|name| if name.contains(' ') { (*name).to_owned() } else { format!("`{name}`") })
        .collect();
    format!("| {title} | {recognised} | {paired} | {} | {limits} |\n", attributes.join(", "))
}

#[test]
fn the_page_of_protocols_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols.md");
    let expected = HEAD.to_owned() + &REGISTRY.iter().map(row).collect::<String>();
    if std::env::var_os("PROTOCOLS_PAGE").is_some_and(|asked| asked == "write") {
        fs::write(&page, &expected).expect("the page can be written");
    }
    let found = fs::read_to_string(&page).unwrap_or_default();
    assert!(found == expected, "docs/protocols.md is out of date: see the first lines of this test");
}
