"""The watch: looks over the shoulder of every host, and tells the checkers what has changed."""

from collections import Counter

from pnode.protocol.effects import Effect, Notify, Save, Send, SendDatagram
from pnode.protocol.events import Event
from pnode.protocol.ids import NodeId
from pnode.protocol.jobmessages import FRAMES, Compare
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host

from .bounds import Bounds
from .ledgers import Ledgers
from .members import Members
from .trace import Trace

JOB_KINDS = {number: kind.__name__ for number, kind in FRAMES.items() if kind is not Compare}


@dataclass(slots=True)
class Watch:
    """An observer of all hosts."""

    trace: Trace
    members: Members
    ledgers: Ledgers
    bounds: Bounds
    spoken: Counter[str] = field(default_factory=Counter)
    """Messages about jobs, by kind; comparisons, which go on for ever, are none."""

    def before(self, host: Host, event: Event | None) -> None:
        self.trace.add(host, event)

    def after(self, host: Host, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendDatagram():
                    self.bounds.sent(host, effect)
                case Send():
                    self.bounds.sent(host, effect)
                    kind = JOB_KINDS.get(effect.payload[1])  # a frame is an array of its number and its fields
                    if kind is not None:
                        self.spoken[kind] += 1
                case Save(table="segment"):
                    self.ledgers.written(host, effect.key)
                case Notify(topic="members") if effect.subject:
                    self.members.changed(host, NodeId(effect.subject))
                case _:
                    pass
