# SPDX-License-Identifier: Apache-2.0
"""Commands whose modules are imported when they are run.

openstackclient loads every command of every plugin before it runs one (cliff's
``CommandManager.load_commands``), so each ``openstack server list`` would
import all modules of our commands. The entry point
``nova_vhard.osc.lazy:policy.show.CheckPolicy`` therefore loads only a name.
When cliff calls it, it imports ``nova_vhard.osc.policy.show`` and creates a
``CheckPolicy``.
"""

import pkgutil
from typing import Any


class Lazy:
    """The name of a command's class, below ``nova_vhard.osc``.

    :param path: of modules and a class, ``policy.show.CheckPolicy``
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # cliff passes cmd_name only to a factory whose __init__ takes it. By
        # this name, the command finds the hooks of other plugins.
        vars(self)["__init__"] = self.__call__

    def __getattr__(self, name: str) -> "Lazy":
        """Return the name of what is below it.

        :raises AttributeError: for a private name, such as the attributes
            that ``inspect`` looks up
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
