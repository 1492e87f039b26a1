"""How long `pnode start` takes until the node is usable."""

import time

from ..end_to_end.hosts import LOOPBACK, Host
from .bench import hosts, tell_all

RUNS = 3


def main() -> None:
    with hosts() as place:
        number = iter(range(1000))

        def fresh() -> Host:
            return place.add(f"n{next(number)}")

        founder = fresh()
        founder.start()
        stale = founder.token()
        founder.stop()
        founder.port = 0
        founder.start(mdns=True)
        token = founder.token()
        ways: dict[str, tuple[object, ...]] = {
            "found_without_mdns": ("--no-mdns",),
            "found_with_mdns": (),
            "join_by_token_without_mdns": ("--token", token, "--no-mdns"),
            "join_by_token_with_mdns": ("--token", token),
            # The address in this token is wrong: only mDNS leads to the founder.
            "join_by_mdns_alone": ("--token", stale),
        }
        for name, words in ways.items():
            tell_all(f"start_{name}", [seconds(fresh(), words) for _ in range(RUNS)], "s")


def seconds(host: Host, words: tuple[object, ...]) -> float:
    """The command returns when the node is usable; it is stopped again."""
    began = time.perf_counter()
    host.done("start", "--name", host.name, *LOOPBACK, "--port", 0, *words)
    taken_s = time.perf_counter() - began
    host.stop()
    return taken_s


if __name__ == "__main__":
    main()
