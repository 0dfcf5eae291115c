//! Cargo's metadata in; findings about who depends on whom out. The flow is one way: a stage sees the types of the stage
//! before it, nothing further back.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;

/// What each crate may see of the workspace. A crate that is not here may not see any of it.
const ROAD: &[(&str, &[&str])] = &[
    ("wirespan-proto", &[]),
    ("wirespan-ebpf", &["wirespan-proto"]),
    ("wirespan-kernel", &["wirespan-proto"]),
    ("wirespan-recording", &["wirespan-proto"]),
    ("wirespan-capture-file", &["wirespan-proto"]),
    ("wirespan-connection", &["wirespan-proto"]),
    ("wirespan-protocol", &["wirespan-connection"]),
    ("wirespan-span", &["wirespan-protocol"]),
    ("wirespan-trace", &["wirespan-span"]),
    ("wirespan-export", &["wirespan-trace"]),
    ("wirespan-store", &[]),
    ("wirespan-ingest", &["wirespan-store"]),
    ("wirespan-query", &["wirespan-store"]),
    ("wirespan-collector", &["wirespan-ingest", "wirespan-store", "wirespan-query"]),
    (
        "wirespan",
        &[
            "wirespan-proto",
            "wirespan-kernel",
            "wirespan-recording",
            "wirespan-capture-file",
            "wirespan-connection",
            "wirespan-protocol",
            "wirespan-span",
            "wirespan-trace",
            "wirespan-export",
            "wirespan-collector",
        ],
    ),
    // Its recordings are kept without what is not theirs, and replayed.
    ("wirespan-tests", &["wirespan-proto", "wirespan-recording", "wirespan"]),
];

/// The stages that compute and do nothing else.
const PURE: &[&str] =
    &["wirespan-proto", "wirespan-connection", "wirespan-protocol", "wirespan-span", "wirespan-trace"];

/// Crates that do I/O, tell the time, or roll dice.
const IMPURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "aya",
    "libc",
    "nix",
    "rustix",
    "socket2",
    "hyper",
    "tonic",
    "reqwest",
    "getrandom",
    "rand",
    "chrono",
    "time",
    "signal-hook",
];

/// Crates that have one home, or few.
const HOMES: &[(&str, &[&str])] = &[
    ("aya", &["wirespan-kernel"]),
    ("aya-obj", &["wirespan-kernel"]),
    ("aya-ebpf", &["wirespan-ebpf"]),
    ("opentelemetry-proto", &["wirespan-export", "wirespan-proto", "wirespan-ingest"]),
    ("prost", &["wirespan-export", "wirespan-proto", "wirespan-ingest"]),
    ("rusqlite", &["wirespan-store", "wirespan-query"]),
    ("parquet", &["wirespan-store"]),
];

/// Checks every package of the workspace.
pub(super) fn check(metadata: &Value) -> Result<Vec<Finding>> {
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    Ok(packages.iter().flat_map(|package| check_package(root, package)).collect())
}

fn check_package(root: &str, package: &Value) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let file = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies
        .iter()
        .filter_map(|dependency| complaint(name, dependency))
        .map(|message| Finding { file: file.to_owned(), line: 1, message })
        .collect()
}

/// What is wrong with the crate `name` depending on `dependency`. Tests may use what they like of the registry.
fn complaint(name: &str, dependency: &Value) -> Option<String> {
    let other = dependency["name"].as_str()?;
    if other == "wirespan" || other.starts_with("wirespan-") {
        return against_the_flow(name, other, dependency["kind"] == "dev");
    }
    if let Some((_, homes)) = HOMES.iter().find(|(guest, _)| *guest == other)
        && !homes.contains(&name)
    {
        return Some(format!("{name} depends on {other}, which belongs in {} alone", homes.join(", ")));
    }
    let for_tests = dependency["kind"] == "dev";
    (!for_tests && PURE.contains(&name) && IMPURE.contains(&other)).then(|| {
        format!("{name} depends on {other}, but it is a pure stage: no I/O, no clock; take the value as an argument")
    })
}

/// Tests may go further back, to make their input with the types of earlier stages, and may ask for features of the crate
/// itself.
fn against_the_flow(name: &str, other: &str, for_tests: bool) -> Option<String> {
    let allowed = before(name);
    if allowed.contains(&other) || (for_tests && (other == name || reaches(name, other))) {
        return None;
    }
    let allowed = if allowed.is_empty() { "nothing of the workspace".to_owned() } else { allowed.join(", ") };
    Some(format!("{name} depends on {other}, against the flow; it may see: {allowed}"))
}

/// What a crate may see of the workspace.
fn before(name: &str) -> &'static [&'static str] {
    ROAD.iter().find(|(stage, _)| *stage == name).map(|(_, before)| *before).unwrap_or_default()
}

/// Does `other` stand anywhere before `name` on the road?
fn reaches(name: &str, other: &str) -> bool {
    before(name).iter().any(|stage| *stage == other || reaches(stage, other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check;

    fn findings(name: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let metadata = json!({
            "workspace_root": "/w",
            "packages": [{
                "name": name,
                "manifest_path": "/w/agent/x/Cargo.toml",
                "dependencies": [{"name": dependency, "kind": kind}],
            }],
        });
        check(&metadata).expect("it has packages").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_flow_is_one_way() {
        assert!(findings("wirespan-span", "wirespan-protocol", None).is_empty());
        let found = findings("wirespan-protocol", "wirespan-span", None);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("agent/x/Cargo.toml:1: wirespan-protocol depends on wirespan-span, against")
        );
    }

    #[test]
    fn a_stage_does_not_see_further_back() {
        assert_eq!(findings("wirespan-span", "wirespan-proto", None).len(), 1);
        assert_eq!(findings("wirespan-trace", "wirespan-connection", None).len(), 1);
    }

    #[test]
    fn tests_may_look_back_but_not_ahead() {
        assert!(findings("wirespan-export", "wirespan-proto", Some("dev")).is_empty());
        assert!(findings("wirespan-protocol", "wirespan-protocol", Some("dev")).is_empty());
        assert_eq!(findings("wirespan-protocol", "wirespan-span", Some("dev")).len(), 1);
    }

    #[test]
    fn pure_stages_do_no_io() {
        for name in ["tokio", "aya", "libc", "rand"] {
            assert_eq!(findings("wirespan-trace", name, None).len(), 1, "{name}");
        }
        assert!(findings("wirespan-export", "tokio", None).is_empty());
        assert!(findings("wirespan-connection", "rand", Some("dev")).is_empty());
    }

    #[test]
    fn some_crates_have_one_home() {
        assert!(findings("wirespan-kernel", "aya", None).is_empty());
        assert_eq!(findings("wirespan", "aya", None).len(), 1);
        assert_eq!(findings("wirespan-kernel", "aya-ebpf", None).len(), 1);
        assert_eq!(findings("wirespan", "prost", Some("dev")).len(), 1);
    }
}
