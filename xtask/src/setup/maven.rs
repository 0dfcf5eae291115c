//! Programs of the end-to-end tests that come as jars from Maven's repository, under `out/NAME/jars`. They bring no archive
//! of their own there, so Maven is asked for a program that depends on them.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

/// A program: what its jars hold, and where they come from.
pub(super) struct Program {
    /// Its folder under `out/`.
    pub(super) name: &'static str,
    /// What it is called, with its size.
    pub(super) title: &'static str,
    /// Group, artifact and version of what it depends on.
    pub(super) artifacts: &'static [[&'static str; 3]],
}

impl Program {
    fn project(&self) -> String {
        let dependencies = self.artifacts.iter().map(|[group, artifact, version]| {
            format!(
                "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        });
        format!(
            "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
             <groupId>wirespan</groupId>\n  <artifactId>{}</artifactId>\n  <version>1</version>\n  \
             <packaging>pom</packaging>\n  <dependencies>\n{}  </dependencies>\n</project>\n",
            self.name,
            dependencies.collect::<String>()
        )
    }

    /// The folder of the jars; fetches them first if they are not there, or are those of another version.
    pub(super) fn prepare(&self) -> Result<PathBuf> {
        let folder = place::out(self.name)?;
        let (jars, project, fetched) = (folder.join("jars"), folder.join("pom.xml"), folder.join("fetched"));
        let wanted = self.project();
        if fs::read_to_string(&fetched).is_ok_and(|fetched| fetched == wanted) {
            note(&format!("{}: there", self.title));
            return Ok(jars);
        }
        if place::program("java").is_none() || place::program("mvn").is_none() {
            bail!("{} is fetched by Maven and runs on Java 17: install both, then again", self.title);
        }
        if jars.exists() {
            fs::remove_dir_all(&jars).context("remove what an earlier try left")?;
        }
        fs::write(&project, &wanted).context("write Maven's project")?;
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "--file"]).arg(&project);
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", jars.display()));
        step(&format!("fetch {}", self.title), || child::quiet(&mut maven))?;
        fs::write(&fetched, &wanted).with_context(|| format!("write {}", fetched.display()))?;
        Ok(jars)
    }
}
