#!/bin/busybox sh
# The first process: load the drivers, find the system disk by its serial number, hand over to guest/init.
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
while read -r module; do $bb insmod "/modules/$module"; done < /modules/order
for disk in /sys/block/vd*; do
    [ "$($bb cat "$disk/serial")" = system ] && $bb mount -t ext4 -o ro,noatime "/dev/${disk##*/}" /root
done
for place in dev proc sys; do $bb mount -o move "/$place" "/root/$place"; done
$bb mount -t tmpfs tmp /root/tmp
$bb mkdir /root/tmp/.guest
$bb cp /guest/* /root/tmp/.guest/
exec $bb switch_root /root /tmp/.guest/init
