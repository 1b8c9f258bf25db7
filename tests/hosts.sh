#!/bin/sh
# Hosts on this machine, for launchers that go over ssh: each has its own name, address (IPv4 and IPv6), processes, and an sshd on
# port 22 with a host key of its own. They and this machine are joined by a bridge.
#
#   tests/hosts.sh up N [--quota CORES] [--bare]    make h1 to hN; says where their ssh_config is
#   tests/hosts.sh hold N [--quota CORES] [--bare]  the same, until standard input ends; then takes them down
#   tests/hosts.sh list                             name, address, IPv6 address, pid of its sshd, interface on this machine
#   tests/hosts.sh down                             everything that `up` made is gone afterwards
#
# Hosts see the files of this machine. With --bare each has a root of its own: the system's directories, without the libraries that
# quartet needs and a plain installation has not, and an empty home; nothing of this build, or of what users have here, is in it.
#
# All files are in $QUARTET_HOSTS_DIR (default: /tmp/quartet-hosts), one set of hosts in each such directory. Then
#   ssh -F $QUARTET_HOSTS_DIR/ssh_config h1 uname -n
# `hN` is reached by IPv4, `hN-6` by IPv6. Needs root, iproute2, nftables, util-linux, openssh-server and openssh-client. The sshd of
# this machine, its keys and its configuration are neither used nor touched.
#
# Exit status: 0; 2 wrong usage; 77 no hosts can be made here (the reason is said); 1 anything else.
set -eu
PATH=$PATH:/usr/sbin:/sbin
dir=${QUARTET_HOSTS_DIR:-/tmp/quartet-hosts}
hosts_max=100

say() {
    echo "tests/hosts.sh: $*" >&2
}

skip() {
    say "skipped: $*"
    exit 77
}

usage() {
    say "$*; usage: tests/hosts.sh up N [--quota CORES] [--bare] | hold N [--quota CORES] [--bare] | list | down"
    exit 2
}

check_possible() {
    [ "$(id -u)" -eq 0 ] || skip "joining namespaces to this machine's network needs root"
    for tool in ip nft unshare nsenter ssh ssh-keygen sshd; do
        command -v "$tool" >/dev/null || skip "'$tool' is missing: deploy/install-packages.sh test"
    done
    why=$(unshare --net --uts --ipc --mount --pid --fork true 2>&1) || skip "no namespaces here: $why"
}

# --- files ---

write_key() {
    ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$1"
}

# What ssh must know of host $1, reached at $2; $3: as which name.
add_to_ssh_config() {
    cat >>"$dir/ssh_config" <<END
Host $3
    HostName $2
    HostKeyAlias $1
END
}

end_ssh_config() {
    cat >>"$dir/ssh_config" <<END
Host *
    User root
    IdentityFile $dir/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $dir/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    SendEnv QUARTET_*
END
}

write_sshd_config() {
    cat >"$dir/$1/sshd_config" <<END
Port 22
ListenAddress 0.0.0.0
ListenAddress ::
HostKey $dir/$1/host_key
AuthorizedKeysFile $dir/user_key.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
AcceptEnv QUARTET_*
END
}

# --- a quota of cores, by whichever kind of control group there is ---

# Prints the directory of the group of host $1, which has $2 cores; fails in words when there is none to be had.
make_group() {
    period_us=100000
    quota_us=$(awk -v cores="$2" -v period="$period_us" 'BEGIN { printf "%d", cores * period }')
    if [ -e /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
        group=/sys/fs/cgroup/cpu/$bridge-$1
        echo "$group" >>"$dir/groups"
        mkdir "$group"
        echo "$period_us" >"$group/cpu.cfs_period_us"
        echo "$quota_us" >"$group/cpu.cfs_quota_us"
    elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
        group=/sys/fs/cgroup/$bridge-$1
        echo "$group" >>"$dir/groups"
        mkdir "$group"
        echo "$quota_us $period_us" >"$group/cpu.max"
    else
        skip "no quota of cores can be set: no cgroup with the cpu controller is mounted at /sys/fs/cgroup"
    fi
    echo "$group"
}

# --- one host ---

# What runs inside, as the first process there; sshd takes its place. Its end is the end of everything in the host. A root of its own
# is put together in a directory that only this host sees as that.
# shellcheck disable=SC2016 # expanded there
inside='
    set -eu
    hostname "$2"
    if [ -n "$3" ]; then
        root=$1/$2/root
        mkdir "$root"
        mount -t tmpfs -o mode=755 none "$root"
        for part in bin etc lib lib64 sbin usr; do
            if [ -h "/$part" ]; then
                cp -P "/$part" "$root/$part"
            elif [ -d "/$part" ]; then
                mkdir "$root/$part"
                mount --bind "/$part" "$root/$part"
            fi
        done
        for library in libzmq.so.5 libprotobuf-c.so.1 libuv.so.1 libsodium.so.23; do
            for file in "$root"/usr/lib/*/$library "$root"/lib/*/$library; do
                [ ! -f "$file" ] || mount --bind /dev/null "$file"
            done
        done
        mkdir -p "$root/dev" "$root/proc" "$root/run" "$root/tmp" "$root/root" "$root/old" "$root$1"
        chmod 1777 "$root/tmp"
        mount --rbind /dev "$root/dev"
        mount -t proc none "$root/proc"
        mount --bind "$1" "$root$1"
        cd "$root"
        pivot_root . old
        umount -l /old
        rmdir /old
    fi
    mount -t tmpfs none /run
    mkdir /run/sshd
    mount --bind "$1/hosts" /etc/hosts
    exec "$(command -v sshd)" -D -e -f "$1/$2/sshd_config"
'

# Waits for `true` of the words behind $1, which says what is waited for.
await() {
    what=$1
    shift
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || {
            say "waited in vain for $what"
            return 1
        }
        sleep 0.02
    done
}

has_own_network() {
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ] && [ -n "$(child_of "$1")" ]
}

child_of() {
    cat "/proc/$1/task/$1/children"
}

listens() {
    nsenter --target "$1" --net ss -ltnH 'sport = :22' | grep -q .
}

start_host() {
    name=h$1
    port=$bridge-$name
    echo "$port" >>"$dir/ports"
    # The holder waits outside for the one inside; both end when the one inside is killed.
    setsid unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
        sh -c "read -r _ <\"\$1/\$2/go\"; $inside" sh "$dir" "$name" "$bare" >"$dir/$name/log" 2>&1 <&- &
    holder=$!
    echo "$holder" >>"$dir/pids"
    await "the namespaces of $name" has_own_network "$holder"
    pid=$(child_of "$holder")
    pid=${pid% }
    echo "$pid" >>"$dir/pids"
    [ -z "$quota" ] || {
        group=$(make_group "$name" "$quota")
        echo "$pid" >"$group/cgroup.procs"
    }
    # Addresses of the hardware that stay the same: others would be looked for in vain for a while.
    ip link add "$port" address "$(printf '02:00:%02x:00:01:%02x' "$number" "$1")" type veth \
        peer name eth0 address "$(printf '02:00:%02x:00:02:%02x' "$number" "$1")" netns "$pid"
    ip link set "$port" master "$bridge" up
    nsenter --target "$pid" --net ip -batch - <<END
link set lo up
address add $net4.$((10 + $1))/24 dev eth0
address add $net6::$((10 + $1))/64 dev eth0 nodad
link set eth0 up
END
    echo go >"$dir/$name/go"
    await "the sshd of $name" listens "$pid" || {
        cat "$dir/$name/log" >&2
        return 1
    }
    echo "$name $net4.$((10 + $1)) $net6::$((10 + $1)) $pid $port" >>"$dir/list"
}

# --- all of them ---

# The first free number; the bridge of that name is the claim to it, for whoever comes at the same time.
make_bridge() {
    number=0
    until ip link add "quartet$number" type bridge 2>/dev/null; do
        number=$((number + 1))
        [ $number -lt 256 ] || skip "no bridge can be made: $(ip link add quartet0 type bridge 2>&1)"
    done
    bridge=quartet$number
    echo "$bridge" >"$dir/bridge"
    net4=198.18.$number # RFC 2544: for tests of networks
    net6=fd71:7561:7274:$number
    ip address add "$net4.1/24" dev "$bridge"
    ip address add "$net6::1/64" dev "$bridge" nodad 2>/dev/null || say "no IPv6 here"
    ip link set "$bridge" up
}

write_files() {
    write_key "$dir/user_key" user
    echo "127.0.0.1 localhost" >"$dir/hosts"
    : >"$dir/ssh_config"
    for i in $(seq "$1"); do
        mkdir "$dir/h$i"
        mkfifo "$dir/h$i/go"
        write_key "$dir/h$i/host_key" "h$i"
        echo "h$i $(cut -d ' ' -f 1,2 "$dir/h$i/host_key.pub")" >>"$dir/known_hosts"
        echo "$net4.$((10 + i)) h$i" >>"$dir/hosts"
        add_to_ssh_config "h$i" "$net4.$((10 + i))" "h$i"
        add_to_ssh_config "h$i" "$net6::$((10 + i))" "h$i-6"
        write_sshd_config "h$i"
    done
    end_ssh_config
}

up() {
    check_possible
    (umask 077 && mkdir "$dir") 2>/dev/null || {
        say "'$dir' exists already: 'tests/hosts.sh down' first, or set QUARTET_HOSTS_DIR to another directory"
        exit 1
    }
    trap 'down' EXIT # until all is well
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    make_bridge
    write_files "$1"
    for i in $(seq "$1"); do
        start_host "$i"
    done
    trap - EXIT
    echo "$1 hosts are up: ssh -F $dir/ssh_config h1"
}

is_gone() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

is_removed() {
    [ ! -d "$1" ] || rmdir "$1"
}

each_of() {
    cat "$dir/$1" 2>/dev/null || true
}

down() {
    trap - EXIT
    for pid in $(each_of pids); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    for pid in $(each_of pids); do
        await "the end of process $pid" is_gone "$pid" || true
    done
    for port in $(each_of ports); do
        nft delete table netdev "cut_$port" 2>/dev/null || true
        ip link delete "$port" 2>/dev/null || true
    done
    for group in $(each_of groups); do
        await "the end of all in $group" is_removed "$group" || true
    done
    for bridge in $(each_of bridge); do
        ip link delete "$bridge" 2>/dev/null || true
    done
    rm -rf "$dir"
}

parse_up() {
    count=${1:-}
    quota=
    bare=
    case $count in '' | *[!0-9]*) usage "how many hosts? '$count' is no number" ;; esac
    if [ "$count" -lt 1 ] || [ "$count" -gt $hosts_max ]; then
        usage "$count hosts cannot be made: 1 to $hosts_max"
    fi
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --quota)
            quota=${2:-none}
            [ $# -eq 1 ] || shift
            awk -v cores="$quota" 'BEGIN { exit !(cores + 0 >= 0.01) }' || usage "a quota of '$quota' cores is none"
            ;;
        --bare) bare=yes ;;
        *) usage "what is '$1'?" ;;
        esac
        shift
    done
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
up)
    parse_up "$@"
    up "$count"
    ;;
hold)
    parse_up "$@"
    up "$count"
    trap 'down' EXIT
    cat >/dev/null
    ;;
list) each_of list ;;
down) down ;;
*) usage "which command? '$command' is none" ;;
esac
