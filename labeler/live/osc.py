"""Windows as OSC messages, for music and light programs (python-osc, the extra ``mic``).

For each window: ``/soundfold/label`` (label, score), ``/soundfold/scores`` (label, score, label, score ..., best first)
and ``/soundfold/level`` (dB of full scale). Where sound was lost: ``/soundfold/lost`` (seconds).
"""

from __future__ import annotations

import re
import socket
from typing import Any

from harness.errors import SettingsError
from labeler.live.listening import Heard, Listener

__all__ = ["OscSender"]


class OscSender(Listener):
    """Send each window by UDP.

    Parameters
    ----------
    address : str
        ``HOST:PORT``.
    top : int
        How many classes, best first.
    name : str
        What the setting is called, for messages.

    Raises
    ------
    SettingsError
        Not such an address, a host that is not known, or python-osc is not there.
    """

    def __init__(self, address: str, *, top: int, name: str = "osc") -> None:
        host, _, port = address.rpartition(":")
        if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
            raise SettingsError(f"{name}={address}: expected HOST:PORT, for instance 127.0.0.1:9000")
        try:
            from pythonosc.udp_client import SimpleUDPClient  # installed only with the extra `mic`
        except ImportError:
            raise SettingsError(f"{name}={address}: needs python-osc: pip install 'soundfold[mic]'") from None
        try:
            self._client: Any = SimpleUDPClient(host.strip("[]"), int(port))
        except (OSError, socket.gaierror) as error:
            raise SettingsError(f"{name}={address}: {error.strerror or error}") from error
        self._top = top

    def heard(self, heard: Heard) -> None:
        """Send label, scores and level."""
        best = [(str(name), float(score)) for name, score in heard.scores.head(self._top).items()]
        self._send("label", [*best[0]])
        self._send("scores", [part for pair in best for part in pair])
        self._send("level", heard.level_db)

    def lost(self, at_s: float, lost_s: float) -> None:
        """Send how many seconds were lost."""
        self._send("lost", lost_s)

    def _send(self, what: str, values: Any) -> None:
        try:
            self._client.send_message(f"/soundfold/{what}", values)
        except OSError:  # nobody is there at the moment
            return
