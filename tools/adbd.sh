#!/bin/sh
# Builds Android's adbd from Debian's source package of Android's platform tools: `adbd.sh FOLDER` for this machine,
# `adbd.sh FOLDER ROOT` for arm64, where ROOT has Debian's arm64 packages unpacked (those of tests/board/phone.py). AOSP marks
# adbd `host_adbd_supported`, and Debian does not build it. FOLDER gets bin/adbd and lib/ with all that it links to, the
# loader included, so that it runs in a root without a C library. It takes 40 seconds of processor time; the tests keep the
# result (tests/targets/phone.py, tests/board/phone.py). The packages that it needs are those of tools/debian-packages.sh.
set -eu
export LC_ALL=C
out=$1 root=${2:-}
target=""
[ -z "$root" ] || target="--target=aarch64-linux-gnu --sysroot=$root -fuse-ld=lld"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Separate sources and lists: those of the system stay as they are. apt checks the signature and every digest.
mkdir -p apt/lists/partial apt/archives/partial
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep -v security | grep 'debian/*$' | head -n 1)
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >apt/sources.list
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt" -o APT::Sandbox::User=root "$@"
}
apt update
apt source --download-only android-platform-tools=29.0.6-28
tar -xzf android-platform-tools_29.0.6.orig.tar.gz --strip-components=1 --wildcards '*/system/core/adb/*' \
    '*/system/core/libcrypto_utils/*' '*/system/core/diagnose_usb/*' '*/system/core/libasyncio/*' \
    '*/system/core/libcutils/include/*' '*/system/core/liblog/include/*' '*/frameworks/native/libs/adbd_auth/*'

# What AOSP's build generates, and what is not needed here.
mkdir -p own/utils own/build obj
printf '#define ATRACE_TAG 0\n#define ATRACE_NAME(x)\n#define ATRACE_CALL()\n' >own/utils/Trace.h
printf '#define PLATFORM_TOOLS_VERSION "29.0.6"\n' >own/platform_tools_version.h
cat >own/build/version.h <<'END'
#include <string>
namespace android { namespace build { inline std::string GetBuildNumber() { return "edgecheck"; } } }
END

sed -i '1i #include <private/fs_config.h>' system/core/adb/daemon/file_sync_service.cpp  # newer than Debian's libcutils

# The files of libadbd_core, libadbd_services and adbd for linux_glibc, as system/core/adb/Android.bp lists them.
cat >files <<'END'
system/core/adb adb adb_io adb_listeners adb_trace adb_unique_fd adb_utils fdevent/fdevent fdevent/fdevent_poll
system/core/adb fdevent/fdevent_epoll services sockets socket_spec sysdeps/errno transport transport_fd transport_local
system/core/adb transport_usb types sysdeps_unix sysdeps/posix/network shell_service_protocol
system/core/adb daemon/auth daemon/jdwp_service daemon/usb_dummy daemon/file_sync_service daemon/services
system/core/adb daemon/shell_service daemon/main adbconnection/adbconnection_server
system/core/libcrypto_utils android_pubkey
system/core/diagnose_usb diagnose_usb
system/core/libasyncio AsyncIO
frameworks/native/libs/adbd_auth adbd_auth
END
core=system/core
flags="$target -std=gnu++2a -O1 -w -D_GNU_SOURCE -DADB_HOST=0 -DALLOW_ADBD_NO_AUTH=1 -include optional -include atomic
-Iown -I$core/adb -I$core/adb/daemon/include -I$core/adb/adbconnection/include
-I$core/libcrypto_utils/include -I$core/diagnose_usb/include -I$core/libasyncio/include -I$core/libcutils/include
-I$core/liblog/include -Iframeworks/native/libs/adbd_auth/include -I$root/usr/include/android"
while read -r folder names; do
    for name in $names; do echo "$folder/$name"; done
done <files >each
export flags
xargs -P "$(nproc)" -I{} sh -c 'clang++ $flags -x c++ -c "$(ls {}.c*)" -o "obj/$(echo {} | tr / _).o"' <each

# Debian has Android's own libraries next to others of the same names.
android=$(dirname "$(ls "$root"/usr/lib/*/android/libbase.so)")
usual=$(dirname "$android")
mkdir -p "$out/bin" "$out/lib"
# shellcheck disable=SC2086 # several options
clang++ $target -o "$out/bin/adbd" obj/*.o -L"$android" -Wl,-rpath-link,"$android" -lbase -lcutils -llog -lcrypto -lcap \
    -lpthread -lresolv

# What it links to, by the headers alone: ldd would start a program of another processor.
keep() {
    [ ! -e "$out/lib/$1" ] || return 0
    for folder in "$android" "$usual" "$root/lib/$(basename "$usual")" none; do
        [ ! -e "$folder/$1" ] || break
    done
    cp -L "$folder/$1" "$out/lib/"
    keep_needed "$out/lib/$1"
}
keep_needed() {
    for name in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do keep "$name"; done
}
keep_needed "$out/bin/adbd"
keep "$(basename "$(readelf -l "$out/bin/adbd" | sed -n 's/.*interpreter: \(.*\)]/\1/p')")"
