# Sourced by scripts that ask cnnc for its verdict on a file, after lib.sh. A file of expected codes, $tested, and a
# count, $n_passed.
# shellcheck shell=sh disable=SC2154  # lib.sh sets what is not set here

tested=$work/tested
: >"$tested"
n_passed=0

# The status that belongs to a code (ir/diag.h).
status_of() {
    case $1 in
    W*) echo 0 ;;
    E09*) echo 78 ;;
    E0601) echo 66 ;;
    E0130) echo 64 ;;
    *) echo 65 ;;
    esac
}

# expect NAME PLACE CODE ARGUMENT...: cnnc reports CODE at PLACE of the last argument's file, and nothing like a crash.
expect() {
    name=$1 place=$2 code=$3
    shift 3
    for file in "$@"; do :; done
    case $place in
    -) prefix='cnnc: error: ' ;;
    command) prefix='command line:1:' ;;
    *.net:*) prefix="$place: " ;;
    *) prefix="$file:$place: " ;;
    esac
    timeout 60 "$cnnc" --emit=graph -o "$work/out" "$@" >"$log" 2>&1
    status=$?
    echo "$code" >>"$tested"
    if [ "$status" = "$(status_of "$code")" ] && grep -F -e "$prefix" "$log" | grep -qF "[$code]" &&
        ! grep -qE 'internal error|Sanitizer|runtime error' "$log"; then
        ok "$name"
        n_passed=$((n_passed + 1))
    else
        echo "expected status $(status_of "$code"), $prefix... [$code]; got status $status" >>"$log"
        fail "$name" "$log"
    fi
}

accept() {
    name=$1
    shift
    if timeout 60 "$cnnc" --emit=graph -o "$work/out" "$@" >"$log" 2>&1; then
        ok "$name"
        n_passed=$((n_passed + 1))
    else
        fail "$name" "$log"
    fi
}
