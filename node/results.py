"""Results: the final outputs of a job, and where each of them goes when a person fetches them."""

from collections.abc import Iterable

from pnode.protocol.ids import NodeId
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import UnitKey
from pnode.protocol.routing import is_base_name

from .api import RefusedError


def place_results(job: Job) -> list[tuple[str, FileRef, NodeId]]:
    """(sub-directory, file, holder) of every final output.

    Files lie side by side as long as their names differ; otherwise each task, and each item of a stream, has a
    directory of its own.
    """
    found: list[tuple[UnitKey, FileRef, NodeId]] = []
    for key, unit in sorted(job.state.units.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        if job.task(key).final and unit.result is not None and unit.result.outcome is not None:
            found += [(key, file, unit.result.node) for file in unit.result.outcome.outputs]
    if _all_differ(file.name for _, file, _ in found):
        return [("", file, holder) for _, file, holder in found]
    return [(f"{job.spec.items[key[1]].key}/{job.task(key).name}", file, holder) for key, file, holder in found]


def check_places(results: list[tuple[str, FileRef, NodeId]]) -> None:
    """Names come from other nodes: none of them may lead out of the directory. Raises RefusedError."""
    for place, file, _ in results:
        parts = [*place.split("/"), file.name] if place else [file.name]
        if len(parts) not in (1, 3) or not all(map(is_base_name, parts)):
            raise RefusedError(
                f"a result is called {'/'.join(parts)!r}, which is no name for a file: nothing was pulled"
            )


def _all_differ(names: Iterable[str]) -> bool:
    seen = list(names)
    return len(set(seen)) == len(seen)
