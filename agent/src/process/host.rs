//! The host that all processes share.

use std::path::Path;

use super::procfs::read_text;

/// What is known of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// `host.name`.
    pub name: Option<String>,
    /// `host.id`: machine-id(5), as OpenTelemetry's conventions have it for Linux.
    pub id: Option<String>,
}

impl HostFacts {
    /// Reads the host name from below `proc_root` and the machine id from below `root`, which is `/` but in tests.
    #[must_use]
    pub fn read(proc_root: &Path, root: &Path) -> Self {
        let ids = ["etc/machine-id", "var/lib/dbus/machine-id"];
        Self {
            name: read_text(&proc_root.join("sys/kernel/hostname")),
            id: ids.iter().find_map(|path| read_text(&root.join(path))),
        }
    }
}
