#!/bin/sh
# Fail when a pure library uses anything but its own kind and the harmless part of libc: memory, strings, formatting into memory.
# No clock, random source, thread, socket, file or terminal. The one exception is check_failed in err.c of base, which
# prints why it aborts.
# usage: check_pure_symbols.sh LIBRARY.a...
set -eu

allowed='mem(cpy|move|set|cmp|chr|rchr|mem)|str[a-z]*|malloc|calloc|realloc|free|abort|v?snprintf|qsort|bsearch|isoc99_.*'
allowed="$allowed|ldexp|frexp|floor|ceil|round|llround|fabs|sqrt|pow|log|log2|exp|isnan|isinf|finite"
# What compilers add by themselves: stack protector, fortified functions, sanitizers, coverage, 128-bit arithmetic.
allowed="$allowed|__stack_chk_fail|__(mem|str|v?snprintf|isoc99)[a-z0-9_]*|__(asan|ubsan|tsan|sanitizer|gcov|llvm|sancov)_.*"
allowed="$allowed|_GLOBAL_OFFSET_TABLE_|__[a-z]*ti[0-9]"
# Tables of options are data.
allowed="$allowed|cli_table_[a-z]*"
# JSON as values and text in memory, and base64: of jansson and libsodium what touches nothing else.
allowed="$allowed|json_(object|array|true|false|dumps|delete)|build_(whole|text|object|array|set|append|take)"
allowed="$allowed|sodium_(base64_encoded_len|bin2base64|memzero)"
# Generated protobuf code, which wire alone links.
allowed="$allowed|quartet__.*|protobuf_c_.*"

defined=$(mktemp)
trap 'rm -f "$defined"' EXIT
nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u >"$defined"

# nm prints "ARCHIVE:MEMBER: U SYMBOL", and a line for each archive.
bad=$(nm -A -u "$@" | awk 'NF == 3 { sub(/@.*/, "", $3); print $1, $3 }' |
    awk -v defined="$defined" -v allowed="^($allowed)\$" '
        BEGIN { while ((getline symbol < defined) > 0) ours[symbol] = 1 }
        $2 in ours { next }
        $2 ~ allowed { next }
        $1 ~ /libquartet_base\.a:err\.c\.o:$/ && $2 ~ /^(stderr|fprintf|__fprintf_chk)$/ { next }
        { print }')
if [ -n "$bad" ]; then
    echo "a pure library uses what it may not:"
    echo "$bad"
    exit 1
fi
