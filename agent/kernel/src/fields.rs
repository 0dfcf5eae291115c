//! Finds out where this kernel keeps the fields that the kernel programs read. An offset is never guessed: a field
//! that is missing disables the programs that need it.

use wirespan_proto::abi::{Fields, NO_FIELD};

use crate::btf::{Btf, BtfError};

/// One field: its place in [`Fields`], the structure, the member's path.
struct Field {
    slot: fn(&mut Fields) -> &mut u32,
    structure: &'static str,
    path: &'static str,
}

macro_rules! fields {
    ($($slot:ident = $structure:literal $path:literal),* $(,)?) => {
        &[$(Field { slot: |fields| &mut fields.$slot, structure: $structure, path: $path }),*]
    };
}

/// What no plan can do without.
const NEEDED: &[Field] = fields! {
    skc_daddr = "sock_common" "skc_daddr",
    skc_rcv_saddr = "sock_common" "skc_rcv_saddr",
    skc_dport = "sock_common" "skc_dport",
    skc_num = "sock_common" "skc_num",
    skc_family = "sock_common" "skc_family",
    skc_net = "sock_common" "skc_net.net",
    skc_v6_daddr = "sock_common" "skc_v6_daddr",
    skc_v6_rcv_saddr = "sock_common" "skc_v6_rcv_saddr",
    skc_flags = "sock_common" "skc_flags",
    skc_cookie = "sock_common" "skc_cookie",
    net_inum = "net" "ns.inum",
    sk_type = "sock" "sk_type",
    sk_protocol = "sock" "sk_protocol",
    sk_socket = "sock" "sk_socket",
    sk_shutdown = "sock" "sk_shutdown",
    sk_err = "sock" "sk_err",
    socket_file = "socket" "file",
    copied_seq = "tcp_sock" "copied_seq",
    rcv_nxt = "tcp_sock" "rcv_nxt",
    write_seq = "tcp_sock" "write_seq",
    snd_nxt = "tcp_sock" "snd_nxt",
    snd_una = "tcp_sock" "snd_una",
    tcp_wstamp_ns = "tcp_sock" "tcp_wstamp_ns",
    srtt_us = "tcp_sock" "srtt_us",
    total_retrans = "tcp_sock" "total_retrans",
    bytes_acked = "tcp_sock" "bytes_acked",
    bytes_received = "tcp_sock" "bytes_received",
    unix_peer = "unix_sock" "peer",
    task_pid = "task_struct" "pid",
    task_tgid = "task_struct" "tgid",
    task_nvcsw = "task_struct" "nvcsw",
    task_real_parent = "task_struct" "real_parent",
    task_mm = "task_struct" "mm",
    mm_arg_start = "mm_struct" "arg_start",
    mm_arg_end = "mm_struct" "arg_end",
    mm_env_start = "mm_struct" "env_start",
    mm_env_end = "mm_struct" "env_end",
    task_files = "task_struct" "files",
    files_fdt = "files_struct" "fdt",
    fdt_max_fds = "fdtable" "max_fds",
    fdt_fd = "fdtable" "fd",
    file_private_data = "file" "private_data",
    file_inode = "file" "f_inode",
    inode_mode = "inode" "i_mode",
    inode_ino = "inode" "i_ino",
    socket_alloc_inode = "socket_alloc" "vfs_inode",
    socket_sk = "socket" "sk",
    task_signal = "task_struct" "signal",
    signal_live = "signal_struct" "live",
};

/// What looking into requests of `io_uring` takes. `io_async_msghdr` and `ITER_UBUF` are as old as Linux 6.0.
const URING: &[Field] = fields! {
    req_file = "io_kiocb" "file",
    req_opcode = "io_kiocb" "opcode",
    req_flags = "io_kiocb" "flags",
    req_async_data = "io_kiocb" "async_data",
    uring_msg_iter = "io_async_msghdr" "msg.msg_iter",
    uring_rw_iter = "io_async_rw" "iter",
    iter_type = "iov_iter" "iter_type",
    iter_offset = "iov_iter" "iov_offset",
    iter_ubuf = "iov_iter" "ubuf",
};

/// Where threads have their user's thread pointer, which runtime adapters need.
const RUNTIME: &[Field] = if cfg!(target_arch = "aarch64") {
    fields! { thread_pointer = "task_struct" "thread.uw.tp_value" }
} else {
    fields! { thread_pointer = "task_struct" "thread.fsbase" }
};

/// What the id of a thread's cgroup is read from. Where one of them is missing, a call of the kernel's gives it.
const CGROUP: &[Field] = fields! {
    task_cgroups = "task_struct" "cgroups",
    css_set_cgroup = "css_set" "dfl_cgrp",
    cgroup_node = "cgroup" "kn",
    node_id = "kernfs_node" "id",
};

/// Values of the kernel's enumerations that looking into requests of `io_uring` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uring {
    pub(crate) iter_ubuf: u32,
    pub(crate) async_data_bit: u32,
}

/// What was found in the kernel's types.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) fields: Fields,
    /// Fields that every plan needs and this kernel lacks, as `structure.member`.
    pub(crate) missing: Vec<String>,
    /// Where all is there that `io_uring` takes.
    pub(crate) uring: Option<Uring>,
    /// Fields and values that looking into requests of `io_uring` takes and this kernel lacks.
    pub(crate) uring_missing: Vec<String>,
    /// Fields that runtime adapters need and this kernel lacks.
    pub(crate) runtime_missing: Vec<String>,
}

/// Looks everything up.
pub(crate) fn resolve(btf: &Btf<'_>) -> Result<Resolved, BtfError> {
    let mut fields = Fields::default();
    let missing = fill(btf, NEEDED, &mut fields)?;
    let mut uring_missing = fill(btf, URING, &mut fields)?;
    let runtime_missing = fill(btf, RUNTIME, &mut fields)?;
    if !fill(btf, CGROUP, &mut fields)?.is_empty() {
        fields.task_cgroups = NO_FIELD;
    }
    let iter_ubuf = btf.enumerator("ITER_UBUF")?;
    let async_data_bit = btf.enumerator("REQ_F_ASYNC_DATA_BIT")?;
    let values = [("ITER_UBUF", iter_ubuf), ("REQ_F_ASYNC_DATA_BIT", async_data_bit)];
    uring_missing
        .extend(values.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| (*name).to_owned()));
    let uring = iter_ubuf
        .zip(async_data_bit)
        .filter(|_| uring_missing.is_empty())
        .map(|(iter_ubuf, async_data_bit)| Uring { iter_ubuf, async_data_bit });
    Ok(Resolved { fields, missing, uring, uring_missing, runtime_missing })
}

/// Looks these up. Says which are missing.
fn fill(btf: &Btf<'_>, list: &[Field], fields: &mut Fields) -> Result<Vec<String>, BtfError> {
    let mut names: Vec<&str> = list.iter().map(|field| field.structure).collect();
    names.sort_unstable();
    names.dedup();
    let found = btf.structures(&names)?;
    let mut missing = Vec::new();
    for field in list {
        let place =
            names.binary_search(&field.structure).ok().and_then(|at| found.get(at).copied().flatten());
        let offset = match place {
            Some(id) => btf.offset(id, field.path)?,
            None => None,
        };
        *(field.slot)(fields) = offset.unwrap_or(NO_FIELD);
        if offset.is_none() {
            missing.push(format!("{}.{}", field.structure, field.path));
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_filled_once() {
        let mut fields = Fields::default();
        for field in NEEDED.iter().chain(URING).chain(RUNTIME).chain(CGROUP) {
            *(field.slot)(&mut fields) += 1;
        }
        let words = zerocopy::IntoBytes::as_bytes(&fields).chunks(4);
        assert!(words.into_iter().all(|word| word == 1_u32.to_ne_bytes()));
    }

    #[test]
    fn this_kernel_has_what_a_plan_needs() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        let Resolved { fields, missing, .. } = resolve(&Btf::parse(&bytes).unwrap()).unwrap();
        assert_eq!(missing, Vec::<String>::new());
        // `struct sock_common` begins with the addresses on every kernel since 3.x.
        assert_eq!((fields.skc_daddr, fields.skc_rcv_saddr, fields.skc_dport), (0, 4, 12));
    }
}
