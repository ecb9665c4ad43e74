"""The pure core: values, measurements and verdicts; no files, clocks or processes.

- What a user writes: `budget`, `limits`, `device`, `units`, `metrics`.
- What is seen: `events` reads the agent's lines into a `run`; `artifact`; `finding`.
- From what is seen to a figure: `measurement` with `readers`, `emulated`, `projection`; `calibration`.
- From a figure to an answer: `verdict`, `looks`, `statistics`, `device_match`, `caveats`, `report`.
- Between results: `comparison`, `comparability`; between variants: `fitting`.
- `profile_draft` and `arm_cores`: a profile from a probed device; `text`: text that is safe to print.
"""
