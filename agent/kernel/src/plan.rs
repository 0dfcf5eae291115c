//! Attach plans: which programs see what, what each requires, what stands in where that is missing.

use std::fmt;

/// How socket reads and writes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The tracepoints at the end of every socket read and write. Linux 6.3. Calls that are not a socket's pay nothing.
    Sock,
    /// The tracepoint at the end of every system call. Works where the others are missing; every call pays a little.
    Syscall,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sock => "sock",
            Self::Syscall => "syscall",
        })
    }
}

/// Which plan the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first whose requirements this kernel meets.
    #[default]
    Auto,
    /// This one or none.
    Only(Plan),
}

/// One kernel program and the tracepoint it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) program: &'static str,
    pub(crate) tracepoint: &'static str,
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

impl Plan {
    /// In the order of preference.
    pub(crate) const ALL: [Self; 2] = [Self::Sock, Self::Syscall];

    /// What it attaches.
    pub(crate) fn hooks(self) -> Vec<Hook> {
        let own: &[Hook] = match self {
            Self::Sock => {
                &[hook("ws_sock_send", "sock_send_length"), hook("ws_sock_recv", "sock_recv_length")]
            }
            Self::Syscall => &[hook("ws_sys_exit", "sys_exit")],
        };
        [own, &COMMON].concat()
    }
}

/// The first plan in the order of preference all of whose tracepoints this kernel has; else the tracepoints that
/// the last candidate lacks.
pub(crate) fn choose<E>(
    choice: Choice,
    mut has_tracepoint: impl FnMut(&str) -> Result<bool, E>,
) -> Result<Result<Plan, Vec<&'static str>>, E> {
    let candidates = match choice {
        Choice::Auto => Plan::ALL.to_vec(),
        Choice::Only(plan) => vec![plan],
    };
    let mut lacking = Vec::new();
    for plan in candidates {
        lacking.clear();
        for hook in plan.hooks() {
            if !has_tracepoint(hook.tracepoint)? {
                lacking.push(hook.tracepoint);
            }
        }
        if lacking.is_empty() {
            return Ok(Ok(plan));
        }
    }
    Ok(Err(lacking))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(choice: Choice, missing: &[&str]) -> Result<Plan, Vec<&'static str>> {
        choose(choice, |name| Ok::<_, ()>(!missing.contains(&name))).unwrap()
    }

    #[test]
    fn the_cheapest_plan_that_the_kernel_allows() {
        assert_eq!(chosen(Choice::Auto, &[]), Ok(Plan::Sock));
        assert_eq!(chosen(Choice::Auto, &["sock_send_length"]), Ok(Plan::Syscall));
        assert_eq!(chosen(Choice::Only(Plan::Syscall), &[]), Ok(Plan::Syscall));
        assert_eq!(chosen(Choice::Only(Plan::Sock), &["sock_recv_length"]), Err(vec!["sock_recv_length"]));
    }
}
