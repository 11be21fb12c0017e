# What all scripts say to the person in front of them, and how they fail. Sourced, not run.
# shellcheck shell=bash

# A line about what is going on; on standard error, so that it never mixes with a result.
say() {
    printf '== %s\n' "$*" >&2
}

# Ends the script with a reason, and what to do about it.
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($#)) && printf '  %s\n' "$@" >&2
    exit 1
}

# Runs a command as a named step, and tells how long it took.
step() {
    local title=$1 started=$SECONDS
    shift
    say "$title"
    "$@"
    say "$title: done in $((SECONDS - started)) s"
}

# The toolchain is the one thing that no package of Debian's brings.
require_swift() {
    local remedy="install Swift 6.2 or later: https://www.swift.org/install" version
    command -v swift >/dev/null || fail "there is no swift on the search path" "$remedy"
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    [[ -n $version ]] || fail "swift --version does not tell a version" "$remedy"
    if ((${version%.*} < 6 || (${version%.*} == 6 && ${version#*.} < 2))); then
        fail "this is Swift $version, which is too old" "$remedy"
    fi
}
