#!/bin/sh
# docs/cnnc-net.5 tells the truth about the language: it has every layer, function, section, key and call with its
# parameters and their defaults, and its examples compile.
#
# What the tables hold stands in the page as `.It Ic "conv(x, out, kernel, stride=1, ..., [init])"` for whatever has
# parameters and as `.It Ic "batch = 32"` or `.It Ic "loss"` for a key. An example (.Bd -literal) is a whole file, or
# items of one, or statements of a net; what is missing around it is put there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
page=docs/cnnc-net.5

# rows MACRO FILE: the rows of a table as "MACRO first, second, ... "text"", one a line.
rows() {
    macros='LAYER(...) FUNCTION(...) SECTION(...) STEPS(...) CLAUSES(...) CALL(...) GROUP(...)'
    {
        for macro in $macros; do printf '#define %s\n' "$macro"; done | grep -v "^#define $1("
        printf '#define %s(...) \nROW %s __VA_ARGS__\n' "$1" "$1" | tr -d '\n' | sed 's/$/\n/'
        cat "$2"
    } | cc -E -P -x c - | sed 's/ROW /\n&/g' | grep '^ROW ' | sed 's/^ROW [A-Z]* *//; s/"  *"//g; s/[\\]"/~/g'
}

# From "name: type = default, ..." to what the page has: calls on one line, keys one a line.
cat >"$work/signature.awk" <<'AWK'
function param(text, name, value, optional, rest) {
    sub(/^ +/, "", text)
    name = text; sub(/[?.:].*/, "", name)
    rest = substr(text, length(name) + 1)
    optional = rest ~ /^\?/
    if (rest ~ /^\.\.\./) name = name "..."
    value = rest; if (!sub(/^[^=]*= */, "", value)) value = ""
    if (keys) print name (value != "" ? " = " value : "")
    else out = out (out == "" ? "" : ", ") (value != "" ? name "=" value : optional ? "[" name "]" : name)
}
function params(text, i, c, depth, start) {
    start = 1
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        depth += (c == "(" || c == "[") - (c == ")" || c == "]")
        if (c == "," && !depth) { param(substr(text, start, i - start)); start = i + 1 }
    }
    if (start <= length(text)) param(substr(text, start))
}
{
    quote = index($0, "\"")
    text = quote ? substr($0, quote + 1) : ""
    sub(/".*/, "", text)
    name = substr($0, 1, quote ? quote - 1 : length($0))
    sub(/[ ,]*$/, "", name); sub(/.*[ ,]/, "", name)
    out = ""
    params(text)
    gsub(/~/, "\"\"", out) # a quote of the source, as mdoc has it
    if (!keys) print name "(" out ")"
}
AWK

# expect WHAT KEYS: each line of standard input stands in the page as an item.
expect() {
    while read -r line; do
        if grep -qxF ".It Ic \"$line\"" "$page"; then continue; fi
        echo "$page lacks the $1: .It Ic \"$line\""
    done >"$log"
    if [ -s "$log" ]; then fail "manual/$1" "$log"; else ok "manual/$1"; fi
}

rows LAYER frontend/layers.def | awk -v keys=0 -f "$work/signature.awk" | expect layers
rows FUNCTION frontend/builtins.def | awk -v keys=0 -f "$work/signature.awk" | expect functions
rows CALL frontend/settings.def | awk -v keys=0 -f "$work/signature.awk" | expect calls
rows SECTION frontend/settings.def | awk -v keys=1 -f "$work/signature.awk" | expect keys
{ rows SECTION frontend/settings.def; rows STEPS frontend/settings.def; rows CLAUSES frontend/settings.def; } | sed 's/,.*//' |
    while read -r name; do grep -qx "\.Ss $name" "$page" || echo "$page lacks .Ss $name"; done >"$log"
if [ -s "$log" ]; then fail manual/sections "$log"; else ok manual/sections; fi
# The tables were read: an empty list would pass everything above.
n_rows=$({ rows LAYER frontend/layers.def; rows CALL frontend/settings.def; } | awk 'END { print NR }')
n_lines=$(grep -cE '^(LAYER|CALL)\(' frontend/layers.def frontend/settings.def | awk -F: '{ n += $2 } END { print n }')
if [ "$n_rows" = "$n_lines" ]; then ok manual/tables; else fail manual/tables; fi

# ---- examples ----

# Writes example K to $work/example_K.net and its first line's number to $work/example_K.line.
awk -v prefix="$work/example_" '
    /^\.Bd -literal/ {
        base = sprintf("%s%02d", prefix, ++n)
        name = base ".net"
        print NR + 1 >(base ".line")
        printf "" >name
        inside = 1
        next
    }
    /^\.Ed/ { inside = 0 }
    inside { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >name }
' "$page"

input='input image { size = 32x32 }'
body='    x = image -> conv(8, 3) -> bn -> relu -> flatten
    logits = x -> fc(10)
    output aux = x -> fc(10) only train
    output scores = softmax(logits)'

# wrap FILE: what is missing around the example.
wrap() {
    if grep -q '^cnnc 1' "$1"; then cat "$1"; return; fi
    echo 'cnnc 1'
    if ! grep -qE '^(use|const|option|input|block|net|data|augment|train|eval|deploy|test|require) ' "$1"; then
        printf '%s\nnet n(image) {\n    x = image\n' "$input"
        sed 's/^/    /' "$1"
        printf '    output last = x\n}\n'
        return
    fi
    grep -q '^input ' "$1" || echo "$input"
    cat "$1"
    grep -q '^net ' "$1" || printf 'net n(image) {\n%s\n}\n' "$body"
}

for file in "$work"/example_*.net; do
    line=$(cat "${file%.net}.line")
    wrap "$file" >"$work/whole.net"
    check "manual/example at line $line" "$cnnc" --emit=graph -o "$work/out" "$work/whole.net" || sed 's/^/    /' "$work/whole.net"
done

if command -v mandoc >/dev/null; then
    for file in docs/*.[1-9]; do check "manual/mandoc $file" mandoc -Tlint -W warning "$file"; done
else
    skip manual/mandoc 'no mandoc here'
fi
finish
