#!/bin/sh
# Print, read, print gives the same bytes: of every example, at every level, after every pass. And the list of passes is
# the table and nothing else.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1

sed -n 's/^PASS(\([a-z_]*\),.*/\1/p' passes/passes.def >"$work/table"
"$cnnc" --list-passes | awk '{ print $1 }' >"$work/listed"
same 'roundtrip/--list-passes is passes.def' "$work/table" "$work/listed"

for net in examples/*.net; do
    check "roundtrip/$(basename "$net")" "$cnnc" --check-roundtrip -c "$net" -o "$work/net.o"
done
check 'roundtrip/resnet.net with bottlenecks' "$cnnc" --check-roundtrip -Ddepth=50 -c examples/resnet.net -o "$work/net.o"
finish
