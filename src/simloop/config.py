"""YAML files as typed, strict models: an unknown key or a wrong type is one sentence with file, line and field."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from simloop.errors import InputError, did_you_mean, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound="DataclassInstance")
#: an option that is a part of a whole, from 0 to 1
Share = NewType("Share", float)


class Strict(BaseModel):
    """A model that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def read_yaml(path: str | Path, model: type[M]) -> M:
    """Read a YAML file into `model`; errors name the file, the line and the field."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_neighbours(file)}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; give a YAML file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    node, content = _parse(text, str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys and values (for example {_example(model)}), got {_kind(content)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(file, node, model, error)) from None


def with_options(record: R, options: Mapping[str, Any], name: str) -> R:
    """Return a frozen record of options with some changed; `name` is whose options they are, in errors.

    Options are numbers above 0, tuples of them, parts of a whole, truth values, texts, and strings of a `Literal`.
    """
    kinds = {f.name: get_type_hints(type(record))[f.name] for f in fields(record)}
    changes = {}
    for key, value in options.items():
        if key not in kinds:
            raise unknown(f"option of {name}:", key, kinds)
        changes[key] = _option(f"option {key!r} of {name}", kinds[key], value)
    return replace(record, **changes)


def _option(what: str, kind: Any, value: Any) -> Any:
    """Return `value` as the annotated kind of an option, or raise one sentence."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise unknown(f"value of {what}:", str(value), get_args(kind))
        return value
    if kind is str:
        if not isinstance(value, str) or not value:
            raise InputError(f"{what}: expected a text, got {value!r}")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{what}: expected true or false, got {value!r}")
        return value
    if kind is Share:
        if not (_positive(value) and value <= 1) and (value != 0 or isinstance(value, bool)):
            raise InputError(f"{what}: expected a part of the whole, from 0 to 1, got {value!r}")
        return float(value)
    if get_origin(kind) is tuple:
        values = value if isinstance(value, list | tuple) else [value]
        if not values or not all(map(_positive, values)):
            raise InputError(f"{what}: expected a list of positive numbers, got {value!r}")
        return tuple(get_args(kind)[0](v) for v in values)
    if not _positive(value) or (kind is int and value != int(value)):
        expected = "whole" if kind is int else "finite"
        raise InputError(f"{what}: expected a {expected} number above 0, got {value!r}")
    return kind(value)


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def parse_value(text: str, source: str) -> Any:
    """Return the value that a piece of YAML is; `source` names it in errors."""
    return _parse(text, source)[1]


def listed(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def parsed_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ["iterations=8", ...] into a record."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--option {pair!r}: expected name=value, for example iterations=8")
        options[name] = parse_value(value, f"--option {pair!r}")
    return options


class _Loader(yaml.SafeLoader):
    """YAML without two traps: 1e-3 is a number, and a key that stands there twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                twice = f"key {key.value!r} stands there twice"
                raise yaml.constructor.ConstructorError(None, None, twice, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def _parse(text: str, source: str) -> tuple[Any, Any]:
    """Return the node and the value of a YAML text."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none raises ValueError
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{source}{at}: not YAML: {getattr(error, 'problem', None) or error}") from None


#: what pydantic's types of error mean to a person
_EXPECTED = {
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "too_long": "{max_length} values",
    "too_short": "at least {min_length}",
    "string_too_short": "some text",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
}


def _sentence(file: Path, node: Any, model: type[BaseModel], error: ValidationError) -> str:
    first = min(error.errors(), key=lambda e: (e["type"] != "extra_forbidden", len(e["loc"])))
    loc = [part for part in first["loc"] if not (isinstance(part, str) and part[:1].isupper())]
    loc = [p for p in loc if p not in ("str", "int", "float", "bool", "[key]")]
    at = f"{file}, line {_line(node, loc)}"
    field = ".".join(str(p) for p in loc)
    if first["type"] == "extra_forbidden":
        return f"{at}: unknown key '{field}'{did_you_mean(str(loc[-1]), _keys(model, loc[:-1]))}"
    if first["type"] == "missing":
        if isinstance(loc[-1], int):
            return f"{at}: {'.'.join(map(str, loc[:-1]))}: expected at least {loc[-1] + 1} values"
        return f"{at}: '{field}' is missing"
    if first["type"] == "value_error":
        return f"{at}: {field + ': ' if field else ''}{first['ctx']['error']}"
    got = first.get("input")
    shown = "nothing" if got is None else repr(got)[:60]
    if first["type"] in _EXPECTED:
        expected = "expected " + _EXPECTED[first["type"]].format(**first.get("ctx", {}))
    else:
        expected = first["msg"][0].lower() + first["msg"][1:]
    return f"{at}: {field}: {expected}, got {shown}"


def _line(node: Any, loc: list[Any]) -> int:
    """Line of the deepest part of `loc` that the YAML file has."""
    line = node.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pairs = {k.value: (k, v) for k, v in node.value}
            if str(part) not in pairs:
                break
            key, node = pairs[str(part)]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1


def _keys(model: Any, loc: list[Any]) -> list[str]:
    """Field names of the model found by following `loc` down from `model`."""
    for part in loc:
        models = [model] if isinstance(model, type) else []
        annotation: Any = None
        for m in models:
            if issubclass(m, BaseModel) and str(part) in m.model_fields:
                annotation = m.model_fields[str(part)].annotation
        model = _inner_model(annotation) or model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, dict, list, tuple):
        for inner in get_args(annotation):
            found = _inner_model(inner)
            if found:
                return found
    return None


def _kind(content: Any) -> str:
    return "an empty file" if content is None else "a list" if isinstance(content, list) else repr(content)[:60]


def _example(model: type[BaseModel]) -> str:
    return f"'{next(iter(model.model_fields))}: ...'"


def _neighbours(file: Path) -> str:
    folder = file.parent
    return did_you_mean(file.name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""
