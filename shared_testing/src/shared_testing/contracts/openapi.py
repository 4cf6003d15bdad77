"""The OpenAPI document of a contract: other tools read what our checks read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from shared_testing.contracts.shape import fields_of, schema_of

if TYPE_CHECKING:
    from shared_testing.contracts.contract import Contract, Endpoint, Promise

Json = dict[str, Any]


def openapi(contract: Contract) -> Json:
    """OpenAPI 3.1, as JSON."""
    schemas: Json = {}
    paths: Json = {}
    for endpoint in contract.endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": contract.title, "version": contract.version},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(endpoint: Endpoint, schemas: Json) -> Json:
    operation: Json = {
        "operationId": endpoint.name.lower(),
        "parameters": _parameters(endpoint, schemas),
        "responses": {str(status): _response(promise, schemas) for status, promise in sorted(endpoint.replies.items())},
        # Without a token the API may be open; a wrong one is always refused.
        "security": [{"bearer": []}, {}] if endpoint.needs_token else [],
    }
    if endpoint.body is not None:
        content: Json = {"schema": schema_of(endpoint.body, schemas)}
        if endpoint.example:
            content["example"] = dict(endpoint.example)
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameters(endpoint: Endpoint, schemas: Json) -> list[Json]:
    # Any text is a path that is answered, if only by 404.
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    if endpoint.query is not None:
        parameters += [
            {"name": name, "in": "query", "required": field.required, "schema": schema_of(field.kind, schemas)}
            for name, field in fields_of(endpoint.query).items()
        ]
    return parameters


def _response(promise: Promise, schemas: Json) -> Json:
    response: Json = {"description": promise.meaning}
    if promise.headers:
        response["headers"] = {name: {"required": True, "schema": {"type": "string"}} for name in promise.headers}
    if promise.body is not None:
        response["content"] = {"application/json": {"schema": schema_of(promise.body, schemas)}}
    return response
