# Sourced by tests/run.sh and examples/quickstart.sh: installs what is missing and builds out of tree.
# Needs $root (the checkout). Gives $build (CNNC_BUILD, or build/ in the checkout) and the functions below.
# shellcheck shell=sh disable=SC2034  # the scripts use what is set here

: "${root:?tests/setup.sh is sourced by scripts that set root}"
build=${CNNC_BUILD:-$root/build}
mkdir -p "$build" || exit 73
build=$(cd "$build" && pwd) || exit 73

# One Debian package a line, and what needs it: first what building takes, then what only the tests do.
packages='
build-essential          C compiler, linker, libc
cmake                    build
ninja-build              build
pkg-config               build
flex                     lexer of the .net language
bison                    parser of the .net language
llvm-19-dev              code generator
libjansson-dev           JSON
libjpeg62-turbo-dev      pictures
libpng-dev               pictures
zlib1g-dev               pictures
libxxhash-dev            checksums of weight files
librandom123-dev         random numbers (Philox)
libopenblas-dev          programs compiled with -fblas, and tests of it
'
test_packages='
libcunit1-dev            unit tests
mandoc                   manual pages
graphviz                 --emit=dot
vim                      docs/editors/vim
chromium-headless-shell  the page of --emit=html
strace                   tests/faults.sh: system calls that fail
clang-19                 fuzzing: tests/fuzz/run.sh
libclang-rt-19-dev       fuzzing: libFuzzer and sanitizers
'

# missing_packages LIST
missing_packages() {
    echo "$1" | while read -r name _; do
        [ -z "$name" ] && continue
        case $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$name" ;;
        esac
    done
}

# Runs apt-get as root: directly, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

cannot_install() {
    echo "setup: cannot install packages: $1." >&2
    echo "setup: ask an administrator for: apt-get install $2" >&2
    exit 71
}

# install_packages LIST: installs the Debian packages that are missing; does not touch apt when none is.
install_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "setup: this is not Debian; the packages of tests/setup.sh are taken to be there under other names"
        return 0
    fi
    missing=$(missing_packages "$1")
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        cannot_install "not root, and there is no sudo" "$missing"
    fi
    echo "setup: installing $missing"
    as_root apt-get update -q >"$build/apt.log" 2>&1 || echo "setup: apt-get update failed; trying with the old lists"
    # shellcheck disable=SC2086  # a list of names
    if ! as_root apt-get install -y -q --no-install-recommends $missing >>"$build/apt.log" 2>&1; then
        tail -n 5 "$build/apt.log" >&2
        cannot_install "apt-get failed, its output is in $build/apt.log" "$missing"
    fi
}

# build_preset PRESET TARGET...: configures the preset of CMakePresets.json in $build/PRESET and builds the targets.
build_preset() {
    preset=$1
    shift
    log=$build/$preset.log
    if ! (cd "$root" && cmake --preset "$preset" -B "$build/$preset") >"$log" 2>&1 ||
        ! cmake --build "$build/$preset" --target "$@" >>"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "setup: the $preset build failed; the whole log is $log" >&2
        exit 70
    fi
}
