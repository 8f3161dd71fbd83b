#!/bin/sh
# sh examples/quickstart.sh: from a clone to a trained program. Installs what is missing, builds cnnc, makes a data set
# of twelve shapes, compiles shapes.net, trains it, checks its accuracy on pictures it was not trained on, and predicts.
# Everything is written under build/ (or $CNNC_BUILD); running it again starts where nothing changed from what is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/setup.sh
. "$root/tests/setup.sh"
demo=$build/quickstart
least=95    # per cent of the test pictures

say() { printf '\n== %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}

say '1. Packages and build'
install_packages "$packages"
build_preset release cnnc runtime make_shapes
PATH=$build/release:$build/release/tests:$PATH
mkdir -p "$demo"
cd "$demo"

say '2. A data set: 12 classes of JPEG pictures, 250 to train and 50 to test for each'
if [ -e shapes.made ]; then
    echo "(there already: $demo/shapes)"
else
    run make_shapes shapes
    : >shapes.made
fi

say '3. One text file in, one program out'
run cnnc "$root/examples/shapes.net" -o ./shapes-net
run ./shapes-net info

say '4. Train'
run ./shapes-net train --data shapes --out trained

say '5. Accuracy on the 600 test pictures'
run ./shapes-net eval --data shapes --weights trained/shapes-net.safetensors --json >eval.json
cat eval.json
top1=$(sed -n 's/.*"top1": *\([0-9.]*\).*/\1/p' eval.json | head -n 1)

say '6. Pictures it has never seen'
run ./shapes-net predict --weights trained/shapes-net.safetensors -k 3 shapes/unseen/heart.jpg shapes/unseen/star.jpg

if ! awk -v top1="$top1" -v least="$least" 'BEGIN { exit !(100 * top1 >= least) }'; then
    say "FAILED: test accuracy $top1 is below $least %"
    exit 1
fi
say "Done: test accuracy $top1. The program is $demo/shapes-net, its weights are $demo/trained."
