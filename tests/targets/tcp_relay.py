"""A TCP connection that can be counted, cut and silenced: the network between a desk and a board."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class TcpRelay:
    """Passes bytes between its own port and another."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        self.sent = 0
        self.received = 0
        self.turns = 0
        """How often the board answered: bytes from it that followed bytes to it."""
        self._last = ""

    def run(self) -> None:
        with suppress(OSError):  # the server was closed
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                board = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, board]
                for ends in ((client, board, "sent"), (board, client, "received")):
                    thread = threading.Thread(target=self._pass, args=ends)
                    thread.start()
                    self._threads.append(thread)

    def _pass(self, source: socket.socket, sink: socket.socket, counter: str) -> None:
        with suppress(OSError), source:
            while data := source.recv(1 << 16):
                self._flowing.wait()
                self.turns += (self._last, counter) == ("sent", "received")
                self._last = counter
                setattr(self, counter, getattr(self, counter) + len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def silence(self) -> None:
        """Let nothing through any more, without a word to anybody."""
        self._flowing.clear()

    def restore(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """End every connection there is; new ones are taken."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.restore()
        self.cut()
        for thread in self._threads:
            thread.join()


@contextmanager
def relayed(to: int) -> Iterator[TcpRelay]:
    relay = TcpRelay(to)
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join()
