"""The node's answers as text for people: one function per kind of answer, each writes to the stream it is given."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from .api import (
    CandidateScore,
    Explanation,
    Invitation,
    JobDetail,
    JobStatus,
    LogChunk,
    Mapped,
    NodeStatus,
    PeerStatus,
    Pulled,
    Recorded,
    UnitStatus,
)
from .jobtext import origin_text, settled_units, unit_text
from .terminal import (
    Column,
    Listing,
    age_text,
    clean,
    count_text,
    is_terminal,
    seconds_text,
    short_instant,
    show_listing,
    show_sentence,
    size_text,
)

PEER_COLUMNS = (
    Column("name", flexible=True),
    Column("id"),
    Column("state"),
    Column("address", minor=4),
    Column("delay", number=True),
    Column("cpu", minor=1, number=True),
    Column("memory", minor=8, number=True),
    Column("running", minor=6, number=True),
    Column("queued", minor=6, number=True),
    Column("free in", minor=2, number=True),
    Column("age", minor=3, number=True),
    Column("delay age", minor=9, number=True),
    Column("roles", minor=5),
    Column("cores", minor=7, number=True),
    Column("speed", minor=10, number=True),
    Column("record age", minor=11, number=True),
)

JOB_COLUMNS = (
    Column("job"),
    Column("state"),
    Column("done", number=True),
    Column("elapsed", minor=1, number=True),
    Column("name", flexible=True),
    Column("origin", minor=3, flexible=True),
    Column("submitted", minor=2),
    Column("reason", flexible=True),
)

SCORE_COLUMNS = (
    Column("candidate", flexible=True),
    Column("total", number=True),
    Column("inputs in", minor=1, number=True),
    Column("core in", minor=2, number=True),
    Column("runs for", minor=3, number=True),
)

FILES_SHOWN = 20
"""Of results, on a terminal: what stands above them should stay in sight."""

SILENT_UNITS_MAX = 3
"""Of which it is said one by one why they have printed nothing."""


def write_status(status: NodeStatus, out: TextIO) -> None:
    state = f"{status.state}: {clean(status.reason)}" if status.reason else status.state
    lines = [
        ("node", f"{clean(status.name)}  {status.id}"),
        ("state", state),
        ("cluster", f"{status.cluster or 'none yet'}{' (founded here)' if status.founded else ''}"),
        ("peers", f"{status.peers} alive"),
        ("addresses", ", ".join(status.addresses) or "none"),
        ("roles", ", ".join(status.roles) or "none"),
        ("running", f"for {age_text(status.uptime_s)} as process {status.pid}, version {clean(status.version)}"),
        ("home", str(status.home)),
    ]
    if status.emulated_speed != 1.0:
        lines.append(("experiment", emulation_text(status)))
    width = max(len(title) for title, _ in lines)
    out.writelines(f"{title.ljust(width)}  {value}\n" for title, value in lines)


def emulation_text(status: NodeStatus) -> str:
    """That a node is slower than it could be."""
    return f"tasks run as on a machine of {status.emulated_speed:g} times this one's speed"


def write_peers(peers: tuple[PeerStatus, ...], out: TextIO) -> None:
    show_listing(Listing(PEER_COLUMNS, tuple([_peer_row(peer) for peer in peers])), out)
    for peer in peers:
        for detour in _detours(peer):
            show_sentence(detour, out)


def _detours(peer: PeerStatus) -> Iterator[str]:
    """What is to be known of the way to a node."""
    name = clean(peer.name) + (" (this)" if peer.this else "")
    if peer.relays:
        yield f"{name} can only dial out: others reach it through {_names(peer.relays)}"
    if peer.via:
        yield f"the session with {name} goes through {clean(peer.via)}"
    if peer.content_via:
        yield f"content of {name} comes through {clean(peer.content_via)}: neither node can dial the other"


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(clean, names))


def _peer_row(peer: PeerStatus) -> tuple[str, ...]:
    load = peer.load
    return (
        clean(peer.name) + (" (this)" if peer.this else ""),
        peer.id,
        peer.state,
        clean(peer.addresses[0]) if peer.addresses else "-",
        "-" if peer.this else seconds_text(peer.delay_s),
        f"{load.cpu_percent:.0f}%" if load else "-",
        f"{load.memory_percent:.0f}%" if load else "-",
        str(load.running) if load else "-",
        str(load.queued) if load else "-",
        seconds_text(load.free_in_s) if load else "-",
        age_text(load.age_s) if load else "-",
        "-" if peer.this else age_text(peer.delay_age_s),
        ",".join(peer.roles),
        str(peer.cores),
        f"{peer.speed:.2f}",
        age_text(peer.record_age_s),
    )


def write_jobs(jobs: Sequence[JobStatus], out: TextIO, ended: int | None = None) -> None:
    """The latest last: all that run, and of those that have ended the latest `ended`, or all."""
    if not jobs:
        out.write("no jobs yet: 'pnode submit dag.txt' makes one\n")
        return
    over = [job.id for job in jobs if job.state != "running"]
    hidden = set(over[: max(0, len(over) - ended)]) if ended is not None else set()
    show_listing(Listing(JOB_COLUMNS, tuple([_job_row(job) for job in jobs if job.id not in hidden])), out)
    if hidden:
        out.write(f"and {count_text(len(hidden), 'earlier job')}: 'pnode jobs --all' shows them too\n")


def _job_row(job: JobStatus) -> tuple[str, ...]:
    return (
        job.id,
        job.state,
        f"{job.units_done}/{job.units_total}",
        seconds_text(job.elapsed_s),
        clean(job.name),
        origin_text(job),
        short_instant(job.submitted_at),
        clean(job.reason),
    )


def write_logs(chunks: Iterable[LogChunk], out: TextIO, *, many_items: bool) -> None:
    """What each unit wrote as it wrote it, under a heading wherever the source changes. A terminal's escape sequences
    are the task's own business here, as they are with `cat`."""
    source: tuple[str, int, int, str] | None = None
    at_line_start = True
    for chunk in chunks:
        if (chunk.task, chunk.item, chunk.attempt, chunk.stream) != source:
            source = (chunk.task, chunk.item, chunk.attempt, chunk.stream)
            heading = (
                f"{unit_text(chunk, many_items=many_items)} {chunk.stream}"
                f" (attempt {chunk.attempt} on {clean(chunk.node)})"
            )
            out.write(f"{'' if at_line_start else chr(10)}==> {heading} <==\n")
        out.write(f"({clean(chunk.missing)})\n" if chunk.missing else chunk.text)
        at_line_start = bool(chunk.missing) or chunk.text.endswith("\n") or (at_line_start and not chunk.text)
    if not at_line_start:
        out.write("\n")


def silence_text(job: JobDetail, task: str | None) -> str:
    """Why there is nothing to print of a job, or of its unit or units that `task` names."""
    many_items = job.items > 1
    units = [unit for unit in settled_units(job) if task in (None, unit.task, f"{unit.task}[{unit.item}]")]
    if len(units) <= SILENT_UNITS_MAX:
        told = [f"{unit_text(unit, many_items=many_items)} {_silence(unit)}" for unit in units]
    else:
        told = [f"{count} {state}" for state, count in Counter(unit.state for unit in units).items()]
    if job.state == "done":
        return "nothing was printed"
    if job.state != "running":
        return f"nothing was printed, or it was not kept: {'; '.join(told)}"
    return f"nothing printed yet: {'; '.join(told)}"


def _silence(unit: UnitStatus) -> str:
    where = f" on {clean(unit.node)}" if unit.node else ""
    match unit.state:
        case "waiting":
            return "waits"
        case "cancelled":
            return "was cancelled; what it printed is not kept" if unit.node else "was never begun"
        case "running":
            return f"is running{where}, and what it prints is shown when it has ended"
        case "done" | "failed":
            return f"{'has' if unit.state == 'failed' else 'is'} {unit.state}{where}"
        case "assigned" | "fetching" | "queued":
            return f"is {unit.state}{where}"


def write_mapping(mapped: Mapped, out: TextIO) -> None:
    """Jupiter's lines, and nothing else, so that they can be put into a file of Jupiter's."""
    out.writelines(f"{placement.task}\t{placement.node}\n" for placement in mapped.placements)


def write_explanations(found: tuple[Explanation, ...], out: TextIO, *, many_items: bool) -> None:
    """Each attempt under a line that says what became of it: the candidates as they were seen, the chosen one first,
    and who was none."""
    for each in found:
        show_sentence(_explained_text(each, many_items=many_items), out)
        if each.scores:
            rows = tuple([_score_row(score) for score in each.scores])
            show_listing(Listing(SCORE_COLUMNS, rows), out)
        for passed in each.passed:
            show_sentence(f"not {clean(passed.node)}: {clean(passed.why)}", out)
        if each.note:
            show_sentence(clean(each.note), out)


def _explained_text(each: Explanation, *, many_items: bool) -> str:
    unit = unit_text(each, many_items=many_items)
    if each.node is None:
        return f"{unit} is done" if each.state == "done" else f"{unit} is given to nobody yet"
    decider = clean(each.decider) if each.decider else "somebody"
    when = f" {short_instant(each.decided_at)}" if each.decided_at is not None else ""
    again = f" (since {clean(each.why)})" if each.why else ""
    return (
        f"{unit}, attempt {each.attempt}{again}: given to {clean(each.node)} by {decider}{when},"
        f" mapper {clean(each.mapper)}; {each.state}"
    )


def _score_row(score: CandidateScore) -> tuple[str, ...]:
    figures = (score.inputs_s, score.queue_s, score.run_s)
    return (clean(score.node), f"{score.total_s:.4g}", *map(seconds_text, figures))


def write_pulled(pulled: Pulled, out: TextIO) -> None:
    if not pulled.files:
        out.write("the job has no final outputs\n")
        return
    out.write(f"{count_text(len(pulled.files), 'file')} in {pulled.directory}\n")
    shown = pulled.files[:FILES_SHOWN] if is_terminal(out) else pulled.files
    out.writelines(f"  {file.path}  {size_text(file.size_bytes)}\n" for file in shown)
    if len(shown) < len(pulled.files):
        out.write(f"  and {len(pulled.files) - len(shown)} more\n")


def write_recorded(recorded: Recorded, out: TextIO) -> None:
    """What was recorded, and whether there will be more."""
    so_far = " so far" if recorded.state == "running" else ""
    out.write(f"job {recorded.job}{so_far}: {count_text(recorded.attempts, 'attempt')} in {recorded.path}\n")


def write_invitation(invitation: Invitation, out: TextIO) -> None:
    """The line to run on other hosts stands alone, to be copied."""
    out.write(
        f"until {short_instant(invitation.expires_at)} another host joins cluster {invitation.cluster} by running\n"
    )
    out.write(f"{join_line(invitation)}\n")


def join_line(invitation: Invitation) -> str:
    return f"pnode start --token {invitation.token}"
