"""Peers: pnode side by side with what people would pick instead, and with what the machine allows.

`python -m tests.peers` measures, prints, and writes docs/performance.md. Who is measured is a contestant; it plays a
workload in a turn, which is a process of its own, started and ended for it.
"""
