//! The system calls that the server makes; all others fail, in every thread.
//!
//! A call that is not listed gives `EPERM`, as it does under the unit: what a later libc tries
//! first and can do without must not end the service. The tests run with [`Unlisted::Kills`], so
//! whatever they reach makes no other call.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// What happens to a system call that is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unlisted {
    /// It fails with `EPERM`.
    #[default]
    Fails,
    /// It ends the process: for tests.
    Kills,
}

/// Names and numbers; what a number is called differs between machines, its name does not.
type Calls = &'static [(&'static str, i64)];

macro_rules! calls {
    ($($name:ident $number:ident)*) => { &[$((stringify!($name), libc::$number)),*] };
}

/// Memory.
const MEMORY: Calls = calls! {
    brk SYS_brk madvise SYS_madvise mlock SYS_mlock mmap SYS_mmap mprotect SYS_mprotect
    mremap SYS_mremap munlock SYS_munlock munmap SYS_munmap
};

/// Threads, and time. `clone` makes no namespace, see [`conditions`].
const THREADS: Calls = calls! {
    clock_getres SYS_clock_getres clock_gettime SYS_clock_gettime
    clock_nanosleep SYS_clock_nanosleep clone SYS_clone exit SYS_exit
    exit_group SYS_exit_group futex SYS_futex get_robust_list SYS_get_robust_list
    getcpu SYS_getcpu getpid SYS_getpid getpriority SYS_getpriority gettid SYS_gettid
    gettimeofday SYS_gettimeofday membarrier SYS_membarrier nanosleep SYS_nanosleep
    restart_syscall SYS_restart_syscall rseq SYS_rseq
    sched_getaffinity SYS_sched_getaffinity sched_yield SYS_sched_yield
    set_robust_list SYS_set_robust_list set_tid_address SYS_set_tid_address
    setpriority SYS_setpriority
};

/// Signals to itself.
const SIGNALS: Calls = calls! {
    rt_sigaction SYS_rt_sigaction rt_sigprocmask SYS_rt_sigprocmask
    rt_sigreturn SYS_rt_sigreturn rt_sigtimedwait SYS_rt_sigtimedwait
    sigaltstack SYS_sigaltstack signalfd4 SYS_signalfd4 tgkill SYS_tgkill
};

/// Waiting.
const EVENTS: Calls = calls! {
    epoll_create1 SYS_epoll_create1 epoll_ctl SYS_epoll_ctl epoll_pwait SYS_epoll_pwait
    epoll_pwait2 SYS_epoll_pwait2 eventfd2 SYS_eventfd2 pipe2 SYS_pipe2 ppoll SYS_ppoll
    pselect6 SYS_pselect6 timerfd_create SYS_timerfd_create
    timerfd_gettime SYS_timerfd_gettime timerfd_settime SYS_timerfd_settime
};

/// Files; which ones is Landlock's and the file modes' business.
const FILES: Calls = calls! {
    close SYS_close close_range SYS_close_range copy_file_range SYS_copy_file_range
    dup SYS_dup dup3 SYS_dup3 faccessat SYS_faccessat faccessat2 SYS_faccessat2
    fadvise64 SYS_fadvise64 fallocate SYS_fallocate fchmod SYS_fchmod fchmodat SYS_fchmodat
    fchown SYS_fchown fchownat SYS_fchownat fcntl SYS_fcntl fdatasync SYS_fdatasync
    flock SYS_flock fstat SYS_fstat fstatfs SYS_fstatfs fsync SYS_fsync
    ftruncate SYS_ftruncate getcwd SYS_getcwd getdents64 SYS_getdents64 ioctl SYS_ioctl
    linkat SYS_linkat lseek SYS_lseek mkdirat SYS_mkdirat newfstatat SYS_newfstatat
    openat SYS_openat pread64 SYS_pread64 preadv SYS_preadv preadv2 SYS_preadv2
    pwrite64 SYS_pwrite64 pwritev SYS_pwritev pwritev2 SYS_pwritev2 read SYS_read
    readahead SYS_readahead readlinkat SYS_readlinkat readv SYS_readv
    renameat2 SYS_renameat2 sendfile SYS_sendfile splice SYS_splice statfs SYS_statfs
    statx SYS_statx symlinkat SYS_symlinkat sync_file_range SYS_sync_file_range
    syncfs SYS_syncfs umask SYS_umask unlinkat SYS_unlinkat utimensat SYS_utimensat
    write SYS_write writev SYS_writev
};

/// Sockets; `socket` takes some families alone, see [`conditions`].
const SOCKETS: Calls = calls! {
    accept SYS_accept accept4 SYS_accept4 bind SYS_bind connect SYS_connect
    getpeername SYS_getpeername getsockname SYS_getsockname getsockopt SYS_getsockopt
    listen SYS_listen recvfrom SYS_recvfrom recvmmsg SYS_recvmmsg recvmsg SYS_recvmsg
    sendmmsg SYS_sendmmsg sendmsg SYS_sendmsg sendto SYS_sendto setsockopt SYS_setsockopt
    shutdown SYS_shutdown socketpair SYS_socketpair
};

/// Itself.
const ITSELF: Calls = calls! {
    capget SYS_capget getegid SYS_getegid geteuid SYS_geteuid getgid SYS_getgid
    getgroups SYS_getgroups getrandom SYS_getrandom getresgid SYS_getresgid
    getresuid SYS_getresuid getrusage SYS_getrusage getuid SYS_getuid
    landlock_add_rule SYS_landlock_add_rule
    landlock_create_ruleset SYS_landlock_create_ruleset
    landlock_restrict_self SYS_landlock_restrict_self prctl SYS_prctl
    prlimit64 SYS_prlimit64 seccomp SYS_seccomp sysinfo SYS_sysinfo times SYS_times
    uname SYS_uname
};

/// What newer machines have under other names.
#[cfg(target_arch = "x86_64")]
const OLD: Calls = calls! {
    access SYS_access arch_prctl SYS_arch_prctl chmod SYS_chmod chown SYS_chown
    dup2 SYS_dup2 epoll_wait SYS_epoll_wait getdents SYS_getdents getrlimit SYS_getrlimit
    link SYS_link lstat SYS_lstat mkdir SYS_mkdir open SYS_open pipe SYS_pipe
    poll SYS_poll readlink SYS_readlink rename SYS_rename rmdir SYS_rmdir
    select SYS_select stat SYS_stat symlink SYS_symlink time SYS_time unlink SYS_unlink
};

#[cfg(not(target_arch = "x86_64"))]
const OLD: Calls = &[];

const ALL: [Calls; 8] = [MEMORY, THREADS, SIGNALS, EVENTS, FILES, SOCKETS, ITSELF, OLD];

/// Whether the server may make the call of this name, perhaps under conditions.
#[must_use]
pub fn is_listed(name: &str) -> bool {
    let listed = || ALL.iter().copied().flatten();
    matches!(name, "socket" | "clone3") || listed().any(|(listed, _)| *listed == name)
}

/// Filters the calls of this thread and of all that it starts.
pub(super) fn filter(unlisted: Unlisted) -> io::Result<()> {
    let action = match unlisted {
        Unlisted::Fails => SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        Unlisted::Kills => SeccompAction::KillProcess,
    };
    let broken = |error| io::Error::other(format!("{error}"));
    for filter in [programs(action).map_err(broken)?, without_clone3().map_err(broken)?] {
        let applied = seccompiler::apply_filter(&filter);
        applied.map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(())
}

fn programs(unlisted: SeccompAction) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALL.iter().copied().flatten().map(|(_, number)| (*number, Vec::new())).collect();
    rules.insert(libc::SYS_clone3, Vec::new());
    rules.extend(conditions()?);
    SeccompFilter::new(rules, unlisted, SeccompAction::Allow, arch()?)?.try_into()
}

/// The arguments of `clone3` cannot be looked at. Where it is missing, `clone` is made instead.
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    SeccompFilter::new(rules, SeccompAction::Allow, missing, arch()?)?.try_into()
}

/// Calls that are made with some arguments alone.
fn conditions() -> Result<[(i64, Vec<SeccompRule>); 2], BackendError> {
    let families =
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];
    let family = |family: i32| {
        let (length, family) = (SeccompCmpArgLen::Dword, u64::from(family.cast_unsigned()));
        let condition = SeccompCondition::new(0, length, SeccompCmpOp::Eq, family)?;
        SeccompRule::new(vec![condition])
    };
    let families = families.into_iter().map(family).collect::<Result<_, _>>()?;
    let namespaces = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET;
    let mask = SeccompCmpOp::MaskedEq(u64::from(namespaces.cast_unsigned()));
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Qword, mask, 0)?;
    Ok([(libc::SYS_socket, families), (libc::SYS_clone, vec![SeccompRule::new(vec![own])?])])
}

fn arch() -> Result<TargetArch, BackendError> {
    std::env::consts::ARCH.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_what_is_dangerous_is_not_listed() {
        programs(SeccompAction::KillProcess).unwrap();
        without_clone3().unwrap();
        let never = [
            "execve",
            "execveat",
            "ptrace",
            "mount",
            "umount2",
            "setns",
            "unshare",
            "bpf",
            "init_module",
            "kexec_load",
            "reboot",
            "settimeofday",
            "clock_settime",
            "setuid",
            "setresuid",
            "setgid",
            "io_uring_setup",
            "userfaultfd",
            "keyctl",
            "perf_event_open",
            "process_vm_readv",
            "kill",
            "chroot",
            "pivot_root",
            "swapon",
            "capset",
        ];
        for name in never {
            assert!(!is_listed(name), "{name}");
        }
    }
}
