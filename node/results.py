"""Results: the final outputs of a job, and where each of them goes when a person fetches them."""

from collections.abc import Iterable

from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef
from pnode.protocol.jobstate import Attempt, UnitKey
from pnode.protocol.routing import is_base_name
from pnode.protocol.values import dataclass

from .api import RefusedError


@dataclass(frozen=True, slots=True)
class Result:
    """One file that a job was for."""

    place: str
    """Sub-directory of where a person wants the results; empty for the directory itself."""
    file: FileRef
    attempt: Attempt
    """That wrote it."""


def place_results(job: Job) -> list[Result]:
    """Every final output.

    Files lie side by side as long as their names differ; otherwise each task, and each item of a stream, has a
    directory of its own.
    """
    found: list[tuple[UnitKey, FileRef, Attempt]] = []
    for key in map(job.final, range(job.finals)):
        result = job.state.unit(key).result
        if result is not None and result.outcome is not None:
            found += [(key, file, result) for file in result.outcome.outputs]
    if _all_differ(file.name for _, file, _ in found):
        return [Result("", file, attempt) for _, file, attempt in found]
    return [
        Result(f"{job.spec.items[key[1]].key}/{job.task(key).name}", file, attempt) for key, file, attempt in found
    ]


def check_places(results: list[Result]) -> None:
    """Names come from other nodes: none of them may lead out of the directory. Raises RefusedError."""
    for result in results:
        parts = [*result.place.split("/"), result.file.name] if result.place else [result.file.name]
        if len(parts) not in (1, 3) or not all(map(is_base_name, parts)):
            raise RefusedError(
                f"a result is called {'/'.join(parts)!r}, which is no name for a file: nothing was pulled"
            )


def _all_differ(names: Iterable[str]) -> bool:
    seen = list(names)
    return len(set(seen)) == len(seen)
