"""Debian's Chromium, driven by Playwright, with every host but the server under test mapped to a sink."""

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, sync_playwright

INSTALLER = "CHROMIUM_INSTALLER"
"""Variable with the id of the process that is installing Chromium while other checks run (.ci/run)."""
_SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
)
_OWN_HOSTS = ("accounts.google.com", "*.googleapis.com")
"""Hosts that Chromium asks for itself, whatever page it shows. They do not resolve."""

_NAME = re.compile(rb"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


@dataclass
class Sink:
    """TCP listener on loopback that notes for which host each connection was meant, and closes it."""

    connections: list[str] = field(default_factory=list)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def note(self) -> None:
        """Note connections until `close`."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append("no host")
                with connection, suppress(OSError):
                    connection.settimeout(30)
                    # Both a request and the first message of TLS name the host in plain text.
                    if named := _NAME.findall(connection.recv(4000)):
                        self.connections[-1] = max(named, key=len).decode()

    def close(self) -> None:
        # Without it, the thread would stay in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def open_sink() -> Iterator[Sink]:
    """A sink that notes connections, for the length of the block."""
    sink = Sink()
    noting = Thread(target=sink.note)
    noting.start()
    yield sink
    sink.close()
    noting.join()


def find_chromium() -> str | None:
    """The path of Chromium, or None where it is not installed. Waits for a process that is installing it.

    The shell without windows is preferred: it opens none of the browser's own pages, so that it takes less CPU.
    """
    installer = os.environ.get(INSTALLER)
    while installer and Path("/proc", installer).exists():
        time.sleep(0.2)
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def open_chromium(program: str, sink: Sink) -> Iterator[Browser]:
    """Chromium without a window, for the length of the block. It reaches only 127.0.0.1 and the sink."""
    rules = [*(f"MAP {host} ~NOTFOUND" for host in _OWN_HOSTS), f"MAP * 127.0.0.1:{sink.port}", "EXCLUDE 127.0.0.1"]
    mapped = f"--host-resolver-rules={', '.join(rules)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_SWITCHES, mapped], timeout=180_000)
        yield browser
        browser.close()
