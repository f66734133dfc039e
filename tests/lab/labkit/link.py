# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wire between the hosts: starting the relay and telling it what to do."""

import json
import os
import socket

from . import LabError, process
from .instance import build_dir


def start(lab, with_parent=False):
    """Starts the relay; returns when hosts can connect."""
    relay = os.path.join(build_dir(), "bin/relay")
    if not os.path.exists(relay):
        raise LabError("build/bin/relay is not built: make lab-built")
    read_fd, write_fd = os.pipe()
    try:
        proc = process.spawn(
            [relay, lab.state["run"], str(lab.state["nr_hosts"])], write_fd,
            with_parent)
    finally:
        os.close(write_fd)
    with os.fdopen(read_fd, encoding="utf-8", errors="replace") as out:
        line = out.readline()
    if line != "relay: ready\n":
        proc.wait()
        raise LabError(f"the relay did not start: {line.strip()}")
    lab.state["relay"] = process.identity(proc.pid)
    lab.save()


def command(lab, *words):
    """Sends one command; returns the relay's statistics."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(lab.run_path("ctl.sock"))
            sock.sendall(" ".join(map(str, words)).encode())
            sock.shutdown(socket.SHUT_WR)
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
        except OSError as error:
            raise LabError(f"the relay does not answer: {error}") from None
    answer = json.loads(data)
    if "error" in answer:
        raise LabError(f"link: {answer['error']}: {' '.join(map(str, words))}")
    return answer


def announced(lab, mac):
    """What was seen of this address of late, the oldest first: "rarp" and
    "arp" that told where it is, and "moved", its first frame at another port;
    with "port", the host's number, and "at_ns" by this machine's monotonic
    clock."""
    return [seen for seen in command(lab, "announced")["announced"]
            if seen["mac"] == mac]


def bytes_on_link(lab):
    """All bytes that the hosts have put on the wire so far."""
    return sum(port["in_bytes"] for port in command(lab, "stats")["ports"])
