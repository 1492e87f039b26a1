import logging
import stat
from pathlib import Path

import pytest

from pnode.node.home import HomeError
from pnode.node.identity import Cluster, Identity, KnownPeer
from pnode.protocol.record import Address


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


def test_a_key_is_made_once_and_for_its_owner_alone(home: Path) -> None:
    seed = Identity(home).seed()

    assert len(seed) == 32
    assert Identity(home).seed() == seed
    assert mode_of(home / "identity.key") == 0o600
    assert [path.name for path in home.iterdir()] == ["identity.key"]


def test_a_key_that_others_may_read_is_refused(home: Path) -> None:
    Identity(home).seed()
    (home / "identity.key").chmod(0o640)

    with pytest.raises(HomeError, match=r"others may read it \(mode 0640\): run `chmod 600"):
        Identity(home).seed()


def test_a_key_that_others_may_replace_is_refused(home: Path) -> None:
    home.chmod(0o777)

    with pytest.raises(HomeError, match=r"others may write to .* run `chmod go-w"):
        Identity(home).seed()


def test_a_key_of_the_wrong_length_is_refused(home: Path) -> None:
    Identity(home).seed()
    (home / "identity.key").write_bytes(b"short")

    with pytest.raises(HomeError, match="32 bytes, and has 5"):
        Identity(home).seed()


def test_a_disk_that_fails_is_one_line_that_says_what_to_do(home: Path) -> None:
    (home / "cluster").write_text("not a directory")

    with pytest.raises(HomeError, match=r"^cannot write the cluster's files: .*; mend its mode") as caught:
        Identity(home).save_cluster(Cluster(b"k" * 32))
    assert "\n" not in str(caught.value)


def test_a_cluster_is_kept_and_forgotten(home: Path) -> None:
    founder = Cluster(b"k" * 32, b"credential", "token", b"s" * 32)
    identity = Identity(home)

    assert identity.cluster() is None
    identity.save_cluster(founder)
    assert Identity(home).cluster() == founder
    assert mode_of(home / "cluster" / "authority.key") == 0o600
    assert mode_of(home / "cluster" / "credential") == 0o600
    identity.forget_cluster()
    assert identity.cluster() is None


def test_joining_another_cluster_leaves_no_authority_behind(home: Path) -> None:
    identity = Identity(home)
    identity.save_cluster(Cluster(b"k" * 32, b"", "", b"s" * 32))
    identity.save_cluster(Cluster(b"o" * 32))

    assert identity.cluster() == Cluster(b"o" * 32)
    assert not (home / "cluster" / "authority.key").exists()


def test_boot_numbers_never_go_back(home: Path) -> None:
    assert Identity(home).next_boot(1000.9) == 1000
    assert Identity(home).next_boot(5.0) == 1001
    assert Identity(home).next_boot(1001.0) == 1002
    assert Identity(home).next_boot(2000.0) == 2000


def test_a_damaged_boot_number_is_refused(home: Path) -> None:
    (home / "boot").write_text("soon")

    with pytest.raises(HomeError, match="should hold a number"):
        Identity(home).next_boot(1.0)


def test_known_peers_are_remembered(home: Path) -> None:
    peers = (KnownPeer(b"n" * 32, (Address("10.0.0.1", 7), Address("fe80::1", 8))), KnownPeer(b"m" * 32, ()))

    assert Identity(home).known_peers() == ()
    Identity(home).save_known_peers(peers)
    assert Identity(home).known_peers() == peers


def test_a_damaged_list_of_known_peers_counts_as_none(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "peers").write_bytes(b"\xff\x00")

    with caplog.at_level(logging.WARNING):
        assert Identity(home).known_peers() == ()
    assert "is damaged" in caplog.text
