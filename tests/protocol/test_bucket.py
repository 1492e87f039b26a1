from pnode.protocol.bucket import Bucket, Buckets


def test_a_full_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(per_s=2.0, full=3.0, now=100.0)
    taken = [bucket.take(100.0) for _ in range(4)]

    assert taken == [True, True, True, False]
    assert not bucket.take(100.4)
    assert bucket.take(100.5)
    assert not bucket.take(100.5)


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(per_s=2.0, full=3.0, now=0.0)

    assert [bucket.take(1e6) for _ in range(4)] == [True, True, True, False]


def test_peers_do_not_drink_from_each_others_buckets() -> None:
    buckets = Buckets(per_s=1.0, full=1.0, peers_max=10)

    assert buckets.take(b"a", 0.0)
    assert not buckets.take(b"a", 0.0)
    assert buckets.take(b"b", 0.0)


def test_the_oldest_bucket_makes_room() -> None:
    buckets = Buckets(per_s=0.0, full=1.0, peers_max=2)
    for peer in (b"a", b"b", b"c"):
        assert buckets.take(peer, 0.0)

    assert not buckets.take(b"c", 0.0)
    assert not buckets.take(b"b", 0.0)
    assert buckets.take(b"a", 0.0)  # forgotten, so it starts full
