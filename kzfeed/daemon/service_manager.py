"""The service manager that started the daemon, such as systemd, and what it is told of the daemon's state.

The protocol is that of sd_notify(3): each message is a datagram of lines KEY=VALUE to the socket that the variable
NOTIFY_SOCKET names.
"""

import socket
import time
from collections.abc import Mapping
from typing import Any

import structlog

from kzfeed.instants import moment
from kzfeed.text import failure_text, plural, printable, redacted

_MAX_STATUS_LENGTH = 300

log = structlog.get_logger()


class ServiceManager:
    """The service manager at a notification socket; `address` is a path, or `@NAME` for an abstract socket.

    Without an address nothing is sent. A message that cannot be sent is lost: the first one of a row is a warning.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address
        self._is_reachable = True

    def ready(self) -> None:
        """The daemon has started, or a reload has ended."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload of the configuration begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon begins to stop."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """The daemon makes progress. After a time without this message systemd ends the daemon and starts another."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        line = printable(redacted(text))
        self._send(f"STATUS={line if len(line) <= _MAX_STATUS_LENGTH else line[: _MAX_STATUS_LENGTH - 3] + '...'}")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(1)
                sender.sendto(message.encode("utf-8", "replace"), address)
        except OSError as error:
            if self._is_reachable:
                log.warning("service manager not reached", socket=self.address, error=str(error))
            self._is_reachable = False
        else:
            self._is_reachable = True


def status_line(found: Mapping[str, Any]) -> str:
    """What `store.status.short_status` has found, in one line: sources, the last poll, and what fails."""
    last, failing = found["last_poll"], found["failing"]
    parts = [plural(found["sources"], "source")]
    if last is None:
        parts.append("no poll yet")
    else:
        parts.append(f"last poll {moment(last['started_at'])} ({last['source']}: {last['outcome']})")
    if failing:
        first = failing[0]
        since = f" since {moment(first['failing_since'])}" if first["failing_since"] else ""
        why = failure_text(first["last_error_kind"], first["last_error"])
        others = f", and {plural(len(failing) - 1, 'other')}" if failing[1:] else ""
        parts.append(f"{len(failing):,} failing: {first['source']}{since} ({why}){others}")
    else:
        parts.append("none failing")
    return "; ".join(parts)
