"""Addresses: what is understood, what is refused, and what the table of targets says of each kind."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from edgecheck.core import address
from edgecheck.core.address import EMULATED, LOCAL, TARGETS, Address, Sharing, parse, parse_device
from edgecheck.errors import UsageError
from edgecheck.targets import open_target
from tests.builders import profile

EXAMPLES = {
    "local": LOCAL,
    "qemu": EMULATED,
    **{
        text.partition(":")[0]: parse(text)
        for text in ("ssh://pi@board", "adb://1A2B3C4D", "labgrid://lab:1234/board=orin-nano,rack=2")
    },
}


def test_every_target_has_an_example() -> None:
    assert EXAMPLES.keys() == TARGETS.keys(), "add an address to EXAMPLES in this file"


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "python"),
    [
        ("ssh://pi@raspberrypi.local", "pi", "raspberrypi.local", None, "python3"),
        ("ssh://rack-1", "", "rack-1", None, "python3"),
        ("ssh://pi@10.0.0.7:2222", "pi", "10.0.0.7", 2222, "python3"),
        ("ssh://pi@10.0.0.7:2222/", "pi", "10.0.0.7", 2222, "python3"),
        ("ssh://pi@[::1]", "pi", "::1", None, "python3"),
        ("ssh://pi@[fe80::1%25eth0]:22", "pi", "fe80::1%eth0", 22, "python3"),
        ("ssh://[2001:db8::7]:2222", "", "2001:db8::7", 2222, "python3"),
        ("ssh://DOMAIN%5Cpi@board", "DOMAIN\\pi", "board", None, "python3"),
        ("ssh://pi@corp@board", "pi@corp", "board", None, "python3"),
        ("ssh://anna%20berg@board", "anna berg", "board", None, "python3"),
        ("ssh://pi@board?python=venv/bin/python3", "pi", "board", None, "venv/bin/python3"),
        ("ssh://pi@board:22?python=/opt/my%20py/bin/python3", "pi", "board", 22, "/opt/my py/bin/python3"),
    ],
)
def test_an_address_is_taken_apart(text: str, user: str, host: str, port: int | None, python: str) -> None:
    assert parse(text) == Address(scheme="ssh", text=text, host=host, user=user, port=port, python=python)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ssh://", "'' cannot be a host's name"),
        ("ssh://pi@", "'' cannot be a host's name"),
        ("ssh://@board", "'' cannot be a user's name"),
        ("ssh://pi:secret@board", "passwords have no place in an address"),
        ("ssh://pi@board:", "'' is not a port"),
        ("ssh://pi@board:0", "'0' is not a port"),
        ("ssh://pi@board:65536", "'65536' is not a port"),
        ("ssh://pi@board:22x", "'22x' is not a port"),
        ("ssh://pi@board/home", "it is not of that form"),
        ("ssh:/pi@board", "it is not of that form"),
        ("ssh://pi@board?sudo=1", "'sudo=1' is not understood"),
        ("ssh://pi@board?python=", "'python=' is not understood"),
        ("ssh://pi@board?python=-c", "'python=-c' is not understood"),
        ("ssh://pi@board?python=a%0Ab", "'python=a%0Ab' is not understood"),
        ("ssh://-oProxyCommand=touch", "'-oProxyCommand=touch' cannot be a host's name"),
        ("ssh://-l@board", "'-l' cannot be a user's name"),
        ("ssh://pi@$(touch here)", "'$(touch here)' cannot be a host's name"),
        ("ssh://pi@`touch here`", "'`touch here`' cannot be a host's name"),
        ("ssh://pi@a;b", "'a;b' cannot be a host's name"),
        ("ssh://pi@a\nb", "'a\\nb' cannot be a host's name"),
        ("ssh://$(x)@board", "'$(x)' cannot be a user's name"),
        ("ssh://a'b@board", "\"a'b\" cannot be a user's name"),
        ("ssh://a%0Ab@board", "'a\\nb' cannot be a user's name"),
        ("ssh://a%20-ob@board", "'a -ob' cannot be a user's name"),
        ("ssh://a%5C@board", "'a\\\\' cannot be a user's name"),
    ],
)
def test_what_is_not_an_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_device(text)
    assert why in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ssh://pi@board:22", "ssh://pi@board:22?python=/opt/my%20py"),
        ("ssh://pi@board?python=/a&b", "ssh://pi@board?python=/opt/my%20py"),
        ("adb://", "adb://?python=/opt/my%20py"),
        ("labgrid://board=orin?wait=10min", "labgrid://board=orin?wait=10min&python=/opt/my%20py"),
        (
            "labgrid://board=orin?python=py&wait=10min&power_cycle=allowed",
            "labgrid://board=orin?wait=10min&power_cycle=allowed&python=/opt/my%20py",
        ),
    ],
)
def test_an_address_with_another_python_keeps_its_other_options(text: str, other: str) -> None:
    found = parse(text)
    assert found.with_python("/opt/my py") == other
    assert parse(other).python == "/opt/my py"
    if found.place is not None:
        assert parse(other).place == replace(found.place, python="/opt/my py")


@pytest.mark.parametrize(
    ("text", "serial", "login"),
    [
        ("adb://", "", "the phone"),
        ("adb://?python=/data/local/tmp/python3", "", "the phone"),
        ("adb://1A2B3C4D", "1A2B3C4D", "1A2B3C4D"),
        ("adb://emulator-5554", "emulator-5554", "emulator-5554"),
        ("adb://10.0.0.7:5555", "10.0.0.7:5555", "10.0.0.7:5555"),
        ("adb://[fe80::7]:5555", "[fe80::7]:5555", "[fe80::7]:5555"),
        ("adb://adb-3F0-x._adb-tls-connect._tcp", "adb-3F0-x._adb-tls-connect._tcp", "adb-3F0-x._adb-tls-connect._tcp"),
    ],
)
def test_a_phone_has_the_name_that_adb_gives_it(text: str, serial: str, login: str) -> None:
    found = parse(text)
    assert (found.scheme, found.serial, found.login, found.user) == ("adb", serial, login, "")


@pytest.mark.parametrize("text", ["adb://:5555", "adb://pi@1A2B", "adb://1A2B/x", "adb://-s", "adb://$(x)"])
def test_other_addresses_of_phones_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a device") as caught:
        parse(text)
    assert caught.value.hint == "It is written adb://, adb://SERIAL or adb://host:port."


def test_words_alone_are_addresses_too() -> None:
    assert (parse("local"), parse("qemu")) == (LOCAL, EMULATED)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "usb",
            "No target is called 'usb'.",
            f"A target is written {address.forms()}.",
        ),
        ("local://here", "'local://here' is not the address of this machine.", "It is written `local`."),
        ("qemu://pi", "'qemu://pi' is not the address of the emulated machine.", "It is written `qemu`."),
    ],
)
def test_what_no_target_has_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("pi@raspberrypi.local", "ssh://pi@raspberrypi.local"),
        ("SSH://pi@board", "ssh://pi@board"),
        ("ssh://pi@fd77:1::2", "ssh://pi@[fd77:1::2]"),
        ("ssh://fd77:1::2?python=py", "ssh://[fd77:1::2]?python=py"),
        ("pi@::1", "ssh://pi@[::1]"),
    ],
)
def test_what_people_type_works(text: str, same: str) -> None:
    found, expected = parse(text), parse(same)
    assert (found.scheme, found.user, found.host, found.port, found.python) == (
        *(expected.scheme, expected.user, expected.host),
        *(expected.port, expected.python),
    )
    assert found.kind.has_host


@pytest.mark.parametrize("text", ["local", "qemu", "board", "usb://1"])
def test_a_device_is_not_this_machine_or_a_word(text: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a device: it is not of that form"):
        parse_device(text)


@pytest.mark.parametrize("kind", TARGETS.values(), ids=TARGETS)
def test_each_row_says_what_its_module_does(kind: address.TargetKind) -> None:
    where = EXAMPLES[kind.scheme]
    assert where.kind is kind
    assert import_module(kind.module).open_target
    target = open_target(where, profile(emulation_cpu="cortex-a72"))
    assert target.address == where
    assert target.emulated == kind.emulated == address.is_emulated(where.text)
    assert kind.is_this_machine == address.is_this_machine(where.text) == (kind.sharing is Sharing.ALONE)
    assert all(parse(form.replace("port", "22")).kind is kind for form in kind.forms)


def test_an_address_of_a_newer_edgecheck_is_of_no_kind() -> None:
    assert not address.is_this_machine("usb://1")
    assert not address.is_emulated("usb://1")
