//! Comes in: `/proc/<pid>/cgroup`. Goes out: the container, the pod and the systemd unit that the process runs in.
//! Refuses: units that only start what others want to run (cron, sshd, container engines): they name nothing.

/// The place of a process among the cgroups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroup {
    /// Path in the v2 hierarchy; where there is none, in systemd's own or another v1 hierarchy.
    pub path: String,
    /// Id of the innermost container, as docker, containerd, CRI-O, podman and ECS name their cgroups.
    pub container: Option<String>,
    /// Uid of the Kubernetes pod.
    pub pod: Option<String>,
    /// Name of the systemd unit without `.service` and without the instance of a template.
    pub unit: Option<String>,
}

/// Units whose processes do not belong to them in the eyes of a person.
const LAUNCHERS: [&str; 16] = [
    "anacron",
    "atd",
    "containerd",
    "cron",
    "crond",
    "docker",
    "getty",
    "kubelet",
    "podman",
    "serial-getty",
    "ssh",
    "sshd",
    "supervisor",
    "supervisord",
    "user",
    "console-getty",
];

impl Cgroup {
    /// Reads lines of the form `hierarchy-ID:controller-list:path` (cgroups(7)).
    #[must_use]
    pub(super) fn parse(file: &[u8]) -> Self {
        let text = String::from_utf8_lossy(file);
        let lines: Vec<_> = text.lines().filter_map(line).collect();
        let path_of = |wanted: &str| lines.iter().find(|(name, path)| *name == wanted && *path != "/");
        let main =
            path_of("").or_else(|| path_of("name=systemd")).or_else(|| lines.iter().find(|(_, p)| *p != "/"));
        let main = main.map_or("/", |(_, path)| *path);
        // In v1 the engine may have made its cgroup in some hierarchies only.
        let paths = || std::iter::once(main).chain(lines.iter().map(|(_, path)| *path));
        Self {
            path: main.to_owned(),
            container: paths().find_map(container),
            pod: paths().find_map(pod),
            unit: unit(main),
        }
    }
}

fn line(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

fn container(path: &str) -> Option<String> {
    let ecs = path.contains("/ecs/") || path.contains("/ecs-");
    path.rsplit('/').find_map(|segment| container_segment(segment, ecs)).map(str::to_owned)
}

/// `<id>`, `docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>.scope`, `libpod-<id>.scope`,
/// `kubepods-….slice:cri-containerd:<id>`; ECS on Fargate: 32 digits, a dash and a number.
fn container_segment(segment: &str, ecs: bool) -> Option<&str> {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    if ecs && name.split_once('-').is_some_and(|(task, number)| is_hex(task, 32) && is_number(number)) {
        return Some(name);
    }
    // conmon watches a container from outside of it.
    let (engine, id) = name.rsplit_once(['-', ':']).unwrap_or(("", name));
    (is_hex(id, 64) && !engine.ends_with("conmon")).then_some(id)
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `pod<uid>` (cgroupfs driver) or `kubepods-burstable-pod<uid with _>.slice` (systemd driver).
fn pod(path: &str) -> Option<String> {
    path.split(['/', ':']).find_map(|segment| {
        let name = segment.strip_suffix(".slice").unwrap_or(segment);
        let (before, uid) = name.rsplit_once("pod")?;
        let uid = uid.replace('_', "-");
        let known = before.is_empty() || before.starts_with("kubepods");
        let is_uid = uid.len() == 36 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (known && is_uid).then_some(uid)
    })
}

/// The innermost service, but none outside of a container for what is inside of it.
fn unit(path: &str) -> Option<String> {
    path.rsplit('/').take_while(|segment| container_segment(segment, false).is_none()).find_map(unit_segment)
}

fn unit_segment(segment: &str) -> Option<String> {
    let name = unescape(segment.strip_suffix(".service")?);
    let name = name.split('@').next().filter(|name| !name.is_empty())?;
    (!LAUNCHERS.contains(&name)).then(|| name.to_owned())
}

/// systemd.unit(5), "String escaping for inclusion in unit names": `\x2d` is `-`.
fn unescape(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(rest);
            }
            _ => {
                plain.push_str("\\x");
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3e74abb1d1a1ef8be2a3d8f5c6d0a6a1e4b1b8f0d7c3c2e9f8a7b6c5d4e3f201";
    const UID: &str = "0e6f7a1c-3a53-4b5c-9d1e-1f2a3b4c5d6e";

    fn check(file: &str, container: Option<&str>, pod: Option<&str>, unit: Option<&str>) {
        let uid_ = UID.replace('-', "_");
        let file = file.replace("UID_", &uid_).replace("UID", UID).replace("ID", ID);
        let cgroup = Cgroup::parse(file.as_bytes());
        let have = (cgroup.container.as_deref(), cgroup.pod.as_deref(), cgroup.unit.as_deref());
        assert_eq!(have, (container, pod, unit), "{file}");
    }

    #[test]
    fn containers_of_all_engines_are_found() {
        let containers = [
            "0::/system.slice/docker-ID.scope\n",
            "0::/system.slice/docker-ID.scope/init.scope\n",
            "0::/../../docker/ID\n",
            "0::/docker/ID\n",
            "0::/machine.slice/libpod-ID.scope/container\n",
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n",
            "0::/default/ID\n",
            "0::/\n5:cpuset:/\n4:memory:/docker/ID\n",
            "12:pids:/docker/ID\n1:name=systemd:/docker/ID\n",
        ];
        for file in containers {
            check(file, Some(ID), None, None);
        }
        let pods = [
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice/cri-containerd-ID.scope\n",
            "0::/kubepods.slice/kubepods-podUID_.slice/crio-ID.scope\n",
            "11:memory:/kubepods/besteffort/podUID/ID\n",
            "0::/system.slice/containerd.service/kubepods-besteffort-podUID_.slice:cri-containerd:ID\n",
        ];
        for file in pods {
            check(file, Some(ID), Some(UID), None);
        }
        let task = "0123456789abcdef0123456789abcdef-1234567890";
        check(&format!("4:memory:/ecs/0123456789abcdef0123456789abcdef/{task}\n"), Some(task), None, None);
        check("0::/machine.slice/libpod-conmon-ID.scope\n", None, None, None);
    }

    #[test]
    fn units_name_services_and_not_sessions_or_launchers() {
        check("0::/system.slice/nginx.service\n", None, None, Some("nginx"));
        check(
            "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
            None,
            None,
            Some("postgresql"),
        );
        check("0::/system.slice/my\\x2dshop.service\n", None, None, Some("my-shop"));
        check("0::/system.slice/shop.service/workers\n", None, None, Some("shop"));
        check(
            "0::/user.slice/user-0.slice/user@0.service/app.slice/shop.service\n",
            None,
            None,
            Some("shop"),
        );
        check("2:cpu:/\n1:name=systemd:/system.slice/nginx.service\n0::/\n", None, None, Some("nginx"));
        check("0::/system.slice/docker-ID.scope/system.slice/nginx.service\n", Some(ID), None, Some("nginx"));
        check("0::/user.slice/user-0.slice/session-1.scope\n", None, None, None);
        check("0::/user.slice/user-0.slice/user@0.service/init.scope\n", None, None, None);
        check("0::/system.slice/cron.service\n", None, None, None);
        check("0::/system.slice/bad\\xzz\\x.service\n", None, None, Some("bad\\xzz\\x"));
        check("", None, None, None);
        check("no line at all\n::\n0::\n", None, None, None);
    }

    #[test]
    fn the_path_is_of_the_unified_hierarchy_where_that_says_something() {
        assert_eq!(Cgroup::parse(b"1:name=systemd:/a\n0::/b\n").path, "/b");
        assert_eq!(Cgroup::parse(b"3:cpu:/c\n1:name=systemd:/a\n0::/\n").path, "/a");
        assert_eq!(Cgroup::parse(b"0::/\n").path, "/");
    }
}
