//! Comes in: the `filter` group of the configuration and what is known of a process. Goes out: whether it is
//! captured. An empty include list means all; an exclude list wins. Refuses: guessing about a process of which the
//! asked-for fact is unknown: it is not in an include list then, and not in an exclude list.

use globset::{GlobSet, GlobSetBuilder};
use rustc_hash::FxHashSet;

use crate::{
    config::{
        Filters,
        value::{Pattern, Ports},
    },
    process::Process,
};

/// Is it captured?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Capture,
    /// No.
    Ignore,
}

impl Verdict {
    const fn when(capture: bool) -> Self {
        if capture { Self::Capture } else { Self::Ignore }
    }
}

/// One pair of lists about one kind of fact.
#[derive(Debug)]
struct Lists<T> {
    include: Option<T>,
    exclude: T,
}

impl<T> Lists<T> {
    fn new<I>(include: &[I], exclude: &[I], compile: impl Fn(&[I]) -> T) -> Self {
        Self { include: (!include.is_empty()).then(|| compile(include)), exclude: compile(exclude) }
    }

    fn pass(&self, is_in: impl Fn(&T) -> bool) -> bool {
        self.include.as_ref().is_none_or(&is_in) && !is_in(&self.exclude)
    }
}

/// Ports of connections that are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortFilter {
    /// Empty means all.
    pub include: Vec<Ports>,
    /// Wins over `include`.
    pub exclude: Vec<Ports>,
}

impl PortFilter {
    /// Is a connection between these ports captured? One of them in a list is enough.
    #[must_use]
    pub fn verdict(&self, local: u16, peer: u16) -> Verdict {
        let is_in = |list: &[Ports]| list.iter().any(|ports| ports.contains(local) || ports.contains(peer));
        Verdict::when((self.include.is_empty() || is_in(&self.include)) && !is_in(&self.exclude))
    }
}

/// The configured filters, compiled.
#[derive(Debug)]
pub struct Filter {
    pids: Lists<FxHashSet<u32>>,
    executables: Lists<GlobSet>,
    containers: Lists<Vec<String>>,
    cgroups: Lists<GlobSet>,
    ports: PortFilter,
}

impl Filter {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// Globs that are fine one by one but too large together.
    pub fn new(filters: &Filters) -> Result<Self, globset::Error> {
        let pids = |pids: &[u32]| pids.iter().copied().collect();
        Ok(Self {
            pids: Lists::new(&filters.include_pids, &filters.exclude_pids, pids),
            executables: globs(&filters.include_executables, &filters.exclude_executables)?,
            containers: Lists::new(
                &filters.include_containers,
                &filters.exclude_containers,
                <[String]>::to_vec,
            ),
            cgroups: globs(&filters.include_cgroups, &filters.exclude_cgroups)?,
            ports: PortFilter {
                include: filters.include_ports.clone(),
                exclude: filters.exclude_ports.clone(),
            },
        })
    }

    /// Is every process captured, so that none need be asked about?
    #[must_use]
    pub fn takes_all(&self) -> bool {
        let Self { pids, executables, containers, cgroups, ports: _ } = self;
        (pids.include.is_none() && pids.exclude.is_empty())
            && (executables.include.is_none() && executables.exclude.is_empty())
            && (containers.include.is_none() && containers.exclude.is_empty())
            && (cgroups.include.is_none() && cgroups.exclude.is_empty())
    }

    /// Is this process captured?
    #[must_use]
    pub fn verdict(&self, process: &Process) -> Verdict {
        let matches =
            |globs: &GlobSet, path: &Option<String>| path.as_ref().is_some_and(|path| globs.is_match(path));
        let begins = |ids: &Vec<String>, id: &str| ids.iter().any(|prefix| id.starts_with(prefix.as_str()));
        Verdict::when(
            self.pids.pass(|pids| pids.contains(&process.pid))
                && self.executables.pass(|globs| matches(globs, &process.executable))
                && self.cgroups.pass(|globs| matches(globs, &process.cgroup))
                && self.containers.pass(|ids| process.container.as_ref().is_some_and(|id| begins(ids, id))),
        )
    }

    /// The ports, for the kernel or for a look at each connection.
    #[must_use]
    pub const fn ports(&self) -> &PortFilter {
        &self.ports
    }
}

fn globs(include: &[Pattern], exclude: &[Pattern]) -> Result<Lists<GlobSet>, globset::Error> {
    let include = if include.is_empty() { None } else { Some(glob_set(include)?) };
    Ok(Lists { include, exclude: glob_set(exclude)? })
}

fn glob_set(patterns: &[Pattern]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(pattern.0.clone());
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, merge};

    fn filter(settings: &[(&str, &str)]) -> Filter {
        let vars: Vec<_> =
            settings.iter().map(|(n, v)| (format!("WIRESPAN_FILTER_{n}"), (*v).to_owned())).collect();
        Filter::new(&merge(None, &vars, &Flags::default()).unwrap().config.filter).unwrap()
    }

    fn nginx() -> Process {
        Process {
            pid: 100,
            executable: Some("/usr/sbin/nginx".to_owned()),
            container: Some("abc123".to_owned()),
            cgroup: Some("/system.slice/docker-abc123.scope".to_owned()),
        }
    }

    #[test]
    fn exclude_wins_and_empty_includes_mean_all() {
        let cases: [(&[(&str, &str)], bool); 13] = [
            (&[], true),
            (&[("INCLUDE_PIDS", "100,200")], true),
            (&[("INCLUDE_PIDS", "200")], false),
            (&[("INCLUDE_PIDS", "100"), ("EXCLUDE_PIDS", "100")], false),
            (&[("INCLUDE_EXECUTABLES", "/usr/{bin,sbin}/ng*")], true),
            (&[("INCLUDE_EXECUTABLES", "*/nginx")], true),
            (&[("INCLUDE_EXECUTABLES", "nginx")], false),
            (&[("EXCLUDE_EXECUTABLES", "/usr/*")], false),
            (&[("INCLUDE_CONTAINERS", "abc")], true),
            (&[("INCLUDE_CONTAINERS", "bc")], false),
            (&[("EXCLUDE_CONTAINERS", "zzz,abc1")], false),
            (&[("INCLUDE_CGROUPS", "/system.slice/*")], true),
            (&[("INCLUDE_PIDS", "100"), ("EXCLUDE_CGROUPS", "/system.slice/*")], false),
        ];
        for (settings, captured) in cases {
            assert_eq!(filter(settings).verdict(&nginx()), Verdict::when(captured), "{settings:?}");
        }
    }

    #[test]
    fn unknown_facts_are_in_no_list() {
        let unknown = Process { pid: 5, ..Process::default() };
        assert_eq!(filter(&[("INCLUDE_EXECUTABLES", "*")]).verdict(&unknown), Verdict::Ignore);
        assert_eq!(filter(&[("EXCLUDE_EXECUTABLES", "*")]).verdict(&unknown), Verdict::Capture);
    }

    #[test]
    fn ports_count_at_either_end() {
        let filter = filter(&[("INCLUDE_PORTS", "80,8000-8999"), ("EXCLUDE_PORTS", "8443")]);
        let cases = [
            (80, 50000, true),
            (50000, 8080, true),
            (50000, 9000, false),
            (8443, 50000, false),
            (80, 8443, false),
        ];
        for (local, peer, captured) in cases {
            assert_eq!(filter.ports().verdict(local, peer), Verdict::when(captured), "{local} {peer}");
        }
        assert_eq!(PortFilter::default().verdict(1, 2), Verdict::Capture);
    }
}
