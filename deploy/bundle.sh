#!/bin/sh
# Make what `--push` copies to hosts that have nothing installed: quartet-worker with every library that it loads, down to the C library
# and its loader, so that neither an older nor a newer one there matters (nor one of another kind, as musl).
#
#   deploy/bundle.sh WORKER DIRECTORY ARCHIVE
#
# WORKER: the program. DIRECTORY: filled anew; its last part, quartet-bundle, is what the archive unpacks to. ARCHIVE: a .tar.gz, the same
# to the byte whenever it is made of the same files; ARCHIVE.sha256 beside it is its name on hosts. The target `bundle` runs this.
#
#   bin/quartet-worker    runs lib/quartet-worker by the loader in lib/, with the libraries in lib/ and no others
#   lib/                  the program, the loader, the libraries
#   LIBRARIES             file, package, version, and where its copyright is: share/doc/PACKAGE/copyright
#   FILES                 all in bin/ and lib/: a host sees by it that nothing that is needed to run is missing
set -eu
LC_ALL=C
export LC_ALL

fail() {
    echo "deploy/bundle.sh: $*" >&2
    exit 1
}

[ $# -eq 3 ] || fail "usage: deploy/bundle.sh WORKER DIRECTORY ARCHIVE"
worker=$1
directory=$2
archive=$3
[ "${directory##*/}" = quartet-bundle ] || fail "'$directory' does not end in /quartet-bundle"
[ -x "$worker" ] || fail "'$worker' is no program"
for tool in ldd tar gzip sha256sum strip; do
    command -v "$tool" >/dev/null || fail "'$tool' is missing"
done

# The path of each library of $1, and of those that these load, as the loader here finds them.
libraries_of() {
    ldd "$1" >"$work/ldd" || fail "'$1' loads no libraries that could be found"
    ! grep 'not found' "$work/ldd" >&2 || fail "'$1' lacks the libraries above"
    awk '$2 == "=>" { print $3 } $1 ~ /^\// && $2 != "=>" { print $1 }' "$work/ldd" | sort -u
}

copy_program() {
    mkdir -p "$directory/bin" "$directory/lib" "$directory/share"
    cp "$worker" "$directory/lib/quartet-worker"
    strip --strip-debug "$directory/lib/quartet-worker"
    while read -r library; do
        cp -L "$library" "$directory/lib/"
    done <"$work/libraries"
    loader=$(basename "$(grep -E '/ld(-linux.*|64)?\.so\.[0-9]+$' "$work/libraries")")
    [ -n "$loader" ] || fail "no loader (ld.so) is among the libraries of '$worker'"
}

# Which packages the libraries are of ("PACKAGE PATH"), and which versions those have ("PACKAGE VERSION"). ldd says /lib where dpkg may know the file in /usr/lib, or the other way round.
name_packages() {
    while read -r library; do
        real=$(readlink -f "$library")
        printf '%s\n%s\n%s\n' "${real#/usr}" "/usr${real#/usr}" "$library"
    done <"$work/libraries" | sort -u | xargs dpkg-query -S 2>/dev/null | sed 's/\(:[^:]*\)\?: / /' >"$work/owners" || true
    # shellcheck disable=SC2016 # dpkg-query's own
    cut -d ' ' -f 1 "$work/owners" | sort -u | xargs dpkg-query -W -f '${Package} ${Version}\n' 2>/dev/null | sort -u >"$work/versions" || true
}

# Copy the copyright of package $1 ("": none is known), which library $2 is of; prints where it is in the bundle.
copy_copyright() {
    copyright=share/doc/$1/copyright
    if [ -n "$1" ] && [ -e "/usr/$copyright" ]; then
        mkdir -p "$directory/share/doc/$1"
        cp -L "/usr/$copyright" "$directory/$copyright"
        echo "$copyright"
    else
        echo "deploy/bundle.sh: note: no copyright of '$2' is known here (package '$1'), and none is in the bundle" >&2
        echo -
    fi
}

# Debian's copyright files name the licences that are the same for many packages; those go along too.
list_libraries() {
    cp -rL /usr/share/common-licenses "$directory/share/common-licenses" 2>/dev/null || true
    while read -r library; do
        real=$(readlink -f "$library")
        package=$(awk -v a="${real#/usr}" -v b="/usr${real#/usr}" -v c="$library" \
            '$2 == a || $2 == b || $2 == c { print $1; exit }' "$work/owners")
        version=$(awk -v package="$package" '$1 == package { print $2; exit }' "$work/versions")
        printf '%s\t%s\t%s\t%s\n' "lib/${library##*/}" "${package:--}" "${version:--}" "$(copy_copyright "$package" "$library")"
    done <"$work/libraries" >"$directory/LIBRARIES"
}

write_runner() {
    # shellcheck disable=SC2016 # expanded when it runs
    printf '%s\n' '#!/bin/sh' \
        '# Run quartet-worker by the loader and with the libraries that came along.' \
        'self=$0' \
        'if [ -h "$self" ]; then self=$(readlink -f "$self"); fi' \
        'case $self in */*) lib=${self%/*}/../lib ;; *) lib=../lib ;; esac' \
        "exec \"\$lib/$loader\" --library-path \"\$lib\" --argv0 \"\$0\" \"\$lib/quartet-worker\" \"\$@\"" \
        >"$directory/bin/quartet-worker"
    chmod 755 "$directory/bin/quartet-worker"
}

list_files() {
    (cd "$directory" && find bin lib -type f | sort) >"$directory/FILES"
}

# No times, owners, or modes of this machine, and an order of its own.
write_archive() {
    tar -C "$directory/.." --sort=name --mtime=@946684800 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=ustar \
        -cf - quartet-bundle | gzip -6n >"$archive.new"
    hash=$(sha256sum <"$archive.new")
    hash=${hash%% *}
    printf '%s  %s\n' "$hash" "${archive##*/}" >"$archive.sha256.new"
    mv "$archive.new" "$archive"
    mv "$archive.sha256.new" "$archive.sha256"
}

in_mb() {
    awk -v bytes="$1" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'
}

work=$(mktemp -d)
trap 'rm -rf "$work" "$archive.new" "$archive.sha256.new"' EXIT
rm -rf "$directory"
libraries_of "$worker" >"$work/libraries"
copy_program
name_packages
list_libraries
write_runner
list_files
write_archive
echo "${archive##*/}: $(in_mb "$(wc -c <"$archive")"), unpacked $(in_mb "$(du -sb "$directory" | cut -f 1)")," \
    "$(wc -l <"$work/libraries") libraries, sha256 $hash"
