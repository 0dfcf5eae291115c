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
        /// Every field of [`Fields`].
        const FIELDS: &[Field] =
            &[$(Field { slot: |fields| &mut fields.$slot, structure: $structure, path: $path }),*];
    };
}

fields! {
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
    tcp_wstamp_ns = "tcp_sock" "tcp_wstamp_ns",
    srtt_us = "tcp_sock" "srtt_us",
    total_retrans = "tcp_sock" "total_retrans",
    bytes_acked = "tcp_sock" "bytes_acked",
    bytes_received = "tcp_sock" "bytes_received",
    unix_peer = "unix_sock" "peer",
    task_pid = "task_struct" "pid",
    task_tgid = "task_struct" "tgid",
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
}

/// Looks all of them up. Also says which are missing, as `structure.member`.
pub(crate) fn resolve(btf: &Btf<'_>) -> Result<(Fields, Vec<String>), BtfError> {
    let mut names: Vec<&str> = FIELDS.iter().map(|field| field.structure).collect();
    names.sort_unstable();
    names.dedup();
    let found = btf.structures(&names)?;
    let mut fields = Fields::default();
    let mut missing = Vec::new();
    for field in FIELDS {
        let place =
            names.binary_search(&field.structure).ok().and_then(|at| found.get(at).copied().flatten());
        let offset = match place {
            Some(id) => btf.offset(id, field.path)?,
            None => None,
        };
        *(field.slot)(&mut fields) = offset.unwrap_or(NO_FIELD);
        if offset.is_none() {
            missing.push(format!("{}.{}", field.structure, field.path));
        }
    }
    Ok((fields, missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_filled_once() {
        let mut fields = Fields::default();
        for field in FIELDS {
            *(field.slot)(&mut fields) += 1;
        }
        let words = zerocopy::IntoBytes::as_bytes(&fields).chunks(4);
        assert!(words.into_iter().all(|word| word == 1_u32.to_ne_bytes()));
    }

    #[test]
    fn this_kernel_has_what_a_plan_needs() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        let (fields, missing) = resolve(&Btf::parse(&bytes).unwrap()).unwrap();
        assert_eq!(missing, Vec::<String>::new());
        // `struct sock_common` begins with the addresses on every kernel since 3.x.
        assert_eq!((fields.skc_daddr, fields.skc_rcv_saddr, fields.skc_dport), (0, 4, 12));
    }
}
