//! Comes in: the turns of one workload under each condition. Goes out: medians, as a row of a table or as JSON.

use serde_json::json;

use super::{Turn, Turns, start::Start, workloads::Workload};

/// Prints the table's head.
pub(super) fn heading(as_json: bool) {
    if !as_json {
        println!(
            "{:<18}{:>10} |{:>9}{:>9}{:>9}{:>9} |{:>9}{:>9}{:>9}{:>9}{:>9} |{:>9}{:>9} |{:>9}{:>8}{:>8}{:>10}",
            "",
            "",
            "through",
            "put",
            "",
            "",
            "program",
            "CPU",
            "",
            "",
            "",
            "p99",
            "",
            "daemon",
            "CPU",
            "",
            ""
        );
        println!(
            "{:<18}{:>10} |{:>9}{:>9}{:>9}{:>9} |{:>9}{:>9}{:>9}{:>9}{:>9} |{:>9}{:>9} |{:>9}{:>8}{:>8}{:>10}",
            "workload",
            "ops/s",
            "waking",
            "filtered",
            "capture",
            "whole",
            "µs/op",
            "waking",
            "filtered",
            "capture",
            "whole",
            "µs",
            "whole",
            "µs/op",
            "of one",
            "MiB",
            "captured"
        );
    }
}

/// Prints one workload.
pub(super) fn row(workload: &Workload, turns: &Turns, as_json: bool) {
    let [without, waking, filtered, capture, whole] = turns.each_ref().map(|turns| Medians::of(turns));
    if as_json {
        let conditions = json!({
            "without": without.json(),
            "waking": waking.json(),
            "filtered": filtered.json(),
            "capture": capture.json(),
            "whole": whole.json(),
        });
        println!("{}", json!({"workload": workload.name, "unit": workload.unit, "conditions": conditions}));
        return;
    }
    let change = |value: f64, base: f64| percent(value / base - 1.0);
    println!(
        "{:<18}{:>10.0} |{:>9.3}{:>9.3}{:>9.3}{:>9.3} |{:>9.2}{:>9}{:>9}{:>9}{:>9} |{:>9.0}{:>9} |{:>9.2}{:>8}{:>8.1}{:>10}",
        workload.name,
        without.throughput,
        waking.throughput / without.throughput,
        filtered.throughput / without.throughput,
        capture.throughput / without.throughput,
        whole.throughput / without.throughput,
        without.program_cpu,
        change(waking.program_cpu, without.program_cpu),
        change(filtered.program_cpu, without.program_cpu),
        change(capture.program_cpu, without.program_cpu),
        change(whole.program_cpu, without.program_cpu),
        without.p99,
        change(whole.p99, without.p99),
        whole.daemon_cpu,
        share(whole.daemon_cpu * whole.throughput / 1e6),
        whole.daemon_memory,
        share(whole.captured),
    );
}

/// Prints what a start takes.
pub(super) fn start(start: &Start, as_json: bool) {
    let [attached, first_span] = [start.attached, start.first_span].map(|time| time.as_secs_f64() * 1e3);
    let maps = start.maps as f64 / f64::from(1 << 20);
    if as_json {
        let figures = json!({"attached_ms": attached, "first_span_ms": first_span, "maps_mib": maps});
        println!("{}", json!({"start": figures}));
    } else {
        println!(
            "start: captures after {attached:.0} ms, first span {first_span:.0} ms later; the kernel's maps \
             take {maps:.1} MiB"
        );
    }
}

/// Medians over the turns of one condition; NaN where nothing was measured.
struct Medians {
    throughput: f64,
    p50: f64,
    p99: f64,
    program_cpu: f64,
    daemon_cpu: f64,
    daemon_memory: f64,
    captured: f64,
}

impl Medians {
    fn of(turns: &[Turn]) -> Self {
        let median = |field: fn(&Turn) -> f64| median(turns.iter().map(field).collect());
        Self {
            throughput: median(|turn| turn.load.throughput),
            p50: median(|turn| turn.load.p50),
            p99: median(|turn| turn.load.p99),
            program_cpu: median(|turn| turn.program_cpu),
            daemon_cpu: median(|turn| turn.daemon_cpu),
            daemon_memory: median(|turn| turn.daemon_memory),
            captured: median(|turn| turn.captured),
        }
    }

    /// What was not measured is `null`.
    fn json(&self) -> serde_json::Value {
        json!({
            "operations_per_second": self.throughput,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "program_cpu_us_per_operation": self.program_cpu,
            "daemon_cpu_us_per_operation": self.daemon_cpu,
            "daemon_resident_mib": self.daemon_memory,
            "captured": self.captured,
        })
    }
}

/// The middle one; of an even number, the upper of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn percent(value: f64) -> String {
    if value.is_nan() { "-".into() } else { format!("{:+.1}%", value * 100.0) }
}

fn share(value: f64) -> String {
    if value.is_nan() { "-".into() } else { format!("{:.1}%", value * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_turn_does_not_move_the_median() {
        assert_eq!(median(vec![3.0, 1e9, 1.0, 2.0, 2.5]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        assert_eq!([percent(0.05), percent(f64::NAN), share(1.0)], ["+5.0%", "-", "100.0%"]);
    }
}
