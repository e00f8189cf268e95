"""The GraphQL engine: parses, validates and runs requests with graphql-core, and converts errors to Labelbox's form.

The only module of the package that imports graphql-core, which the extra `testing` installs.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

try:
    import graphql as gql
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the fake Labelbox needs graphql-core: pip install 'airflow-provider-labelbox-export[testing]'"
    ) from error

from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.errors import ApiError
from labelbox_export_provider.testing.graphql.schema import schema_text

logger = logging.getLogger(__name__)
Resolver: TypeAlias = Callable[[Any, Any, Mapping[str, Any]], Any]
"""Takes the context of the request, the parent value and the arguments."""
_DECIMAL = re.compile(r"\d{1,20}")


@dataclass(frozen=True)
class Operation:
    """A parsed request: its name and the names of all fields in it; `problem` when it cannot be run."""

    name: str | None
    fields: frozenset[str]
    document: gql.DocumentNode | None
    problem: GraphQLAnswer | None


@dataclass(frozen=True)
class GraphQLAnswer:
    """The answer to one request: HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]

    @property
    def codes(self) -> tuple[str, ...]:
        """The `extensions.code` of every error in it."""
        return tuple(error["extensions"]["code"] for error in self.body.get("errors", ()))


class Engine:
    """A schema with its resolvers. It is rebuilt when a switch changes the schema."""

    def __init__(self, behaviour: Behaviour, resolvers: Mapping[str, Mapping[str, Resolver]]) -> None:
        self._variables_code = behaviour.variables_code
        self._aliases_per_query = behaviour.aliases_per_query
        scalars = gql.GraphQLSchema(types=_scalars(behaviour))
        self._schema = gql.extend_schema(scalars, gql.parse(schema_text(behaviour)), assume_valid=True)
        for type_name, fields in resolvers.items():
            kind = self._schema.type_map.get(type_name)
            for field_name, resolver in fields.items():
                if isinstance(kind, gql.GraphQLObjectType) and field_name in kind.fields:
                    kind.fields[field_name].resolve = _adapt(resolver)
        gql.assert_valid_schema(self._schema)
        self.read = functools.lru_cache(maxsize=256)(self._read)

    def _read(self, query: str) -> Operation:
        """Parse and validate a document."""
        try:
            document = gql.parse(query)
        except gql.GraphQLError as error:
            return Operation(None, frozenset(), None, _refusal([error], "GRAPHQL_PARSE_FAILED"))
        finder = _FieldFinder()
        gql.visit(document, finder)
        errors = gql.validate(self._schema, document) or self._too_complex(finder)
        problem = _refusal(errors, "GRAPHQL_VALIDATION_FAILED") if errors else None
        return Operation(finder.operation_name, frozenset(finder.fields), document, problem)

    def _too_complex(self, finder: _FieldFinder) -> list[gql.GraphQLError]:
        limit = self._aliases_per_query
        if limit is None or finder.aliases <= limit:
            return []
        return [gql.GraphQLError(f"Query complexity limit exceeded: {finder.aliases} aliases, allowed are {limit}")]

    def run(self, operation: Operation, variables: Mapping[str, Any], context: object) -> GraphQLAnswer:
        """Run a request."""
        if operation.problem is not None or operation.document is None:
            return operation.problem or _refusal([], "GRAPHQL_PARSE_FAILED")
        result = gql.execute_sync(
            self._schema, operation.document, variable_values=dict(variables), context_value=context
        )
        errors = result.errors or []
        if result.data is None and errors and all(error.path is None for error in errors):
            return _refusal(errors, self._variables_code)
        body: dict[str, Any] = {"data": result.data}
        if errors:
            body["errors"] = [_entry(error, _extensions(error)) for error in errors]
        return GraphQLAnswer(200, body)


class _FieldFinder(gql.Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self.operation_name: str | None = None
        self.aliases = 0

    def enter_field(self, node: gql.FieldNode, *_: object) -> None:
        self.aliases += node.alias is not None
        self.fields.add(node.name.value)

    def enter_operation_definition(self, node: gql.OperationDefinitionNode, *_: object) -> None:
        self.operation_name = node.name.value if node.name else None


def _adapt(resolver: Resolver) -> Callable[..., Any]:
    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        return resolver(info.context, source, arguments)

    return resolve


def _extensions(error: gql.GraphQLError) -> dict[str, Any]:
    original = error.original_error
    if isinstance(original, ApiError):
        return original.extensions
    logger.error("the fake Labelbox failed", exc_info=original or error)
    return {"code": "INTERNAL_SERVER_ERROR", "exception": {"status": 500, "message": error.message, "response": None}}


def _entry(error: gql.GraphQLError, extensions: Mapping[str, Any]) -> dict[str, Any]:
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {"message": error.message, "locations": locations, "path": error.path, "extensions": dict(extensions)}


def _refusal(errors: list[gql.GraphQLError], code: str) -> GraphQLAnswer:
    return GraphQLAnswer(400, {"errors": [_entry(error, {"code": code}) for error in errors]})


def _scalars(behaviour: Behaviour) -> list[gql.GraphQLNamedType]:
    def answer_uint64(value: Any) -> str | int:
        return str(value) if behaviour.uint64_as_text else int(value)

    return [
        gql.GraphQLScalarType("UInt64", serialize=answer_uint64, parse_value=_uint64, parse_literal=_uint64_literal),
        gql.GraphQLScalarType("DateTime"),
        gql.GraphQLScalarType("JSON"),
        gql.GraphQLScalarType("PageSize"),
        gql.GraphQLScalarType("SearchDateBounds", parse_value=_date_bounds),
    ]


def _uint64(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _DECIMAL.fullmatch(value)):
        raise gql.GraphQLError(f"UInt64 cannot represent {json.dumps(value, default=str)}")
    number = int(value)
    if not 0 <= number < 1 << 64:
        raise gql.GraphQLError(f"UInt64 cannot represent {number}: out of range")
    return number


def _uint64_literal(node: gql.ValueNode, _: object = None) -> int:
    if isinstance(node, (gql.IntValueNode, gql.StringValueNode)):
        return _uint64(node.value)
    raise gql.GraphQLError("UInt64 is written as a number or a decimal string")


def _date_bounds(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"min", "max"} and all(isinstance(v, str) for v in value.values()):
        return value
    raise gql.GraphQLError("SearchDateBounds is a date, or an object with the dates min and max")
