"""Segments: what is signed is what arrives, and nothing else is taken for it."""

from dataclasses import replace

import pytest

from pnode.protocol.codec import MalformedError
from pnode.protocol.segments import FIRST, open_segment
from pnode.protocol.signed import BadSignatureError, Kind, Signed, sign

from .ledgers import CLUSTER, CRYPTO, NODES, SEEDS, chain


def test_a_segment_survives_the_way_to_another_node() -> None:
    [entry] = chain(1)

    opened = open_segment(CRYPTO, CLUSTER, Signed(entry.signed.author, entry.signed.signature, entry.signed.body))

    assert opened == entry


def test_a_segment_signed_by_somebody_else_is_refused() -> None:
    [entry] = chain(1)
    forged = replace(entry.signed, author=NODES[1])

    with pytest.raises(BadSignatureError):
        open_segment(CRYPTO, CLUSTER, forged)


def test_a_signed_body_that_is_no_segment_is_refused() -> None:
    signed = sign(CRYPTO, SEEDS[0], Kind.SEGMENT, CLUSTER, b"\x93\x01\x02\x03")

    with pytest.raises(MalformedError):
        open_segment(CRYPTO, CLUSTER, signed)


def test_a_segment_says_what_it_follows_and_adds_to_the_fingerprint() -> None:
    first, second = chain(2)

    assert (first.segment.previous, second.segment.previous) == (FIRST, first.digest)
    assert [entry.id for entry in (first, second)] == [(NODES[0], 1, 0), (NODES[0], 1, 1)]
    assert first.fingerprint != second.fingerprint
