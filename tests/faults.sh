#!/bin/sh
# What the system does to a program: kill -9 at every system call that writes, a full disk at each, errors of fsync and
# rename, no permission, limits of size, memory and stack, closed standard files. No file is ever half-written, a
# training that was stopped goes on to the same weights, and every refusal is one line with the documented exit status.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
make_shapes=${CNNC_BUILD:-$root/build}/release/tests/make_shapes
[ -x "$make_shapes" ] || make_shapes=$(dirname "$cnnc")/tests/make_shapes
cd "$work" || exit 1

cat >tiny.net <<'NET'
cnnc 1
input image {
    size   = 16x16
    resize = exact(16x16)
}
net tiny(image) {
    logits = image -> conv(4, 3, stride=2) -> bn -> relu -> avgpool(global=true) -> flatten -> fc(12)
    output scores = softmax(logits)
}
data {
    train = folder("data/train")
    test  = folder("data/test")
}
train {
    loss       = cross_entropy(logits)
    batch      = 16
    lr         = 0.1
    stop       = 6 steps
    evaluate   = every(3 steps)
    checkpoint = every(3 steps, keep=2)
}
NET
"$make_shapes" data --train 4 --test 1 >"$log" 2>&1 || { fail faults/data "$log"; finish; exit; }
check 'faults/compile' "$cnnc" -march=native tiny.net -o tiny || { finish; exit; }
check 'faults/train' ./tiny train --threads 1 --out whole || { finish; exit; }

# status NAME WANTED TEXT COMMAND...: that exit status, and TEXT in what it says.
status() {
    status_name=$1 wanted=$2 text=$3
    shift 3
    case $1 in
    limited | as_nobody) "$@" >"$log" 2>&1 ;;
    *) timeout "$limit" "$@" >"$log" 2>&1 ;;
    esac
    got=$?
    if [ "$got" = "$wanted" ] && { [ -z "$text" ] || grep -q -e "$text" "$log"; } && ! grep -qE 'internal error|Sanitizer' "$log"; then
        ok "$status_name"
    else
        echo "exit status $got, wanted $wanted and \"$text\": $*" >>"$log"
        fail "$status_name" "$log"
    fi
}

# ---- training ----

calls='openat,write,pwrite64,fsync,rename,unlink,close'

# inject WHAT CALL N COMMAND...: does WHAT (signal=KILL, error=ENOSPC) at the N-th such system call of the command.
inject() {
    what=$1 call=$2 n=$3
    shift 3
    timeout "$limit" strace -f -qq -o /dev/null -e trace=$calls -e inject="$call:$what:when=$n" "$@" >"$log" 2>&1
}

# The number of such calls in an undisturbed training, and which of them come before the first file is written, are
# found by doing it.
count_calls() {
    rm -rf counted
    strace -f -qq -o counts -e trace=$calls ./tiny train --threads 1 --out counted >"$log" 2>&1
    grep -c "^[0-9]* *$1(" counts
}

# Whatever stopped the training: its folder holds nothing that is half a file, and it goes on to the same weights.
goes_on() {
    for file in out/*.safetensors; do
        [ -e "$file" ] || continue
        case $file in
        *.checkpoint*.safetensors) ;;
        *) ./tiny eval --weights "$file" >"$log" 2>&1 || { echo "$file is broken" >>"$log"; return 1; } ;;
        esac
    done
    again=--resume
    [ -e out/tiny.checkpoint.safetensors ] || [ -e out/tiny.checkpoint.2.safetensors ] || again=
    ./tiny train --threads 1 --out out $again >"$log" 2>&1 || return 1
    cmp out/tiny.safetensors whole/tiny.safetensors >>"$log" 2>&1 || return 1
    [ "$(find out -type f | wc -l)" = 4 ] || { find out >>"$log"; return 1; }
}

# at_every NAME WHAT CALL STATUS: one training for each such call; it may also end well, where the call did not matter.
at_every() {
    every_name=faults/$1 what=$2 call=$3 wanted=$4
    total=$(count_calls "$call") bad=0
    for n in $(seq 1 "$total"); do
        rm -rf out
        inject "$what" "$call" "$n" ./tiny train --threads 1 --out out
        got=$?
        case " $wanted " in *" $got "*) ;; *) bad=$n; echo "exit status $got, wanted one of: $wanted" >>"$log"; break ;; esac
        if ls out/*.tmp.* >"$work/left" 2>&1 && [ "$got" != 137 ]; then bad=$n; cat "$work/left" >>"$log"; break; fi
        goes_on || { bad=$n; break; }
    done
    echo "at call $bad of $total" >>"$log"
    if [ "$bad" = 0 ] && [ "$total" -gt 0 ]; then ok "$every_name, $total of them"; else fail "$every_name" "$log"; fi
}

if strace -qq -o /dev/null -e trace=close true 2>/dev/null; then
    at_every 'kill -9 at every pwrite64' signal=KILL pwrite64 137
    at_every 'kill -9 at every fsync' signal=KILL fsync 137
    at_every 'kill -9 at every rename' signal=KILL rename 137
    at_every 'kill -9 at every unlink' signal=KILL unlink 137
    at_every 'no space at every pwrite64' error=ENOSPC pwrite64 74
    at_every 'an error at every fsync' error=EIO fsync 74
    at_every 'an error at every rename' error=EIO rename 74
    at_every 'no space at every write' error=ENOSPC write '0 74'
else
    skip faults/strace 'no strace here, or it may not trace'
fi

# A disk that is really full.
if unshare -m true 2>/dev/null; then
    mkdir -p disk
    # shellcheck disable=SC2016  # the inner shell expands it
    status 'faults/a full disk' 74 'No space left on device' unshare -m sh -c '
        mount -t tmpfs -o size=8k tmpfs disk && { ./tiny train --threads 1 --out disk; code=$?; ls disk; exit $code; }'
    if grep -q '^tiny.*\.tmp\.[0-9]*$' "$log"; then fail 'faults/a full disk: nothing is left' "$log"; else ok 'faults/a full disk: nothing is left'; fi
else
    skip 'faults/a full disk' 'no mount namespace here'
fi

# ---- checkpoints ----

./tiny train --threads 1 --out broken >"$log" 2>&1
head -c 1000 whole/tiny.checkpoint.safetensors >broken/tiny.checkpoint.safetensors
status 'faults/K01 a checkpoint that was cut' 65 'tiny.checkpoint.safetensors' ./tiny train --out broken --resume
cp whole/tiny.safetensors broken/tiny.checkpoint.safetensors
status 'faults/K01 weights for a checkpoint' 65 'tiny.checkpoint.safetensors' ./tiny train --out broken --resume
status 'faults/K03 of a training with another seed' 65 'seed' ./tiny train --out whole --resume --seed 5
cp whole/tiny.checkpoint.safetensors flipped
# shellcheck disable=SC2034
for at in 20 200 900 1500 2500 3000; do
    cp whole/tiny.checkpoint.safetensors broken/tiny.checkpoint.safetensors
    printf '\377' | dd of=broken/tiny.checkpoint.safetensors bs=1 seek=$at conv=notrunc 2>"$log"
    status "faults/K01 a byte changed at $at" 65 'tiny.checkpoint.safetensors' ./tiny train --out broken --resume
done
rm -rf alone && mkdir alone && cp whole/tiny.checkpoint.safetensors alone/tiny.checkpoint.safetensors.tmp.999999999
status 'faults/K05 only a part that was left' 0 'starting from the beginning' ./tiny train --out alone --resume
if [ -e alone/tiny.checkpoint.safetensors.tmp.999999999 ]; then fail 'faults/K05 it is removed'; else ok 'faults/K05 it is removed'; fi
rm -rf older && mkdir older && cp whole/tiny.checkpoint.2.safetensors older
status 'faults/K08 only the checkpoint before is left' 0 'resuming older/tiny.checkpoint.safetensors at step 3' \
    ./tiny train --threads 1 --out older --resume
same 'faults/K08 the same weights' older/tiny.safetensors whole/tiny.safetensors
same 'faults/K08 it is the one before' older/tiny.checkpoint.2.safetensors whole/tiny.checkpoint.2.safetensors
cp whole/tiny.checkpoint.2.safetensors older/tiny.checkpoint.3.safetensors
status 'faults/K08 more than are kept' 0 '' ./tiny train --threads 1 --out older --resume
if [ -e older/tiny.checkpoint.3.safetensors ]; then fail 'faults/K08 these are removed'; else ok 'faults/K08 these are removed'; fi
rm -rf older && mkdir older && cp whole/tiny.checkpoint.2.safetensors older/tiny.checkpoint.3.safetensors
status 'faults/K08 all that is left is older than what is kept' 0 'resuming older/tiny.checkpoint.safetensors at step 3' \
    ./tiny train --threads 1 --out older --resume
mkdir -p linked && ln -sf ../whole/tiny.checkpoint.safetensors linked/tiny.safetensors
mkfifo linked/tiny.checkpoint.safetensors 2>/dev/null
status 'faults/K06 a pipe for a checkpoint' 66 'tiny.checkpoint.safetensors' ./tiny train --out linked --resume
(
    exec 9>locked.lock && flock 9
    mkdir -p locked && ln -f locked.lock locked/tiny.lock
    status 'faults/K07 a folder in use' 73 'another training' ./tiny train --out locked
    exit "$n_failed"
) || n_failed=$((n_failed + 1))

# ---- permissions ----

# As nobody, when this is root, who may do everything. That needs folders that nobody may enter.
as_nobody() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --clear-groups -- timeout "$limit" "$@"; else timeout "$limit" "$@"; fi; }
mkdir -p closed && chmod 555 closed
chmod 644 whole/*
if as_nobody ./tiny info >"$log" 2>&1; then
    status 'faults/a folder without permission' 73 'closed' as_nobody ./tiny train --out closed
    status 'faults/an export without permission' 73 'closed' as_nobody ./tiny export --init -o closed/w.safetensors
    cp whole/tiny.safetensors secret.safetensors && chmod 000 secret.safetensors
    status 'faults/weights without permission' 66 'secret.safetensors' as_nobody ./tiny predict --weights secret.safetensors data/unseen/star.jpg
    cp data/unseen/star.jpg secret.jpg && chmod 000 secret.jpg
    status 'faults/a picture without permission' 66 'secret.jpg' as_nobody ./tiny predict --weights whole/tiny.safetensors secret.jpg
    cp tiny.net secret.net && chmod 000 secret.net
    status 'faults/a source without permission' 66 'secret.net' as_nobody "$cnnc" check secret.net
    status 'faults/a program without permission' 73 'closed' as_nobody "$cnnc" -S tiny.net -o closed/tiny.s
else
    skip faults/permissions 'nobody may not come here'
fi

# ---- the compiler's output ----

cp tiny.net formatted.net
echo >>formatted.net
cp formatted.net before.net
for call in write fsync rename close; do
    inject error=EIO $call 1+ "$cnnc" fmt -i formatted.net
    same "faults/fmt -i keeps the file when $call fails" before.net formatted.net
done
inject signal=KILL rename 1 "$cnnc" fmt -i formatted.net
same 'faults/fmt -i keeps the file when it is killed' before.net formatted.net
rm -f formatted.net.tmp*
printf 'what was there' >there
cp there before
for call in write rename; do
    inject error=ENOSPC "$call" 1+ "$cnnc" -S -march=native tiny.net -o there
    same "faults/-S keeps what was there when $call fails" before there
    inject error=ENOSPC "$call" 1+ "$cnnc" -march=native tiny.net -o there
    same "faults/a program keeps what was there when $call fails" before there
done
# shellcheck disable=SC2016  # the script expands them
printf '#!/bin/sh\nkill -TERM "$PPID"\nexec cc "$@"\n' >ending
chmod +x ending
status 'faults/a signal while the program is linked' 143 '' "$cnnc" --linker=./ending -march=native tiny.net -o there
mkfifo pipe
cat pipe >piped.s &
status 'faults/-S to a pipe' 0 '' "$cnnc" -S -march=native tiny.net -o pipe
wait
"$cnnc" -S -march=native tiny.net -o plain.s
same 'faults/-S to a pipe: all of it' plain.s piped.s
if [ -p pipe ]; then ok 'faults/-S leaves a pipe a pipe'; else fail 'faults/-S leaves a pipe a pipe'; fi
status 'faults/a program to a pipe' 73 'not a plain file' "$cnnc" -march=native tiny.net -o pipe
find . -maxdepth 1 -name 'there.*' >left
if [ -s left ]; then fail 'faults/nothing is left beside it' left; else ok 'faults/nothing is left beside it'; fi

# ---- limits of a process, standard files ----

# shellcheck disable=SC3045  # dash and bash have them
limited() { (ulimit "$1" "$2" && shift 2 && exec timeout "$limit" "$@"); }
status 'faults/E04 files of at most a block: training' 74 'File too large' limited -f 1 ./tiny train --threads 1 --out small.blocks
status 'faults/E04 files of at most a block: -S' 74 'File too large' limited -f 1 "$cnnc" -S -march=native tiny.net -o small.s
status 'faults/E04 files of at most a block: a program' 71 'cannot' limited -f 100 "$cnnc" -march=native tiny.net -o small
status 'faults/E04 a stack of 256 KiB: compiling' 0 '' limited -s 256 "$cnnc" -march=native tiny.net -o small
status 'faults/E04 a stack of 256 KiB: training' 0 '' limited -s 256 ./small train --threads 2 --out small.out
status 'faults/E04 16 files: compiling' 0 '' limited -n 16 "$cnnc" -march=native tiny.net -o small
status 'faults/E04 16 files: training' 0 '' limited -n 16 ./small train --threads 2 --out small.out2
{
    printf 'cnnc 1\ninput image { size = 8x8 }\nnet n(image) { output y = b1(image) }\n'
    for i in 1 2 3; do
        echo "block b$i(x) { return $(awk 'BEGIN { for (i = 0; i < 900; i++) printf "x if false else " }')b$((i + 1))(x) }"
    done
    echo 'block b4(x) { return x -> relu }'
} >deep.net
status 'faults/E04 a stack of 256 KiB: deep expressions' 0 'net n' limited -s 256 "$cnnc" check deep.net

# /dev/full takes nothing.
for command in "$cnnc check tiny.net" "$cnnc fmt tiny.net" "$cnnc sweep tiny.net" "$cnnc --help" './tiny info' './tiny bench --batch 1' \
    './tiny predict --weights whole/tiny.safetensors data/unseen/star.jpg'; do
    # shellcheck disable=SC2086  # words of a command
    (timeout "$limit" $command >/dev/full 2>"$log")
    got=$?
    if [ "$got" = 74 ]; then ok "faults/E05 /dev/full: $(basename "$command")"; else fail "faults/E05 /dev/full: $command" "$log"; fi
done

# Closed standard files: what is opened next must not take their place.
rm -rf closed_out
if (exec <&- >&- 2>&-; ./tiny train --threads 1 --out closed_out; [ $? = 74 ]); then ok 'faults/E02 training without standard files'; else fail 'faults/E02 training without standard files'; fi
same 'faults/E02 its weights are whole' closed_out/tiny.safetensors whole/tiny.safetensors
(exec <&- >&- 2>&-; "$cnnc" -march=native tiny.net -o without)
"$cnnc" -march=native tiny.net -o with
same 'faults/E02 compiling without standard files' with without
finish
