# SPDX-License-Identifier: Apache-2.0
"""Commands whose modules are imported when they are run.

openstackclient loads every command of every plugin before it runs one (cliff's
``CommandManager.load_commands``), so that each ``openstack server list`` would
import all that ours stand on. An entry point
``nova_vhard.osc.lazy:policy.show.CheckPolicy`` loads a name instead, which
imports ``nova_vhard.osc.policy.show`` and makes a ``CheckPolicy`` when cliff
calls it.
"""

import pkgutil
from typing import Any


class Lazy:
    """The name of a command's class, below ``nova_vhard.osc``.

    :param path: of modules and a class, ``policy.show.CheckPolicy``
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # By the arguments of a factory's __init__ cliff decides whether the
        # name of the command is passed, by which it finds hooks of others.
        vars(self)["__init__"] = self.__call__

    def __getattr__(self, name: str) -> "Lazy":
        """Return the name of what is below it.

        :raises AttributeError: for a private name, such as those by which
            ``inspect`` looks at what it is given
        """
        if name.startswith("_"):
            raise AttributeError(name)
        return Lazy(f"{self._path}.{name}")

    def resolve(self) -> Any:
        """Import the class, and return it.

        :raises ImportError, AttributeError: if there is none
        """
        module, _, name = self._path.rpartition(".")
        return pkgutil.resolve_name(f"nova_vhard.osc.{module}:{name}")

    def __call__(
        self, app: Any, app_args: Any, cmd_name: str | None = None
    ) -> Any:
        """Make the command, as cliff does."""
        return self.resolve()(app, app_args, cmd_name)


def __getattr__(name: str) -> Lazy:
    """Return the name of a package of commands.

    :raises AttributeError: for a private name
    """
    if name.startswith("_"):
        raise AttributeError(name)
    return Lazy(name)
