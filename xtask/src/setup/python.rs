//! The PyPI packages of the test programs, as pinned in `tests/programs/requirements.txt`, in a virtual environment under
//! `out/python/`.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    child, place,
    step::{note, step},
};

/// The environment's interpreter; makes or renews the environment first if the list of packages is another.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("python")?;
    let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.txt"));
    let list = place::root().join("tests/programs/requirements.txt");
    let wanted = fs::read(&list).with_context(|| format!("read {}", list.display()))?;
    if python.is_file() && fs::read(&stamp).is_ok_and(|made| made == wanted) {
        note("Python packages: there");
        return Ok(python);
    }
    step("install the Python packages of the test programs", || {
        child::quiet(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&folder))?;
        child::quiet(
            Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&list),
        )
    })?;
    fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))?;
    Ok(python)
}
