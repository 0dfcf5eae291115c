//! Attach plans: which programs see what, what each requires, what stands in where that is missing.

use std::fmt;

use crate::{
    object::{OBJECT, OLDER},
    programs::LoadError,
};

/// How socket reads and writes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The tracepoints at the end of every socket read and write. Linux 6.3. Calls that are not a socket's pay nothing.
    Sock,
    /// The tracepoint at the end of every system call. Linux 5.12; every call pays a little.
    Syscall,
    /// As [`Syscall`](Self::Syscall), with stand-ins for what Linux 5.10 lacks: BPF's own ring buffer, a table of
    /// sockets.
    Older,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sock => "sock",
            Self::Syscall => "syscall",
            Self::Older => "older",
        })
    }
}

/// Which plan the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first whose requirements this kernel meets and that it loads.
    #[default]
    Auto,
    /// This one or none.
    Only(Plan),
}

/// A plan that this kernel should have loaded and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub plan: Plan,
    /// The kernel's answer.
    pub why: String,
}

/// The plan that was taken.
#[derive(Debug)]
pub(crate) struct Taken<T> {
    pub(crate) plan: Plan,
    pub(crate) loaded: T,
    pub(crate) passed_over: Vec<PassedOver>,
}

/// One kernel program and the tracepoint it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) program: &'static str,
    pub(crate) tracepoint: &'static str,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program {} at tracepoint {}", self.program, self.tracepoint)
    }
}

const fn hook(program: &'static str, tracepoint: &'static str) -> Hook {
    Hook { program, tracepoint }
}

/// Attached whatever the plan: lives of sockets and processes.
const COMMON: [Hook; 4] = [
    hook("ws_state", "inet_sock_set_state"),
    hook("ws_exec", "sched_process_exec"),
    hook("ws_fork", "sched_process_fork"),
    hook("ws_exit", "sched_process_exit"),
];

/// Attached beside the socket tracepoints where this kernel has them, to look into requests of `io_uring`. What stands in:
/// their lengths are counted.
pub(crate) const URING: [Hook; 2] =
    [hook("ws_uring_submit", "io_uring_submit_req"), hook("ws_uring_arm", "io_uring_poll_arm")];

/// Attached behind the socket tracepoints' own programs where the kernel may leave those out, and stand in for them then.
pub(crate) const SECOND: [Hook; 3] = [
    hook("ws_send_second", "sock_send_length"),
    hook("ws_recv_second", "sock_recv_length"),
    hook("ws_state_second", "inet_sock_set_state"),
];

/// Loaded beside the socket tracepoints, attached once somebody asks for wake-ups. What stands in: nothing; calls of pools
/// have no parent.
pub(crate) const WAKE: Hook = hook("ws_wake", "sched_waking");

impl Plan {
    /// In the order of preference.
    pub(crate) const ALL: [Self; 3] = [Self::Sock, Self::Syscall, Self::Older];

    /// Where its programs are.
    pub(crate) fn object(self) -> &'static [u8] {
        if self == Self::Older { OLDER } else { OBJECT }
    }

    /// The helpers that its programs call and that came after Linux 5.10, as `enum bpf_func_id` has them.
    fn helpers(self) -> &'static [&'static str] {
        match self {
            Self::Sock => &["BPF_FUNC_task_pt_regs", "BPF_FUNC_skc_to_unix_sock"],
            // Atomic exchange and cookies for tracepoints came one version later and have no name to look for: where
            // they are missing, the kernel refuses the program, and the next plan's turn comes.
            Self::Syscall => &["BPF_FUNC_get_current_task_btf"],
            Self::Older => &[],
        }
    }

    /// What it needs and a kernel lacks, of which is known which tracepoints and helpers it has.
    pub(crate) fn lacking<E>(
        self,
        mut has_tracepoint: impl FnMut(&str) -> Result<bool, E>,
        mut has_helper: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<Vec<&'static str>, E> {
        let mut lacking = Vec::new();
        for hook in self.hooks() {
            if !has_tracepoint(hook.tracepoint)? {
                lacking.push(hook.tracepoint);
            }
        }
        for helper in self.helpers() {
            if !has_helper(helper)? {
                lacking.push(*helper);
            }
        }
        Ok(lacking)
    }

    /// What it attaches.
    pub(crate) fn hooks(self) -> Vec<Hook> {
        let own: &[Hook] = match self {
            Self::Sock => {
                &[hook("ws_sock_send", "sock_send_length"), hook("ws_sock_recv", "sock_recv_length")]
            }
            Self::Syscall | Self::Older => &[hook("ws_sys_exit", "sys_exit")],
        };
        [own, &COMMON].concat()
    }

    /// What one of them goes on with; loaded and not attached.
    pub(crate) fn next(self) -> Option<Hook> {
        (self != Self::Sock).then_some(hook("ws_sys_moved", "sys_exit"))
    }
}

/// The first plan in the order of preference that lacks nothing and that loads. What the kernel refuses is passed over;
/// any other error, such as lacking permission, would be the next plan's too.
pub(crate) fn take<T>(
    choice: Choice,
    mut lacking: impl FnMut(Plan) -> Result<Vec<&'static str>, LoadError>,
    mut load: impl FnMut(Plan) -> Result<T, LoadError>,
) -> Result<Taken<T>, LoadError> {
    let candidates = match choice {
        Choice::Auto => Plan::ALL.to_vec(),
        Choice::Only(plan) => vec![plan],
    };
    let (mut missing, mut refusals, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    for plan in candidates {
        missing = lacking(plan)?;
        if !missing.is_empty() {
            continue;
        }
        match load(plan) {
            Ok(loaded) => return Ok(Taken { plan, loaded, passed_over }),
            Err(error @ LoadError::Refused { .. }) => {
                passed_over.push(PassedOver { plan, why: error.chain() });
                refusals.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(match refusals.len() {
        0 => LoadError::NoPlan { lacking: missing, advice: advice(choice) },
        1 => refusals.remove(0),
        _ => LoadError::NoneLoads(passed_over),
    })
}

fn advice(choice: Choice) -> &'static str {
    match choice {
        Choice::Auto => "wirespan needs Linux 5.10 or later with BPF tracing",
        Choice::Only(Plan::Sock) => "they came with Linux 6.3: use --plan auto",
        Choice::Only(_) => "use --plan auto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> LoadError {
        LoadError::Refused { what: "program ws_sys_exit".into(), source: "it is too large".into() }
    }

    /// The plan taken on a kernel that lacks these and refuses those, and the plans passed over.
    fn taken(choice: Choice, missing: &[&str], refused: &[Plan]) -> Result<(Plan, Vec<Plan>), LoadError> {
        let has = |name: &str| Ok::<_, LoadError>(!missing.contains(&name));
        let load = |plan| if refused.contains(&plan) { Err(refusal()) } else { Ok(()) };
        let taken = take(choice, |plan| plan.lacking(has, has), load)?;
        Ok((taken.plan, taken.passed_over.into_iter().map(|passed| passed.plan).collect()))
    }

    #[test]
    fn the_cheapest_plan_that_the_kernel_allows() {
        let chosen = |missing: &[&str]| taken(Choice::Auto, missing, &[]).unwrap();
        assert_eq!(chosen(&[]), (Plan::Sock, vec![]));
        assert_eq!(chosen(&["sock_send_length"]), (Plan::Syscall, vec![]));
        let linux_5_10 = ["sock_send_length", "BPF_FUNC_task_pt_regs", "BPF_FUNC_get_current_task_btf"];
        assert_eq!(chosen(&linux_5_10), (Plan::Older, vec![]));
    }

    #[test]
    fn what_the_kernel_refuses_is_passed_over_and_told() {
        let chosen = |refused: &[Plan]| taken(Choice::Auto, &[], refused).unwrap();
        assert_eq!(chosen(&[Plan::Sock]), (Plan::Syscall, vec![Plan::Sock]));
        assert_eq!(chosen(&[Plan::Sock, Plan::Syscall]), (Plan::Older, vec![Plan::Sock, Plan::Syscall]));
        // Linux 5.11: the helper is there, the atomic instructions are not.
        let chosen = taken(Choice::Auto, &["sock_send_length"], &[Plan::Syscall]).unwrap();
        assert_eq!(chosen, (Plan::Older, vec![Plan::Syscall]));
    }

    #[test]
    fn a_plan_by_name_has_no_stand_in() {
        assert_eq!(taken(Choice::Only(Plan::Syscall), &[], &[]).unwrap().0, Plan::Syscall);
        let error = taken(Choice::Only(Plan::Sock), &["sock_recv_length"], &[]).unwrap_err();
        assert!(error.to_string().contains("sock_recv_length"), "{error}");
        let error = taken(Choice::Only(Plan::Sock), &[], &[Plan::Sock]).unwrap_err();
        assert!(error.chain().contains("too large"), "{error}");
    }

    #[test]
    fn when_none_loads_every_reason_is_told() {
        let error = taken(Choice::Auto, &["sock_send_length"], &Plan::ALL).unwrap_err().to_string();
        assert!(
            error.contains("syscall: ") && error.contains("older: ") && !error.contains("sock: "),
            "{error}"
        );
    }

    #[test]
    fn who_may_not_load_gets_no_second_try() {
        let tried = std::cell::Cell::new(0);
        let load = |_| {
            tried.set(tried.get() + 1);
            Err::<(), _>(LoadError::NotPermitted)
        };
        assert!(matches!(take(Choice::Auto, |_| Ok(vec![]), load), Err(LoadError::NotPermitted)));
        assert_eq!(tried.get(), 1);
    }
}
