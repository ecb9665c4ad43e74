"""`edgecheck completion`: the script by which a shell completes our commands, options, devices and metrics."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

#: What a script sets when it asks: click's own name for it.
VARIABLE = "_EDGECHECK_COMPLETE"


class _Bash(BashComplete):
    """click's, but that `METRIC=` gets no space behind it, and that words are never expanded as file patterns."""

    source_template = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                if [[ $value == *= || $value == *:// ]]; then compopt -o nospace; fi
                ;;
        esac
    done < <(IFS=$'\\n'; COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}

_EXAMPLES = """
\b
Examples:
  edgecheck completion bash > ~/.local/share/bash-completion/completions/edgecheck
  edgecheck completion zsh > ~/.zfunc/_edgecheck
  edgecheck completion fish > ~/.config/fish/completions/edgecheck.fish
  source <(edgecheck completion bash)                for this shell only
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Write the script that makes a shell complete edgecheck's words.

    bash needs to be 4.4 or later.
    """
    script = _SHELLS[shell](context.find_root().command, {}, "edgecheck", VARIABLE).source()
    click.echo(script, nl=False)
