"""A small recording: two nodes of unlike speed, a fork of two items, one attempt that was declined."""

import copy
import json

_NODES = ("n1", "n2")

_RUNS = {  # task, item: node, start, end
    ("split", 0): ("n1", 0.1, 1.1),
    ("left", 0): ("n1", 1.2, 3.2),
    ("right", 0): ("n2", 1.4, 2.4),
    ("split", 1): ("n2", 0.1, 0.6),
    ("left", 1): ("n2", 0.7, 1.3),
    ("right", 1): ("n1", 3.3, 4.3),
}


def _attempt(task: str, item: int, node: str, start_s: float | None, end_s: float | None) -> dict[str, object]:
    done = start_s is not None and end_s is not None
    return {
        "task": task,
        "item": item,
        "attempt": 2 if done else 1,
        "node": node,
        "assigner": "n1",
        "phase": "finished" if done else "declined",
        "assigned_s": 0.0,
        "accepted_s": 0.0 if done else None,
        "started_s": start_s,
        "ended_s": end_s,
        "seconds": None if start_s is None or end_s is None else end_s - start_s,
        "expected_s": 1.0,
        "reason": "" if done else "busy",
    }


def recording(items: int = 2) -> dict[str, object]:
    """The document as it is read from JSON, a copy of its own."""
    runs = {key: run for key, run in _RUNS.items() if key[1] < items}
    document: dict[str, object] = {
        "format": "pnode-recording",
        "version": 1,
        "job": "k3vq",
        "key": "00" * 32,
        "name": "fork",
        "mapper": "wave-greedy",
        "state": "done",
        "origin": "n1",
        "submitted_at": "2026-01-01T00:00:00Z",
        "ended_s": 4.4,
        "recorded_at": "2026-01-01T00:01:00Z",
        "recorded_by": "n1",
        "tasks": [
            {"name": name, "controller": None, "cores": 1, "memory_bytes": 0, "expected_s": 0.0, "final": False}
            for name in ("split", "left", "right")
        ],
        "edges": [
            {"parent": "split", "child": child, "size_bytes": 1000.0, "items_observed": items}
            for child in ("left", "right")
        ],
        "inputs": [{"key": str(item), "size_bytes": 10} for item in range(items)],
        "plan": [],
        "attempts": [
            _attempt("split", 0, "n2", None, None),
            *(_attempt(task, item, *run) for (task, item), run in runs.items()),
        ],
        "nodes": [
            {"id": node, "name": "host", "cores": 1, "speed": speed, "memory_bytes": 0, "software": "pnode"}
            for node, speed in zip(_NODES, (1.0, 2.0), strict=True)
        ],
        "links": [
            {"source": a, "target": b, "latency_s": 0.1, "bandwidth_bytes_per_s": 1e4, "confidence": 1.0}
            for a, b in (_NODES, _NODES[::-1])
        ],
    }
    return copy.deepcopy(document)


def text(items: int = 2) -> str:
    return json.dumps(recording(items))
