"""The program in front of a sealed command: seals its own process, then becomes the command. See `seal`.

Its arguments: the bytes of the largest file (0: no limit); how many files and folders may be changed, and these (`-`:
files are protected already); the command. Standard library only, and nothing that is slow to import: this runs before
every conversion and every measured process (`benchmarks/seal.py`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys

TYPE_CHECKING = False  # the name that type checkers know; importing `typing` takes as long as sealing
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Calls = tuple[int, ...]

#: Exit code of the script when it could not seal itself; COMMAND was not started.
UNSEALED = 126

# --- Landlock: include/uapi/linux/landlock.h -------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_CREATE_RULESET_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_RULE_PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH

#: LANDLOCK_ACCESS_FS_*: what changes something. WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG,
#: MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM; REFER since version 2, TRUNCATE since 3.
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
#: BIND_TCP and CONNECT_TCP, since version 4.
_TCP = 0b11
#: ABSTRACT_UNIX_SOCKET and SIGNAL, since version 6.
_SCOPED = 0b11

_NET_VERSION, _SCOPE_VERSION, _TRUNCATE_VERSION, _REFER_VERSION = 4, 6, 3, 2

#: Devices that frameworks write to; any other device file is read-only.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/shm")  # noqa: S108 - semaphores are files there
_GRAPHICS = ("/dev/dri", "/dev/kfd")
_DEVICE_PREFIXES = ("nvidia", "nvhost", "nvmap", "apex_", "hailo", "mali")

# --- capabilities: include/uapi/linux/capability.h -------------------------------------------------------------------

_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_PR_CAPBSET_DROP = 24
_CAPABILITIES = 64
#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root in a container opens models that belong to other accounts.
_KEPT = 0b110

# --- seccomp: include/uapi/linux/seccomp.h, filter.h, audit.h --------------------------------------------------------

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1  # SECCOMP_SET_MODE_FILTER
#: SECCOMP_FILTER_FLAG_SPEC_ALLOW: without it kernels before 5.16 slow the process down.
_SPEC_ALLOW = 1 << 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|J*|K, BPF_RET|K
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # struct seccomp_data
#: CLONE_NEW*: a namespace would bring back rights that the seal took.
_NEW_NAMESPACE = 0x7E020000


class Architecture:
    """Where a filter finds its system calls: one machine's names for them.

    Args:
        audit: AUDIT_ARCH_*.
        seccomp: The number of this system call, and of those below.
        pretended: Calls that are answered as if they had succeeded: who copies a file sets its owner, mode and times,
            and does not need them.
        foreign: System calls from this number on belong to another ABI of the same machine; 0: there is none.
    """

    def __init__(  # noqa: PLR0913 - the row of a table
        self, *, audit: int, seccomp: int, clone: int, clone3: int, refused: Calls, pretended: Calls, foreign: int
    ) -> None:
        self.audit, self.seccomp, self.clone, self.clone3 = audit, seccomp, clone, clone3
        self.refused, self.pretended, self.foreign = refused, pretended, foreign


#: socket, ptrace, process_vm_readv/writev, kcmp, setns, unshare, bpf, perf_event_open, keyctl, add_key, request_key,
#: init_module, finit_module, delete_module, kexec_load, kexec_file_load, reboot, swapon, swapoff, settimeofday,
#: clock_settime, adjtimex, clock_adjtime, sethostname, setdomainname, acct, quotactl, mount, umount2, pivot_root,
#: chroot, name_to_handle_at, open_by_handle_at, userfaultfd, syslog; then, by the same number everywhere,
#: io_uring_setup, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, pidfd_getfd, mount_setattr.
_EVERYWHERE = (425, 428, 429, 430, 431, 432, 433, 438, 442)
_X86_64 = Architecture(
    audit=0xC000003E,
    seccomp=317,
    clone=56,
    clone3=435,
    refused=(
        *(41, 101, 310, 311, 312, 308, 272, 321, 298, 250, 248, 249, 175, 313, 176, 246, 320, 169, 167, 168, 164),
        *(227, 159, 305, 170, 171, 163, 179, 165, 166, 155, 161, 303, 304, 323, 103),
        *(172, 173),  # iopl, ioperm
        *_EVERYWHERE,
    ),
    # chmod fchmod fchmodat fchmodat2, chown fchown lchown fchownat, (l/f)setxattr, (l/f)removexattr, utime utimes
    # utimensat futimesat
    pretended=(90, 91, 268, 452, 92, 93, 94, 260, 188, 189, 190, 197, 198, 199, 132, 235, 280, 261),
    foreign=0x40000000,  # __X32_SYSCALL_BIT
)


def _generic(audit: int) -> Architecture:
    """A machine whose numbers are those of include/uapi/asm-generic/unistd.h."""
    return Architecture(
        audit=audit,
        seccomp=277,
        clone=220,
        clone3=435,
        refused=(
            *(198, 117, 270, 271, 272, 268, 97, 280, 241, 219, 217, 218, 105, 273, 106, 104, 294, 142, 224, 225, 170),
            *(112, 171, 266, 161, 162, 89, 60, 40, 39, 41, 51, 264, 265, 282, 116),
            *_EVERYWHERE,
        ),
        pretended=(52, 53, 452, 55, 54, 5, 6, 7, 14, 15, 16, 88),
        foreign=0,
    )


_ARCHITECTURES = {
    "x86_64": _X86_64,
    "aarch64": _generic(0xC00000B7),
    "riscv64": _generic(0xC00000F3),
}


def version() -> int:
    """The kernel's version of Landlock; 0 where it has none, or where a container forbids it."""
    if sys.platform != "linux":
        return 0
    found = ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return max(0, int(found))


def knows_calls() -> bool:
    """Whether this machine's system calls are in the table, so that they can be filtered."""
    return os.uname().machine in _ARCHITECTURES


def apply(writable: Iterable[str] | None, *, largest_file: int = 0) -> None:
    """Seal this process and all that it will start.

    Args:
        writable: Files and folders that may be changed; those that do not exist are left out. None: files are
            protected already.
        largest_file: Bytes that a file may have; 0: no limit.

    Raises:
        OSError: the kernel cannot, or does not let us.
    """
    _limit(largest_file)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _drop_capabilities(libc)
    if writable is not None:
        _landlock(libc, [*writable, *_DEVICES, *devices()])
    # without Landlock, also on machines whose system calls are not in the table: bubblewrap alone has to do there
    if writable is not None or knows_calls():
        _seccomp(libc, _ARCHITECTURES[os.uname().machine])


def _limit(largest_file: int) -> None:
    """Resource limits, and being the first to go when memory runs out."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    try:
        with open(
            "/proc/self/oom_score_adj", "w", encoding="ascii"
        ) as file:  # proc(5): raising it is open to everybody
            file.write("1000")
    except OSError:  # no /proc, or a read-only one: the kernel decides as for any process
        pass


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root keeps what reading files takes. With CAP_PERFMON, for one, it would still read others' environments."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    data = ctypes.create_string_buffer(24)  # two of struct __user_cap_data_struct: effective, permitted, inheritable
    _checked(libc.capget(header, data))
    low, _, _, high, _, _ = struct.unpack("6I", data.raw)
    if not low | high:
        return
    for number in range(_CAPABILITIES):
        if not _KEPT >> number & 1:
            libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for numbers that this kernel does not have
    kept = low & _KEPT
    _checked(libc.capset(header, struct.pack("6I", kept, kept, 0, 0, 0, 0)))


def devices() -> list[str]:
    """Device files of accelerators, some of which may not exist."""
    try:
        found = [f"/dev/{name}" for name in os.listdir("/dev") if name.startswith(_DEVICE_PREFIXES)]
    except OSError:
        found = []
    return [*_GRAPHICS, *found]


def _landlock(libc: ctypes.CDLL, writable: Sequence[str]) -> None:
    abi = version()
    handled = _CHANGES
    handled |= _REFER if abi >= _REFER_VERSION else 0
    handled |= _TRUNCATE if abi >= _TRUNCATE_VERSION else 0
    # struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped
    fields = [handled]
    fields += [_TCP] if abi >= _NET_VERSION else []
    fields += [_SCOPED] if abi >= _SCOPE_VERSION else []
    rules = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, rules, len(rules), 0))
    try:
        for path in writable:
            _allow(libc, ruleset, path, handled)
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, handled: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return
        raise
    try:
        access = handled if os.path.isdir(path) else handled & (_WRITE_FILE | _TRUNCATE)
        rule = struct.pack("=Qi", access, place)  # struct landlock_path_beneath_attr, which is packed
        _checked(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _seccomp(libc: ctypes.CDLL, machine: Architecture) -> None:
    code = _filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))  # struct sock_fprog
    flags = (_SPEC_ALLOW, 0)  # kernels before 4.17 do not know the flag
    for attempt in flags:
        if libc.syscall(machine.seccomp, _SET_MODE_FILTER, attempt, program) == 0:
            return
    raise OSError(ctypes.get_errno(), "seccomp")


def _filter(machine: Architecture) -> bytes:
    """The filter as classic BPF: struct sock_filter, `code jt jf k`; a jump counts the instructions to skip."""
    refuse, absent, pretend = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS, _ERRNO
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, refuse),  # another architecture's numbers mean other calls
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine.foreign:
        steps += [(_AT_LEAST, 0, 1, machine.foreign), (_RETURN, 0, 0, absent)]
    # Its flags lie behind a pointer, out of a filter's sight; C libraries fall back to `clone` when it does not exist.
    steps += [(_EQUAL, 0, 1, machine.clone3), (_RETURN, 0, 0, absent)]
    for number in machine.refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    for number in machine.pretended:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, pretend)]
    steps += [
        (_EQUAL, 0, 3, machine.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACE),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(arguments: Sequence[str]) -> None:
    """Seal this process and become the command; the arguments are above."""
    largest_file, count, *rest = arguments
    writable = None if count == "-" else rest[: int(count)]
    command = rest[len(writable or ()) :]
    try:
        apply(writable, largest_file=int(largest_file))
    except OSError as error:
        print(f"edgecheck: the process could not be sealed: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(UNSEALED)
    os.execv(command[0], command)  # noqa: S606 - the command is the caller's own
