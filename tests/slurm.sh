#!/bin/sh
# A Slurm cluster on the hosts that tests/hosts.sh has made: a slurmd on each, slurmctld and munged on this machine, with keys, state and logs of
# their own. A Slurm that this machine may have is neither used nor touched.
#
#   tests/slurm.sh hold [CPUS]    until standard input ends; then all of it is gone. CPUS: that each host says it has (2)
#
# The hosts are those in $QUARTET_HOSTS_DIR (default: /tmp/quartet-hosts), and the cluster's files are in slurm/ there. Then
#   SLURM_CONF=$QUARTET_HOSTS_DIR/slurm/slurm.conf sinfo
# Jobs are rounded up to whole minutes, get SIGTERM at their time limit and SIGKILL 5 s later; a host that is gone is missed after
# 10 s. Needs root, slurm-wlm and munge.
#
# Exit status: 0; 2 wrong usage; 77 no cluster can be made here (the reason is said); 1 anything else.
set -eu
PATH=$PATH:/usr/sbin:/sbin
hosts_dir=${QUARTET_HOSTS_DIR:-/tmp/quartet-hosts}
dir=$hosts_dir/slurm
pids= # of the daemons; not in a file, which the end of the hosts takes away

say() {
    echo "tests/slurm.sh: $*" >&2
}

usage() {
    say "$*; usage: tests/slurm.sh hold [CPUS]"
    exit 2
}

check_possible() {
    for tool in munged slurmctld slurmd sinfo; do
        command -v "$tool" >/dev/null || {
            say "skipped: '$tool' is missing: deploy/install-packages.sh test"
            exit 77
        }
    done
    [ -s "$hosts_dir/list" ] || {
        say "there are no hosts in '$hosts_dir': 'tests/hosts.sh up N' first"
        exit 1
    }
}

# Waits for `true` of the words behind $1, which says what is waited for.
await() {
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || {
            say "waited in vain for $what"
            tail -n 5 "$dir"/*.log >&2
            return 1
        }
        sleep 0.05
    done
}

# slurmctld is where the bridge is, under a name that stands for the bridge's address: it asks for that of its own name.
write_conf() {
    bridge=$(cat "$hosts_dir/bridge")
    address=$(ip -4 -o address show dev "$bridge" | awk '{ sub(/\/.*/, "", $4); print $4 }')
    port=$((20000 + ${bridge#quartet})) # no other cluster on this machine has that number
    { cat "$hosts_dir/hosts" && echo "$address control"; } >"$dir/hosts"
    cat >"$dir/slurm.conf" <<END
ClusterName=quartet
SlurmctldHost=control($address)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
PlugStackConfig=/dev/null
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n.log
SlurmdTimeout=10
KillWait=5
ReturnToService=2
MailProg=/bin/true
END
    while read -r name host_address _; do
        echo "NodeName=$name NodeAddr=$host_address CPUs=$1 State=UNKNOWN"
    done <"$hosts_dir/list" >>"$dir/slurm.conf"
    echo "PartitionName=all Nodes=ALL Default=YES State=UP" >>"$dir/slurm.conf"
}

start_munged() {
    head -c 1024 /dev/urandom >"$dir/munge.key"
    munged --foreground --force --num-threads 2 --socket "$dir/munge.socket" --key-file "$dir/munge.key" \
        --pid-file "$dir/munge.pid" --seed-file "$dir/munge.seed" --log-file "$dir/munged.log" >"$dir/munged.out" 2>&1 &
    pids="$pids $!"
    await "munged" munge --socket "$dir/munge.socket" --no-input --output /dev/null
}

start_slurmctld() {
    # shellcheck disable=SC2016 # expanded there
    unshare --uts --mount sh -c '
        hostname control
        mount --bind "$1/hosts" /etc/hosts
        exec slurmctld -D -i -f "$1/slurm.conf"' sh "$dir" >"$dir/slurmctld.out" 2>&1 &
    pids="$pids $!"
}

start_slurmd() {
    mkdir "$dir/$1"
    nsenter --target "$2" --net --uts --pid --mount slurmd -D -f "$dir/slurm.conf" >"$dir/$1.out" 2>&1 &
    pids="$pids $!"
}

all_are_idle() {
    [ "$(sinfo --noheader --Node --format %t | grep -cx idle)" -eq "$(wc -l <"$hosts_dir/list")" ]
}

# What the daemons have started there, steps of jobs, ends with the hosts.
down() {
    trap - EXIT
    for pid in $pids; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}

up() {
    (umask 022 && mkdir "$dir" "$dir/state")
    trap 'down' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    write_conf "$1"
    start_munged
    start_slurmctld
    while read -r name _ _ pid _; do
        start_slurmd "$name" "$pid"
    done <"$hosts_dir/list"
    SLURM_CONF=$dir/slurm.conf
    export SLURM_CONF
    await "all hosts to be idle" all_are_idle
    echo "slurm is up: SLURM_CONF=$SLURM_CONF"
}

[ "${1:-}" = hold ] || usage "which command? '${1:-}' is none"
case ${2:-2} in '' | *[!0-9]* | 0*) usage "'$2' is no number of CPUs" ;; esac
check_possible
up "${2:-2}"
cat >/dev/null
