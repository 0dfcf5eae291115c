//! Our API answers as its OpenAPI document says, whatever it is asked: schemathesis makes the questions from the document.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use wirespan_tests::{
    collector::{Collector, TOKEN},
    program,
    servers::{packaged_python, program_file},
};

/// The same questions each time.
const SEED: &str = "7";
/// Not whether good questions are answered: what is well-formed may still be no query or no id.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

#[test]
#[ignore = "needs Python's packages: cargo xtask test"]
fn answers_are_as_the_document_says() -> Result<()> {
    let collector = Collector::start()?;
    let sender = program_file("senders.py");
    let mut send = Command::new(packaged_python());
    program::run(send.arg(sender).args(["http", &collector.http.to_string(), "20"]))?;
    collector.until_served(20)?;
    let page = collector.page;
    let mut check = Command::new(PathBuf::from(packaged_python()).with_file_name("schemathesis"));
    check.args(["run", &format!("http://{page}/api/v1/openapi.json"), "--url", &format!("http://{page}")]);
    check.args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--checks", CHECKS]);
    // The live tail never ends.
    check.args(["--exclude-path", "/api/v1/tail", "--phases", "coverage,fuzzing"]);
    check.args(["--max-examples", "20", "--seed", SEED, "--no-color"]);
    // It keeps notes where it runs, and tells what is wrong on its standard output.
    let folder = tempfile::tempdir()?;
    let output = check.current_dir(folder.path()).output().context("run schemathesis")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
