"""DAX: the XML in which Pegasus kept abstract workflows (versions 2 and 3, `<adag>`).

    <adag name="montage">
      <job id="ID1" name="mProject" runtime="13.59">
        <uses file="image.fits" link="output" size="4222080"/>
      </job>
      <job id="ID2" name="mDiff" runtime="10.6">
        <uses file="image.fits" link="input" size="4222080"/>
      </job>
      <child ref="ID2"><parent ref="ID1"/></child>
    </adag>

A task is called after its id. The size of an edge is the sum of the files that the parent writes and the child
reads; version 3 says `name` for `file`. Edges are those that the file states, and external inputs are not modelled,
as in `wfformat`. Run times (`runtime`, in seconds) and sizes stand in the synthetic workflows of Pegasus' generator
and in most others that are handed around; a file without them makes no schedule and is refused.
"""

import math
from pathlib import PurePath
from xml.parsers import expat

from pnode.protocol.textfile import shown
from pnode.protocol.values import dataclass, field
from pnode.sim.schedule.scenario import Graph, Vertex

from .errors import Blame, FormatError, on_line, whole_file
from .graph_draft import GraphDraft
from .numeral import numeral
from .source import Place, read_text

LINKS = ("input", "output", "inout")


def read_dax(path: Place) -> Graph:
    """The graph of a file. Raises FormatError."""
    return parse_dax(str(path), read_text(path))


def parse_dax(file: str, text: str) -> Graph:
    """That of a text; `file` is its name for messages. Raises FormatError."""
    reader = _Reader(file)
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartElementHandler = lambda name, attributes: reader.start(
        name.rpartition(" ")[2], attributes, on_line(file, parser.CurrentLineNumber)
    )
    parser.EndElementHandler = lambda _: reader.end()
    parser.EntityDeclHandler = reader.refuse_entity
    try:
        parser.Parse(text.encode(errors="replace"), True)
    except expat.ExpatError as error:
        reason = f"no XML: {expat.ErrorString(error.code)}"
        raise FormatError(file, f"line {error.lineno}, column {error.offset + 1}", reason) from None
    return reader.graph()


@dataclass(slots=True)
class _Job:
    """What one `<job>` says."""

    name: str
    runtime_s: float
    blame: Blame
    sizes: dict[str, float] = field(default_factory=dict)
    """Of its files, as far as it tells them."""
    reads: dict[str, None] = field(default_factory=dict)
    writes: dict[str, None] = field(default_factory=dict)


class _Reader:
    """Takes the elements as the parser comes by them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._blame = whole_file(file)
        self._name = ""
        self._inside: list[str] = []
        self._jobs: dict[str, _Job] = {}
        self._job: _Job | None = None
        self._child = ""
        self._edges: dict[tuple[str, str], Blame] = {}

    def start(self, element: str, attributes: dict[str, str], blame: Blame) -> None:
        self._inside.append(element)
        match self._inside:
            case ["adag"]:
                self._name = attributes.get("name", "")
            case [_]:
                raise blame(f"found <{shown(element)}>, expected <adag>")
            case ["adag", "job"]:
                self._job = self._new_job(attributes, blame)
            case ["adag", "job", "uses"]:
                self._uses(attributes, blame)
            case ["adag", "child"]:
                self._child = self._known("child", attributes, blame)
            case ["adag", "child", "parent"]:
                pair = (self._known("parent", attributes, blame), self._child)
                if pair in self._edges:
                    raise blame(f"there is a second edge from {shown(pair[0])} to {shown(pair[1])}")
                self._edges[pair] = blame

    def end(self) -> None:
        self._inside.pop()

    def refuse_entity(self, name: str, *_: object) -> None:
        """A few lines of entities can stand for gigabytes of text, or for other files."""
        raise self._blame(f"the file defines an entity {shown(name)}, which is not read")

    def _new_job(self, attributes: dict[str, str], blame: Blame) -> _Job:
        name = _attribute("job", "id", attributes, blame)
        if name in self._jobs:
            raise blame(f"a second job has the id {shown(name)}")
        runtime = _attribute("job", "runtime", attributes, blame)
        self._jobs[name] = _Job(name, numeral(runtime, f"the run time of job {shown(name)}", blame), blame)
        return self._jobs[name]

    def _uses(self, attributes: dict[str, str], blame: Blame) -> None:
        assert self._job is not None
        name = attributes.get("file") or attributes.get("name")
        if not name:
            raise blame("a <uses> has neither `file` nor `name`")
        link = attributes.get("link", "input")
        if link not in LINKS:
            raise blame(f"the link of file {shown(name)} is {shown(link)}, expected one of {', '.join(LINKS)}")
        if link != "output":
            self._job.reads[name] = None
        if link != "input":
            self._job.writes[name] = None
        if "size" in attributes:
            self._job.sizes[name] = numeral(attributes["size"], f"the size of file {shown(name)}", blame)

    def _known(self, element: str, attributes: dict[str, str], blame: Blame) -> str:
        name = _attribute(element, "ref", attributes, blame)
        if name not in self._jobs:
            raise blame(f"there is no job {shown(name)} before this line")
        return name

    def graph(self) -> Graph:
        draft = GraphDraft(self._name or PurePath(self._file).stem)
        for job in self._jobs.values():
            draft.task(Vertex(job.name, job.runtime_s), job.blame)
        for (parent, child), blame in self._edges.items():
            draft.edge(parent, child, _shared_bytes(self._jobs[parent], self._jobs[child], blame), blame)
        return draft.graph(self._blame)


def _shared_bytes(parent: _Job, child: _Job, blame: Blame) -> float:
    """The parent's word counts where both tell a size."""
    sizes: list[float] = []
    for name in parent.writes:
        if name in child.reads:
            size = parent.sizes.get(name, child.sizes.get(name))
            if size is None:
                raise blame(
                    f"the file {shown(name)} goes from {shown(parent.name)} to {shown(child.name)} without size"
                )
            sizes.append(size)
    return math.fsum(sizes)


def _attribute(element: str, key: str, attributes: dict[str, str], blame: Blame) -> str:
    if not attributes.get(key):
        raise blame(f"a <{element}> has no `{key}`")
    return attributes[key]
