"""Seeds that found something once, each called after what it found. They have to hold for ever. What a seed does
shifts with every change of timing; so what it found is tried by a test of the part that was wrong, too, wherever that
can be.

The small ones are played with the other tests (`test_regressions`); those of full size, which take a core a minute
each, by `python -m tests.sim.chaos.named`, with which `make chaos` begins.
"""

import os
import sys

from pnode.sim.chaos.batch import outcome_of
from pnode.sim.chaos.plan import Options
from pnode.sim.workers import processes

FOUND = {
    "a follower without any other part in a job was never told that it is over": Options(11, 6, 1.0),
    "results were accepted that had been computed from others than the accepted ones": Options(8, 6, 1.0),
    "a job failed since an input that had gone with its node was not made anew": Options(29, 6, 1.0),
    "a job with a task that had failed neither ended nor was the task tried again": Options(14, 6, 1.0),
    "the end of a feed with a gap that nobody could fill was sent for ever": Options(5, 6, 1.0),
    "a job was concluded with results that had gone with the disks of those who had said that they keep them": (
        Options(25, 6, 1.0)
    ),
    "a replica that had come back without its memory believed that it had what it had once said": Options(22, 6, 1.0),
    "a node that had lost its disk could not judge the words of somebody who was lost": Options(16, 6, 1.0),
    "words of the dead were sent for ever to a node that had never met them": Options(37, 5, 0.75),
    "a node without a part in a job took it for open for ten minutes": Options(40, 5, 0.75),
    "a replica that was restarted did not go on copying the results of a job that was over": Options(45, 5, 0.75),
    "a replica that heard of a cancellation first copied nothing of a job that was done": Options(47, 5, 0.75),
    "a unit of a job that was over was given out sixty times in as many milliseconds": Options(24, 6, 1.0),
    "two parts of a cluster that had started apart never looked for each other": Options(435, 5, 0.75),
    "an input that only a node which had read it still had was asked for everywhere else": Options(504, 5, 0.75),
    "two who had lost their copies each relied on the other's word": Options(824, 5, 0.75),
    "a holder was not told who else had made what was lost after it had been told of it": Options(1407, 5, 0.75),
    "a holder was not told who else had made what it waited for, nor what it had made itself": Options(208, 5, 0.75),
    "what counted by a statement about another task was not copied, and the job was concluded with what did not": (
        Options(862, 5, 0.75)
    ),
    "of a job that had failed the machines that kept it were lost since another had taken part in it": (
        Options(543, 5, 0.75)
    ),
    "people who had lost four machines before these answered had submitted more jobs than there may be": (
        Options(2129, 5, 0.75)
    ),
    "what counted again by a statement about another task, and was gone, was not made anew": Options(2365, 5, 0.75),
    "a job was done with a result that had gone with its keepers and could not be made anew": Options(2475, 5, 0.75),
    "a verdict was measured by those who were seen after the packet in which it came": Options(1497, 5, 0.75),
    "a concluder that was started from an old copy of its disk undid the results of a job": Options(16, 5, 0.75),
    "what a machine had said before it was wiped was known to a holder and to no replica": Options(22, 5, 0.75),
    "what a machine had made before its power went was taken for there, and used": Options(35, 5, 0.75),
    "a holder waited for what it had made itself, and had lost, without a word to anybody": Options(159, 10, 3.0),
    "a cancelled job was done, with results that had gone with their only keeper": Options(171, 10, 3.0),
    "a node that had come back without its memory before anybody led was reminded of the latest attempts alone": (
        Options(1036, 10, 3.0)
    ),
    "who made a lost result anew was not shown what there was to read": Options(1022, 10, 3.0, (20,), (4,)),
    "copies of what a machine had written first were taken for copies of what it wrote when its power was back": (
        Options(1097, 10, 3.0)
    ),
}

FULL_SIZE = {
    "a holder that came back with an old disk was not shown again what counts where results differ": (
        Options(10142, 16, 10.0)
    ),
    "an origin that had lost its disk took itself for who has the inputs, and ran a task without them": (
        Options(10432, 16, 10.0)
    ),
    "what a job that was over had lost for good was said to be lost again every half minute": (
        Options(10235, 16, 10.0)
    ),
    "two who kept a job that was over compared it for the last time while they could not reach each other": (
        Options(10469, 16, 10.0)
    ),
}


def main() -> int:
    """Play those of full size on all cores. The exit status is 1 if one does not hold."""
    with processes(os.cpu_count() or 1) as pool:
        failed = [outcome for outcome in pool.map(outcome_of, FULL_SIZE.values()) if not outcome.holds]
    for outcome in failed:
        print(f"{'; '.join(outcome.complaints[:3])}\nagain: {outcome.options.command}")
    print(f"{len(failed)} of {len(FULL_SIZE)} named seeds of full size failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
