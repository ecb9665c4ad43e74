"""An emulated arm64 machine with a device's core and RAM: built once, saved after its boot, resumed for each job.

build.ensure(progress) -> Image               the system, from the host's packages or from an imported tar
disks.bundle(...), disks.agent(...) -> Path   read-only disks, built once per content
saved.ensure(spec, ...) -> Saved              the machine, booted and saved
machine.run(spec, saved, job) -> Running      the command's output lines, and how the machine ended
"""
