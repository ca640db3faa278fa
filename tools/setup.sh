# shellcheck shell=bash disable=SC2034 # the lists are for those who source this
# What this repository needs beside the .NET SDK, and how to get it; sourced by the other tools.
# All lists of packages are here. A line is COMMAND[|COMMAND...]:PACKAGE, satisfied by any of the commands, or
# /FILE:PACKAGE, satisfied by the file.

build_needs='cmake:cmake g++:g++ ninja|make:ninja-build'
# Names in stacks come quicker than by addr2line (which comes with g++); words in pictures need some font.
build_wishes='llvm-symbolizer:llvm /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core'
test_needs="$build_needs ninja:ninja-build clang-format:clang-format shellcheck:shellcheck valgrind:valgrind
  musl-gcc:musl-tools aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-aarch64:qemu-user gcore:gdb dot:graphviz sqlite3:sqlite3 perl:perl git:git make:make go:golang-go redis-server:redis-server redis-benchmark:redis-tools nginx:nginx-light
  /usr/lib/x86_64-linux-gnu/libjemalloc.so.2:libjemalloc2 /usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4:libtcmalloc-minimal4
  /usr/lib/x86_64-linux-gnu/libmimalloc.so.2:libmimalloc2.0 google-pprof:google-perftools chromium:chromium node:nodejs curl:curl /usr/bin/python3:python3 /usr/lib/python3/dist-packages/junitparser/__init__.py:python3-junitparser /usr/lib/python3.11/test/test_json/__init__.py:libpython3.11-testsuite
  /usr/include/x86_64-linux-gnu/libunwind.h:libunwind-dev /usr/include/gtest/gtest.h:libgtest-dev"
# Without npm and pip tests that need the schema or the definitions of another program are skipped.
test_wishes="$build_wishes npm:npm pip3:python3-pip"
soak_needs="$test_needs /usr/lib/postgresql/15/bin/pgbench:postgresql-15 java:default-jre-headless javac:default-jdk-headless"
bench_needs="$build_needs heaptrack:heaptrack sqlite3:sqlite3 /usr/bin/python3:python3 redis-server:redis-server
  redis-benchmark:redis-tools node:nodejs curl:curl /usr/lib/x86_64-linux-gnu/libjemalloc.so.2:libjemalloc2
  /usr/lib/x86_64-linux-gnu/libtcmalloc.so.4:libgoogle-perftools4"

# Packages of the given list whose command or file is not there.
missing_packages() {
    local entry what command found
    for entry in $1; do
        what=${entry%:*} found=no
        if [[ $what == /* ]]; then
            [[ -e $what ]] && found=yes
        else
            for command in ${what//|/ }; do
                command -v "$command" >/dev/null && found=yes
            done
        fi
        [[ $found == yes ]] || printf '%s\n' "${entry##*:}"
    done
}

# Installs the packages of the first list that are missing (and, when it installs at all or may, of the second, which
# nobody misses). Without root: prints the command and exits 1.
install_missing() {
    local needed wished
    mapfile -t needed < <(missing_packages "$1" | sort -u)
    mapfile -t wished < <(missing_packages "${2:-}" | sort -u)
    if ! command -v dotnet >/dev/null; then
        echo 'nativeheap: error: the .NET SDK 10 is missing: https://dotnet.microsoft.com/download' >&2
        exit 1
    fi
    if ((EUID != 0)); then
        ((${#needed[@]} == 0)) && return
        echo "nativeheap: error: some packages are missing; install them with: sudo apt-get install ${needed[*]}" >&2
        exit 1
    fi
    ((${#needed[@]} + ${#wished[@]} == 0)) && return
    if ! command -v apt-get >/dev/null; then
        ((${#needed[@]} == 0)) && return
        echo "nativeheap: error: please install what Debian calls: ${needed[*]}" >&2
        exit 1
    fi
    echo "nativeheap: installing ${needed[*]} ${wished[*]}" >&2
    # RUNLEVEL=1 keeps packages with a service (redis, nginx) from starting it.
    {
        apt-get update -qq
        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${needed[@]}" "${wished[@]}"
    } </dev/null >&2
}
