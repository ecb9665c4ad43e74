"""Why adb did not start a program on a phone, and what to do about it."""

from __future__ import annotations

from edgecheck.errors import TargetError
from edgecheck.targets.adb import phones
from edgecheck.targets.adb.phones import Phone
from edgecheck.targets.shell.refusals import Rule, explained, line_at

#: What adb prints of a phone that is not ready, by the state that it is in.
_STATES = {
    "device unauthorized": "unauthorized",
    "device still authorizing": "authorizing",
    "device offline": "offline",
    "insufficient permissions": "no permissions",
}

#: What adb, the shell and the brought Python print.
_RULES = (
    Rule(
        pattern=r"device '.*' not found|no devices/emulators found",
        message="The phone {serial} is no longer connected.",
        hint="Plug it in again, or wait until it has restarted, and look whether it is there: adb devices -l",
    ),
    Rule(
        pattern=r"doesn't support (PTY args|shell protocol)|unknown option.*-T",
        message="The Android of {serial} is too old for edgecheck ({detail}).",
        hint="It needs Android 7 or newer, which has adb's shell protocol; an older adb lacks it, too: adb version",
    ),
    Rule(
        pattern=r"cannot connect to daemon|protocol fault|server.*version",
        message="The adb server does not answer ({detail}).",
        hint="Look what it says: adb devices -l",
    ),
    Rule(
        pattern=r"^damaged: |error while loading shared libraries|cannot open shared object",
        message="What was sent to {serial} was damaged on the way ({detail}).",
        hint="Try again with another cable or port; what is there is removed by: edgecheck cache --target "
        "adb://{serial} --clear",
    ),
    Rule(
        pattern=r"Permission denied|can't execute|Operation not permitted",
        message="The phone {serial} did not let the Python start that was brought there ({detail}).",
        hint="A policy of its maker or of an organisation may forbid it: take another phone, or an emulated device "
        "(--target qemu).",
    ),
    Rule(
        pattern=r"Bad system call|SIGSYS",
        message="The Android of {serial} forbids a call that Python's C library makes ({detail}).",
        hint="Take another phone, or an emulated device (--target qemu), and report the phone's model, please.",
    ),
    Rule(
        pattern=r"not found|No such file or directory",
        message="The Python that was brought to {serial} is gone ({detail}).",
        hint="Run it again: it is brought again.",
    ),
    Rule(
        pattern=r"No space left",
        message="The phone {serial} is full.",
        hint="Free some room there; `edgecheck cache --target adb://{serial}` shows what is edgecheck's.",
    ),
)


def refusal(serial: str, code: int, said: str) -> TargetError:
    """The error for an adb that printed `said` and ended with `code` before anything had begun on the phone."""
    for words, state in _STATES.items():
        if words in said:
            return phones.not_ready(Phone(serial=serial, state=state))
    if found := explained(_RULES, said):
        rule, at = found
        words_of = {"serial": serial, "detail": line_at(said, at)}
        return TargetError(rule.message.format(**words_of), rule.hint.format(**words_of))
    last = line_at(said, len(said)) or f"exit code {code}"
    return TargetError(f"adb did not get through to {serial}: {last}.", f"Try it by hand: adb -s {serial} shell true")
