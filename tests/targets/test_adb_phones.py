"""Which phone is meant, and what a person does where none is ready: every state that adb knows, in its own words.

Covers `adb/phones.py`.
"""

from __future__ import annotations

import pytest

from edgecheck.core.address import parse
from edgecheck.errors import TargetError
from edgecheck.targets.adb.phones import choose, listed, refusal

#: What `adb devices -l` prints of phones in every state, with its heading.
LISTING = """\
List of devices attached
1A2B3C4D               device usb:1-1 product:shiba model:Pixel_8 device:shiba transport_id:1
R5CW60AAAAA            unauthorized usb:1-2 transport_id:2
HT7A1A00000            no permissions (user in plugdev group; are your udev rules wrong?); see [http://x] usb:1-3
10.0.0.7:5555          offline product:dm1q model:SM_S911B device:dm1q transport_id:4
emulator-5554          device product:sdk_gphone64_x86_64 model:sdk_gphone64_x86_64 device:emu64xa transport_id:5
ZY22AAAAAA             recovery usb:1-4 transport_id:6
adb-3F0-x._adb-tls-connect._tcp device product:oriole model:Pixel_6 device:oriole transport_id:7

"""

PHONES = listed(LISTING)


def chosen(text: str, *serials: str) -> str:
    """The phone that an address means, among those with these serial numbers."""
    return choose(parse(text), [phone for phone in PHONES if phone.serial in serials or not serials]).serial


def refused(text: str, *serials: str) -> tuple[str, str]:
    with pytest.raises(TargetError) as caught:
        chosen(text, *serials)
    return caught.value.message, caught.value.hint


def test_every_line_is_a_phone_with_its_state_and_model() -> None:
    assert [(phone.serial, phone.state, phone.model) for phone in PHONES] == [
        ("1A2B3C4D", "device", "Pixel_8"),
        ("R5CW60AAAAA", "unauthorized", ""),
        ("HT7A1A00000", "no permissions", ""),
        ("10.0.0.7:5555", "offline", "SM_S911B"),
        ("emulator-5554", "device", "sdk_gphone64_x86_64"),
        ("ZY22AAAAAA", "recovery", ""),
        ("adb-3F0-x._adb-tls-connect._tcp", "device", "Pixel_6"),
    ]


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("adb://", ["1A2B3C4D"]),
        ("adb://1A2B3C4D", []),
        ("adb://emulator-5554", []),
        ("adb://adb-3F0-x._adb-tls-connect._tcp", []),
    ],
)
def test_the_only_one_or_the_named_one_is_taken(text: str, there: list[str]) -> None:
    assert chosen(text, *there) == (text.partition("://")[2] or there[0])


def test_several_are_named_with_model_and_state_and_none_is_taken() -> None:
    """An emulator that happens to run is one of them."""
    assert refused("adb://", "emulator-5554", "1A2B3C4D", "R5CW60AAAAA") == (
        "3 phones are connected: 1A2B3C4D (Pixel_8), R5CW60AAAAA (unauthorized), emulator-5554 (sdk_gphone64_x86_64).",
        "Name the one that is meant: adb://1A2B3C4D",
    )


def test_no_phone_at_all() -> None:
    message, hint = refused("adb://", "none")
    assert message == "No phone is connected."
    assert hint.startswith("Plug one in with USB debugging on (Settings > System > Developer options)")


def test_one_that_is_not_there_is_not_replaced_by_another() -> None:
    assert refused("adb://WRONG", "1A2B3C4D") == (
        "Phone WRONG is not connected here; connected: 1A2B3C4D (Pixel_8).",
        "Plug it in, unlock it, and check that it is listed: adb devices -l",
    )
    assert refused("adb://10.0.0.9:5555", "none") == (
        "Phone 10.0.0.9:5555 is not connected here, and neither is any other.",
        "Connect to it yourself: adb connect 10.0.0.9:5555 (after `adb pair`, where it wants that)",
    )


@pytest.mark.parametrize(
    ("serial", "message", "hint"),
    [
        ("R5CW60AAAAA", "R5CW60AAAAA does not trust this computer yet (unauthorized).", "Unlock it and accept"),
        ("10.0.0.7:5555", "10.0.0.7:5555 is connected and does not answer (offline)", "adb disconnect 10.0.0.7:5555"),
        ("HT7A1A00000", "This account may not open the USB device HT7A1A00000 (no permissions).", "plugdev"),
        ("ZY22AAAAAA", "ZY22AAAAAA runs no Android just now: its state is 'recovery'.", "adb -s ZY22AAAAAA reboot"),
    ],
)
def test_one_that_is_not_ready_is_a_sentence_with_the_next_step(serial: str, message: str, hint: str) -> None:
    found = refused(f"adb://{serial}")
    assert found[0].startswith(message)
    assert hint in found[1]
    assert refused("adb://", serial) == found  # the only one, and not named


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set", "S1 does not trust this"),
        ("error: device offline\n", "S1 is connected and does not answer (offline)"),
        ("error: insufficient permissions for device: user in plugdev group\n", "This account may not open the USB"),
        ("error: device still authorizing\n", "S1 is still deciding whether it trusts this computer."),
        ("adb: device 'S1' not found\n", "The phone S1 is no longer connected."),
        ("error: target doesn't support PTY args -Tt\n", "The Android of S1 is too old for edgecheck"),
        ("* cannot connect to daemon at tcp:5037: Connection refused\n", "The adb server does not answer"),
        ("damaged: lib/libc.so.6\n", "What was sent to S1 was damaged on the way (damaged: lib/libc.so.6)."),
        (
            "/system/bin/sh: /data/local/tmp/x/bin/python3: can't execute: Permission denied\n",
            "The phone S1 did not let",
        ),
        (
            "/system/bin/sh: /data/local/tmp/x/bin/python3: inaccessible or not found\n",
            "The Python that was brought to",
        ),
        ("Bad system call\n", "The Android of S1 forbids a call"),
        ("mkdir: '/data/local/tmp/x': No space left on device\n", "The phone S1 is full."),
        ("error: closed\n", "adb did not get through to S1: error: closed."),
        ("", "adb did not get through to S1: exit code 1."),
    ],
)
def test_what_adb_and_a_phone_print_is_a_sentence_with_the_next_step(said: str, message: str) -> None:
    error = refusal("S1", 1, said)
    assert error.message.startswith(message)
    assert error.hint
