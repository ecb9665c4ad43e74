"""Which phone an address means, and what a person does where none is ready, or where adb starts nothing on it.

edgecheck never guesses between several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgecheck.core.address import Address
from edgecheck.errors import TargetError
from edgecheck.targets.adb import server
from edgecheck.targets.shell.opener import Rule, explained, line_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One line of `adb devices -l`."""

    serial: str
    state: str
    """`device` where commands can be run; `unauthorized`, `offline`, `no permissions`, `recovery`, …"""
    model: str = ""
    """Its `ro.product.model`, with `_` for what is neither letter nor digit; empty while unauthorized."""

    @property
    def is_ready(self) -> bool:
        """Whether commands can be run on it."""
        return self.state == "device"

    def __str__(self) -> str:
        """It in a sentence: `1A2B3C4D (Pixel_8, unauthorized)`."""
        details = [self.model, "" if self.is_ready else self.state]
        shown = ", ".join(each for each in details if each)
        return f"{self.serial} ({shown})" if shown else self.serial


def listed(text: str) -> tuple[Phone, ...]:
    """The phones in the output of `adb devices -l`."""
    found = []
    for line in text.splitlines():
        row = re.match(r"(\S+)\s+(no permissions|\S+)(.*)", line)
        if row and not line.startswith(("List of devices", "*")):
            model = re.search(r"\bmodel:(\S+)", row[3])
            found.append(Phone(serial=row[1], state=row[2], model=model[1] if model else ""))
    return tuple(found)


def chosen(address: Address) -> Phone:
    """The phone at `address`, ready for commands.

    Raises:
        TargetError: it is not connected, or not ready; or several are, and none is named.
    """
    server.require()
    return choose(address, listed(server.ask("host:devices-l") or ""))


def choose(address: Address, phones: Sequence[Phone]) -> Phone:
    """Of those that are connected, the one at `address`; raises as `chosen`."""
    if address.serial:
        named = [phone for phone in phones if phone.serial == address.serial]
        if not named:
            raise _absent(address, phones)
        return _ready(named[0])
    if not phones:
        raise TargetError(
            "No phone is connected.",
            "Plug one in with USB debugging on (Settings > System > Developer options), unlock it, and check "
            "that it is listed: adb devices -l",
        )
    if len(phones) > 1:
        raise TargetError(
            f"{len(phones)} phones are connected: {', '.join(map(str, phones))}.",
            f"Name the one that is meant: adb://{_likeliest(phones).serial}",
        )
    return _ready(phones[0])


def _likeliest(phones: Sequence[Phone]) -> Phone:
    """For an example: a phone that is ready rather than an emulator or one that is not."""
    return min(phones, key=lambda phone: (not phone.is_ready, phone.serial.startswith("emulator-")))


def find(serial: str) -> Phone | None:
    """The phone as the server lists it now; None where it does not, or no server runs."""
    return next((phone for phone in listed(server.listing() or "") if phone.serial == serial), None)


def _absent(address: Address, phones: Sequence[Phone]) -> TargetError:
    hint = (
        f"Connect to it yourself: adb connect {address.serial} (after `adb pair`, where it wants that)"
        if address.port
        else "Plug it in, unlock it, and check that it is listed: adb devices -l"
    )
    missing = f"Phone {address.serial} is not connected here"
    if not phones:
        return TargetError(f"{missing}, and neither is any other.", hint)
    return TargetError(f"{missing}; connected: {', '.join(map(str, phones))}.", hint)


#: By adb's word for a phone's state: what that means, and the next step, with the serial number in braces.
_STATES = {
    "unauthorized": (
        "{0} does not trust this computer yet (unauthorized).",
        (
            "Unlock it and accept `Allow USB debugging?`. If it does not ask: unplug it and plug it in again, or "
            "switch USB debugging off and on."
        ),
    ),
    "authorizing": ("{0} is still deciding whether it trusts this computer.", "Unlock it, and run this again."),
    "offline": (
        "{0} is connected and does not answer (offline): it may be starting, or its connection hangs.",
        (
            "Wait until it has started; else unplug it and plug it in again, or over the network: adb disconnect {0} "
            "&& adb connect {0}"
        ),
    ),
    "no permissions": (
        "This account may not open the USB device {0} (no permissions).",
        (
            "Install the rules for it (sudo apt install android-sdk-platform-tools-common), join their group (sudo "
            "usermod -aG plugdev $USER), log in again, and plug the phone in again. If it still fails, the adb server "
            "was started before that: adb kill-server"
        ),
    ),
    "connecting": ("{0} is being connected.", "Run this again in a moment."),
}


def _ready(phone: Phone) -> Phone:
    if phone.is_ready:
        return phone
    raise not_ready(phone)


def not_ready(phone: Phone) -> TargetError:
    """Why no command can be run on it, and the next step."""
    message, hint = _STATES.get(
        phone.state,
        (f"{{0}} runs no Android just now: its state is {phone.state!r}.", "Restart it: adb -s {0} reboot"),
    )
    return TargetError(message.format(phone.serial), hint.format(phone.serial))


#: What adb prints of a phone that is not ready, by the state that it is in.
_PRINTED_STATES = {
    "device unauthorized": "unauthorized",
    "device still authorizing": "authorizing",
    "device offline": "offline",
    "insufficient permissions": "no permissions",
}

#: What adb, the shell and the brought Python print.
_REFUSAL_RULES = (
    Rule(
        pattern=r"device '.*' not found|no devices/emulators found",
        message="The phone {serial} is no longer connected.",
        hint="Plug it in again, or wait until it has restarted, and check that it is listed: adb devices -l",
    ),
    Rule(
        pattern=r"doesn't support (PTY args|shell protocol)|unknown option.*-T",
        message="The Android of {serial} is too old for edgecheck ({detail}).",
        hint="It needs Android 7 or newer, which has adb's shell protocol; an older adb lacks it, too: adb version",
    ),
    Rule(
        pattern=r"cannot connect to daemon|protocol fault|server.*version",
        message="The adb server does not answer ({detail}).",
        hint="See what it reports: adb devices -l",
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
    for words, state in _PRINTED_STATES.items():
        if words in said:
            return not_ready(Phone(serial=serial, state=state))
    if found := explained(_REFUSAL_RULES, said):
        rule, at = found
        words_of = {"serial": serial, "detail": line_at(said, at)}
        return TargetError(rule.message.format(**words_of), rule.hint.format(**words_of))
    last = line_at(said, len(said)) or f"exit code {code}"
    return TargetError(f"adb did not get through to {serial}: {last}.", f"Try it by hand: adb -s {serial} shell true")
