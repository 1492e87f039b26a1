"""What real nodes find out about the network between them."""

from collections.abc import Iterator

import pytest

from pnode.node.api_links import LinkStatus, Probed

from .hosts import Host, Hosts, eventually

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def trio_of_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host, Host]]:
    hosts = Hosts(tmp_path_factory.mktemp("n"))
    try:
        anna, bert, carl = (hosts.add(name) for name in ("anna", "bert", "carl"))
        anna.start()
        token = anna.token()
        bert.start("--token", token)
        carl.start("--token", token)
        anna.wait_for("anna", "bert", "carl")
        yield anna, bert, carl
    finally:
        hosts.end()


def links(host: Host) -> dict[tuple[str, str], LinkStatus]:
    found = host.ask(tuple[LinkStatus, ...], "peers", "--links")
    return {(link.source, link.target): link for link in found}


def test_the_network_is_measured_when_somebody_asks_and_everybody_hears_of_it(
    trio_of_hosts: tuple[Host, Host, Host],
) -> None:
    anna, bert, _ = trio_of_hosts

    probed = {each.name: each for each in anna.ask(tuple[Probed, ...], "profile", "network")}

    assert list(probed) == ["bert", "carl"] or list(probed) == ["carl", "bert"]
    for each in probed.values():
        assert each.reason == ""
        assert each.delay_s is not None
        assert 1e-5 < each.delay_s < 0.2
        assert each.bandwidth_bytes_per_s is not None
        assert 1e6 < each.bandwidth_bytes_per_s < 1e11
    own = links(anna)
    assert len(own) == 6
    assert own["bert", "anna"].this
    assert own["bert", "anna"].delay_known == own["anna", "bert"].delay_known == "direct"
    assert own["bert", "anna"].bandwidth_bytes_per_s is not None

    def heard() -> LinkStatus | None:
        link = links(bert)["carl", "anna"]
        return link if link.delay_known == "reported" and link.bandwidth_bytes_per_s is not None else None

    eventually(heard, "row of anna at bert")


def test_a_matrix_is_shown_to_people(trio_of_hosts: tuple[Host, Host, Host]) -> None:
    anna, *_ = trio_of_hosts

    shown = anna.done("peers", "--links").out.splitlines()

    assert shown[0].split() == ["from", "\\", "to", "anna", "bert", "carl"]
    assert shown[1].startswith("anna")
    assert "to anna (this):" in shown
