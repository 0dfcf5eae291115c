//! A tree that looks like `/proc`, and events; resources out.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use wirespan_span::span::Value;

use super::*;
use crate::config::value::{Item, Pattern};

const ID: &str = "3e74abb1d1a1ef8be2a3d8f5c6d0a6a1e4b1b8f0d7c3c2e9f8a7b6c5d4e3f201";

struct Host {
    dir: tempfile::TempDir,
}

/// A process in the tree; what is empty is left out.
#[derive(Default)]
struct Fixture<'a> {
    exe: &'a str,
    args: &'a str,
    cwd: &'a str,
    cgroup: &'a str,
    environ: &'a str,
    ticks: u64,
}

impl Host {
    fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        host.write("proc/sys/kernel/hostname", "box\n");
        host.write("etc/machine-id", "00112233445566778899aabbccddeeff\n");
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn start(&self, pid: u32, process: &Fixture<'_>) {
        self.end(pid);
        let file = |name: &str| format!("proc/{pid}/{name}");
        let fields = "0 ".repeat(18);
        self.write(&file("stat"), &format!("{pid} (x) S {fields}{} 0 0\n", process.ticks));
        self.write(&file("cmdline"), &process.args.replace(' ', "\0"));
        self.write(&file("environ"), process.environ);
        self.write(&file("cgroup"), process.cgroup);
        for (name, target) in [("exe", process.exe), ("cwd", process.cwd)] {
            if !target.is_empty() {
                symlink(target, self.path(&file(name))).unwrap();
            }
        }
    }

    fn end(&self, pid: u32) {
        let _ = fs::remove_dir_all(self.path(&format!("proc/{pid}")));
    }

    fn processes(&self, names: &[(&str, &str)], capacity: usize) -> Processes {
        let sources = Sources { proc_root: self.path("proc"), root: self.dir.path().to_owned() };
        let facts = HostFacts::read(&sources.proc_root, &sources.root);
        let names = names.iter().map(|(glob, name)| (Pattern::read_item(glob).unwrap(), (*name).to_owned()));
        Processes::new(sources, facts, &names.collect(), capacity)
    }
}

fn exec<'a>(pid: u32, args: &'a str, env: &'a str) -> Exec<'a> {
    Exec { time: Nanos(1), pid, parent: 1, cgroup: 0, args: args.as_bytes(), env: env.as_bytes() }
}

fn service(processes: &mut Processes, pid: u32) -> String {
    processes.resource(pid, 0).service_name().to_owned()
}

fn attribute(resource: &Resource, wanted: &str) -> Option<Value> {
    resource.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
}

#[test]
fn a_running_process_is_read_from_proc() {
    let host = Host::new();
    host.start(
        7,
        &Fixture {
            exe: "/usr/bin/python3.11 (deleted)",
            args: "python3 app.py",
            cwd: "/srv/shop",
            cgroup: &format!("0::/system.slice/docker-{ID}.scope\n"),
            environ: "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=prod\0SECRET=x\0",
            ticks: 5,
        },
    );
    let mut processes = host.processes(&[], 10);
    let text = |text: &str| Some(Value::Text(text.to_owned().into()));
    let resource = processes.resource(7, 99);
    assert_eq!(resource.service_name(), "shop");
    let expected = [
        ("process.executable.name", "python3.11"),
        ("process.executable.path", "/usr/bin/python3.11"),
        ("container.id", ID),
        ("host.name", "box"),
        ("host.id", "00112233445566778899aabbccddeeff"),
        ("os.type", "linux"),
        ("deployment.environment.name", "prod"),
    ];
    for (name, value) in expected {
        assert_eq!(attribute(&resource, name), text(value), "{name}");
    }
    assert_eq!(attribute(&resource, "process.pid"), Some(Value::Int(7)));
    assert!(!format!("{processes:?}").contains("SECRET"));
    let process = processes.process(7, 99);
    assert_eq!(process.container.as_deref(), Some(ID));
    assert!(Arc::ptr_eq(&resource, &processes.resource(7, 99)), "found once, shared by all spans");
}

#[test]
fn names_come_from_the_strongest_source() {
    let host = Host::new();
    let docker = format!("0::/system.slice/docker-{ID}.scope\n");
    host.write(&format!("var/lib/docker/containers/{ID}/config.v2.json"), r#"{"Name":"/web","x":1}"#);
    host.start(1, &Fixture { exe: "/usr/sbin/nginx", args: "nginx:", cgroup: &docker, ..Default::default() });
    let unit = "0::/system.slice/shop.service\n";
    host.start(2, &Fixture { exe: "/usr/sbin/nginx", cgroup: unit, ..Default::default() });
    let environ = "OTEL_SERVICE_NAME=told\0";
    host.start(3, &Fixture { exe: "/usr/sbin/nginx", cgroup: unit, environ, ..Default::default() });
    host.start(4, &Fixture { exe: "/opt/x/nginx", environ, ..Default::default() });
    let mut processes = host.processes(&[("/opt/*", "configured")], 10);
    let names: Vec<_> = (1..=5).map(|pid| service(&mut processes, pid)).collect();
    assert_eq!(names, ["web", "shop", "told", "configured", "unknown_service"]);
    assert_eq!(attribute(&processes.resource(1, 0), "container.name"), Some(Value::Text("web".into())));
}

#[test]
fn podman_and_package_json_know_names_too() {
    let host = Host::new();
    let list = format!(r#"[{{"id":"x"}},{{"id":"{ID}","names":["db"]}}]"#);
    host.write("var/lib/containers/storage/overlay-containers/containers.json", &list);
    let cgroup = format!("0::/machine.slice/libpod-{ID}.scope/container\n");
    host.start(1, &Fixture { exe: "/usr/bin/postgres", cgroup: &cgroup, ..Default::default() });
    host.start(
        2,
        &Fixture { exe: "/bin/node", args: "node dist/server.js", cwd: "/srv/x", ..Default::default() },
    );
    host.write("proc/2/root/srv/x/package.json", r#"{"name":"@acme/shop"}"#);
    let mut processes = host.processes(&[], 10);
    assert_eq!([service(&mut processes, 1), service(&mut processes, 2)], ["db", "@acme/shop"]);
}

#[test]
fn a_process_that_is_gone_is_named_by_its_exec_event() {
    let host = Host::new();
    let mut processes = host.processes(&[], 10);
    processes.exec(&exec(5, "/usr/bin/curl\0-s\0http://x/\0", "PATH=/bin\0"));
    processes.exit(&Exit { time: Nanos(2), pid: 5 });
    assert_eq!(service(&mut processes, 5), "curl");
    processes.exec(&exec(6, "python3\0-m\0http.server\0", "OTEL_SERVICE_NAME=files\0"));
    assert_eq!(service(&mut processes, 6), "files");
}

#[test]
fn a_gone_process_has_the_place_of_others_in_its_cgroup() {
    let host = Host::new();
    host.start(
        1,
        &Fixture { exe: "/bin/sh", cgroup: "0::/system.slice/shop.service\n", ..Default::default() },
    );
    let mut processes = host.processes(&[], 10);
    processes.exec(&Exec { cgroup: 42, ..exec(1, "sh\0", "") });
    processes.exec(&Exec { cgroup: 42, ..exec(2, "curl\0", "") });
    processes.exec(&Exec { cgroup: 43, ..exec(3, "curl\0", "") });
    assert_eq!(processes.resource(2, 42).service_name(), "shop");
    assert_eq!(processes.resource(3, 43).service_name(), "curl");
    assert_eq!(processes.process(2, 42).cgroup.as_deref(), Some("/system.slice/shop.service"));
}

#[test]
fn children_are_what_their_parent_is_until_they_exec() {
    let host = Host::new();
    let mut processes = host.processes(&[], 10);
    processes.exec(&exec(1, "python3\0/usr/bin/gunicorn\0shop.wsgi:app\0", "OTEL_RESOURCE_ATTRIBUTES=a=b\0"));
    processes.fork(&Fork { time: Nanos(2), pid: 2, parent: 1 });
    // The worker has overwritten its title and, with it, its environment.
    host.start(
        2,
        &Fixture { exe: "/usr/bin/python3", args: "gunicorn:", environ: "junk", ..Default::default() },
    );
    let worker = processes.resource(2, 0);
    assert_eq!((worker.service_name(), attribute(&worker, "a")), ("shop", Some(Value::Text("b".into()))));
    host.end(2);
    processes.exec(&exec(2, "/bin/ls\0", ""));
    assert_eq!([service(&mut processes, 1), service(&mut processes, 2)], ["shop", "ls"]);
}

#[test]
fn a_cut_command_line_gives_way_to_proc() {
    let host = Host::new();
    let java = "java -cp /very/long.jar org.shop.Api";
    host.start(1, &Fixture { exe: "/usr/bin/java", args: java, ..Default::default() });
    let mut processes = host.processes(&[], 10);
    processes.exec(&exec(1, "java\0-cp\0/very/lo", ""));
    assert_eq!(service(&mut processes, 1), "Api");
}

#[test]
fn a_pid_used_again_is_another_process() {
    let host = Host::new();
    let mut processes = host.processes(&[], 10);
    // Its fork and exec were seen.
    host.start(1, &Fixture { exe: "/bin/first", ticks: 100, ..Default::default() });
    assert_eq!(service(&mut processes, 1), "first");
    processes.fork(&Fork { time: Nanos(2), pid: 1, parent: 9 });
    host.start(1, &Fixture { exe: "/bin/second", ticks: 200, ..Default::default() });
    assert_eq!(service(&mut processes, 1), "second");
    // They were lost, but its predecessor's exit was seen.
    processes.exit(&Exit { time: Nanos(2_500_000_000), pid: 1 });
    assert_eq!(service(&mut processes, 1), "second", "a late span");
    host.start(1, &Fixture { exe: "/bin/third", ticks: 300, ..Default::default() });
    assert_eq!(service(&mut processes, 1), "third");
    // All events were lost, but it is in another cgroup.
    processes.resource(1, 50);
    host.start(1, &Fixture { exe: "/bin/fourth", ticks: 400, ..Default::default() });
    assert_eq!(processes.resource(1, 51).service_name(), "fourth");
}

#[test]
fn memory_is_bounded_and_the_living_stay() {
    let host = Host::new();
    let mut processes = host.processes(&[], 16);
    processes.exec(&exec(1, "/bin/stays\0", ""));
    for pid in 2..1000 {
        processes.exec(&Exec { cgroup: u64::from(pid), ..exec(pid, "/bin/goes\0", "") });
        processes.exit(&Exit { time: Nanos(2), pid });
    }
    assert!(processes.len() <= 16 && processes.places.len() <= 16);
    assert_eq!(service(&mut processes, 1), "stays");
}

#[test]
fn who_ended_is_forgotten_two_minutes_later() {
    let host = Host::new();
    let mut processes = host.processes(&[], 100);
    for second in 0..10 {
        processes.exec(&exec(second, "/bin/goes\0", ""));
        processes.exit(&Exit { time: Nanos(u64::from(second) * 1_000_000_000), pid: second });
    }
    // The pid of one that ended is another's by now.
    processes.fork(&Fork { time: Nanos(11_000_000_000), parent: 9, pid: 4 });
    processes.exec(&exec(77, "/bin/last\0", ""));
    processes.exit(&Exit { time: Nanos(125_500_000_000), pid: 77 });
    assert_eq!(processes.len(), 6);
    assert_eq!([4, 6, 77].map(|pid| service(&mut processes, pid)), ["goes", "goes", "last"]);
}

#[test]
fn this_very_process_is_found_in_the_real_proc() {
    let host = HostFacts::read(Path::new("/proc"), Path::new("/"));
    let mut processes = Processes::new(Sources::default(), host, &Vec::new(), 10);
    let process = processes.process(std::process::id(), 0);
    let executable = std::env::current_exe().unwrap();
    assert_eq!(process.executable.as_deref(), executable.to_str());
}
