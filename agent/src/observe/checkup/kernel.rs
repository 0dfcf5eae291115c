//! What the kernel's types allow, and what it really loads. Comes in: the kernel crate's report and trials. Goes out:
//! findings. Refuses: calling a plan good that was not attached.

use wirespan_kernel::{LoadError, Plan, Report, Trial, attempt, embedded, probe};

use super::{Finding, Level};
use crate::config::choice;

/// Everything about kernel programs, for a daemon that wants this plan.
pub(super) fn findings(wanted: choice::Plan) -> Vec<Finding> {
    if !embedded() {
        let advice = "run `cargo xtask setup` and build again, or use a released binary";
        return vec![Finding::broken("programs", "this build has no kernel programs in it", advice)];
    }
    match probe() {
        Err(error) => vec![types_missing(&error)],
        Ok(report) => {
            let trials: Vec<_> = fitting(&report).map(|plan| (plan, attempt(plan))).collect();
            [vec![types(&report)], plans(wanted, &report, &trials), vec![io_uring(&report)], tasks(&report)]
                .concat()
        }
    }
}

fn types_missing(error: &LoadError) -> Finding {
    let advice =
        "use a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship them; in a container, mount /sys";
    Finding::broken("types", error.chain(), advice)
}

fn types(report: &Report) -> Finding {
    if report.fields.is_empty() {
        return Finding::well(
            "types",
            format!("BTF is there ({} KiB) and has every field needed", report.types >> 10),
        );
    }
    let text = format!("this kernel's structures lack {}", report.fields.join(", "));
    Finding::broken("types", text, "please report this with the output of `uname -r`")
}

/// Plans whose tracepoints are all there.
fn fitting(report: &Report) -> impl Iterator<Item = Plan> {
    let fits = report.lacking.iter().filter(|(_, lacking)| lacking.is_empty());
    fits.map(|(plan, _)| *plan).filter(|_| report.fields.is_empty())
}

/// Plans that were attached for a moment, or were to be.
type Tried = [(Plan, Result<Trial, LoadError>)];

/// Which plan a daemon would take, then each in turn.
fn plans(wanted: choice::Plan, report: &Report, trials: &Tried) -> Vec<Finding> {
    let works = |plan: &Plan| trials.iter().any(|(tried, trial)| tried == plan && trial.is_ok());
    let taken = match wanted {
        choice::Plan::Auto => fitting(report).find(works).or_else(|| fitting(report).next()),
        choice::Plan::Sock => Some(Plan::Sock),
        choice::Plan::Syscall => Some(Plan::Syscall),
        choice::Plan::Older => Some(Plan::Older),
    };
    let mut findings = vec![choice(taken, trials)];
    for (plan, lacking) in &report.lacking {
        let trial = trials.iter().find(|(tried, _)| tried == plan).map(|(_, trial)| trial);
        findings.push(each(*plan, lacking, trial));
    }
    findings
}

/// The plan that counts: everything hangs on it.
fn choice(taken: Option<Plan>, trials: &Tried) -> Finding {
    let Some(taken) = taken else {
        let advice = "wirespan needs Linux 5.10 or later with BPF tracing";
        return Finding::broken("plan", "this kernel has the tracepoints of no plan", advice);
    };
    let works = |plan| trials.iter().any(|(tried, trial)| *tried == plan && trial.is_ok());
    if !works(taken) {
        let other = trials.iter().find(|(plan, trial)| *plan != taken && trial.is_ok());
        let advice = match other {
            Some((other, _)) => format!("use --plan {other}, which works"),
            None => "see below why".to_owned(),
        };
        return Finding::broken(
            "plan",
            format!("the plan {taken} would be taken, and does not work"),
            advice,
        );
    }
    match taken {
        Plan::Sock => Finding::well("plan", "sock is taken: calls that are not a socket's pay nothing"),
        Plan::Syscall => Finding::limited(
            "plan",
            "syscall is taken: every system call of every program pays a little",
            "Linux 6.3 and later have the cheaper plan sock",
        ),
        Plan::Older => Finding::limited(
            "plan",
            "older is taken: every system call of every program pays a little, and the ring buffer some more",
            "Linux 6.3 and later have the cheaper plan sock",
        ),
    }
}

fn each(plan: Plan, lacking: &[&str], trial: Option<&Result<Trial, LoadError>>) -> Finding {
    let topic = match plan {
        Plan::Sock => "plan sock",
        Plan::Syscall => "plan syscall",
        Plan::Older => "plan older",
    };
    match trial {
        Some(Ok(Trial { took, hooks, on_demand })) => {
            let hooks: Vec<_> = hooks.iter().map(|(_, tracepoint)| *tracepoint).collect();
            let pools = match on_demand {
                Some(tracepoint) => format!("{tracepoint} follows once a program has thread pools"),
                None => "calls of thread pools have no parent".to_owned(),
            };
            let (took, hooks) = (took.as_millis(), hooks.join(", "));
            Finding::well(topic, format!("was attached for a moment, in {took} ms, to {hooks}; {pools}"))
        }
        Some(Err(error)) => {
            let advice = "run as root; if it stays, please report this with the output of `uname -a`";
            Finding { level: Level::Limited, ..Finding::broken(topic, error.chain(), advice) }
        }
        None => Finding::well(topic, format!("not to be had: this kernel lacks {}", lacking.join(", "))),
    }
}

fn io_uring(report: &Report) -> Finding {
    if report.uring.is_empty() {
        return Finding::well("io_uring", "requests made by io_uring are read like others (plan sock)");
    }
    let text =
        format!("requests made by io_uring are counted, not read: missing {}", report.uring.join(", "));
    Finding::limited("io_uring", text, "Linux 6.4 and later show them")
}

/// Only worth a word where it fails: which programs it helps is a finding of its own.
fn tasks(report: &Report) -> Vec<Finding> {
    if report.runtimes.is_empty() {
        return Vec::new();
    }
    let text =
        format!("goroutines and async tasks are not told apart: missing {}", report.runtimes.join(", "));
    vec![Finding::limited("tasks", text, "please report this with the output of `uname -r`")]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(sock: Vec<&'static str>, syscall: Vec<&'static str>) -> Report {
        Report {
            types: 5 << 20,
            lacking: vec![(Plan::Sock, sock), (Plan::Syscall, syscall.clone()), (Plan::Older, syscall)],
            ..Report::default()
        }
    }

    fn trial() -> Result<Trial, LoadError> {
        Ok(Trial {
            took: Duration::from_millis(80),
            hooks: vec![("ws_sock_send", "sock_send_length")],
            on_demand: Some("sched_waking"),
        })
    }

    fn levels(wanted: choice::Plan, report: &Report, trials: &Tried) -> Vec<(&'static str, Level)> {
        plans(wanted, report, trials).iter().map(|finding| (finding.topic, finding.level)).collect()
    }

    #[test]
    fn a_new_kernel_is_well() {
        let trials = vec![(Plan::Sock, trial()), (Plan::Syscall, trial()), (Plan::Older, trial())];
        let found = levels(choice::Plan::Auto, &report(vec![], vec![]), &trials);
        assert!(found.iter().all(|(_, level)| *level == Level::Well), "{found:?}");
    }

    #[test]
    fn an_old_kernel_is_limited() {
        let report = report(vec!["sock_send_length"], vec![]);
        let found = plans(choice::Plan::Auto, &report, &[(Plan::Syscall, trial())]);
        assert_eq!(found[0].level, Level::Limited);
        assert!(found[1].text.contains("lacks sock_send_length"), "{}", found[1].text);
    }

    #[test]
    fn a_plan_that_does_not_load_is_passed_over() {
        let trials = vec![(Plan::Sock, Err(LoadError::NotPermitted)), (Plan::Syscall, trial())];
        let found = plans(choice::Plan::Auto, &report(vec![], vec![]), &trials);
        assert!(
            found[0].level == Level::Limited && found[0].text.contains("syscall is taken"),
            "{}",
            found[0].text
        );
        assert!(
            found[1].level == Level::Limited && found[1].text.contains("not permitted"),
            "{}",
            found[1].text
        );
    }

    #[test]
    fn a_plan_by_name_that_does_not_load_is_broken_and_another_one_is_named() {
        let trials = vec![(Plan::Sock, Err(LoadError::NotPermitted)), (Plan::Syscall, trial())];
        let found = plans(choice::Plan::Sock, &report(vec![], vec![]), &trials);
        assert_eq!(found[0].level, Level::Broken);
        assert_eq!(found[0].advice.as_deref(), Some("use --plan syscall, which works"));
        assert!(found[1].text.contains("not permitted"), "{}", found[1].text);
    }

    #[test]
    fn a_kernel_without_tracepoints_is_broken() {
        let report = report(vec!["sys_enter"], vec!["sys_exit"]);
        assert_eq!(levels(choice::Plan::Auto, &report, &[])[0], ("plan", Level::Broken));
        assert_eq!(levels(choice::Plan::Sock, &report, &[])[0], ("plan", Level::Broken));
    }

    #[test]
    fn missing_fields_are_named() {
        let mut report = report(vec![], vec![]);
        report.fields = vec!["sock.sk_type".to_owned()];
        assert_eq!(types(&report).level, Level::Broken);
        assert!(types(&report).text.contains("sock.sk_type") && fitting(&report).next().is_none());
        report.uring = vec!["io_uring_submit_req".to_owned()];
        assert_eq!(io_uring(&report).level, Level::Limited);
        assert!(tasks(&report).is_empty());
        report.runtimes = vec!["task_struct.thread.fsbase".to_owned()];
        assert_eq!(tasks(&report)[0].level, Level::Limited);
    }
}
