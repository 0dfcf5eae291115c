//! Files, variables and flags in; merged values, origins and problems out.

use std::{path::Path, time::Duration};

use clap::{Args, FromArgMatches};

use super::{choice::Protocol, value::Size, *};

fn flags(args: &[&str]) -> Flags {
    let command = Flags::augment_args(clap::Command::new("test").no_binary_name(true));
    Flags::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap()
}

fn vars(vars: &[(&str, &str)]) -> Vec<(String, String)> {
    vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn merge_all(file: &str, env: &[(&str, &str)], args: &[&str]) -> Result<Loaded, Problems> {
    merge(Some((Path::new("w.yaml"), file)), &vars(env), &flags(args))
}

fn origin_of(loaded: &Loaded, path: &str) -> String {
    loaded.merged.iter().find(|(key, _)| key.path == path).unwrap().1.origin.to_string()
}

/// The problems as the user sees them, one a line.
fn problems(file: &str, env: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    merge_all(file, env, args).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_table_is_sound() {
    let loaded = merge(None, &[], &Flags::default()).unwrap();
    assert_eq!(loaded.config.capture.head_bytes, Size(2048));
    for key in KEYS {
        assert!(!key.doc.is_empty() && key.path.split('.').count() == 2, "{}", key.path);
        for other in KEYS.iter().filter(|other| other.path != key.path) {
            assert!(
                key.env() != other.env() && (key.flag.is_none() || key.flag != other.flag),
                "{}",
                key.path
            );
        }
    }
    // Every bound of every range is a value of its type: reading something absurd reaches it.
    for key in KEYS.iter().filter(|key| key.range.is_some()) {
        for value in ["999999999", "999999h", "999999GiB"] {
            let _ = merge(None, &vars(&[(&key.env(), value)]), &Flags::default());
        }
    }
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = "limits:\n  trace_wait: 2s\n  batch_wait: 3s\n  request_timeout: 4s\n";
    let env = [("WIRESPAN_LIMITS_BATCH_WAIT", "30s"), ("WIRESPAN_LIMITS_REQUEST_TIMEOUT", "40s")];
    let loaded = merge_all(file, &env, &["--set", "limits.request_timeout=5m"]).unwrap();
    let limits = &loaded.config.limits;
    assert_eq!(limits.trace_wait, Duration::from_secs(2));
    assert_eq!(limits.batch_wait, Duration::from_secs(30));
    assert_eq!(limits.request_timeout, Duration::from_secs(300));
    assert_eq!(limits.flush_timeout, Duration::from_secs(5));
    let origins = ["trace_wait", "batch_wait", "request_timeout", "flush_timeout"]
        .map(|name| origin_of(&loaded, &format!("limits.{name}")));
    assert_eq!(
        origins,
        ["file w.yaml:2", "env WIRESPAN_LIMITS_BATCH_WAIT", "flag --set limits.request_timeout", "default"]
    );
}

#[test]
fn lists_replace_weaker_lists_and_repeated_flags_add_up() {
    let file = "filter:\n  include_pids: [1, 2]\n  include_ports:\n    - 80\n    - 8000-8999\n";
    let env = [("WIRESPAN_FILTER_EXCLUDE_CONTAINERS", "abc,12e4"), ("WIRESPAN_OTLP_HEADERS", "a=1,b=2")];
    let args = ["--include-pid", "7", "--include-pid", "8,9", "--exclude-exe", "/opt/{a,b}/*"];
    let config = merge_all(file, &env, &args).unwrap().config;
    assert_eq!(config.filter.include_pids, [7, 8, 9]);
    assert_eq!(config.filter.exclude_containers, ["abc", "12e4"]);
    assert!(config.filter.include_ports[1].contains(8500));
    assert_eq!(config.filter.exclude_executables[0].0.glob(), "/opt/{a,b}/*");
    assert_eq!(config.otlp.headers, [("a".into(), "1".into()), ("b".into(), "2".into())]);
}

#[test]
fn what_is_not_set_leaves_room_for_opentelemetrys_variables() {
    let config = merge_all("otlp:\n  endpoint:\n", &[("WIRESPAN_OTLP_TIMEOUT", "")], &[]).unwrap().config;
    assert_eq!((config.otlp.endpoint, config.otlp.timeout), (None, None));
    let config =
        merge_all("otlp: {protocol: http/protobuf}", &[], &["--otlp", "http://[::1]:4317"]).unwrap().config;
    assert_eq!(config.otlp.endpoint.as_deref(), Some("http://[::1]:4317"));
    assert_eq!(config.otlp.protocol, Some(Protocol::HttpProtobuf));
}

#[test]
fn unknown_keys_name_the_nearest() {
    let file =
        "capture:\n  head_byte: 4KiB\nlimit:\n  trace_wait: 1s\nhead_bytes: 1\nquite_different:\n  x: 1\n";
    let env = [("WIRESPAN_LIMITS_TRACEWAIT", "1s"), ("WIRESPAN_CONFIG", "ignored here"), ("PATH", "/bin")];
    assert_eq!(
        problems(file, &env, &["--set", "output.colour=never"]),
        [
            "w.yaml:2: unknown setting `capture.head_byte`; did you mean `capture.head_bytes`?",
            "w.yaml:4: unknown setting `limit.trace_wait`; did you mean `limits.trace_wait`?",
            "w.yaml:5: unknown setting `head_bytes`; did you mean `capture.head_bytes`?",
            "w.yaml:7: unknown setting `quite_different.x`; `wirespan config print` lists all there are",
            "variable WIRESPAN_LIMITS_TRACEWAIT: unknown variable `WIRESPAN_LIMITS_TRACEWAIT`; \
             did you mean `WIRESPAN_LIMITS_TRACE_WAIT`?",
            "--set output.colour: unknown setting `output.colour`; did you mean `output.color`?",
        ]
    );
}

#[test]
fn values_out_of_range_name_the_range() {
    let file = "capture:\n  head_bytes: 64\n  plan: fast\nlimits: 5\nredaction:\n  defaults: no\n";
    let env = [("WIRESPAN_LIMITS_TRACE_WAIT", "1h"), ("WIRESPAN_LIMITS_CONNECTIONS", "-1")];
    assert_eq!(
        problems(file, &env, &["--include-port", "99999"]),
        [
            "w.yaml:4: `limits` must be a mapping of settings to values",
            "w.yaml:3: `capture.plan` must be one of auto, sock, syscall, older, not `fast`",
            "w.yaml:2: `capture.head_bytes` must be between 256 and 16KiB, not 64",
            "--include-port: `filter.include_ports` must hold ports such as 80 or ranges such as 8000-8999, \
             and `99999` is neither",
            "variable WIRESPAN_LIMITS_CONNECTIONS: `limits.connections` must be a whole number below 2^32, not `-1`",
            "variable WIRESPAN_LIMITS_TRACE_WAIT: `limits.trace_wait` must be between 0 and 5m, not 1h",
            "w.yaml:6: `redaction.defaults` must be true or false, not `no`",
        ]
    );
}

#[test]
fn the_collectors_addresses_are_checked_before_it_starts() {
    assert_eq!(
        problems("collector:\n  zipkin: 9411\n", &[], &["--listen", "1"]),
        [
            "--listen: `collector.listen` must be `off` or an address with a port such as 127.0.0.1:4317, not `1`",
            "w.yaml:2: `collector.zipkin` must be `off` or an address with a port such as 127.0.0.1:4317, not `9411`",
        ]
    );
}

#[test]
fn a_malformed_file_is_named_with_its_line() {
    assert_eq!(problems("a:\n  b: 1\n  b: 1\n", &[], &[]), ["w.yaml:3: `b` is already set in line 2"]);
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let file = "filter:\n  include_executables: ['/opt/{a,b}/*', 'null']\nservice:\n  names: {'/srv/*': 'my: shop'}\n";
    let first =
        merge_all(file, &[("WIRESPAN_OUTPUT_FORMAT", "tree")], &["--set", "limits.processes=100"]).unwrap();
    for docs in [false, true] {
        let printed = show::yaml(&first.merged, docs);
        let second = merge(Some((Path::new("again.yaml"), &printed)), &[], &Flags::default()).unwrap();
        let raws =
            |loaded: &Loaded| loaded.merged.iter().map(|(_, given)| given.raw.clone()).collect::<Vec<_>>();
        assert_eq!(raws(&first), raws(&second), "{printed}");
    }
    let printed = show::yaml(&first.merged, false);
    assert!(printed.contains("\n  format: tree  # env WIRESPAN_OUTPUT_FORMAT\n"), "{printed}");
    assert!(
        printed.contains("\n  # endpoint:  # not set: OTEL_EXPORTER_OTLP_ENDPOINT counts\n"),
        "{printed}"
    );
}

#[test]
fn json_has_values_and_origins_and_no_secrets() {
    let loaded =
        merge_all("", &[("WIRESPAN_OTLP_HEADERS", "authorization=hunter2")], &["--color", "never"]).unwrap();
    let json = show::json(&loaded.merged);
    assert_eq!(json["output"]["color"], serde_json::json!({"value": "never", "origin": "flag --color"}));
    assert_eq!(json["limits"]["connections"]["value"], 65536);
    assert_eq!(json["redaction"]["defaults"]["value"], true);
    assert_eq!(json["otlp"]["endpoint"]["value"], serde_json::Value::Null);
    assert!(!json.to_string().contains("hunter2") && !show::yaml(&loaded.merged, true).contains("hunter2"));
}
