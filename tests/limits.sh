#!/bin/sh
# Limits of the language: what is exactly at a limit is accepted, one more is an error at its place with the documented
# status, and LIMITS of docs/cnnc-net.5 has the number. And hostile files D01 to D18, each with the verdict that a
# reader would expect, within seconds.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/verdict.sh
. "$root/tests/verdict.sh"
cd "$work" || exit 1
# shellcheck disable=SC3045  # dash and bash have both
ulimit -t 10 && ulimit -v 1048576   # seconds of processor time, KiB

repeat() { awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", s }'; }
start='cnnc 1\ninput image { size = 8x8 }\n'
# shellcheck disable=SC2059  # the format is ours
net_with() { printf "${start}net n(image) {\n    x = image\n%s\n    output y = x\n}\n" "$1"; }
# shellcheck disable=SC2059
constant() { printf "${start}net n(image) { output y = image }\nconst a = %s\n" "$1"; }

# ---- limits ----

sed -n '/^\.Sh LIMITS/,/^\.Sh SEE/p' "$root/docs/cnnc-net.5" >page
thousands() { echo "$1" | sed -E ':a; s/([0-9])([0-9]{3})(,|$)/\1,\2\3/; ta'; }

# limit NAME NUMBER PLACE CODE MAKER: `MAKER n` prints a file with n of what is limited. The place is that of the error.
# The files are called NAME.net, so that what MAKER writes itself can name them.
limit() {
    limit_name=$1 number=$2 place=$3 code=$4 maker=$5
    grep -qF -e "$(thousands "$number")" page || { echo 'the manual does not say so' >"$log"; fail "limits/$1 $number is in LIMITS" "$log"; }
    $maker "$number" >"$limit_name.net"
    accept "limits/$limit_name $number" "$limit_name.net"
    $maker $((number + 1)) >"$limit_name.net"
    expect "limits/$limit_name $((number + 1))" "$place" "$code" "$limit_name.net"
}

brackets() { constant "$(repeat "$1" '(')1$(repeat "$1" ')')"; }
operators() { constant "$(repeat "$1" '1+')1"; }
name() { constant 1 | sed "s/const a/const $(repeat "$1" a)/"; }
digits() { constant "1.$(repeat $(($1 - 2)) 0)"; }
string() { constant "\"$(repeat "$1" s)\""; }
filled_string() { constant "\"$(repeat $(($1 - 6)) s)\""; echo 'const b = "{a}{100000 + 23456}"'; }
layer_name() { net_with "    x = x -> part@name(\"$(repeat $(($1 - 5)) n)\")" && echo 'block part(x) { return x -> relu@name("last") }'; }
range() { constant "0..$1"; }
joined() { constant "(0..$(($1 - 1))) + [1]"; }
layers() { net_with "    for i in 0..$1 { x = identity(x) }"; }
joined_channels() { net_with "    x = concat(*[$(repeat "$1" x,)])"; }
extent() { constant 1 | sed "s/8x8/${1}x1/"; }
elements() { constant 1 | sed "s/8x8 /1048576x$((($1 + 1048575) / 1048576))\n    colour = grey /"; }
resized() { net_with "    x = x -> upsample(size=[$1, 1])"; }
# The shell counts no further than that itself.
whole_number() { case $1 in -*) constant 9223372036854775808 ;; *) constant "$1" ;; esac; }

# In n + 1 files: all but the first are empty.
files() {
    for i in $(seq 2 "$1"); do [ -e "used$i.net" ] || echo 'cnnc 1' >"used$i.net"; done
    constant 1
    seq 2 "$1" | sed 's/.*/use "used&.net"/'
}

# Each uses the next; the last of them is the n-th.
chain() {
    for i in $(seq 2 "$1"); do printf 'cnnc 1\nuse "chain%d.net"\n' "$((i + 1))" >"chain$i.net"; done
    echo 'cnnc 1' >"chain$1.net"
    constant 1
    echo 'use "chain2.net"'
}

# Evaluation n deep: a choice in a choice ..., in four blocks and the net.
choices() { repeat "$1" "$2 if false else "; }
depth() {
    printf 'cnnc 1\ninput image { size = 8x8 }\nnet n(image) { output y = %sb1(image) }\n' "$(choices $(($1 - 3653)) image)"
    for i in 1 2 3 4; do echo "block b$i(x) { return $(choices 900 x)b$((i + 1))(x) }"; done
    echo 'block b5(x) { return x -> relu }'
}

# n numbers in weights: a fully connected layer of n / 65536 outputs, and a prelu for what is left.
parameters() {
    printf 'cnnc 1\ninput image { colour = grey, size = 256x256 }\n' | tr , '\n'
    echo 'net n(image) {'
    [ $(($1 % 65536)) = 0 ] || echo '    image = image -> prelu(shared=true)'
    echo "    output y = image -> flatten -> fc($(($1 / 65536)), bias=false)"
    echo '}'
}

# 31 words, and a list of n - 31 ones, commas and a sign.
words() {
    printf 'cnnc 1\ninput image { size = 8x8 }\nnet n(image) { output y = image }\nconst a = ['
    [ $((($1 - 31) % 2)) = 0 ] || printf -- '-'
    repeat $((($1 - 31) / 2)) '1,'
    echo ']'
}

# A round of the loop takes four steps, and all else 14 without the ones of the list.
steps() {
    net_with "    for i in 0..$((($1 - 14) / 4)) { x = x }
    x = [x$(repeat $((($1 - 14) % 4)) ,1)][0]"
}

bytes() { constant 1 && repeat $(($1 - 80)) '#'; }
# The first file has the rest; the others are of 16 MiB.
all_bytes() {
    { echo 'cnnc 1'; repeat 16777209 '#'; } >full1.net
    for i in 2 3; do cp full1.net "full$i.net"; done
    { echo 'cnnc 1'; repeat $(($1 - 3 * 16777216 - 151)) '#'; } >full4.net
    constant 1
    for i in 1 2 3 4; do echo "use \"full$i.net\""; done
}

limit brackets 200 4:211 E0902 brackets
limit operators 1000 4:11 E0902 operators
limit depth 4000 8:22 E0902 depth
limit name 255 4:7 E0903 name
limit number 64 4:11 E0903 digits
limit string 4096 4:11 E0903 string
limit string_with_values 4096 5:11 E0903 filled_string
limit layer_name 255 8:29 E0903 layer_name
limit range 1000000 4:11 E0908 range
limit list 1000000 4:11 E0908 joined
limit concat 4096 5:9 E0908 joined_channels
limit words 2000000 4:1999983 E0904 words
limit layers 100000 5:30 E0905 layers
limit parameters 4294967296 6:36 E0907 parameters
limit steps 4000000 7:16 E0906 steps
limit bytes 16777216 - E0901 bytes
limit all_bytes 67108864 8:5 E0901 all_bytes
limit chain 64 chain64.net:2:5 E0909 chain
limit files 1024 1028:5 E0909 files
limit extent 2147483647 2:22 E0005 extent
limit elements 1099511627776 2:7 E0301 elements
limit resized 268435456 5:14 E0301 resized
limit whole_number 9223372036854775807 4:11 E0005 whole_number

# 2^40 numbers, stored with a halo for the second convolution.
cat >halo.net <<'NET'
cnnc 1
input image { size = 32768x32768 }
net n(image) { output y = image -> conv(1024, 3, pad=1) -> conv(1, 3, pad=1) -> avgpool(global=true) }
NET
check 'limits/elements 1099511627776, and a halo' "$cnnc" -c -march=native halo.net -o halo.o

# The number of combinations is all that is looked at above the limit; a sweep of a million takes an hour.
{
    constant 1
    for name in b c d e; do echo "option $name = 0 in 0..64"; done
} >combinations.net
timeout 60 "$cnnc" sweep combinations.net >"$log" 2>&1
if [ $? = 78 ] && grep -q 'more than 1000000 combinations' "$log"; then ok limits/sweep; else fail limits/sweep "$log"; fi

# ---- hostile files: D01 to D18 ----

# d NAME PLACE CODE [FORMAT [ARGUMENT...]]: the verdict on DNN.net, of which NAME begins with the number. With a format
# printf makes it; the lines that a net needs come first, and the text in line 4.
d() {
    d_name="limits/$1" place=$2 code=$3 file=$(echo "$1" | cut -c1-3).net
    shift 3
    if [ $# != 0 ]; then
        format=$1
        shift
        # shellcheck disable=SC2059
        { printf "${start}net n(image) { output y = image -> flatten -> fc(4) }\n"; printf "$format\n" "$@"; } >"$file"
    fi
    if [ "$code" = accepted ]; then accept "$d_name" "$file"; else expect "$d_name" "$place" "$code" "$file"; fi
}
# The same with the text as lines of the net, from line 4 on.
d_layer() {
    printf 'cnnc 1\ninput image { size = 8x8 }\nnet n(image) {\n%s\n    output y = x\n}\n' "$4" >"$(echo "$1" | cut -c1-3).net"
    d "$1" "$2" "$3"
}
d_train() { d "$1" "$2" "$3" 'train {\n    loss = cross_entropy(y)\n    lr = 0.1\n    stop = 1 epochs\n%s\n}' "$4"; }

printf '' >D01.net
d 'D01 nothing' 1:1 E0201
printf '\n\n# only this\n' >D01.net
d 'D01 a comment' 1:1 E0201

printf 'cnnc 1\nconst a\0b = 1\n' >D02.net
d 'D02 NUL in a name' 2:8 E0001
printf 'cnnc 1\nconst a = "x\0y"\n' >D02.net
d 'D02 NUL in a string' 2:13 E0001

printf 'cnnc 1\nconst a = "\377"\n' >D03.net
d 'D03 no UTF-8' 2:12 E0001
printf 'cnnc 1\nconst a = "\300\257"\n' >D03.net
d 'D03 an overlong character' 2:12 E0001
printf 'cnnc 1\nconst a = "\355\240\200"\n' >D03.net
d 'D03 a surrogate' 2:12 E0001
printf 'cnnc 1\nconst a = "\364\220\200\200"\n' >D03.net
d 'D03 beyond Unicode' 2:12 E0001
printf 'cnnc 1\nconst a\342\200\256b = 1\n' >D03.net
d 'D03 right to left in a name' 2:8 E0001
printf 'cnnc 1\n# \342\201\246 in a comment\n' >D03.net
d 'D03 an isolate in a comment' 2:3 E0001
{ printf '\357\273\277'; constant 1; } >D03.net
d 'D03 a byte order mark' - accepted

{ printf 'cnnc 1\nconst '; repeat 10000000 a; } >D04.net
d 'D04 a long name' 2:7 E0903
{ printf 'cnnc 1\nconst a = '; repeat 10000000 7; } >D04.net
d 'D04 a long number' 2:11 E0903
{ printf 'cnnc 1\nconst a = '; repeat 10000000 7; printf 'x7\n'; } >D04.net
d 'D04 a long size' 2:11 E0903
{ printf 'cnnc 1\nconst a = "'; repeat 10000000 s; } >D04.net
d 'D04 a long string without end' 2:11 E0003
{ printf 'cnnc 1\nconst a = "'; repeat 10000000 s; echo '"'; } >D04.net
d 'D04 a long string' 2:11 E0903

{ printf 'cnnc 1\nconst a = '; repeat 1000000 '('; } >D05.net
d 'D05 parentheses' 2:211 E0902
{ printf 'cnnc 1\nconst a = '; repeat 1000000 '['; } >D05.net
d 'D05 lists' 2:211 E0902
{ printf 'cnnc 1\nnet n(image) {\n'; repeat 1000000 'if true { '; repeat 1000000 '} '; echo '}'; } >D05.net
d 'D05 blocks' 3:1999 E0902
{ printf 'cnnc 1\nconst a = '; repeat 100000 '- '; echo 1; } >D05.net
d 'D05 signs' 2:19987 E0902
{ printf 'cnnc 1\nconst a = '; repeat 100000 'not '; echo true; } >D05.net
d 'D05 not' 2:39963 E0902
{ printf 'cnnc 1\nconst a = 1'; repeat 2000 ' + 1'; echo; } >D05.net
d 'D05 a sum' 2:11 E0902
{ printf 'cnnc 1\nconst a = '; repeat 2000 '1 if true else '; echo 1; } >D05.net
d 'D05 choices' 2:14996 E0902
{ printf 'cnnc 1\nconst a = b'; repeat 2000 '.c'; echo; } >D05.net
d 'D05 fields' 2:11 E0902
{ printf 'cnnc 1\nconst a = "'; repeat 300 '{"'; echo; } >D05.net
d 'D05 strings' 2:12 E0006

{ printf 'cnnc 1\nconst a = ['; repeat 1000000 '1, '; echo ']'; } >D06.net
d 'D06 a million members' 2:3000001 E0904
{ constant 1; printf 'const b = ['; repeat 900000 '1,'; echo ']'; } >D06.net
d 'D06 900,000 members' - accepted

printf 'cnnc 1\nuse "D07b.net"\n' >D07a.net
printf 'cnnc 1\nuse "D07a.net"\n' >D07b.net
expect 'limits/D07 a cycle' D07b.net:2:5 E0603 D07a.net
printf 'cnnc 1\nuse "D07.net"\n' >D07.net
d 'D07 itself' 2:5 E0603
chain 66 >D07.net
expect 'limits/D07 a chain of 66' chain64.net:2:5 E0909 D07.net

# use NAME CODE PATH: nothing of what is used may be shown.
use() {
    printf 'cnnc 1\nuse "%s"\n' "$3" >D08.net
    d "D08 $1" 2:5 "$2"
    if grep -q 'secret\|root:' "$log"; then fail "limits/D08 $1: nothing of it is shown" "$log"; fi
}
mkdir -p inner
mkfifo D08_pipe 2>/dev/null
echo secret >D08_words
ln -sf /etc/passwd D08_link.net
use 'a file of the system' E0604 /etc/passwd
use 'the same by way of ..' E0604 "../../../../../../../../../../../../etc/passwd"
use 'a link to it' E0604 D08_link.net
use 'another file' E0604 D08_words
use 'a pipe' E0602 D08_pipe
use 'a folder' E0602 inner
use 'a device' E0602 /dev/zero
use 'no file' E0601 nowhere.net
use 'the empty path' E0601 ''
use 'a long path' E0601 "$(repeat 4090 p)"

printf 'cnnc 1\ninput image { size = 2147483647x2147483647 }\nnet n(image) { output y = image }\n' >D09.net
d 'D09 a large picture' 2:7 E0301
d_layer 'D09 channels times channels' 4:18 E0907 '    x = image -> conv(2147483647, 1, pad=20000, bias=false)'
d_layer 'D09 many channels' 4:23 E0109 '    x = image -> conv(2147483648, 1)'
d_layer 'D09 an extent that overflows' 4:18 E0301 '    x = image -> pad(2147483647)'
d 'D09 2^63' 4:11 E0005 'const a = 9223372036854775808'
d 'D09 2^64' 4:11 E0005 'const a = 18446744073709551616'
d 'D09 a sum that overflows' 4:11 E0112 'const a = 9223372036854775807 + 1'
d 'D09 a product that overflows' 4:11 E0112 'const a = 4611686018427387904 * 2'
d 'D09 a shift that overflows' 4:11 E0112 'const a = 1 << 63'
d 'D09 1e400' 4:11 E0005 'const a = 1e400'
d 'D09 1e-400' 4:11 E0005 'const a = 1e-400'
d 'D09 a hexadecimal number' 4:11 E0004 'const a = 0x7fffffffffffffff'
d 'D09 an octal number' 4:11 E0005 'const a = 08'
d 'D09 an extent of 0' 4:11 E0005 'const a = 0x8'
d_layer 'D09 -1 channels' 4:23 E0109 '    x = image -> conv(-1, 3)'
d_layer 'D09 no channels' 4:23 E0109 '    x = image -> conv(0, 3)'
d 'D09 division by 0' 4:16 E0112 'const a = 1 / (1 - 1)'

d_layer 'D10 stride 0' 4:36 E0109 '    x = image -> conv(4, 3, stride=0)'
d_layer 'D10 dilation 0' 4:38 E0109 '    x = image -> conv(4, 3, dilation=0)'
d_layer 'D10 groups 0' 4:36 E0109 '    x = image -> conv(4, 3, groups=0)'
d_layer 'D10 groups that do not divide the channels' 4:18 E0306 '    x = image -> conv(4, 3, groups=2)'
d_layer 'D10 a kernel above the padded picture' 4:18 E0304 '    x = image -> conv(4, 11, pad=1)'
d_layer 'D10 a dilated kernel above the picture' 4:18 E0304 '    x = image -> conv(4, 3, dilation=4)'
d_layer 'D10 padding not below the kernel of a pool' 4:18 E0305 '    x = image -> maxpool(2, pad=2)'
d_layer 'D10 negative padding' 4:33 E0109 '    x = image -> conv(4, 3, pad=-1)'
d_layer 'D10 kernel 0' 4:26 E0109 '    x = image -> conv(4, 0)'

d_layer 'D11 one name for two layers' 4:46 E0113 '    x = image -> relu@name("a") -> relu@name("a")'
d_layer 'D11 an input that is not defined' 4:9 E0101 '    x = picture -> relu'
d_layer 'D11 a layer of itself' 4:9 E0101 '    x = x -> relu'
printf 'cnnc 1\ninput image { size = 8x8 }\nnet n(image) {\n    x = y -> relu\n    y = x -> relu\n    output z = y\n}\n' >D11.net
d 'D11 a cycle' 4:9 E0101
d_layer 'D11 two outputs of one name' 6:12 E0102 '    x = image
    output y = x'
d_layer 'D11 a layer that nothing uses' 4:5 E0116 '    z = image -> relu
    x = image'
printf 'cnnc 1\nblock a(x) { return x -> b }\nblock b(x) { return x -> a }\ninput image { size = 8x8 }
net n(image) { output y = image -> a }\n' >D11.net
d 'D11 blocks that use each other' 3:26 E0114
d_train 'D11 two losses' 8:5 E0106 '    loss = cross_entropy(y)'

loops=$(for i in $(seq 1 40); do printf 'for i%d in 0..1000 { ' "$i"; done)
d_layer 'D12 forty loops in each other' 5:837 E0906 "    x = image
$loops x = x $(repeat 40 ' }')"
{
    echo 'cnnc 1'
    echo 'input image { size = 8x8 }'
    echo 'block b0(x) { return x -> relu }'
    for i in $(seq 1 40); do echo "block b$i(x) { return x -> b$((i - 1)) -> b$((i - 1)) }"; done
    echo 'net n(image) { output y = image -> b40 }'
} >D12.net
d 'D12 forty blocks of two each' 5:33 E0905
printf 'cnnc 1\nconst s0 = "ha"\n%s\n' "$(for i in $(seq 1 40); do echo "const s$i = \"{s$((i - 1))}{s$((i - 1))}\""; done)" >D12.net
d 'D12 strings that double' 14:13 E0903
printf 'cnnc 1\nconst l0 = [0]\n%s\n' "$(for i in $(seq 1 40); do echo "const l$i = l$((i - 1)) + l$((i - 1))"; done)" >D12.net
d 'D12 lists that double' 22:13 E0908
printf 'cnnc 1\nconst l0 = [0]\n%s\nconst same = l40 == l40 + []\n' "$(for i in $(seq 1 40); do echo "const l$i = [l$((i - 1)), l$((i - 1))]"; done)" >D12.net
d 'D12 lists of lists that double' 1:1 E0201

net_with '    for i in 0..100001 { x = x -> relu }' >D13.net
d 'D13 100,001 layers' 5:35 E0905
d_layer 'D14 2^40 parameters' 4:41 E0301 '    x = image -> pad(300) -> flatten -> fc(1000000)'
d_layer 'D14 2^33 parameters' 4:41 E0907 '    x = image -> pad(300) -> flatten -> fc(10000)'

# A locale with a decimal comma, made here if the system has none.
if localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8" >"$log" 2>&1; then
    constant 0.5 >D15.net
    timeout 60 "$cnnc" --emit=graph -o D15.C D15.net 2>"$log"
    LOCPATH=$work LC_ALL=de_DE.UTF-8 timeout 60 "$cnnc" --emit=graph -o D15.de D15.net 2>"$log"
    same 'limits/D15 a decimal comma' D15.C D15.de
else
    skip 'limits/D15 a decimal comma' 'localedef has no de_DE here'
fi

constant 1 | tr '\n' '\r' >D16.net
d 'D16 CR' - accepted
constant 1 | sed 's/$/\r/' >D16.net
d 'D16 CRLF' - accepted
{ constant 1; printf 'const b = 2'; } >D16.net
d 'D16 no line end at the end' - accepted
{ constant 1; repeat 125000 '#comment'; echo; repeat 100000 '#
'; } >D16.net
d 'D16 a comment of a megabyte' - accepted

# shellcheck disable=SC2016,SC1003  # nothing is to expand it
for odd in '%s%n%n%n' '\"; touch pwned' '$(touch pwned)' '`touch pwned`' '-o' 'a\nb' "../../x" "$(repeat 255 x)"; do
    net_with "    x = x -> relu@name(\"$odd\")" >D17.net
    d "D17 the name $(printf '%s' "$odd" | cut -c1-20 | tr '\\' /)" - accepted
done
net_with "    x = x -> relu@name(\"$(repeat 256 x)\")" >D17.net
d 'D17 a name of 256 characters' 5:14 E0903
# shellcheck disable=SC2016
constant '"$(touch pwned)"' >'-o; touch pwned.net'
accept 'limits/D17 a file of such a name' './-o; touch pwned.net'
if [ -e pwned ] || [ -e pwned.net ]; then fail 'limits/D17 nothing of it runs'; else ok 'limits/D17 nothing of it runs'; fi

d_train 'D18 nan' 8:30 E0101 '    optimizer = sgd(momentum=nan)'
d_train 'D18 inf' 8:30 E0101 '    optimizer = sgd(momentum=inf)'
d_train 'D18 1e-400' 8:30 E0005 '    optimizer = sgd(momentum=1e-400)'
d_train 'D18 momentum 1.5' 8:30 E0109 '    optimizer = sgd(momentum=1.5)'
d_train 'D18 a negative decay' 8:34 E0109 '    optimizer = sgd(weight_decay=-0.1)'
d_train 'D18 batch 0' 8:13 E0109 '    batch = 0'
d_train 'D18 a batch of a half' 8:13 E0117 '    batch = 1/2'
d 'D18 a negative rate' 6:10 E0109 'train {\n    loss = cross_entropy(y)\n    lr = -0.1\n    stop = 1 epochs\n}'
d 'D18 no time' 7:12 E0109 'train {\n    loss = cross_entropy(y)\n    lr = 0.1\n    stop = 0 epochs\n}'
echo "$n_passed passed, $n_failed failed"
finish
