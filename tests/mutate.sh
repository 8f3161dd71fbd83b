#!/bin/sh
# sh tests/run.sh mutate: proves that the tests can fail. In a copy of the checkout, one deliberate fault at a time is
# put in, the copy is built, and the label that should notice is run: "ok" means that it failed. Not among the default
# labels, because every fault costs a build.
#
# Faults: the sign of every result of every gradient rule (enumerated from ir/ops.def), and the rows of `faults`.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
copy=$work/copy
scratch=$work/build

# LABEL;FILE;SED COMMAND;WHAT. The command has no semicolon and must change the file.
faults() {
    cat <<'ROWS'
kernels;passes/tile.c;s#extent - extent % f), extent % f#extent - extent % f - 1), extent % f#;the rest of a split loop starts one too early
kernels;passes/tile.c;s#ex_int(t->k, size)), size)#ex_int(t->k, size - 1)), size)#;tiles overlap by one
kernels;passes/tile.c;s#EX_mul, i, ex_int(t->k, t->inner\[j\].extent)#EX_mul, i, ex_int(t->k, t->inner[j].extent - 1)#;two register accumulators share a place
kernels;passes/tile.c;s#EX_add, base, ex2(k, EX_mul, bit#EX_add, base, ex2(k, EX_mul, ex_int(k, 0)#;the tiles of the rest of a batch all start at the same picture
kernels;passes/tile.c;s#ex_var(k, s->u.loop.var), ex_int(k, by)#ex_var(k, s->u.loop.var), ex_int(k, by - 1)#;an unrolled reduction counts terms twice
nets;passes/canon.c;s#inner == OP_relu \&\& n->op == OP_maxpool#inner == OP_relu \&\& (n->op == OP_maxpool || n->op == OP_avgpool)#;relu changes places with an average
nets;passes/lower_norm.c;s#-(a->size / 2), (a->size - 1) / 2)#-((a->size - 1) / 2), a->size / 2)#;an even window across channels is a channel too far up
nets;passes/specialise.c;s#g, OP_sub, beta#g, OP_add, beta#;the mean of a folded normalisation is added
nets;passes/lower_pool.c;s#kernel\[d\] <= in\[d\]#kernel[d] <= in[d] + 1#;a window hangs over the edge and is not cut
nets;passes/lower.c;s#if (!written_first(l, ref) || !has_halo#if (written_first(l, ref) || !has_halo#;halos are not zeroed by who writes first
kernels;passes/lower_pool.c;s#in + a->to\[d\] - 1), to)#in), to)#;windows that share a plane end one too early
kernels;passes/lower_layer_norm.c;s#ex_int(l->k, width / TILE \* TILE)#ex_int(l->k, 0)#;the last pixels of a row are normalised as its first ones
kernels;passes/lower_group_norm.c;s#(double)s->size \* type_height#(double)type_height#;the mean of a group divides by the pixels of one channel
kernels;passes/lower_elem.c;s#ex2(k, EX_min, run, ex2(k, EX_sub, ex_batch(k), pic))#run#;the last run of ghost batch norm counts as whole
unit;runtime/step.c;s#(1 + s->across) / 2.0)#(1 + s->across) / 2.0 + 1)#;the central crop is a pixel too far right
unit;runtime/step.c;s#(frame_height(f) - height) + 1)#(frame_height(f) - height))#;a random crop never reaches the lower edge
unit;runtime/step.c;s#(frame_width(f) - width) + 1)#(frame_width(f) - width)) + 1#;the offset of a random crop is one too large
ROWS
}

# The lines of a label's run in the copy, in $work/run.
run_copy() { (cd "$copy" && CNNC_TEST_NETS=500 CNNC_BUILD=$scratch timeout 900 sh tests/run.sh "$1") >"$work/run" 2>&1; }

# judge LABEL WHAT: runs the label in the mutated copy.
judge() {
    if run_copy "$1"; then
        fail "mutate/$1: $2 (missed)"
    elif grep -q '^setup: the .* build failed' "$work/run"; then
        fail "mutate/$1: $2 (does not build)" "$work/run"
    else
        ok "mutate/$1: $2 (caught)"
    fi
}

# OPERATOR OPERANDS for every differentiable row.
differentiable() {
    sed -n 's/^OP(\([a-z_]*\), *DIFF,.*\.max_in = \([0-9]*\),.*/\1 \2/p' "$root/ir/ops.def" |
        awk '{ print $1, ($2 > 5 ? 2 : $2) }'    # concat takes any number; two will do
}

# The rule keeps its text under another name; a rule of the old name turns one of its results round.
flip_gradient() {
    rule=$(grep -l "^void grad_$1(" "$copy"/passes/grad_*.c) || return 1
    cp "$rule" "$work/saved"
    sed -i "s/^void grad_$1(/static void right_$1(/" "$rule"
    cat >>"$rule" <<RULE

void grad_$1(Graph *g, Ref node, Ref dy, Ref *dx) {
    Attr minus = {.scale = {.alpha = -1}};
    right_$1(g, node, dy, dx);
    if (dx[$2]) dx[$2] = graph_op1(g, OP_scale, dx[$2], &minus, node);
}
RULE
}

mutate_gradients() {
    differentiable | while read -r op operands; do
        for i in $(seq 0 $((operands - 1))); do
            # Labels and the weights of classes have no gradient.
            case "$op $i" in 'cross_entropy '[123]) continue ;; esac
            if flip_gradient "$op" "$i"; then
                judge grad "sign of operand $i in grad_$op"
                cp "$work/saved" "$rule"
            else
                fail "mutate/grad: there is no rule grad_$op"
            fi
        done
    done
}

mutate_rows() {
    faults | while IFS=';' read -r label file command what; do
        cp "$copy/$file" "$work/saved"
        sed -i "$command" "$copy/$file"
        if cmp -s "$work/saved" "$copy/$file"; then
            fail "mutate/$label: $what (the fault does not apply: $file has changed)"
        else
            judge "$label" "$what"
        fi
        cp "$work/saved" "$copy/$file"
    done
}

rm -rf "$copy"
mkdir -p "$copy"
(cd "$root" && tar cf - --exclude=./build --exclude=./.git .) | (cd "$copy" && tar xf -)
for label in grad $(faults | cut -d';' -f1 | sort -u); do
    if ! run_copy "$label"; then
        fail "mutate: $label fails without any fault" "$work/run"
        exit 1
    fi
done
mutate_rows >"$work/verdicts"
mutate_gradients >>"$work/verdicts"
cat "$work/verdicts"
! grep -q '^FAIL' "$work/verdicts"
