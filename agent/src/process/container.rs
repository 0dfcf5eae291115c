//! Comes in: a container's id. Goes out: its name, where the engine keeps it in a file that is cheap to read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::procfs::read;

/// Bytes read of an engine's file.
const MAX_FILE: u64 = 4 << 20;

/// The places where container engines keep names.
#[derive(Debug)]
pub(super) struct Engines {
    root: PathBuf,
}

impl Engines {
    /// `root` is `/` but in tests.
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The name of the container with this (whole) id.
    pub(super) fn name(&self, id: &str) -> Option<String> {
        docker(&self.root, id).or_else(|| podman(&self.root, id))
    }
}

/// Docker: `config.v2.json` of the container, `Name` with a leading slash (moby 28, container/container.go).
fn docker(root: &Path, id: &str) -> Option<String> {
    let directory = root.join("var/lib/docker/containers").join(id);
    let config = json(&directory.join("config.v2.json"))?;
    config.get("Name")?.as_str().map(|name| name.trim_start_matches('/').to_owned())
}

/// Podman as root: a list of all containers with `id` and `names` (containers/storage 1.57, containers.go).
fn podman(root: &Path, id: &str) -> Option<String> {
    let list = json(&root.join("var/lib/containers/storage/overlay-containers/containers.json"))?;
    let container =
        list.as_array()?.iter().find(|container| container.get("id").is_some_and(|have| have == id))?;
    container.get("names")?.get(0)?.as_str().map(str::to_owned)
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&read(path, MAX_FILE)?).ok()
}
