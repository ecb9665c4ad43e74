"""The pure core: values, measurements and verdicts; no files, clocks or processes."""
