//! The backend of the causality rig as a process of its own. Arguments come as environment variables, as for every program
//! of the rig.

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use wirespan_tests::causality::backend;

fn main() -> Result<()> {
    let variable = |name: &str| env::var(name).with_context(|| format!("set {name}"));
    let mean =
        Duration::from_micros(variable("CAUSALITY_SERVICE_US")?.parse().context("CAUSALITY_SERVICE_US")?);
    let address = variable("CAUSALITY_BACKEND")?.parse().context("CAUSALITY_BACKEND")?;
    backend::serve(address, &PathBuf::from(variable("CAUSALITY_TRUTH")?), mean)
}
