#include "coordinator/launch/launch_push.h"

#include "common/base/err.h"
#include "coordinator/launch/launch_shell.h"
#include "coordinator/launch/shell_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char SEND[] = "quartet-push: send";
static const char FAILED[] = "quartet-push: failed ";

/* $0 is the hash; then come the kind of machine, the size, "kept" or "anew", the script that follows,
 * and the worker's arguments. No single quote, line end, backslash or exclamation mark may be in here:
 * the login shell there may be csh or fish.
 *
 * `mine`: nobody else can put anything in there. `whole`: no file is missing or empty; what else may be
 * wrong shows when the worker is started (then "anew"). Everything that makes files is in a subshell: its
 * umask is not the worker's. `head -c` of busybox reads more than it is asked for, therefore nothing is sent
 * behind the archive before the greeting. Two that come here at the same time both bring a bundle;
 * the second `mv` puts its own into that of the first, where it is removed, by both perhaps: then one `rm` may fail. */
static const char SCRIPT[] =
    "hash=$0; machine=$1; size=$2; mode=$3; next=$4; shift 4; "
    "base=${XDG_CACHE_HOME:-$HOME/.cache}/quartet/bundle; kept=$base/$hash; "

    "fail() { echo \"quartet-push: failed $*\"; exit 1; }; "

    "mine() { case $(ls -ld \"$1\" 2>/dev/null) in drwx------*) [ -O \"$1\" ];; *) false;; esac; "
    "}; "

    "whole() { [ -s \"$kept/FILES\" ] && "
    "while read -r f; do [ -s \"$kept/$f\" ] || return 1; done <\"$kept/FILES\"; }; "

    "room() { df -Pk \"$base\" 2>/dev/null | while read -r a b c free d; do "
    "case $free in *[0-9]) echo \"$free kB free there\";; esac; done; }; "

    "make() { why=$(mkdir -p \"$base\" 2>&1) || fail \"$why\"; "
    "for d in \"${base%/*}\" \"$base\"; do mine \"$d\" || "
    "fail \"$d belongs to somebody else, or is open to others: chmod 700 it\"; done; "
    "for t in tar gzip head wc mktemp; do command -v $t >/dev/null || fail \"it has no $t\"; done; "
    "new=$(mktemp -d \"$base/.new-XXXXXX\" 2>&1) || fail \"$new\"; }; "

    "clean() { rm -rf \"$new\"; }; "

    "receive() { why=$(head -c \"$size\" 2>&1 >\"$new/archive\") || "
    "fail \"cannot keep it in $base ($(room)): $why\"; "
    "[ \"$(wc -c <\"$new/archive\")\" -eq \"$size\" ] || fail \"the copy broke off\"; "
    "command -v sha256sum >/dev/null || return 0; "
    "sum=$(sha256sum <\"$new/archive\"); "
    "[ \"${sum%% *}\" = \"$hash\" ] || fail \"it arrived damaged\"; }; "

    "unpack() { why=$(tar xzmf \"$new/archive\" -C \"$new\" 2>&1) || "
    "fail \"cannot unpack it in $base ($(room)): $why\"; rm -f \"$new/archive\"; "
    "why=$(\"$new/quartet-bundle/bin/quartet-worker\" --version 2>&1 </dev/null) || "
    "fail \"its worker cannot be run in $base, which may be mounted noexec "
    "(XDG_CACHE_HOME there says where else): $why\"; }; "

    /* One that is there is whole, or broken: it came by a rename. Two that mend it at once may each see a moment without one. */
    "keep() { if [ -e \"$kept\" ]; then [ $mode = kept ] && whole && return; "
    "mv \"$kept\" \"$new/old\" 2>/dev/null; fi; "
    "mv \"$new/quartet-bundle\" \"$kept\" 2>/dev/null; "
    "for i in 1 2 3; do rm -rf \"$kept/quartet-bundle\" 2>/dev/null && whole && return; sleep 1; "
    "done; "
    "whole || fail \"cannot keep it as $kept\"; }; "

    /* The others of the last three that were used, and what broken launches left a day ago. */
    "prune() { n=0; for o in $(ls -t \"$base\"); do [ $o = $hash ] && continue; n=$((n + 1)); "
    "[ $n -le 2 ] || rm -rf \"$base/$o\"; done; "
    "find \"$base\" -maxdepth 1 -name \".new-*\" -mtime +0 -exec rm -rf {} + 2>/dev/null; }; "

    "bring() { umask 077; make; trap clean EXIT; trap \"exit 1\" HUP INT TERM PIPE; "
    "echo \"quartet-push: send\"; receive; unpack; keep; prune; exit 0; }; "

    "kind=$(uname -m); [ \"$kind\" = \"$machine\" ] || "
    "fail \"it is a machine of kind $kind, and the bundle is for $machine: "
    "--bundle quartet-bundle-$kind.tar.gz\"; "
    "case $base in /*) ;; *) fail \"neither XDG_CACHE_HOME nor HOME is an absolute path\";; esac; "
    "if [ $mode = kept ] && mine \"${base%/*}\" && mine \"$base\" && whole; "
    "then touch -c \"$kept\" 2>/dev/null; else (bring) || exit 1; fi; "
    "exec sh -c \"$next\" \"$kept/bin/quartet-worker\" \"$@\"";

int launch_push_command(const struct launch_push *push,
                        bool access,
                        const char *const *arguments,
                        char *ret_command,
                        size_t size)
{
    struct shell_words words = {.bytes = ret_command, .size = size};
    char size_bytes[24];
    (void)snprintf(size_bytes, sizeof(size_bytes), "%" PRIu64, push->size_bytes);
    shell_words_add(&words, "exec sh -c");
    const char *const own[] = {SCRIPT,
                               push->hash,
                               push->machine,
                               size_bytes,
                               push->anew ? "anew" : "kept",
                               launch_shell_script(access)};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        shell_words_quote(&words, own[i]);
    }
    for (size_t i = 0; arguments[i] != NULL; i++) {
        shell_words_quote(&words, arguments[i]);
    }
    return words.full ? ERR_INVALID : 0;
}

enum launch_push_word launch_push_hear(const char *line, const char **ret_words)
{
    if (strcmp(line, SEND) == 0) {
        return LAUNCH_PUSH_SEND;
    }
    if (strncmp(line, FAILED, sizeof(FAILED) - 1) == 0) {
        *ret_words = line + sizeof(FAILED) - 1;
        return LAUNCH_PUSH_FAILED;
    }
    return LAUNCH_PUSH_OTHER;
}
