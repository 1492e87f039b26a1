"""Any question to any view: what every mapper must cope with."""

from hypothesis import strategies as st

from pnode.protocol.view import Link, Parent, Question, View

from .beliefs import alone, ask, node, peer, view

finite = st.floats(0.0, 1e6)
ages = st.one_of(finite, st.just(float("inf")))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Question, View]:
    """Any question to any view of at most eight nodes."""
    names = draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True, max_size=8).map(sorted))
    percent = st.one_of(st.none(), st.floats(0.0, 100.0))
    peers = [
        peer(
            name,
            free_in_s=draw(finite),
            age_s=draw(ages),
            cores=draw(st.integers(0, 9)),
            cpu=draw(percent),
            memory=draw(percent),
        )
        for name in names
    ]
    links = {
        source + target: Link(draw(st.floats(0.0, 10.0)), draw(st.floats(1e3, 1e11)), 1.0)
        for source in "AB"
        for target in names
        if source != target
    }
    parents = [
        Parent(f"p{place}", node(letter), draw(finite), draw(finite))
        for place, letter in enumerate(draw(st.lists(st.sampled_from("ABCDEFGH"), max_size=4)))
    ]
    question = ask(
        alone(hint=tuple(draw(st.lists(st.sampled_from("ABZ"), max_size=2)))),
        parents=parents,
        excluded=draw(st.lists(st.sampled_from("ABCDEFGH"), max_size=4)),
        mine=[(letter, draw(finite)) for letter in draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True))],
    )
    return question, view(draw(st.sampled_from("AB")), peers, links=links)
