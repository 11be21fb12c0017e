# Where Debian's packages are, by this machine's own sources. Sourced, not run.
# shellcheck shell=bash

# The address of Debian's archive, which apt knows whatever form its sources have; nothing if they name none.
archive_address() {
    if [[ -n ${DEBIAN_ARCHIVE:-} ]]; then
        echo "$DEBIAN_ARCHIVE"
        return
    fi
    # Once lists were fetched, apt knows which are Debian's own; before that only an address' end tells.
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|//p' | grep -m 1 . ||
        apt-get --print-uris update | sed -n "s|^'\(.*/debian/\)dists/.*|\1|p" | grep -m 1 . || true
}

# The same of its security fixes; nothing if apt has no list of them.
security_address() {
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian-Security|//p' | grep -m 1 . || true
}
