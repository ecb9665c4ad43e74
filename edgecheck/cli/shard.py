"""`--shard 2/4` on the command line."""

from __future__ import annotations

import re

import click

from edgecheck.invocation.shard import Shard


class ShardParam(click.ParamType[Shard]):
    """`K/N`: the K-th of N parts."""

    name = "K/N"

    def convert(self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The shard."""
        if isinstance(value, Shard):
            return value
        written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
        if written is None:
            self.fail(f"{value!r} is no shard: write which of how many, as in 2/4.", param, ctx)
        shard = Shard(int(written[1]), int(written[2]))
        if not 1 <= shard.number <= shard.count:
            parts = f"from 1/{shard.count} to {shard.count}/{shard.count}" if shard.count else "from 1/1 on"
            self.fail(f"there is no shard {value}: they go {parts}.", param, ctx)
        return shard
