"""Groups whose commands are imported when they are called: the group's own help needs only a line about each."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from dinp.errors import DinpError


class LazyGroup(click.Group):
    """A group of commands that live in modules of their own.

    Parameters
    ----------
    homes : dict
        By name: where the command is ("module:attribute"), and what it does in one line, the first of its own help.
    extra : str, optional
        The extra of this package that installs what the commands need beyond the package itself.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 (as click's)
        homes: Mapping[str, tuple[str, str]],
        extra: str | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*arguments, **options)
        self.homes = homes
        self.extra = extra

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which they were given."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        if cmd_name not in self.homes:
            return None
        module, attribute = self.homes[cmd_name][0].split(":")
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The lines about the commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.homes.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; DinpError if a package that it needs is not installed."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == "dinp":
                raise
            wanted = f"'dinp[{self.extra}]'" if self.extra else error.name
            raise DinpError(f"this command needs the package {error.name}: pip install {wanted}") from error
