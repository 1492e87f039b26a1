"""Enrolment: founding, accepting, coming back."""

from dataclasses import replace
from pathlib import Path

import pytest

from pnode.node.enrolment import EnrolmentError, enrol, invite
from pnode.node.home import prepare_home
from pnode.node.identity import Identity
from pnode.protocol.certificate import read_credential
from pnode.protocol.crypto import Sodium
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address, Role
from pnode.protocol.token import CutTokenError, TokenExpiredError, parse_token
from pnode.protocol.trust import Trust

CRYPTO = Sodium()
NOW = 1_800_000_000.0
HERE = (Address("192.0.2.1", 4747),)


def home(tmp_path: Path, name: str) -> Identity:
    path = tmp_path / name
    prepare_home(path)
    return Identity(path)


def node_of(identity: Identity) -> NodeId:
    return NodeId(CRYPTO.public_key(identity.seed()))


def found(tmp_path: Path, name: str = "founder") -> tuple[Identity, str]:
    """A founder's home and a token from it."""
    identity = home(tmp_path, name)
    enrolled = enrol(identity, CRYPTO, name, None, NOW, admitted=False)
    return identity, invite(CRYPTO, enrolled.cluster, HERE, 24.0, NOW).text


def test_a_home_without_a_cluster_founds_one_and_may_do_everything(tmp_path: Path) -> None:
    identity = home(tmp_path, "founder")

    enrolled = enrol(identity, CRYPTO, "alpha", None, NOW, admitted=False)

    trust = Trust(CRYPTO, enrolled.cluster.authority_key)
    standing = trust.check(node_of(identity), enrolled.cluster.credential, NOW)
    assert enrolled.founded
    assert standing.admitted
    assert standing.roles == Role.COMPUTE | Role.SUBMIT | Role.ADMIN


def test_a_founder_comes_back_to_its_own_cluster(tmp_path: Path) -> None:
    identity, _ = found(tmp_path)
    before = identity.cluster()

    enrolled = enrol(identity, CRYPTO, "alpha", None, NOW + 5, admitted=True)

    assert enrolled.cluster == before
    assert not enrolled.founded


def test_an_invitation_gives_a_credential_that_waits_for_a_witness(tmp_path: Path) -> None:
    founder, token = found(tmp_path)
    guest = home(tmp_path, "guest")

    enrolled = enrol(guest, CRYPTO, "beta", token, NOW + 60, admitted=False)

    cluster = founder.cluster()
    assert cluster is not None
    standing = Trust(CRYPTO, cluster.authority_key).check(node_of(guest), enrolled.cluster.credential, NOW + 60)
    assert not standing.admitted
    assert enrolled.seeds == HERE
    assert len(read_credential(enrolled.cluster.credential).chain) == 2


def test_a_member_that_starts_with_its_old_token_keeps_its_admission(tmp_path: Path) -> None:
    _, token = found(tmp_path)
    guest = home(tmp_path, "guest")
    first = enrol(guest, CRYPTO, "beta", token, NOW, admitted=False)

    again = enrol(guest, CRYPTO, "beta", token, NOW + 10 * 86400, admitted=True)

    assert again.cluster == first.cluster


def test_a_member_passes_on_the_token_that_lets_others_in_for_longer(tmp_path: Path) -> None:
    founder, token = found(tmp_path)
    cluster, guest = founder.cluster(), home(tmp_path, "guest")
    assert cluster is not None
    first = enrol(guest, CRYPTO, "beta", token, NOW, admitted=False)
    newer = invite(CRYPTO, cluster, HERE, 100.0, NOW + 5 * 86400)

    again = enrol(guest, CRYPTO, "beta", newer.text, NOW + 5 * 86400, admitted=True)
    later = enrol(guest, CRYPTO, "beta", token, NOW + 5 * 86400, admitted=True)

    assert again.cluster.credential == first.cluster.credential
    assert again.cluster == later.cluster == guest.cluster()
    assert invite(CRYPTO, again.cluster, HERE, 1.0, NOW + 5 * 86400).invite == newer.invite


def test_a_guest_that_was_never_admitted_is_told_that_its_token_has_run_out(tmp_path: Path) -> None:
    _, token = found(tmp_path)

    with pytest.raises(TokenExpiredError, match="ran out"):
        enrol(home(tmp_path, "guest"), CRYPTO, "beta", token, NOW + 10 * 86400, admitted=False)


def test_a_home_stays_in_its_cluster(tmp_path: Path) -> None:
    identity, _ = found(tmp_path)
    _, other = found(tmp_path, "other")

    with pytest.raises(EnrolmentError, match=r"this home belongs to cluster \w{8}, the token is for cluster \w{8}"):
        enrol(identity, CRYPTO, "alpha", other, NOW, admitted=True)


def test_a_home_that_no_member_has_let_in_may_try_another_cluster(tmp_path: Path) -> None:
    _, token = found(tmp_path)
    founder, other = found(tmp_path, "other")
    cluster = founder.cluster()
    assert cluster is not None
    guest = home(tmp_path, "guest")
    enrol(guest, CRYPTO, "beta", token, NOW, admitted=False, was_admitted=False)

    with pytest.raises(EnrolmentError, match="this home belongs to cluster"):
        enrol(guest, CRYPTO, "beta", other, NOW, admitted=False, was_admitted=True)
    moved = enrol(guest, CRYPTO, "beta", other, NOW, admitted=False, was_admitted=False)

    assert moved.cluster.authority_key == cluster.authority_key
    assert guest.cluster() == moved.cluster


def test_a_cut_token_changes_nothing(tmp_path: Path) -> None:
    _, token = found(tmp_path)
    guest = home(tmp_path, "guest")

    with pytest.raises(CutTokenError):
        enrol(guest, CRYPTO, "beta", token[:-5], NOW, admitted=False)
    assert guest.cluster() is None


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    _, token = found(tmp_path)

    with pytest.raises(EnrolmentError, match="cannot be accepted"):
        enrol(home(tmp_path, "guest"), CRYPTO, "\n", token, NOW, admitted=False)


def test_a_member_passes_its_own_invitation_on_until_it_runs_out(tmp_path: Path) -> None:
    _, token = found(tmp_path)
    guest = home(tmp_path, "guest")
    cluster = enrol(guest, CRYPTO, "beta", token, NOW, admitted=False).cluster

    passed_on = invite(CRYPTO, cluster, (Address("192.0.2.9", 4747),), 24.0, NOW + 60)
    assert passed_on.invite == parse_token(CRYPTO, token).invite
    assert passed_on.addresses == (Address("192.0.2.9", 4747),)
    assert invite(CRYPTO, cluster, HERE, 24.0, NOW + 60).text == token
    with pytest.raises(EnrolmentError, match="has run out"):
        invite(CRYPTO, cluster, HERE, 24.0, NOW + 10 * 86400)
    with pytest.raises(EnrolmentError, match="no invitation to pass on"):
        invite(CRYPTO, replace(cluster, token=""), HERE, 24.0, NOW)
