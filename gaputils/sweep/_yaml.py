"""Reading a grid: YAML 1.2, and what its versions read differently is marked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaputils._reading import read_text, reading

# Tried in this order: `Unclear` comes before the numbers that it looks like.
_PATTERNS = {
    "unclear": r"(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?0b[01_]+|[-+]0x[0-9a-fA-F_]+|0x[0-9a-fA-F]*_[0-9a-fA-F_]*"
    r"|[-+]?(?=[0-9.eE+-]*[0-9]_)[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?)",
    "null": r"(?:~|null|Null|NULL|)",
    "bool": r"(?:true|True|TRUE|false|False|FALSE)",
    "int": r"0o[0-7]+|0x[0-9a-fA-F]+|[-+]?[0-9]+",
    "float": r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}


@dataclass(frozen=True)
class Unclear:
    """A plain value that YAML 1.1 and 1.2 read differently, or that no number here can hold."""

    text: str


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    ``1e-3``, ``-.5`` and ``0o17`` are numbers. ``yes``, ``off``, ``010``, ``0b11``, ``1_000``,
    ``12:30``, dates, ``1e999`` and ``1e-999`` are `Unclear`. Raises `ValueError` for another file
    and for a key that is given twice, or what contains itself.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = next((key for key in keys if keys.count(key) > 1 and key != "<<"), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice!r} is given twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    for name, pattern in _PATTERNS.items():
        tag = "!unclear" if name == "unclear" else f"tag:yaml.org,2002:{name}"
        Loader.add_implicit_resolver(tag, re.compile(rf"^(?:{pattern})$"), None)
    Loader.add_constructor("!unclear", lambda _, node: Unclear(node.value))
    Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value, 0))
    Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: _float(node.value))
    text = read_text(path, "YAML", argument="grid")
    with reading(path, "YAML", argument="grid", remedy="Correct it there"):
        if "\x85" in text:  # a line's end in YAML 1.1, a character in 1.2
            raise ValueError("it holds U+0085; write \\N in double quotes")
        loader = Loader(text)
        loader.deep_construct = True  # so that what contains itself is refused
        return loader.get_single_data()


def _float(text: str) -> float | Unclear:
    special = text.lower().lstrip("+-") in (".inf", ".nan")
    value = float(text.replace(".", "") if special else text)
    lost = value == 0 and re.search("[1-9]", text.lower().partition("e")[0])
    return value if special or (math.isfinite(value) and not lost) else Unclear(text)
