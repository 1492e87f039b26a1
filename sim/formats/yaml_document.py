"""YAML read as a document whose single values are texts, as they are spelt.

PyYAML, an optional library, only takes the text apart here; nothing is constructed, so that no tag and no date can do
anything, and numbers keep their digits.
"""

from pnode.protocol.textfile import shown

from .document import Value
from .errors import FormatError

CHARACTERS_MAX = 8 * 1024 * 1024
"""Forty times a scenario of a thousand tasks; without its C library PyYAML takes minutes for so much."""

DEPTH_MAX = 50
"""PyYAML goes down by recursion; a scenario has six levels."""


def parse_yaml(file: str, text: str) -> Value:
    """Raises FormatError, also when PyYAML is missing."""
    try:
        import yaml
    except ImportError:
        raise FormatError(file, "", "to read YAML takes PyYAML: pip install 'pnode[ncsim]'") from None
    if len(text) > CHARACTERS_MAX:
        raise FormatError(file, "", f"it has more than {CHARACTERS_MAX} characters, which is as much as is read")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_MAX:
                raise FormatError(file, "", f"the YAML is nested more than {DEPTH_MAX} levels deep")
        root = yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FormatError(file, where, f"no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FormatError(file, "", f"no YAML: {shown(reason)}") from None
    return Value(file, None if root is None else _Converter(file).plain(root))


class _Converter:
    """Makes plain values of PyYAML's nodes, each once, however many aliases there are."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, object] = {}
        self._under_way: dict[int, None] = {}

    def plain(self, node: object) -> object:
        if id(node) not in self._done:
            if id(node) in self._under_way:
                raise self._error(node, "a part of it contains itself")
            self._under_way[id(node)] = None
            self._done[id(node)] = self._converted(node)
            del self._under_way[id(node)]
        return self._done[id(node)]

    def _converted(self, node: object) -> object:
        value: object = getattr(node, "value", None)
        match getattr(node, "id", ""), value:
            case "mapping", list():
                return self._table(value)
            case "sequence", list():
                return [self.plain(part) for part in value]
        return None if getattr(node, "tag", "") == "tag:yaml.org,2002:null" else value

    def _table(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        table: dict[str, object] = {}
        for key, value in pairs:
            name = getattr(key, "value", None)
            if not isinstance(name, str):
                raise self._error(key, "a key is no text")
            if name in table:
                raise self._error(key, f"a table has the key {shown(name)} twice")
            if name == "<<":
                raise self._error(key, "tables are not merged here (<<); write out what they have in common")
            table[name] = self.plain(value)
        return table

    def _error(self, node: object, reason: str) -> FormatError:
        mark = getattr(node, "start_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        return FormatError(self._file, where, reason)
