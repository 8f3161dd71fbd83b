#!/bin/sh
# The rules of the house that a counter can check: layers, sizes, banned functions, the top level.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
sources=$(find frontend ir passes backends runtime tests examples docs -name '*.[chly]' -o -name '*.def' | LC_ALL=C sort)
found=$work/found

# verdict NAME: passes if $found is empty.
verdict() {
    if [ -s "$found" ]; then fail "style/$1" "$found"; else ok "style/$1"; fi
}

# What each folder may include: folders, or single files. The driver with its verbs sees everything, and so does the
# tuner, which times what passes and back ends make, and fit.c and footprint.c, which foresee
# what the runtime takes.
may_include() {
    case $1 in
    frontend/main.c | frontend/driver.c | frontend/fit.c | frontend/footprint.c | frontend/verb_*.c | frontend/tune.c) echo 'frontend ir passes backends runtime' ;;
    frontend/*) echo 'frontend ir' ;;
    passes/*) echo 'passes ir' ;;
    backends/*) echo 'backends ir runtime/abi.h' ;;
    runtime/*) echo 'runtime' ;;
    ir/*) echo 'ir' ;;
    esac
}

# "a/b.c" includes "../x/y.h": x/y.h; includes "y.h": a/y.h
includes_of() {
    sed -n 's,^ *# *include *"\(.*\)".*,\1,p' "$1" | sed -e t -e 's,^\.\./,,;t' -e "s,^[^/]*$,$(dirname "$1")/&,"
}

check_layers() {
    for f in $sources; do
        allowed=$(may_include "$f")
        [ -n "$allowed" ] || continue
        for i in $(includes_of "$f"); do
            case " $allowed " in
            *" ${i%%/*} "* | *" $i "*) ;;
            *) echo "$f includes $i, and may include only: $allowed" ;;
            esac
        done
        case $f in backends/*) ;; *) grep -Hn 'include <llvm' "$f" ;; esac
    done
}

# Prints "lines file:line" for every function: from the line of its name to the brace that closes it in column 1.
functions() {
    awk '
        FNR == 1 { start = 0; open = 0 }
        !open && /^[A-Za-z_].*\(/ && !/^(typedef|struct|enum|union)[^(]*\{/ && !/=[^=]*\{$/ { start = FNR }
        start && !open && /;[ \t]*$/ && !/\{/ { start = 0 }
        start && !open && /\{.*\}[ \t]*$/ && !/^[ \t]/ { print 1, FILENAME ":" start; start = 0 }
        start && !open && /\{[ \t]*(\/\*.*\*\/)?$/ { open = 1; next }
        open && /^\}/ { print FNR - start + 1, FILENAME ":" start; start = 0; open = 0 }
    ' "$@"
}

check_function_sizes() {
    # shellcheck disable=SC2046  # file names without blanks
    functions $(echo "$sources" | grep '\.c$') >"$work/functions"
    awk '{ n++; if ($1 > 50) long[m++] = $0 }
         END { if (m * 10 > n) { print m " of " n " functions are longer than 50 lines:"; for (i in long) print long[i] } }' \
        "$work/functions"
    awk '$1 > 120 { print $2 " is a function of " $1 " lines; none may be longer than 120" }' "$work/functions"
}

# The C sources without comments and with their names, so that prose may name what code may not call.
without_comments() {
    for f in $(echo "$sources" | grep '\.[ch]$'); do
        cc -fpreprocessed -dD -E -P "$f" 2>/dev/null | sed "s,^,$f: ,"
    done
}

banned='system|popen|strcpy|strcat|v?sprintf|atoi|atof|gets|alloca|mktemp|tmpnam'
top='\.ci|\.clang-format|\.editorconfig|\.gitignore|CMakeLists\.txt|CMakePresets\.json|LICENSE|README\.md'
top="$top|backends|docs|examples|frontend|ir|passes|runtime|tests"

check_layers >"$found"
verdict layers
# shellcheck disable=SC2086  # file names without blanks
wc -l $sources | awk '$2 != "total" && $1 > 800 { print $2 " has " $1 " lines; 800 is the ceiling" }' >"$found"
verdict file_sizes
check_function_sizes >"$found"
verdict function_sizes
without_comments | grep -E "(^|[^A-Za-z0-9_.>])($banned) *\(" >"$found"
verdict banned_functions
# shellcheck disable=SC2086
grep -nE 'TODO|FIXME|(^|[^X])XXX([^X]|$)|# *if 0' $sources >"$found"   # XXXXXX is a template of mkstemp
verdict markers
{ git ls-files 2>/dev/null || ls -A; } | sed 's,/.*,,' | sort -u | grep -vxE "$top|build.*" >"$found"
verdict top_level
if command -v shellcheck >/dev/null; then
    check style/shellcheck shellcheck -x .ci/run tests/*.sh tests/bench/*.sh tests/fuzz/*.sh examples/*.sh
else
    skip style/shellcheck 'no shellcheck here'
fi
finish
