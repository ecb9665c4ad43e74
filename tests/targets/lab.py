"""A real labgrid lab on loopback: coordinator, exporter, places, other people's clients, and power switches."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from tests.targets.sshd import PROGRAM, USER, Board, free_port
from tests.targets.workloads import comes_true

ROOT = Path(__file__).parents[2]

#: What a person of the lab does, by a client of the coordinator; each line on stdin is a method and its arguments.
_PERSON = """
import dataclasses, json, sys
sys.path.append(sys.argv[2])
from edgecheck.errors import TargetError
from edgecheck.targets.labgrid import coordinator

def shown(value):
    if dataclasses.is_dataclass(value):
        return {each.name: shown(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [shown(each) for each in value]
    return getattr(value, "name", value) if not isinstance(value, (str, dict)) else value

with coordinator.connected(sys.argv[1]) as lab:
    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            if hasattr(lab, method):
                answer = shown(getattr(lab, method)(**arguments))
            else:
                lab._ask(method, getattr(coordinator.messages, method + "Request")(**arguments))
                answer = None
        except TargetError as error:
            answer = {"error": error.message}
        print(json.dumps(answer), flush=True)
"""


def missing() -> str:
    """What the tests lack; empty: nothing."""
    if find_spec("labgrid") is None:
        return "labgrid is not installed: make setup"
    return "" if PROGRAM else "these tests need sshd: sh tools/debian-packages.sh"


@dataclass
class Person:
    """Somebody else's client of the lab."""

    process: subprocess.Popen[str]

    def ask(self, method: str, **arguments: object) -> Any:
        """What the coordinator answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([method, arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client ended"
        return json.loads(line)

    def place(self, name: str) -> dict[str, Any]:
        """A place as the coordinator knows it."""
        found: dict[str, Any] = next(place for place in self.ask("places") if place["name"] == name)
        return found

    def owner(self, name: str) -> str:
        """Who has a place; empty: nobody."""
        return str(self.place(name)["owner"])


@dataclass
class Lab:
    """A coordinator, and what was started for it."""

    folder: Path
    port: int
    stack: ExitStack
    boss: Person = field(init=False)

    @property
    def address(self) -> str:
        """Of the coordinator."""
        return f"127.0.0.1:{self.port}"

    def person(self, user: str, host: str = "desk") -> Person:
        """Somebody with a client of their own."""
        return self.stack.enter_context(_person(self.address, user, host))

    def export(
        self, groups: dict[str, dict[str, object]], *options: str, name: str = "exporter"
    ) -> subprocess.Popen[bytes]:
        """Start an exporter, and wait until the coordinator knows its resources."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(groups))  # which is YAML
        argv = [*_module("labgrid.remote.exporter"), "-c", self.address, "-n", name, *options, str(path)]
        return self.stack.enter_context(_started(argv, self.folder, self.folder / f"{name}.log"))

    def add(self, place: str, **tags: str) -> None:
        """A place, of everything that exporters have under its name."""
        assert self.boss.ask("AddPlace", name=place) is None
        assert self.boss.ask("SetPlaceTags", placename=place, tags=tags) is None
        assert self.boss.ask("AddPlaceMatch", placename=place, pattern=f"*/{place}/*") is None


def _module(name: str) -> list[str]:
    return [sys.executable, "-c", f"from {name} import main; main()"]


@contextmanager
def started(folder: Path) -> Iterator[Lab]:
    """A lab without places."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with ExitStack() as stack:
        argv = [*_module("labgrid.remote.coordinator"), "-l", f"127.0.0.1:{port}"]
        stack.enter_context(_started(argv, folder, folder / "coordinator.log"))
        assert comes_true(lambda: _listens(port))
        lab = Lab(folder, port, stack)
        lab.boss = lab.person("boss")
        yield lab


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _started(argv: list[str], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _person(address: str, user: str, host: str) -> Iterator[Person]:
    environment = {**os.environ, "LG_USERNAME": user, "LG_HOSTNAME": host}
    argv = [sys.executable, "-c", _PERSON, address, str(ROOT)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Person(process)
    finally:
        process.kill()
        process.communicate()


def service(board: Board) -> dict[str, object]:
    """The resource that says where a board is."""
    return {"NetworkService": {"address": "127.0.0.1", "port": board.port, "username": USER}}


class Power:
    """A power switch with a web page, as labgrid's model `rest` takes it, with a board on its socket.

    Args:
        board: Its sshd is killed with all that it started, and started again.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.switched: list[str] = []
        self.is_broken = False
        self._process: subprocess.Popen[bytes] | None = None
        power = self

        class Page(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                value = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if not power.is_broken:
                    power.switch(value)
                self.send_response(500 if power.is_broken else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> dict[str, object]:
        """The resource of labgrid."""
        host = f"http://127.0.0.1:{self.server.server_port}/relay/{{index}}/value"
        return {"NetworkPowerPort": {"model": "rest", "host": host, "index": "1"}}

    def switch(self, value: str) -> None:
        """Off and on."""
        self.switched.append(value)
        if value == "0":
            self._off()
        elif self._process is None:
            argv = [str(PROGRAM), "-D", "-f", str(self.board.folder / "sshd.conf"), "-p", str(self.board.port)]
            self._process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)

    def freeze(self) -> None:
        """Stop everything on the board: the kernel accepts connections, and nobody answers."""
        for one in self._all():
            one.suspend()

    def _all(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            sshd = psutil.Process((self._process or self.board.process).pid)
            return [sshd, *sshd.children(recursive=True)]
        return []

    def _off(self) -> None:
        for one in reversed(self._all()):
            with suppress(psutil.Error):
                one.kill()
        (self._process or self.board.process).wait()
        self._process = None

    def end(self) -> None:
        """Nothing of it is left."""
        self.server.shutdown()
        self.server.server_close()
        if self._process is not None:
            self._off()


def is_free(lab: Lab) -> bool:
    """Whether nobody has a place or a reservation."""
    return comes_true(
        lambda: not lab.boss.ask("reservations") and not any(place["owner"] for place in lab.boss.ask("places"))
    )


def keepers(state: Path) -> list[psutil.Process]:
    """Those processes that hold a place, and note it in this folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_one = any("edgecheck.targets.labgrid.keeper" in word for word in process.cmdline())
            if is_one and process.environ().get("XDG_STATE_HOME") == str(state):
                found.append(process)
    return found
