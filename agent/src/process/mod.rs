//! Who the processes are.

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Path.
    pub executable: Option<String>,
    /// Container id.
    pub container: Option<String>,
    /// Cgroup path.
    pub cgroup: Option<String>,
}
