import math
from random import Random
from statistics import median

import pytest

from pnode.profilers.bandwidth import PRIOR_BYTES_PER_S
from pnode.profilers.links import FIGURES_MAX
from pnode.profilers.positions import AGE_S_MAX, CONFIDENCE_MAX
from pnode.profilers.positions import HALF_LIFE_S as PLACE_HALF_LIFE_S
from pnode.profilers.profile import PRIOR_LATENCY_S, Basis, DelayBelief, Profile
from pnode.protocol import view
from pnode.protocol.coordinate import Coordinate, pack_coordinate
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, LinkFigure

from .accuracy import estimating_errors
from .nodes import ME, A, B, C, node
from .phantom import sites

MIB = 1024 * 1024


def numbers(figure: LinkFigure) -> tuple[object, ...]:
    return figure.source, figure.latency_s, figure.bandwidth_bytes_per_s, figure.confidence


def test_it_answers_what_the_core_asks_of_a_profile() -> None:
    profile: view.Profile = Profile(ME)

    assert profile.run_s("app/task", A, 2.0, 0.0) == 0.5


def test_a_node_is_no_distance_from_itself() -> None:
    way = Profile(ME).link(A, A, 0.0)

    assert (way.transfer_s(1e12), way.confidence) == (0.0, 1.0)


def test_of_an_unknown_link_the_prior_is_a_guess() -> None:
    assert Profile(ME).link(A, B, 0.0) == Link(PRIOR_LATENCY_S, PRIOR_BYTES_PER_S, 0.0)


def test_our_own_round_trips_tell_the_latency_of_both_directions() -> None:
    profile = Profile(ME)

    profile.observe_round_trip(A, 0.040, 0.0)

    assert profile.link(A, ME, 0.0).latency_s == profile.link(ME, A, 0.0).latency_s == 0.020
    assert profile.link(A, ME, 0.0).confidence == pytest.approx(0.25)


def test_our_own_round_trips_count_before_what_the_other_end_says() -> None:
    profile = Profile(ME)
    profile.hear_links(A, (LinkFigure(ME, 0.9, 2e6, 1.0),), 0.0)

    profile.observe_round_trip(A, 0.040, 0.0)

    assert profile.link(ME, A, 0.0) == Link(0.020, 2e6, (0.5 + 1.0) / 2)


def test_what_arrives_here_is_our_own_measurement_what_leaves_is_the_receivers() -> None:
    profile = Profile(ME)
    profile.observe_transfer(A, MIB, MIB / 5e6, 0.0)
    profile.hear_links(A, (LinkFigure(ME, 0.001, 7e6, 0.9),), 0.0)

    assert profile.link(A, ME, 0.0).bandwidth_bytes_per_s == pytest.approx(5e6)
    assert profile.link(ME, A, 0.0).bandwidth_bytes_per_s == 7e6


def test_of_two_strangers_the_targets_row_tells() -> None:
    profile = Profile(ME)
    profile.hear_links(B, (LinkFigure(A, 0.003, 4e6, 0.6),), 0.0)
    profile.hear_links(A, (LinkFigure(B, 0.005, 6e6, 0.7),), 0.0)

    assert profile.link(A, B, 0.0) == Link(0.003, 4e6, 0.6)
    assert profile.link(B, A, 0.0) == Link(0.005, 6e6, 0.7)


def test_the_opposite_direction_is_better_than_a_mean() -> None:
    profile = Profile(ME)
    profile.hear_links(B, (LinkFigure(A, 0.003, 4e6, 0.6), LinkFigure(C, 0.5, 1e3, 1.0)), 0.0)
    profile.observe_transfer(C, MIB, MIB / 5e6, 0.0)

    assert profile.link(B, A, 0.0) == Link(0.003, 4e6, 0.6)
    assert profile.link(ME, C, 0.0).bandwidth_bytes_per_s == pytest.approx(5e6)


def test_a_latency_without_a_bandwidth_is_half_a_belief() -> None:
    profile = Profile(ME)
    profile.hear_links(B, (LinkFigure(A, 0.003, 0.0, 0.6),), 0.0)

    assert profile.link(A, B, 0.0) == Link(0.003, PRIOR_BYTES_PER_S, 0.3)


def test_an_unknown_link_is_taken_for_the_mean_of_the_known() -> None:
    profile = Profile(ME)
    profile.observe_round_trip(A, 0.002, 0.0)
    profile.observe_transfer(A, MIB, MIB / 1e6, 0.0)
    profile.hear_links(B, (LinkFigure(A, 0.1, 1e8, 0.5),), 0.0)

    way = profile.link(B, C, 0.0)

    assert (way.latency_s, way.bandwidth_bytes_per_s) == pytest.approx((0.010, 1e7))
    assert way.confidence == 0.0


def test_the_mean_is_worked_out_again_when_more_is_known() -> None:
    profile = Profile(ME)
    profile.link(B, C, 0.0)

    profile.observe_round_trip(A, 0.2, 0.1)

    assert profile.link(B, C, 0.5).latency_s == PRIOR_LATENCY_S
    assert profile.link(B, C, 1.0).latency_s == pytest.approx(0.1)


def test_a_latency_of_nothing_does_not_spoil_the_mean() -> None:
    profile = Profile(ME)

    profile.observe_round_trip(A, 0.0, 0.0)

    assert profile.link(B, C, 0.0).latency_s == pytest.approx(1e-6)


def test_our_row_names_the_most_certain_links_first_and_at_most_sixty_four() -> None:
    profile = Profile(ME)
    for number in range(1, 101):
        profile.observe_round_trip(node(number), 0.01, 0.0)
    profile.observe_transfer(node(50), MIB, MIB / 1e6, 0.0)
    profile.observe_transfer(node(200), MIB, MIB / 1e6, 0.0)

    figures = profile.my_figures(0.0)

    assert len(figures) == FIGURES_MAX
    assert numbers(figures[0]) == (node(50), 0.005, pytest.approx(1e6), pytest.approx(0.5))
    assert figures[1] == LinkFigure(node(37), 0.005, 0.0, 0.25)  # those before it were measured longer ago
    assert [figure.confidence for figure in figures] == sorted((f.confidence for f in figures), reverse=True)


def test_a_peer_that_sent_data_but_was_never_probed_is_in_our_row() -> None:
    profile = Profile(ME)

    profile.observe_transfer(A, MIB, MIB / 1e6, 0.0)

    [figure] = profile.my_figures(0.0)
    assert numbers(figure) == (A, PRIOR_LATENCY_S, pytest.approx(1e6), 0.25)


def test_what_a_node_would_tell_of_itself_is_not_taken() -> None:
    profile = Profile(ME)

    profile.observe_round_trip(ME, 1.0, 0.0)
    profile.observe_transfer(ME, MIB, 1.0, 0.0)
    profile.hear_links(ME, (LinkFigure(A, 1.0, 1e6, 1.0),), 0.0)

    assert profile.my_figures(0.0) == ()
    assert profile.link(A, ME, 0.0).confidence == 0.0


def test_a_node_that_has_left_for_good_is_forgotten_in_every_table() -> None:
    profile = Profile(ME)
    profile.observe_round_trip(A, 0.01, 0.0)
    profile.observe_transfer(A, MIB, 1.0, 0.0)
    profile.observe_run("app/task", A, 1.0, 5.0, 0.0)
    profile.hear_links(A, (LinkFigure(B, 0.01, 1e6, 1.0),), 0.0)

    profile.forget(A)

    assert profile.my_figures(0.0) == ()
    assert profile.link(B, A, 0.0) == Link(PRIOR_LATENCY_S, PRIOR_BYTES_PER_S, 0.0)
    assert [record[1] for record in profile.run_records()] == [b""]


def test_run_times_outlive_a_restart() -> None:
    profile = Profile(ME)
    profile.observe_run("app/task", A, 2.0, 5.0, 0.0)

    restarted = Profile(ME)
    restarted.restore_runs(profile.run_records())

    assert restarted.run_s("app/task", A, 2.0, 0.0) == 5.0
    assert restarted.run_s("app/task", B, 5.0, 0.0) == 2.0


def test_eight_nodes_that_gossip_their_rows_know_every_link_within_a_half() -> None:
    """A truth matrix: sites of four nodes, fast and near inside, slow and far between; noise on every sample."""
    rng = Random(7)
    nodes = [node(number) for number in range(8)]
    profiles = {one: Profile(one) for one in nodes}

    def truth(source: NodeId, target: NodeId) -> Link:
        same_site = (nodes.index(source) < 4) == (nodes.index(target) < 4)
        return Link(0.0002, 117e6, 1.0) if same_site else Link(0.020, 6e6, 1.0)

    for second in range(5):
        for target in nodes:
            for source in nodes:
                if source != target:
                    true = truth(source, target)
                    rtt_s = 2 * true.latency_s * min(rng.lognormvariate(0.0, 0.25) for _ in range(3))
                    profiles[target].observe_round_trip(source, rtt_s, float(second))
                    seconds = MIB / true.bandwidth_bytes_per_s * rng.uniform(0.9, 1.2)
                    profiles[target].observe_transfer(source, MIB, seconds, float(second))
    for author in nodes:
        for listener in nodes:
            profiles[listener].hear_links(author, profiles[author].my_figures(5.0), 5.0)

    for profile in profiles.values():
        for source in nodes:
            for target in nodes:
                if source != target:
                    way, true = profile.link(source, target, 5.0), truth(source, target)
                    assert way.latency_s == pytest.approx(true.latency_s, rel=0.5)
                    assert way.bandwidth_bytes_per_s == pytest.approx(true.bandwidth_bytes_per_s, rel=0.15)
                    assert math.isclose(way.confidence, (5 / 6 + 5 / 6) / 2, rel_tol=0.01)


def place(*position: float, error: float = 0.1) -> bytes:
    return pack_coordinate(Coordinate((*position, *[0.0] * (8 - len(position))), 0.0, 0.0, error))


def test_of_two_strangers_that_nobody_measured_their_places_tell() -> None:
    profile = Profile(ME)

    profile.hear_place(A, place(0.030), 0.0)
    profile.hear_place(B, place(0.0, 0.040), 10.0)

    found = profile.delay(A, B, 10.0)
    assert found.rtt_s == pytest.approx(0.050)
    assert (found.basis, found.age_s) == (Basis.ESTIMATED, 10.0)
    assert found.error == pytest.approx(0.1)
    assert profile.delay(B, A, 10.0) == found
    assert profile.link(A, B, 10.0).latency_s == found.rtt_s / 2


def test_confidence_in_a_place_halves_with_age_and_ends_and_is_never_that_of_a_measurement() -> None:
    profile = Profile(ME)
    profile.hear_place(A, place(0.030, error=0.0), 0.0)
    profile.hear_place(B, place(0.060, error=0.0), 0.0)

    beliefs = [profile.delay(A, B, now) for now in (0.0, PLACE_HALF_LIFE_S, AGE_S_MAX + 1.0)]

    assert [belief.confidence for belief in beliefs] == [CONFIDENCE_MAX, CONFIDENCE_MAX / 2, 0.0]
    assert beliefs[2] == DelayBelief(2 * PRIOR_LATENCY_S, 0.0, Basis.USUAL, None, None)


@pytest.mark.parametrize("told", [place(0.03, error=0.51), place(10.5), place(0.03)[:-1], b"", b"x" * 32])
def test_a_place_that_is_unsure_or_none_tells_nothing(told: bytes) -> None:
    profile = Profile(ME)
    profile.hear_place(A, place(0.060), 0.0)

    profile.hear_place(B, told, 0.0)

    assert profile.delay(A, B, 0.0).basis is Basis.USUAL


def test_what_was_measured_counts_before_what_was_heard_and_that_before_places() -> None:
    profile = Profile(ME)
    profile.hear_place(A, place(0.060), 0.0)
    profile.hear_place(B, place(0.0), 0.0)

    profile.hear_links(B, (LinkFigure(A, 0.005, 0.0, 0.4),), 0.0)
    profile.observe_round_trip(A, 0.020, 0.0)

    assert profile.delay(A, B, 0.0) == DelayBelief(0.010, 0.4, Basis.HEARD, None, 0.0)
    assert profile.delay(B, A, 0.0) == profile.delay(A, B, 0.0)
    assert profile.delay(ME, A, 0.0) == DelayBelief(0.020, 0.5, Basis.MEASURED, 0.0, 0.0)
    assert profile.delay(A, ME, 0.0) == profile.delay(ME, A, 0.0)


def test_a_forgotten_node_stands_nowhere() -> None:
    profile = Profile(ME)
    profile.hear_place(A, place(0.060), 0.0)
    profile.hear_place(B, place(0.0), 0.0)

    profile.forget(A)

    assert profile.delay(A, B, 0.0).basis is Basis.USUAL


def test_nobody_is_told_where_it_stands_itself() -> None:
    profile, before = Profile(ME), Profile(ME).place()

    profile.hear_place(ME, place(0.060), 0.0)
    profile.observe_round_trip(ME, 0.1, 0.0, place(0.060))

    assert profile.place() == before


def test_after_a_hundred_noisy_probes_delays_between_three_sites_are_estimated_to_a_fifth() -> None:
    medians = []
    for seed in range(3):
        rng = Random(seed)
        errors = estimating_errors(100, sites(64, rng), rng)
        assert len(errors) > 0.9 * 64 * 63
        medians.append(median(errors))

    assert median(medians) <= 0.20
    print(f"median relative error of estimated delays: {median(medians):.3f}")


def test_transfers_of_three_sizes_tell_what_the_next_one_takes() -> None:
    profile = Profile(ME)
    profile.observe_round_trip(A, 0.010, 0.0)
    for size in (64 * 1024, MIB, 16 * MIB):
        profile.observe_transfer(A, size, 0.050 + size / 5e6, 0.0)

    way = profile.link(A, ME, 0.0)

    assert (way.latency_s, way.bandwidth_bytes_per_s) == pytest.approx((0.050, 5e6))
    assert way.transfer_s(4 * MIB) == pytest.approx(0.050 + 4 * MIB / 5e6)
    assert profile.link(ME, A, 0.0).latency_s == 0.005
    assert profile.my_figures(0.0)[0].latency_s == 0.005


def test_a_rate_that_was_read_off_is_the_bandwidth_until_sizes_differ() -> None:
    profile = Profile(ME)
    profile.observe_transfer(A, MIB, 0.35, 0.0)
    profile.observe_rate(A, 125e6, 0.0)
    profile.observe_rate(ME, 1e3, 0.0)

    found = profile.received(A, ME, 0.0)

    assert found is not None
    assert found[0] == pytest.approx(125e6)
    assert profile.received(ME, A, 0.0) is None
