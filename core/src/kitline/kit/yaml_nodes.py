"""YAML text as nodes that keep tags, styles and lines, with bounds on what hostile text may do.

The parser is libyaml, of which go-yaml v3 is a port, through PyYAML. Scalars are not resolved here.
"""

from __future__ import annotations

from typing import Any, Literal

from kitline.stand_in import patterns_when_used

with patterns_when_used():  # those by which PyYAML would read without libyaml
    import yaml

SIZE_LIMIT = 1 << 20
"""Largest text, in bytes."""
DEPTH_LIMIT = 100
"""Deepest nesting, aliases followed."""
NODE_LIMIT = 250_000
"""Most values, aliases followed."""


class YamlError(ValueError):
    """A text is not YAML or is beyond a limit; `line` counts from 1, 0 if unknown."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Node:
    """A value: `text` of a scalar, `items` of a list, `pairs` of a map."""

    def __init__(
        self,
        kind: Literal["scalar", "list", "map"],
        line: int,
        tag: str | None = None,
        text: str = "",
        is_plain: bool = False,
    ) -> None:
        self.kind = kind
        self.line = line
        self.tag = tag
        self.text = text
        self.is_plain = is_plain
        self.items: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []
        # with everything below, aliases followed
        self.size = 1
        self.height = 1
        self.is_complete = False


def read_nodes(text: bytes | str) -> Node | None:
    """Return the first document of a text, None if there is none.

    Raises:
        YamlError: for text that is not YAML, too long, nested too deep or blown up by aliases.
    """
    decoded = _decode(text)
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(decoded)
        return _Composer(loader).read_document()
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        said = " ".join(filter(None, (cause.context, cause.problem)))
        raise YamlError(mark.line + 1 if mark else 0, f"not YAML: {said}") from cause
    except yaml.YAMLError as cause:
        said = str(cause).splitlines()[0]
        raise YamlError(0, f"not YAML: {said}") from cause


def _decode(text: bytes | str) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > SIZE_LIMIT:
            raise YamlError(0, f"{len(data)} bytes are more than the limit of {SIZE_LIMIT}")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = cause.object.count(b"\n", 0, cause.start) + 1
        raise YamlError(line, f"not UTF-8: {cause.reason} at byte {cause.start}") from cause
    except UnicodeEncodeError as cause:
        raise YamlError(0, f"not text: {cause.reason} at {cause.start}") from cause


class _Composer:
    """Turns the parser's events into nodes."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._anchors: dict[str, Node] = {}

    def read_document(self) -> Node | None:
        self._loader.get_event()  # stream start
        if self._loader.check_event(yaml.StreamEndEvent):
            return None
        start = self._loader.get_event()
        if start.version not in (None, (1, 1)):
            version = ".".join(str(number) for number in start.version)
            raise YamlError(1, f"kit does not read '%YAML {version}'; remove the line")
        return self._read(1)

    def _read(self, depth: int) -> Node:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self._follow(str(event.anchor), line, depth)
        self._check(line, depth, 1)
        if isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", line, event.tag, event.value, event.style in (None, ""))
        else:
            is_list = isinstance(event, yaml.SequenceStartEvent)
            node = Node("list" if is_list else "map", line, event.tag)
        if event.anchor:
            self._anchors[event.anchor] = node
        if node.kind == "list":
            while not self._loader.check_event(yaml.SequenceEndEvent):
                node.items.append(self._add(node, depth))
            self._loader.get_event()
        elif node.kind == "map":
            while not self._loader.check_event(yaml.MappingEndEvent):
                node.pairs.append((self._add(node, depth), self._add(node, depth)))
            self._loader.get_event()
        node.is_complete = True
        return node

    def _add(self, parent: Node, depth: int) -> Node:
        child = self._read(depth + 1)
        parent.size += child.size
        parent.height = max(parent.height, child.height + 1)
        self._check(child.line, depth, parent.size)
        return child

    def _follow(self, anchor: str, line: int, depth: int) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            raise YamlError(line, f"no anchor {anchor!r} stands before the alias '*{anchor}'")
        if not node.is_complete:
            raise YamlError(line, f"the anchor {anchor!r} contains itself")
        self._check(line, depth + node.height - 1, node.size)
        return node

    def _check(self, line: int, depth: int, size: int) -> None:
        if depth > DEPTH_LIMIT:
            raise YamlError(line, f"nested deeper than {DEPTH_LIMIT} levels")
        if size > NODE_LIMIT:
            raise YamlError(line, f"more than {NODE_LIMIT} values, aliases followed")
