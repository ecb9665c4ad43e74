#!/bin/busybox sh
# The machine's init: mount the disks, then do what the host says on the port `control`, word by word.
#
#   ready BYTES      sent once, before anything is started: MemAvailable
#   start COMMAND    start it, with the ports `input`, `output` and `errors` as its standard streams
#   settle           wait until everything sleeps; answers `settled`
#   job              mount the job's disk at /job; answers `mounted`
#   wait             wait for the command's end; answers `exit STATUS`; then the machine powers off
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp LANG=C.UTF-8 PYTHONHASHSEED=0
# The bundle's disk also has the compiled modules of the standard library: without them an import costs ten times more.
export PYTHONPYCACHEPREFIX=/bundle/.pycache
bb=/bin/busybox
$bb hostname edgecheck

for word in $($bb cat /proc/cmdline); do
    case $word in edgecheck.*) eval "${word#edgecheck.}" ;; esac    # available=KIB, compile=yes, shell=yes
done

for disk in /sys/block/vd*; do
    device=/dev/${disk##*/}
    case $($bb cat "$disk/serial") in
        bundle) $bb mount -t ext4 -o ro,noatime "$device" /bundle && warm=yes ;;
        agent) $bb mount -t ext4 -o ro,noatime "$device" /agent ;;
        job) job=$device ;;
    esac
done

if [ "$shell" ]; then
    echo "This is the emulated machine. The runtime is in /bundle, and on PYTHONPATH. Leave with: exit"
    cd /tmp || exit
    PYTHONPATH=/bundle $bb setsid $bb cttyhack $bb sh
    exec $bb poweroff -f
fi

for port in /sys/class/virtio-ports/*; do
    eval "$($bb cat "$port/name")=/dev/${port##*/}"    # control, input, output, errors
done
exec 3<> "$control"

if [ "$compile" ]; then
    python3 -I -S -B /tmp/.guest/warm.py / /tmp/.pycache    # the command takes them from there to the host
elif [ "$warm" ]; then
    PYTHONPATH=/bundle python3 /tmp/.guest/warm.py
fi

mem_available() {
    while read -r name value _; do [ "$name" = MemAvailable: ] && kib=$value; done < /proc/meminfo
}

# The RAM is a little more than needed; the excess is filled for good, since there is no swap. The kernel counts its
# free pages late, so it is checked again.
mem_available
while [ "$available" ] && [ $((kib - available)) -gt 64 ]; do
    $bb dd if=/dev/zero bs=1k count=$((kib - available)) >> /tmp/.guest/ballast 2> /dev/null
    mem_available
done
echo "ready $((kib * 1024))" >&3

settle() {    # four checks in a row that nothing but this shell is running
    quiet=0
    while [ $quiet -lt 4 ]; do
        $bb sleep 0.05
        read -r _ _ _ tasks _ < /proc/loadavg
        case $tasks in 1/*) quiet=$((quiet + 1)) ;; *) quiet=0 ;; esac
    done
}

while read -r word rest <&3; do
    case $word in
        start) $bb sh -c "exec $rest" < "$input" > "$output" 2> "$errors" & ;;
        settle)
            settle
            echo settled >&3
            ;;
        job)
            $bb blockdev --flushbufs "$job"    # the disk was replaced by the job's while the machine was saved
            # Without ext4's background thread (ext4lazyinit), which would run in the middle of a measurement.
            $bb mount -t ext4 -o noatime,noinit_itable,no_prefetch_block_bitmaps "$job" /job
            echo mounted >&3
            ;;
        wait)
            wait $!
            echo "exit $?" >&3
            break
            ;;
    esac
done
exec $bb poweroff -f
