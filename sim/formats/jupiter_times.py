"""Jupiter's run times: the table that CIRCE's run-time profiler keeps at home, for a simulated run (jupiter.md 5.6).

    Task_name local_input_file Enter_time Execute_time Finish_time Elapse_time Duration_time Waiting_time

An input enters when the last part of it has arrived on the node, is executed from the task's start and finished at
its end; Elapse is finish - enter, Duration finish - execute, Waiting execute - enter, all in seconds of simulated
time. The input file of item k of a graph is called `<k>_<graph>`, as Jupiter's names begin with the job's key. What
Jupiter puts between the columns could not be looked up; here it is one blank, and blanks within names become `_`.
"""

from pnode.sim.schedule.result import Execution, Result

from .names import Names
from .source import Place, write_text

COLUMNS = (
    "Task_name",
    "local_input_file",
    "Enter_time",
    "Execute_time",
    "Finish_time",
    "Elapse_time",
    "Duration_time",
    "Waiting_time",
)


def write_jupiter_times(path: Place, result: Result) -> None:
    """Write the table. Raises FormatError when that cannot be done."""
    write_text(path, jupiter_times_text(result))


def jupiter_times_text(result: Result) -> str:
    """The head and a line for every execution whose result was used."""
    names = Names(result.scenario)
    rows = [" ".join(COLUMNS), *(_row(names, execution) for execution in result.executions if execution.kept)]
    return "".join(f"{row}\n" for row in rows)


def _row(names: Names, execution: Execution) -> str:
    enter, start, finish = execution.ready_s, execution.start_s, execution.finish_s
    times = (enter, start, finish, finish - enter, finish - start, start - enter)
    file = f"{execution.item}_{names.dags[execution.job]}"
    words = (names.tasks[execution.job][execution.task], file)
    return " ".join([*("_".join(word.split()) for word in words), *map(repr, times)])
