#!/bin/sh
# What cnnc says about a net: --report=summary, fusion, memory and --emit=dot. The whole text for one small net
# (tests/reports/), for the examples what must agree with other figures. UPDATE=1 writes the expected texts anew.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
net=tests/reports/small.net

# expect NAME COMMAND...: it prints tests/reports/NAME.txt.
expect() {
    expect_name=$1
    shift
    timeout "$limit" "$@" >"$work/$expect_name.txt" 2>&1
    if [ -n "${UPDATE:-}" ]; then cp "$work/$expect_name.txt" "tests/reports/$expect_name.txt"; fi
    if diff "tests/reports/$expect_name.txt" "$work/$expect_name.txt" >"$log" 2>&1; then
        ok "reports/$expect_name"
    else
        fail "reports/$expect_name" "$log"
    fi
}

expect summary "$cnnc" check --report=summary "$net"
expect depth "$cnnc" check --report=summary --depth=2 "$net"
expect fusion "$cnnc" check --report=fusion -march=x86-64-v3 "$net"
expect memory "$cnnc" check --report=memory -march=x86-64-v3 "$net"
expect dot "$cnnc" --emit=dot -o - "$net"

# The compiler prints the same to standard error.
"$cnnc" --report=fusion -march=x86-64-v3 --emit=loops -o "$work/loops" "$net" 2>"$work/compiled"
sed 1d tests/reports/fusion.txt >"$work/checked"
same 'reports/fusion, compiling' "$work/checked" "$work/compiled"

# PARAMETERS MULTIPLY-ADDS FILE OPTION...: as published (tests/published.sh says where).
while read -r parameters macs file options; do
    name="reports/$file${options:+ $options}"
    # shellcheck disable=SC2086  # several options
    "$cnnc" check --report=summary $options "examples/$file" >"$work/summary" 2>"$log"
    sed -n 's/^parameters  \([0-9,]*\).*/\1/p; s/^MACs        \([0-9,]*\).*/\1/p' "$work/summary" | tr -d , >"$work/totals"
    printf '%s\n' "$parameters" "$macs" >"$work/published"
    same "$name: totals as published" "$work/published" "$work/totals"
    # Rows of layers, without titles, lines, blocks and the picture, and what is for training alone.
    awk '/^layer / { at = index($0, "parameters") - 2 }
         /^---/ { inside = !inside; next }
         inside && !/\(training\)/ { cell = substr($0, at, 12); gsub(/[, ]/, "", cell); sum += cell }
         END { printf "%d\n", sum }' "$work/summary" >"$work/sum"
    sed -n 1p "$work/published" >"$work/first"
    same "$name: the rows add up" "$work/first" "$work/sum"
done <<'ROWS'
61100840 714188480 alexnet.net -Dvariant=torchvision
7978856 2834161664 densenet.net
6998552 1582671872 googlenet.net
25557032 4089184256 resnet.net -Ddepth=50
60192808 11513626624 resnet.net -Ddepth=152
138365992 15470264320 vgg.net -Ddepth=16 -Dnorm=true
ROWS

# Every layer is in a kernel or said to be in none; and nothing but ASCII.
for file in googlenet mobilenet_v2 densenet; do
    "$cnnc" check --report=summary --report=schedule --report=fusion --report=memory "examples/$file.net" >"$work/all" 2>"$log"
    if LC_ALL=C grep -n '[^ -~]' "$work/all" >"$log"; then fail "reports/$file: ASCII" "$log"; else ok "reports/$file: ASCII"; fi
    if [ "$(grep -c '^infer on .* kernels, after' "$work/all")" = 1 ] && grep -q 'times what any plan needs' "$work/all"; then
        ok "reports/$file: all of them"
    else
        fail "reports/$file: all of them" "$work/all"
    fi
done

# A name that is no identifier stays one text.
sed 's/"stem"/"a\\"b"/' "$net" >"$work/quote.net"
if command -v dot >/dev/null; then
    for file in examples/*.net "$net" "$work/quote.net"; do
        timeout "$limit" "$cnnc" --emit=dot -o "$work/graph.dot" "$file" >"$log" 2>&1 || continue
        check "reports/dot of $(basename "$file")" dot -Tsvg -o "$work/graph.svg" "$work/graph.dot"
        "$cnnc" --emit=dot -o "$work/again.dot" "$file" >"$log" 2>&1
        cmp -s "$work/graph.dot" "$work/again.dot" || fail "reports/dot of $(basename "$file") is the same again"
    done
else
    skip reports/dot 'dot is not here (Debian package graphviz)'
fi

finish
