#!/bin/sh
# Builds both images by deploy/container/Containerfile as it is, on a base made from Debian's packages, and runs them as a cluster
# would: as PID 1, as a user who is not root, with a root file system that cannot be written. Needs root, buildah and mmdebstrap;
# no registry, no daemon. A few minutes and 4 GB in a temporary folder, which is removed.
# usage: container.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/deploy/install-packages.sh" image
cd "$root"
[ "$(id -u)" -eq 0 ] || {
    echo "tests/container.sh: needs root, to make the base and namespaces" >&2
    exit 2
}
work=$(mktemp -d /tmp/quartet-container-XXXXXX)
run_pid=
store() {
    buildah --root "$work/store" --runroot "$work/run" "$@"
}
clean() {
    [ -z "$run_pid" ] || kill "$run_pid" 2>/dev/null || true
    store umount --all >/dev/null 2>&1 || true
    store rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean EXIT
fail() {
    echo "tests/container.sh: $*" >&2
    for log in "$work"/*.log; do
        echo "--- $log" && tail -n 15 "$log"
    done >&2
    exit 1
}

echo "== base and images"
{
    mmdebstrap --variant=minbase bookworm "$work/base.tar" &&
        scratch=$(store from scratch) &&
        store add -q "$scratch" "$work/base.tar" / &&
        store commit -q --rm "$scratch" localhost/base
} >"$work/base.log" 2>&1 || fail "the base cannot be made"
rm "$work/base.tar"
for target in worker coordinator; do
    store build --isolation chroot --layers --pull-never -f deploy/container/Containerfile --build-arg BASE=localhost/base \
        --build-arg COMMIT=tried --target "$target" -t "localhost/quartet-$target" . >"$work/$target.log" 2>&1 || fail "no image: $target"
    store mount "$(store from --pull-never "localhost/quartet-$target")" >"$work/$target.root"
done

# in_image TARGET ARGUMENT...: its entry point, as a container's runtime would start it. /shared is the only folder in common.
in_image() {
    target=$1
    shift
    # shellcheck disable=SC2016 # for the shell in there
    exec unshare --mount sh -ec '
        root=$1 shared=$2
        shift 2
        mount --bind "$root" "$root"
        mount --bind "$shared" "$root/mnt"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs unshare --pid --fork --mount-proc --kill-child=TERM --root="$root" --wd=/ \
            --setgid 10001 --setuid 10001 "$@"
    ' sh "$(cat "$work/$target.root")" "$work/shared" "$@"
}
entry_point() {
    store inspect --type image --format '{{index .OCIv1.Config.Entrypoint 0}}' "localhost/quartet-$1"
}
mkdir "$work/shared"
chown 10001:10001 "$work/shared"
chmod 700 "$work/shared"
coordinator=$(entry_point coordinator)
worker=$(entry_point worker)

echo "== a run across the two images"
(in_image coordinator "$coordinator" keygen /mnt/keys) >"$work/keygen.log" 2>&1 || fail "no keys"
(in_image coordinator "$coordinator" run exec --range 1:200 --keys /mnt/keys --listen 'tcp://127.0.0.1:*' --access /mnt/worker.json \
    --wait 1 --json /mnt/report.json -- sh -c 'setsid true & true' '{}') >"$work/run.log" 2>&1 &
run_pid=$!
tries=0
until [ -s "$work/shared/worker.json" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || fail "no access file"
    sleep 0.1
done
(in_image worker "$worker" --access /mnt/worker.json --allow-exec --name in-a-container) >"$work/worker-run.log" 2>&1 || fail "the worker: status $?"
wait $run_pid || fail "the run: status $?"
run_pid=
grep -q '200 succeeded' "$work/run.log" || fail "not all items succeeded"
grep -q '"commit": "tried"' "$work/shared/report.json" || fail "the commit is not known"

echo "== SIGTERM to the first process"
(in_image coordinator "$coordinator" run sleep --range 1:100 --param seconds=60 --workers 2) >"$work/stop.log" 2>&1 &
run_pid=$!
tries=0
first=
# The worker is the fifth process: the init, the coordinator, its zygote, a worker.
until [ -n "$first" ] && [ "$(pgrep --count --ns "$first" --nslist pid)" -ge 5 ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || fail "the run does not begin"
    sleep 0.1
    read -r first _ <"/proc/$run_pid/task/$run_pid/children" || true
done
kill -TERM "$first"
status=0
wait $run_pid || status=$?
run_pid=
[ $status -eq 143 ] || fail "stopped with status $status, not 143"
grep -q 'stopped by signal 15' "$work/stop.log" || fail "it did not say what was done"
echo "passed: both images, the run across them, SIGTERM"
