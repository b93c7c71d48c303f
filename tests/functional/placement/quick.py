# SPDX-License-Identifier: Apache-2.0
"""Cache of work that Placement and its fixture repeat.

``jsonschema.validate`` checks a schema against the schema of schemas at each
call: a quarter of the processor time of a test that sends many requests. Here
a schema is checked at its first use.

The fixture creates the tables of each database and writes the 500 standard
traits and resource classes into it. Here the first database is copied.

SQLAlchemy caches the text of a statement per engine. Each test has new
engines, although all of them use the same SQL: here they share the cache. The
statements and their databases are unchanged.

Placement creates the aliases of its tables, with all of their columns, again
for every statement. They all have a name: here there is one alias for each.
"""

import functools
import sqlite3
import types
from typing import Any

import jsonschema
import sqlalchemy
from jsonschema import exceptions, validators
from placement import db_api, util
from placement.handlers import trait as trait_handler
from placement.objects import resource_class, trait
from placement.tests import fixtures
from sqlalchemy import engine
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.util import LRUCache

#: How many statements are kept for all engines.
STATEMENTS = 5000
#: By the identity of the schema, which the validator keeps alive.
_VALIDATORS: dict[int, Any] = {}


def _validate(data: Any, schema: Any, format_checker: Any = None) -> None:
    """Stand in for ``jsonschema.validate``."""
    if id(schema) not in _VALIDATORS:
        kind = validators.validator_for(schema)
        kind.check_schema(schema)
        _VALIDATORS[id(schema)] = kind(schema, format_checker=format_checker)
    errors = _VALIDATORS[id(schema)].iter_errors(data)
    if error := exceptions.best_match(errors):
        raise error


_MAKE = fixtures.Database.generate_schema_create_all
_MADE = sqlite3.connect(":memory:", check_same_thread=False)


def _make(self: fixtures.Database, engine: Any) -> None:
    """Stand in for the function that makes a database."""
    copy = _MADE.execute("SELECT 1 FROM sqlite_master").fetchone()
    if not copy:
        _MAKE(self, engine)
    with engine.connect() as connection:
        database = connection.connection.driver_connection
        if not copy:
            database.backup(_MADE)
            return
        _MADE.backup(database)
    self.addCleanup(db_api.placement_context_manager.patch_engine(engine))
    self.addCleanup(self.cleanup)
    trait._TRAITS_SYNCED = True
    resource_class._RESOURCE_CLASSES_SYNCED = True


def _share_statements() -> None:
    """Let an engine of SQLite find what another one has compiled."""
    dialect: Any = pysqlite.SQLiteDialect_pysqlite
    dialect.__eq__ = lambda self, other: type(self) is type(other)
    dialect.__hash__ = lambda self: hash(type(self))
    statements: Any = LRUCache(STATEMENTS)
    kept: Any = property(lambda self: statements, lambda self, own: None)
    engine.Engine._compiled_cache = kept


_ALIAS = sqlalchemy.alias


@functools.cache
def _named(table: Any, name: str) -> Any:
    """Return the alias of a table, with its columns."""
    alias = _ALIAS(table, name=name)
    assert alias.c is not None
    return alias


def _alias(table: Any, name: str | None = None, flat: bool = False) -> Any:
    """Stand in for ``sqlalchemy.alias``."""
    if name is None or flat or not isinstance(table, sqlalchemy.Table):
        return _ALIAS(table, name=name, flat=flat)
    return _named(table, name)


@functools.cache
def install() -> None:
    """Install the cache in this process."""
    fixtures.Database.generate_schema_create_all = _make
    util.jsonschema = trait_handler.jsonschema = types.SimpleNamespace(
        validate=_validate,
        FormatChecker=jsonschema.FormatChecker,
        ValidationError=jsonschema.ValidationError,
    )
    sqlalchemy.alias = _alias
    _share_statements()
