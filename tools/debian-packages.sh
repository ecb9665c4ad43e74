#!/bin/sh
# Installs the Debian packages that the tests need, if the user may; otherwise names them in one message and goes on.
# Tests that need a missing package say so.
set -eu
packages="openssh-server openssh-client qemu-system-arm qemu-utils ipxe-qemu e2fsprogs busybox-static gcc g++ libc6-dev llvm-19 bubblewrap time chromium chromium-driver zsh fish adb clang lld iproute2 android-libboringssl-dev android-libbase-dev android-libcutils-dev android-liblog-dev libcap-dev"
# `debian-packages.sh image` also installs what is needed to build and test Dockerfile.arm64: buildah needs no daemon,
# and mmdebstrap makes the base image, so that no registry is needed.
[ "${1:-}" != image ] || packages="$packages buildah mmdebstrap qemu-user-static"
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "edgecheck: this is not Debian; to run all tests, install the equivalents of:$missing" >&2
elif [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
elif sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "edgecheck: to run all tests: sudo apt-get install$missing" >&2
fi
