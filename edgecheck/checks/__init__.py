"""What a check is and how it is done.

The modules, in reading order:

- `check`: one variant of one model on one device: convert, run, measure, judge.
- `session`: one run of an artifact on a target.
- `plan`: from command-line options and budgets to checks.
- `perform`: all planned checks, side by side where devices allow it.
- `auto`: the choice among variants (`variants: auto`, `edgecheck fit`).
- `invocation`: everything above as one call of the command or the library.
- `baseline`: saved results, and how much budgets allow each metric to grow from them.
- `explain`: why a limit on storage or memory failed, and what would help.
- `calibrate`: the constants that project instruction counts to latency.
"""
