# What building Starling needs from Debian, and how it gets there. Sourced by deploy/run, deploy/build-static and Tests/run; not run.
# shellcheck shell=bash

# The toolchain's own libraries (it is unpacked, not installed, so nobody brought them), a linker with the C and C++ libraries,
# and OpenSSL. `g++` brings the `libstdc++-…-dev` and `gcc` of the release.
build_needs=(libncurses6 libsqlite3-0 libxml2 libcurl4 zlib1g-dev binutils gcc g++ libc6-dev libssl-dev pkg-config)

as_root() {
    if (($(id -u) == 0)); then "$@"; else sudo -n "$@"; fi
}

# Whether the package is installed, by this name or by that of the 64-bit time transition (libcurl4t64).
is_installed() {
    # dpkg-query fails when it knows only one of the two.
    [[ $(dpkg-query -W -f '${Status}\n' "$1" "$1t64" 2>/dev/null || true) == *" installed"* ]]
}

# Installs what is missing of the named packages. Says what it installs; on failure, the end of apt's own words.
debian() {
    local missing=() package log
    command -v dpkg-query >/dev/null || return 1
    for package in "$@"; do is_installed "$package" || missing+=("$package"); done
    ((${#missing[@]})) || return 0
    if (($(id -u) != 0)) && ! sudo -n true 2>/dev/null; then
        echo "not root, and sudo wants a password; please run: sudo apt-get install ${missing[*]}"
        return 1
    fi
    echo "installing from Debian: ${missing[*]}"
    log=$(mktemp)
    if ! { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1; then
        tail -n 5 "$log"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Whether this machine can build: the packages, where there is a Debian to bring them, and a Swift toolchain that starts.
can_build() {
    local version
    if ! command -v swift >/dev/null; then
        echo "no Swift toolchain: \`swift\` (6.2 or newer) is not on the PATH. Get one from https://www.swift.org/install/linux (the archive"
        echo "for this Debian; unpack it and put its usr/bin on the PATH), or take a Starling that is already built."
        return 1
    fi
    # Elsewhere than on Debian they have other names; then the build itself says what it misses.
    if command -v apt-get >/dev/null; then debian "${build_needs[@]}" || return 1; fi
    if ! version=$(swift --version 2>&1); then
        echo "the Swift toolchain does not start:"
        tail -n 3 <<<"$version"
        return 1
    fi
    if ! pkg-config --exists openssl 2>/dev/null; then
        echo "OpenSSL's headers (libssl-dev) or pkg-config are missing"
        return 1
    fi
}
