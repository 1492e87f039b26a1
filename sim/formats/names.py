"""Names: what a scenario's graphs, items, tasks, machines and links are called in traces, and what they mean."""

from pnode.protocol.textfile import shown
from pnode.sim.schedule.scenario import Scenario

from .document import Value


def dag_names(scenario: Scenario) -> list[str]:
    """What the arrivals are called: as their graphs, told apart where several have the same name."""
    names: dict[str, None] = {}
    for arrival in scenario.arrivals:
        name, count = arrival.graph.name, 1
        while name in names:
            count += 1
            name = f"{arrival.graph.name}.{count}"
        names[name] = None
    return list(names)


def link_name(source: str, target: str) -> str:
    return f"{source}->{target}"


class Names:
    """What a scenario calls things, and which things those names mean."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.dags = dag_names(scenario)
        self.machines = [machine.name for machine in scenario.network.machines]
        self.tasks = [[task.name for task in arrival.graph.tasks] for arrival in scenario.arrivals]
        self._job = {name: at for at, name in enumerate(self.dags)}
        self._machine = {name: at for at, name in enumerate(self.machines)}
        self._task = [{name: at for at, name in enumerate(tasks)} for tasks in self.tasks]

    def dag(self, job: int, item: int) -> str:
        return self.dags[job] if self._scenario.arrivals[job].items == 1 else f"{self.dags[job]}#{item}"

    def unit(self, event: Value) -> tuple[int, int]:
        """The job and the item that an event names."""
        value = event["dag_id"]
        job = self._job.get(value.text())
        if job is not None and self._scenario.arrivals[job].items == 1:
            return job, 0
        name, _, item = value.text().rpartition("#")
        job = self._job.get(name)
        items = 1 if job is None else self._scenario.arrivals[job].items
        if job is None or items == 1 or not _is_whole(item) or int(item) >= items:
            raise value.error(f"the scenario has no dag {shown(value.text())}")
        return job, int(item)

    def task(self, job: int, value: Value) -> int:
        task = self._task[job].get(value.text())
        if task is None:
            raise value.error(f"the scenario's graph {shown(self.dags[job])} has no task {shown(value.text())}")
        return task

    def machine(self, value: Value) -> int:
        machine = self._machine.get(value.text())
        if machine is None:
            raise value.error(f"the scenario has no machine {shown(value.text())}")
        return machine

    def ends(self, link: str) -> tuple[int, int] | None:
        """The machines that a link's name tells, if it is one of ours."""
        at = link.find("->")
        while at >= 0:
            source, target = self._machine.get(link[:at]), self._machine.get(link[at + 2 :])
            if source is not None and target is not None:
                return source, target
            at = link.find("->", at + 1)
        return None


def _is_whole(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
