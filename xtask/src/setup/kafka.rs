//! The broker that the Kafka tests start, as jars from Maven's repository under `out/kafka/jars` (54 MB). It brings no
//! archive of its own there, so Maven is asked for a program that depends on it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    child, place,
    step::{note, step},
};

const VERSION: &str = "4.1.0";

/// The server, the tool that formats its folder, and what both write their logs with.
const PROJECT: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wirespan</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>VERSION</version></dependency>
  </dependencies>
</project>
"#;

/// The folder of the jars; fetches them first if they are not there.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = place::out("kafka")?;
    let (jars, stamp) = (folder.join("jars"), folder.join("fetched"));
    if fs::read_to_string(&stamp).is_ok_and(|fetched| fetched == VERSION) {
        note(&format!("Kafka {VERSION}: there"));
        return Ok(jars);
    }
    if place::program("java").is_none() || place::program("mvn").is_none() {
        bail!("Kafka is fetched by Maven and runs on Java 17: install both, then again");
    }
    if jars.exists() {
        fs::remove_dir_all(&jars).context("remove what an earlier try left")?;
    }
    let project = folder.join("pom.xml");
    fs::write(&project, PROJECT.replace("VERSION", VERSION)).context("write Maven's project")?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--file"]).arg(&project);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display()));
    step(&format!("fetch Kafka {VERSION} (54 MB)"), || child::quiet(&mut maven))?;
    fs::write(&stamp, VERSION).with_context(|| format!("write {}", stamp.display()))?;
    Ok(jars)
}
