#!/bin/sh
# Broken data, broken files, places that cannot be written: one line that names the file, the documented exit status,
# and nothing new on the disk.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
mkdir -p "$work/here"
cd "$work/here" || exit 1

files() { find . | LC_ALL=C sort; }

# bad NAME STATUS TEXT COMMAND...: the exit status is STATUS, stderr is one line that has TEXT, and no file came or
# went.
bad() {
    bad_name=badinput/$1 status=$2 text=$3
    shift 3
    files >"$work/before"
    timeout "$limit" "$@" >"$work/out" 2>"$work/err"
    got=$?
    files >"$work/after"
    grep -v ': warning: ' "$work/err" >"$log"
    {
        [ "$got" = "$status" ] || echo "-- exit status $got, expected $status: $*"
        [ "$(wc -l <"$log")" = 1 ] || echo '-- expected one line on stderr'
        grep -q -e "$text" "$log" || echo "-- expected \"$text\" in the message"
        diff "$work/before" "$work/after" || echo '-- files came or went'
    } >"$work/verdict"
    cat "$work/verdict" >>"$log"
    if [ -s "$work/verdict" ]; then fail "$bad_name" "$log"; else ok "$bad_name"; fi
}

# A copy of the good data whose train/star is about to be spoilt.
spoilt() {
    rm -rf spoilt
    cp -r good spoilt
}

train_on() { echo ./shapes train --data "$1" --steps 4 --out "${2:-out}"; }

bad_data() {
    # shellcheck disable=SC2046  # words of a command
    bad "$1" "$2" "$3" $(train_on "${4:-spoilt}")
}

check_data() {
    bad_data 'missing folder' 66 'nowhere' nowhere
    spoilt; rm spoilt/train/star/*
    bad_data 'empty class' 65 'spoilt/train/star'
    spoilt; for f in spoilt/train/star/*; do echo 'this is no picture' >"$f"; done
    bad_data 'text named .jpg' 65 'spoilt/train/star/....\.jpg: .*on_error = skip'
    spoilt; for f in spoilt/train/star/*; do head -c 700 "$f" >part; mv part "$f"; done
    bad_data 'truncated JPEG' 65 'spoilt/train/star/....\.jpg'
    spoilt; for f in spoilt/train/star/*; do : >"$f"; done
    bad_data 'empty picture' 65 'spoilt/train/star/....\.jpg'
    spoilt; rm -r spoilt/train/star
    bad_data 'a class too few' 65 'spoilt/train'
    rm -rf spoilt
}

# The smallest PNG there is: 1x1.
one_pixel() {
    base64 -d <<'B64'
iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
B64
}

check_pictures() {
    one_pixel >one.png
    bad '1x1 picture' 65 'one.png' ./shapes predict --weights w.safetensors one.png
    echo text >text.jpg
    bad 'predict: text' 65 'text.jpg' ./shapes predict --weights w.safetensors text.jpg
    head -c 900 good/unseen/star.jpg >cut.jpg
    bad 'predict: truncated' 65 'cut.jpg' ./shapes predict --weights w.safetensors cut.jpg
    cp text.jpg "$(printf 'red\033[31m.jpg')"
    ./shapes predict --weights w.safetensors good/unseen/star.jpg red*.jpg >"$log" 2>&1
    if grep -q '^shapes: error: red.x1b.31m.jpg: ' "$log"; then ok 'badinput/control bytes of a name'; else fail 'badinput/control bytes of a name' "$log"; fi
    bad 'predict: missing' 66 'none.jpg' ./shapes predict --weights w.safetensors none.jpg
    bad 'predict: empty standard input' 65 'standard input: the file is empty' ./shapes predict --weights w.safetensors - </dev/null
    bad 'predict: a folder' 66 'good/unseen: not a regular file but a folder' ./shapes predict --weights w.safetensors good/unseen
}

# Nothing but a part to train on is no set to evaluate on.
check_parts() {
    mkdir parts && cp -r good/train parts/train
    bad 'eval: no part of the data for it' 66 'parts has no folder "test" or "val"' ./shapes eval --weights w.safetensors --data parts
}

check_weights() {
    bad 'weights: none' 66 'there is no shapes.safetensors' ./shapes predict good/unseen/star.jpg
    bad 'weights: missing' 66 'none.safetensors' ./shapes predict --weights none.safetensors good/unseen/star.jpg
    bad 'weights: of another net' 65 'other.safetensors' ./shapes predict --weights other.safetensors good/unseen/star.jpg
    head -c 3000 w.safetensors >short.safetensors
    bad 'weights: truncated' 65 'short.safetensors' ./shapes predict --weights short.safetensors good/unseen/star.jpg
    bad 'weights: a picture' 65 'star.jpg' ./shapes predict --weights good/unseen/star.jpg good/unseen/star.jpg
    { cat w.safetensors; printf x; } >long.safetensors
    bad 'weights: a byte too many' 65 'long.safetensors' ./shapes predict --weights long.safetensors good/unseen/star.jpg
}

check_output() {
    : >file
    # shellcheck disable=SC2046
    bad 'train: unwritable output' 73 'file/' $(train_on good file/out)
    bad 'export: unwritable output' 73 'file/w' ./shapes export --init -o file/w.safetensors
    bad 'export: no such folder' 73 'nowhere' ./shapes export --init -o nowhere/w.safetensors
    bad 'cnnc: unwritable output' 73 'file/p' "$cnnc" "$root/examples/shapes.net" -o file/p
    bad 'cnnc: missing source' 66 'none.net' "$cnnc" none.net -o p
    bad 'cnnc: a picture as source' 65 'star.jpg' "$cnnc" good/unseen/star.jpg -o p
}

check_usage() {
    bad 'unknown command' 64 'trian' ./shapes trian
    bad 'unknown option' 64 'epoch' ./shapes train --epoch 3
    bad 'not a number' 64 'many' ./shapes train --epochs many
    bad 'cnnc: unknown option' 64 'unknown' "$cnnc" --unknown x.net
}

mkdir -p out
"$make_shapes" good --train 4 --test 2 || exit 1
check 'badinput/compile' "$cnnc" "$root/examples/shapes.net" -o shapes || { finish; exit; }
check 'badinput/compile another net' "$cnnc" -O0 -march=native "$root/examples/cifar.net" -o cifar
check 'badinput/weights' ./shapes export --init -o w.safetensors
check 'badinput/weights of another net' ./cifar export --init -o other.safetensors
check_data
check_pictures
check_parts
check_weights
check_output
check_usage
finish
