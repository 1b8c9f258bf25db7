#!/bin/sh
# Fail when shellcheck finds anything in a shell script of the project.
# usage: check_shell.sh SOURCE-FOLDER
set -eu
command -v shellcheck >/dev/null || {
    echo "shellcheck is missing: deploy/install-packages.sh test" >&2
    exit 1
}
find "$1" \( -name .git -o -path "$1/build" \) -prune -o -type f -name '*.sh' -exec shellcheck {} +
