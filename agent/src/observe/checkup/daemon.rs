//! Does a daemon run here, and is it well? Comes in: the address where one would answer. Goes out: a finding.

use super::Finding;
use crate::{
    config::value::Listen,
    observe::health::{Answer, Health, ask},
};

const TOPIC: &str = "daemon";

/// About the daemon that answers where the configuration says.
pub(super) fn finding(listen: Listen) -> Finding {
    match listen {
        Listen::Off => Finding::well(TOPIC, "not looked for: `observe.listen` is off"),
        Listen::At(address) => said(&address.to_string(), ask(address)),
    }
}

fn said(address: &str, answer: Answer) -> Finding {
    match answer {
        Answer::Nobody => Finding::well(TOPIC, format!("none answers at {address}")),
        Answer::Other => {
            let text = format!("what answers at {address} is no wirespan, or does not answer in time");
            Finding::limited(TOPIC, text, "choose another address for /metrics: --metrics ADDRESS, or `off`")
        }
        Answer::Daemon(health) if !health.well => {
            let text = format!("process {} does not go on: its capture thread hangs", health.pid);
            Finding::limited(TOPIC, text, "restart it, and please report it")
        }
        Answer::Daemon(Health { pid, version, plan, attached, .. }) => Finding::well(
            TOPIC,
            format!(
                "process {pid} (version {version}) captures by plan {plan}; attached: {}",
                attached.join(", ")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::checkup::Level;

    #[test]
    fn a_daemon_is_well_or_it_is_not() {
        let health = Health { well: true, pid: 7, plan: "sock".into(), ..Health::default() };
        let well = said("a", Answer::Daemon(health.clone()));
        assert!(well.level == Level::Well && well.text.contains("process 7"), "{well:?}");
        let hangs = said("a", Answer::Daemon(Health { well: false, ..health }));
        assert!(hangs.level == Level::Limited && hangs.text.contains("hangs"), "{hangs:?}");
        assert_eq!(said("a", Answer::Nobody).level, Level::Well);
        assert_eq!(said("a", Answer::Other).level, Level::Limited);
    }
}
