#!/bin/sh
# Installs the Debian packages that the tests need, where the user may; else names them in one message and goes on:
# the tests that need them say so themselves.
set -eu
packages="openssh-server openssh-client qemu-system-arm qemu-utils ipxe-qemu e2fsprogs busybox-static time chromium chromium-driver zsh fish"
# `debian-packages.sh image`: also what Dockerfile.arm64 is built and tried with. buildah needs no daemon, and mmdebstrap
# makes the base image, so that no registry is asked for one.
[ "${1:-}" != image ] || packages="$packages buildah mmdebstrap qemu-user-static"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "edgecheck: this is no Debian; for all tests install what your system calls:$missing" >&2
elif [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
elif sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "edgecheck: for all tests run: sudo apt-get install$missing" >&2
fi
