"""Reading of Caffe's network text (protocol-buffer text format) into plain dictionaries of lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r'\s*(?:#[^\n]*\n\s*)*("(?:[^"\\]|\\.)*"|[{}:]|[^\s{}:]+)')

Message = dict[str, list[Any]]


def _value(token: str) -> Any:
    if token.startswith('"'):
        return token[1:-1]
    if token in ("true", "false"):
        return token == "true"
    for kind in (int, float):
        try:
            return kind(token)
        except ValueError:
            continue
    return token


def _message(tokens: list[str], at: int) -> tuple[Message, int]:
    out: Message = {}
    while at < len(tokens) and tokens[at] != "}":
        key, at = tokens[at], at + 1
        if tokens[at] == ":":
            at += 1
        if tokens[at] == "{":
            value, at = _message(tokens, at + 1)
        else:
            value = _value(tokens[at])
        at += 1
        out.setdefault(key, []).append(value)
    return out, at


def parse(text: str) -> Message:
    """The network as nested dictionaries; every field is a list."""
    return _message(_TOKEN.findall(text), 0)[0]


def read(path: Path) -> Message:
    """Parses a file."""
    return parse(path.read_text(encoding="utf-8"))


def first(message: Message, key: str, default: Any = None) -> Any:
    """The first value of a field."""
    return message.get(key, [default])[0]
