"""`edgecheck completion`: prints the script with which a shell completes commands, options, devices and metrics."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

#: The variable in which a script asks for completions; click derives its name from ours.
VARIABLE = "_EDGECHECK_COMPLETE"


class _Bash(BashComplete):
    """As click's, but without a space after `METRIC=`, and words are never expanded as file patterns."""

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


class _Zsh(ZshComplete):
    """As click's, but files are also completed behind `NAME=`."""

    source_template = ZshComplete.source_template.replace(
        "_path_files -f", "[[ $key == *=* ]] && compset -P '*='; _path_files -f"
    )


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": FishComplete}

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
    """Print a shell completion script.

    bash must be 4.4 or later.
    """
    script = _SHELLS[shell](context.find_root().command, {}, "edgecheck", VARIABLE).source()
    click.echo(script, nl=False)
