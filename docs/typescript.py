"""TypeScript declarations of what clients send, from the message structs beside the commands.

Used by `docs/generate.py`; the result is fastws/web/messages.d.ts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from fastws.command import Command
from fastws.endpoint import BUILT_IN, Endpoint
from fastws.errors import CLOSE_CODES, Code

__all__ = ["declarations"]


def declarations(endpoints: list[type[Endpoint]]) -> str:
    """The whole file."""
    parts = [
        "// What clients send to fastws, by endpoint.",
        "// Made by docs/generate.py from the message structs; do not edit.",
        "",
        "/** Codes of `error` messages. */",
        f"export type ErrorCode = {_union(sorted(str(code) for code in Code))};",
        "",
        "/** Codes with which the server closes. */",
        f"export type CloseCode = {' | '.join(map(str, sorted({c.code for c in CLOSE_CODES})))};",
        "",
        "export interface Messages {",
    ]
    for endpoint in endpoints:
        parts.append(f"  {json.dumps(endpoint.path)}:")
        parts += [f"    | {_message(command)}" for command in _commands(endpoint)]
        parts[-1] += ";"
    parts += ["}", "", "export type Endpoint = keyof Messages;", ""]
    return "\n".join(parts)


def _commands(endpoint: type[Endpoint]) -> Iterator[Command]:
    """Those of all endpoints first."""
    known = endpoint.commands
    yield from (known[type_] for type_ in sorted(BUILT_IN) if type_ in known)
    yield from (command for type_, command in known.items() if type_ not in BUILT_IN)


def _message(command: Command) -> str:
    schema, components = msgspec.json.schema_components([command.message], ref_template="{name}")
    found = schema[0]
    if "$ref" in found:
        found = components[found["$ref"]]
    required = set(found.get("required", ()))
    fields = [f"type: {json.dumps(command.type)}", "id?: number | string"]
    for name, field in found.get("properties", {}).items():
        if name not in ("id", "type"):
            mark = "" if name in required else "?"
            fields.append(f"{_name(name)}{mark}: {_type(field, components)}")
    return "{ " + "; ".join(fields) + " }"


def _name(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _union(values: list[str]) -> str:
    return " | ".join(json.dumps(value) for value in values)


SIMPLE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def _type(schema: dict[str, Any], components: dict[str, Any]) -> str:
    """A JSON schema as msgspec makes them, as a type."""
    if "$ref" in schema:
        return _type(components[schema["$ref"]], components)
    if "anyOf" in schema:
        return " | ".join(_type(one, components) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(SIMPLE[one] for one in kind)
    if kind == "array":
        items = _type(schema["items"], components) if schema.get("items") else "unknown"
        return f"Array<{items}>"
    if kind == "object":
        return _object(schema, components)
    return SIMPLE.get(str(kind), "unknown")


def _object(schema: dict[str, Any], components: dict[str, Any]) -> str:
    if "properties" not in schema:
        return "Record<string, unknown>"
    required = set(schema.get("required", ()))
    fields = [
        f"{_name(name)}{'' if name in required else '?'}: {_type(field, components)}"
        for name, field in schema["properties"].items()
    ]
    return "{ " + "; ".join(fields) + " }"
