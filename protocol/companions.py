"""Companions: the small files that Jupiter's applications keep beside the DAG file.

`config.json` says which module is run for each task, `nodes.txt` what the nodes are called, `input_node.txt` where
the entry tasks should run, `name_convert.txt` how file names become keys. Reference: jupiter.md 1.4, 5.4, 5.8. Text
in, values out; FormatError for what cannot be understood. Keys and columns that only Jupiter needs are ignored.
"""

import json
from collections.abc import Mapping

from .routing import KeyOf, key_of
from .textfile import FormatError, check_name, check_text, listed, rows, shown
from .values import dataclass


@dataclass(frozen=True, slots=True)
class ConfiguredTask:
    """What `config.json` says of a task."""

    line: int
    """Where, as far as can be told."""
    module: str
    """Path of the module's file relative to the scripts, `/` between its parts, without `.py`."""
    inside: bool
    """Whether it is part of the DAG; else it is only started, with `arguments`."""
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """A `config.json`."""

    tasks: Mapping[str, ConfiguredTask]
    """Its `taskname_map`."""
    profiled: Mapping[str, bool]
    """Its `exec_profiler`: whether the task may run on any node to be timed."""


@dataclass(frozen=True, slots=True)
class NameConvert:
    """A `name_convert.txt`: what the names of a task's inputs have behind the part that they share."""

    suffixes: Mapping[str, str]
    """Per task; `input` stands for the job's own input."""

    def key_of(self, task: str) -> KeyOf:
        """How Jupiter's fourth version makes keys of the names of this task's inputs (reference: jupiter.md 5.2)."""
        own, whole = self.suffixes.get(task), self.suffixes.get("input", "")
        if own is None:
            return key_of
        return lambda name: key_of(name).split(own)[0] + whole or name


def parse_config(file: str, text: str) -> Config:
    """Read a `config.json`. Raises FormatError."""
    text = check_text(file, text)
    try:
        plain: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(file, error.lineno, f"no JSON: {error.msg}", "an object with `taskname_map`") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of nested lists
        raise FormatError(file, 0, "JSON that is too deep or has too long numbers", "`taskname_map`") from None
    if not isinstance(plain, dict):
        raise FormatError(file, 1, f"JSON of a {type(plain).__name__}", "an object with `taskname_map`")
    entries = _object(file, text, plain, "taskname_map")
    profiled = _object(file, text, plain, "exec_profiler")
    return Config(
        {name: _configured(file, _line(text, "taskname_map", name), name, entry) for name, entry in entries.items()},
        {name: value is True for name, value in profiled.items()},
    )


def parse_nodes(file: str, text: str) -> dict[str, str]:
    """Read a `nodes.txt`: the host of each node. Raises FormatError."""
    hosts: dict[str, str] = {}
    for line, words in rows(file, text):
        if len(words) < 2:
            raise FormatError(file, line, f"the line is {shown(words[0])}", "`node hostname`")
        name = check_name(file, line, words[0], "a node")
        if name in hosts:
            raise FormatError(file, line, f"{name} has a second line", "one line per node")
        hosts[name] = check_name(file, line, words[1], f"the host of {name}")
    return hosts


def parse_input_nodes(file: str, text: str) -> dict[str, tuple[str, ...]]:
    """Read an `input_node.txt`: the nodes that tasks are to run on, below a header. Raises FormatError."""
    wanted: dict[str, tuple[str, ...]] = {}
    for line, words in list(rows(file, text))[1:]:
        if len(words) < 2:
            raise FormatError(file, line, f"the line is {shown(words[0])}", "`task node...`")
        task, *nodes = words
        names = tuple(check_name(file, line, node, "a node") for node in nodes)
        wanted[task] = (*wanted.get(task, ()), *names)
    return wanted


def parse_name_convert(file: str, text: str) -> NameConvert:
    """Read a `name_convert.txt`. Raises FormatError."""
    suffixes: dict[str, str] = {}
    for line, words in rows(file, text):
        if len(words) < 3:
            raise FormatError(
                file, line, f"the line is {shown(' '.join(words))}", "`task output_suffix input_suffix`"
            )
        if words[0] in suffixes:
            raise FormatError(file, line, f"{shown(words[0])} has a second line", "one line per task")
        suffixes[words[0]] = words[2]
    return NameConvert(suffixes)


def _object(file: str, text: str, plain: Mapping[str, object], key: str) -> dict[str, object]:
    value = plain.get(key, {})
    if not isinstance(value, dict):
        raise FormatError(
            file, _line(text, key), f"{key} is a {type(value).__name__}", "an object with a key per task"
        )
    return value


def _configured(file: str, line: int, name: str, entry: object) -> ConfiguredTask:
    match entry:
        case [str(module), bool(inside), *arguments] if all(
            isinstance(word, str | int | float) for word in arguments
        ):
            path = _module(file, line, name, module)
            return ConfiguredTask(line, path, inside, tuple(str(word) for word in arguments))
    # Types, not values: these may be nested too deep to print.
    what = f"[{listed(type(word).__name__ for word in entry)}]" if isinstance(entry, list) else type(entry).__name__
    found = f"taskname_map has for {shown(name)} a value of the form {what}"
    raise FormatError(file, line, found, '["module", true or false, argument...]')


def _module(file: str, line: int, name: str, module: str) -> str:
    path = module.removesuffix(".py")
    if not path.isprintable() or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
        found = f"taskname_map has for {shown(name)} the module {shown(module)}"
        raise FormatError(file, line, found, "a path below the scripts directory, `/` between its parts")
    return path


def _line(text: str, *keys: str) -> int:
    """The line of a key below others, by its spelling since the JSON parser does not tell; 0 if that is escaped."""
    at = 0
    for key in keys:
        at = text.find(json.dumps(key, ensure_ascii=False), at)
        if at < 0:
            return 0
    return text.count("\n", 0, at) + 1
