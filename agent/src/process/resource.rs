//! Comes in: everything known of a process. Goes out: its [`Resource`] by OpenTelemetry's semantic conventions 1.37
//! (`service.*`, `process.*`, `host.*`, `os.*`, `container.*`, `k8s.*`). Refuses: arguments and environment, which
//! hold secrets.

use std::borrow::Cow;

use wirespan_span::{resource::Resource, span::Value};

use super::{HostFacts, Process, cgroup::Cgroup, environ::Otel, path};

/// What OpenTelemetry's conventions put where a service's name is not known.
pub(super) const UNKNOWN: &str = "unknown_service";

/// Longest name or attribute value, in bytes: what a process says about itself must not bloat every span.
const MAX_TEXT: usize = 1024;

/// What a name can come from, strongest first.
pub(super) struct Names<'a> {
    /// From wirespan's configuration.
    pub configured: Option<&'a str>,
    /// From the process's environment.
    pub otel: Option<&'a str>,
    /// From its systemd unit.
    pub unit: Option<&'a str>,
    /// From its container.
    pub container: Option<&'a str>,
    /// From its command line.
    pub program: &'a str,
}

impl Names<'_> {
    fn best(&self) -> String {
        let program = (!self.program.is_empty()).then_some(self.program);
        let names = [self.configured, self.otel, self.unit, self.container, program];
        clean(names.into_iter().flatten().find(|name| !name.trim().is_empty()).unwrap_or(UNKNOWN))
    }
}

/// Builds the resource of `process`.
pub(super) fn resource(
    process: &Process,
    names: &Names<'_>,
    cgroup: &Cgroup,
    otel: &Otel,
    host: &HostFacts,
) -> Resource {
    let mut list = List(Vec::with_capacity(12 + otel.attributes.len()));
    list.text("service.name", Some(&names.best()));
    list.push("process.pid", Value::Int(i64::from(process.pid)));
    let executable = process.executable.as_deref();
    list.text("process.executable.name", executable.map(path::base));
    list.text("process.executable.path", executable.filter(|path| path.starts_with('/')));
    list.text("container.id", cgroup.container.as_deref());
    list.text("container.name", names.container);
    list.text("k8s.pod.uid", cgroup.pod.as_deref());
    list.text("host.name", host.name.as_deref());
    list.text("host.id", host.id.as_deref());
    list.text("os.type", Some("linux"));
    for (name, value) in &otel.attributes {
        list.replace(clean(name), Value::Text(clean(value).into()));
    }
    Resource { attributes: list.0 }
}

/// Attributes in the order in which they are shown.
struct List(Vec<(Cow<'static, str>, Value)>);

impl List {
    fn push(&mut self, name: &'static str, value: Value) {
        self.0.push((name.into(), value));
    }

    fn text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.push(name, Value::Text(clean(text).into()));
        }
    }

    /// What the process says about itself wins: it may know its host's or container's real name.
    fn replace(&mut self, name: String, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.into(), value)),
        }
    }
}

/// Without control characters, which would play with a terminal, and not longer than [`MAX_TEXT`].
fn clean(text: &str) -> String {
    let plain = text.trim().chars().filter(|c| !c.is_control());
    let mut length = 0;
    plain
        .take_while(|c| {
            length += c.len_utf8();
            length <= MAX_TEXT
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Names<'_> = Names { configured: None, otel: None, unit: None, container: None, program: "" };

    #[test]
    fn the_strongest_name_wins() {
        let all = || Names {
            configured: Some("config"),
            otel: Some("otel"),
            unit: Some("unit"),
            container: Some("container"),
            program: "program",
        };
        assert_eq!(all().best(), "config");
        assert_eq!(Names { configured: None, ..all() }.best(), "otel");
        assert_eq!(Names { configured: None, otel: None, ..all() }.best(), "unit");
        assert_eq!(Names { configured: None, otel: None, unit: None, ..all() }.best(), "container");
        assert_eq!(Names { program: "program", ..NONE }.best(), "program");
        assert_eq!(Names { otel: Some(" "), program: "x", ..NONE }.best(), "x");
        assert_eq!(NONE.best(), "unknown_service");
    }

    #[test]
    fn attributes_follow_the_conventions_and_the_process_has_the_last_word() {
        let process = Process { pid: 7, executable: Some("/usr/bin/curl".into()), ..Process::default() };
        let otel = Otel {
            service_name: None,
            attributes: vec![("host.name".into(), "real".into()), ("team".into(), "a\x1b[31m".into())],
        };
        let host = HostFacts { name: Some("box".into()), id: None };
        let resource =
            resource(&process, &Names { program: "curl", ..NONE }, &Cgroup::default(), &otel, &host);
        let text = |name: &'static str, value: &'static str| (Cow::from(name), Value::Text(value.into()));
        assert_eq!(
            resource.attributes,
            [
                text("service.name", "curl"),
                ("process.pid".into(), Value::Int(7)),
                text("process.executable.name", "curl"),
                text("process.executable.path", "/usr/bin/curl"),
                text("host.name", "real"),
                text("os.type", "linux"),
                text("team", "a[31m"),
            ]
        );
        assert_eq!(clean(&"ä".repeat(MAX_TEXT)).len(), MAX_TEXT);
    }
}
