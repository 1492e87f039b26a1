"""Chaos with real processes: nodes that are killed, paused, cut off and filled up, and what must hold then.

    make chaos-real                                        all suites, as docs/losses.md tells them
    python -m tests.chaos kill --rounds 30 --timing lan    one of them; `python -m tests.chaos --help` names all

`sim/chaos/` does the same to simulated hosts, thousands of times; this is the sample that says whether the
simulation can be believed. Every suite prints one line per round (what was done to whom, what came of it, the
machine's load), then its figures as medians, and ends with status 1 if anything did not hold. `--trace FILE` keeps
the rounds as lines of JSON, `--keep` the homes of the nodes with their logs.

- `work` is the job: 60 tasks of which it is known what comes out; `step` is the program of each of them.
- `machines` are real node processes that can be lost, `cabling` and `emulator` what joins them, where they are not
  just on the loopback interface.
- `verdict` says what does not hold of a job, from what any node tells of it.
- `losses`, `pauses`, `blackout`, `disk`, `partitions`, `overhead` and `prediction` are the suites.

None of it is part of `make test` but `test_harness`, which takes a second: it proves that the harness sees what is
wrong. Suites that need root (namespaces, mounts) say why they were skipped where they cannot be had. Whatever they
make has this process's id in its name, and is gone when they end; nodes end by themselves should a suite be killed,
since their standard input ends then.
"""
