"""Ways into a cluster, and what is said where there is none."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pnode.node.api import NodeStatus

from .applications import write
from .hosts import Host, Hosts

pytestmark = pytest.mark.processes


@dataclass(frozen=True, slots=True)
class Moved:
    """A founder that listens elsewhere since it has made a token: the token is good and its address is not."""

    founder: Host
    token: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp("j"))
    try:
        yield hosts
    finally:
        hosts.end()


@pytest.fixture(scope="module")
def moved(place: Hosts) -> Moved:
    founder = place.add("founder")
    founder.start()
    token = founder.token()
    founder.stop()
    founder.port = 0
    founder.start(mdns=True)
    return Moved(founder, token)


@pytest.fixture(scope="module")
def other(place: Hosts) -> Moved:
    """The only node of another cluster, which has been stopped."""
    founder = place.add("other")
    founder.start()
    token = founder.token()
    founder.stop()
    return Moved(founder, token)


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[int]:
    """Another program has a port."""
    with socket.create_server((host, 0)) as server:
        yield server.getsockname()[1]


class Hello(BaseHTTPRequestHandler):
    """Somebody else's service."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Not on our terminal."""


@contextmanager
def web_server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


# Ways in.


def test_a_node_is_found_by_mdns_alone(place: Hosts, moved: Moved) -> None:
    by_mdns, without = place.add("by-mdns"), place.add("without")

    by_mdns.start("--token", moved.token, mdns=True)

    assert {"founder", "by-mdns"} <= by_mdns.alive()
    assert "no member of the cluster" in without.fail_to_start("--token", moved.token), "no other way leads there"


def test_a_seed_leads_to_the_cluster_where_there_is_no_mdns(place: Hosts, moved: Moved) -> None:
    seeded = place.add("seeded")

    seeded.start("--token", moved.token, "--seed", moved.founder.address)

    assert {"founder", "seeded"} <= seeded.alive()


def test_a_member_lets_others_in_when_the_founder_is_gone(hosts: Hosts) -> None:
    founder, member, newcomer = [*hosts.cluster("founder", "member"), hosts.add("newcomer")]
    founder.stop()

    newcomer.start("--token", member.token(), "--seed", member.address)

    assert {"member", "newcomer"} <= newcomer.alive()


def test_starting_a_node_twice_changes_nothing(moved: Moved) -> None:
    before = moved.founder.ask(NodeStatus, "status")

    ran = moved.founder.done("start")

    assert "runs already" in ran.out
    assert moved.founder.ask(NodeStatus, "status").pid == before.pid


# Where there is no way in. Every complaint is one line, and no node is left behind (see `fail_to_start`).


def test_a_founder_that_comes_back_says_whom_it_sees(hosts: Hosts) -> None:
    founder, _ = hosts.cluster("first", "second")
    founder.stop()

    assert "and sees 1 other node\n" in founder.done(*founder.start_words()).out


def test_a_token_that_is_cut_short_is_refused(place: Hosts, moved: Moved) -> None:
    stranger = place.add("cut-short")

    complaint = stranger.fail_to_start("--token", moved.token[:-10])

    assert "token" in complaint


def test_a_token_with_a_letter_wrong_is_refused(place: Hosts, moved: Moved) -> None:
    stranger = place.add("misspelt")
    wrong = "x" if moved.token[60] != "x" else "y"

    complaint = stranger.fail_to_start("--token", moved.token[:60] + wrong + moved.token[61:])

    assert "token" in complaint


def test_a_token_that_has_expired_is_refused(place: Hosts, moved: Moved) -> None:
    stranger = place.add("late")
    token = moved.founder.token("--hours", 0.0003)
    time.sleep(2.0)

    complaint = stranger.fail_to_start("--token", token)

    assert "it held until" in complaint
    assert "pnode token" in complaint


def test_a_home_stays_with_its_cluster_when_it_is_given_the_token_of_another(moved: Moved, other: Moved) -> None:
    running = moved.founder.pnode("start", "--token", other.token).complaint()
    stopped = other.founder.fail_to_start("--token", moved.token)

    assert "belongs to cluster" in running
    assert "belongs to cluster" in stopped
    assert "--home" in stopped


def test_members_of_another_cluster_do_not_let_a_stranger_in(place: Hosts, moved: Moved, other: Moved) -> None:
    stranger = place.add("stranger")

    complaint = stranger.fail_to_start("--token", other.token, "--seed", moved.founder.address)

    assert moved.founder.address in complaint


def test_a_seed_where_something_else_answers_is_named(place: Hosts, moved: Moved) -> None:
    stranger = place.add("web")

    with web_server() as port:
        complaint = stranger.fail_to_start("--token", moved.token, "--seed", f"127.0.0.1:{port}")

    assert f"127.0.0.1:{port}" in complaint


def test_a_seed_where_nobody_listens_is_named(place: Hosts, moved: Moved) -> None:
    stranger = place.add("nobody")
    with listening() as port:
        pass

    complaint = stranger.fail_to_start("--token", moved.token, "--seed", f"127.0.0.1:{port}")

    assert f"127.0.0.1:{port}" in complaint


def test_a_port_that_is_in_use_is_named(hosts: Hosts) -> None:
    crowded = hosts.add("crowded")

    with listening() as port:
        crowded.port = port
        complaint = crowded.fail_to_start()

    assert f"port {port}" in complaint
    assert "--port" in complaint


def test_a_start_that_came_to_nothing_has_founded_nothing(place: Hosts, other: Moved) -> None:
    crowded = place.add("crowded")
    with listening() as port:
        crowded.port = port
        crowded.fail_to_start()

    crowded.port = 0
    assert "an address alone lets nobody in" in crowded.fail_to_start("--seed", other.founder.address)
    assert "--token pnode1-" in crowded.done(*crowded.start_words()).out


def test_a_home_that_cannot_be_made_is_named(hosts: Hosts) -> None:
    homeless = hosts.add("homeless")
    homeless.home = write(hosts.place, {"file": ""}) / "home"

    complaint = homeless.pnode(*homeless.start_words()).complaint()

    assert str(homeless.home) in complaint
    assert "--home" in complaint


def test_a_home_that_cannot_be_written_is_named(hosts: Hosts) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    homeless = hosts.add("homeless")
    homeless.home.mkdir(mode=0o500)

    complaint = homeless.pnode(*homeless.start_words()).complaint()

    assert str(homeless.home) in complaint
    assert "--home" in complaint


HOUR_AHEAD = """
import time

right = time.time
time.time = lambda: right() + 3600
"""


def test_a_clock_that_is_an_hour_off_is_named(place: Hosts, moved: Moved, tmp_path: Path) -> None:
    stranger = place.add("early")
    write(tmp_path, {"sitecustomize.py": HOUR_AHEAD})
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    complaint = stranger.fail_to_start(
        "--token", moved.token, "--seed", moved.founder.address, environment=environment
    )

    assert "clock" in complaint
    assert "3600 s" in complaint
    assert "date -u" in complaint
