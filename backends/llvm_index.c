/* Numbers, scopes and addresses: where an integer is computed, and that it is computed once.
 *
 * Aliasing. Each ARG buffer gets an alias scope, and its accesses say which other buffers they cannot meet. Two
 * arguments of a step overlap only if the step runs in place, and then they are the same tensor in the same form, so
 * two buffers are declared disjoint unless they agree in type and size and one of them is written. For such a pair the
 * order of the kernel's text is kept; hot loops lose nothing by it, since they accumulate in REG buffers and write
 * after the loop. Accesses are aligned to the element only: unaligned vector instructions cost nothing where the
 * address is aligned. */
#include "llvm.h"

int32_t num_new(Gen *g, LLVMValueRef v, int32_t depth, int64_t min, int64_t max) {
    PUSH(g->arena, g->num, g->n_num, g->cap_num, ((Num){v, depth, min, max}));
    return g->n_num - 1;
}

void scope_open(Gen *g, LLVMBasicBlockRef head) {
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(g->m->ctx, g->fn, "");
    LLVMPositionBuilderAtEnd(g->b, head);
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    PUSH(g->arena, g->scope, g->n_scope, g->cap_scope, ((Scope){.head = head}));
}

void scope_close(Gen *g) { g->n_scope--; }

/* Moves the builder to the head of the scope at `depth`; returns where it was. */
static LLVMBasicBlockRef enter_head(Gen *g, int32_t depth) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
    if (depth != DEPTH_HERE) LLVMPositionBuilderBefore(g->b, LLVMGetBasicBlockTerminator(g->scope[depth].head));
    return here;
}

static Memo *recall(Gen *g, int32_t depth, const Memo *want) {
    if (depth == DEPTH_HERE) return NULL;
    Scope *s = &g->scope[depth];
    for (int32_t i = 0; i < s->n_memo; i++) {
        Memo *m = &s->memo[i];
        if (m->kind == want->kind && m->buf == want->buf && lin_equal(&m->a, &want->a) && lin_equal(&m->b, &want->b))
            return m;
    }
    return NULL;
}

static void remember(Gen *g, int32_t depth, const Memo *memo) {
    if (depth == DEPTH_HERE) return;
    Scope *s = &g->scope[depth];
    PUSH(g->arena, s->memo, s->n_memo, s->cap_memo, *memo);
}

LLVMValueRef lin_value(Gen *g, const Lin *a) {
    LLVMValueRef sum = NULL;
    for (int32_t i = 0; i < a->n; i++) {
        LLVMValueRef term = g->num[a->num[i]].v;
        if (a->coef[i] != 1) term = LLVMBuildMul(g->b, term, llvm_i64(g, a->coef[i]), "");
        sum = sum ? LLVMBuildAdd(g->b, sum, term, "") : term;
    }
    if (!sum) return llvm_i64(g, a->constant);
    return a->constant ? LLVMBuildAdd(g->b, sum, llvm_i64(g, a->constant), "") : sum;
}

/* Floor division where the dividend may be negative: the quotient is one less than C's if the remainder is negative. */
static LLVMValueRef floor_division(Gen *g, ExprKind kind, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef zero = llvm_i64(g, 0), r = LLVMBuildSRem(g->b, a, b, "");
    LLVMValueRef negative = LLVMBuildICmp(g->b, LLVMIntSLT, r, zero, "");
    if (kind == EX_mod) return LLVMBuildAdd(g->b, r, LLVMBuildSelect(g->b, negative, b, zero, ""), "");
    LLVMValueRef less = LLVMBuildSExt(g->b, negative, g->m->i64, "");
    return LLVMBuildAdd(g->b, LLVMBuildSDiv(g->b, a, b, ""), less, "");
}

static LLVMValueRef opaque_value(Gen *g, ExprKind kind, const Lin *a, const Lin *b) {
    LLVMValueRef x = lin_value(g, a), y = lin_value(g, b);
    int64_t min, max;
    lin_range(g, a, &min, &max);
    bool divides = kind == EX_div || kind == EX_mod;
    if (divides && min < 0) return floor_division(g, kind, x, y);
    if (divides) return kind == EX_div ? LLVMBuildUDiv(g->b, x, y, "") : LLVMBuildURem(g->b, x, y, "");
    if (kind == EX_add) return LLVMBuildAdd(g->b, x, y, "");
    if (kind == EX_mul) return LLVMBuildMul(g->b, x, y, "");
    LLVMValueRef less = LLVMBuildICmp(g->b, LLVMIntSLT, x, y, "");
    return kind == EX_min ? LLVMBuildSelect(g->b, less, x, y, "") : LLVMBuildSelect(g->b, less, y, x, "");
}

Lin lin_opaque(Gen *g, ExprKind kind, const Lin *a, const Lin *b, int64_t min, int64_t max) {
    int32_t da = lin_depth(g, a), db = lin_depth(g, b), depth = da > db ? da : db;
    Memo m = {.kind = (int32_t)kind, .buf = -1, .a = *a, .b = *b};
    Memo *old = recall(g, depth, &m);
    if (old) m.num = old->num;
    else {
        LLVMBasicBlockRef here = enter_head(g, depth);
        m.num = num_new(g, opaque_value(g, kind, a, b), depth, min, max);
        LLVMPositionBuilderAtEnd(g->b, here);
        remember(g, depth, &m);
    }
    return (Lin){.n = 1, .num = {m.num}, .coef = {1}};
}

static LLVMValueRef add_bytes(Gen *g, LLVMValueRef pointer, LLVMValueRef bytes) {
    return LLVMBuildGEP2(g->b, g->m->i8, pointer, &bytes, 1, "");
}

/* pointer + the terms of `index` that belong to the scope at `depth`. *sum gathers the terms used so far: it is what
 * the pointer stands for, by which it is remembered. */
static LLVMValueRef address_step(Gen *g, int32_t buf, const Lin *index, int32_t depth, LLVMValueRef pointer, Lin *sum) {
    Lin step = lin_const(0);
    for (int32_t i = 0; i < index->n; i++)
        if (g->num[index->num[i]].depth == depth) {
            step.num[step.n] = index->num[i];
            step.coef[step.n++] = index->coef[i];
        }
    if (!step.n) return pointer;
    *sum = lin_add(g, sum, &step, 1);
    Memo m = {.kind = MEMO_ADDRESS, .buf = buf, .a = *sum};
    Memo *old = recall(g, depth, &m);
    if (old) return old->pointer;
    LLVMBasicBlockRef here = enter_head(g, depth);
    step = lin_scale(&step, dtype_bytes[g->k->buf[buf].dtype]);
    m.pointer = add_bytes(g, pointer, lin_value(g, &step));
    LLVMPositionBuilderAtEnd(g->b, here);
    remember(g, depth, &m);
    return m.pointer;
}

LLVMValueRef address_of(Gen *g, int32_t buf, const Lin *index) {
    LLVMValueRef pointer = g->base[buf];
    Lin sum = lin_const(0);
    for (int32_t depth = 0; depth < g->n_scope; depth++) pointer = address_step(g, buf, index, depth, pointer, &sum);
    pointer = address_step(g, buf, index, DEPTH_HERE, pointer, &sum);
    int64_t bytes = index->constant * dtype_bytes[g->k->buf[buf].dtype];
    return bytes ? add_bytes(g, pointer, llvm_i64(g, bytes)) : pointer;
}

static bool may_share(const Buf *a, const Buf *b) {
    return a->elements == b->elements && a->dtype == b->dtype && a->batched == b->batched && (a->written || b->written);
}

static LLVMMetadataRef md_text(const Gen *g, const char *what) {
    const char *text = arena_printf(g->arena, "%s %s", LLVMGetValueName(g->fn), what);
    size_t n = 0;
    while (text[n]) n++;
    return LLVMMDStringInContext2(g->m->ctx, text, n);
}

void alias_prepare(Gen *g) {
    LLVMContextRef ctx = g->m->ctx;
    const Kernel *k = g->k;
    LLVMMetadataRef name = md_text(g, "arguments"), domain = LLVMMDNodeInContext2(ctx, &name, 1);
    LLVMMetadataRef *scope = NEW_ARRAY(g->arena, LLVMMetadataRef, k->n_arg + 1);
    LLVMMetadataRef *list = NEW_ARRAY(g->arena, LLVMMetadataRef, k->n_arg + 1);
    g->scope_md = NEW_ARRAY(g->arena, LLVMValueRef, k->n_arg + 1);
    g->noalias_md = NEW_ARRAY(g->arena, LLVMValueRef, k->n_arg + 1);
    for (int32_t i = 0; i < k->n_arg; i++) {
        LLVMMetadataRef pair[2] = {md_text(g, k->buf[i].name), domain};
        scope[i] = LLVMMDNodeInContext2(ctx, pair, 2);
        g->scope_md[i] = LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, &scope[i], 1));
    }
    for (int32_t i = 0; i < k->n_arg; i++) {
        size_t n = 0;
        for (int32_t j = 0; j < k->n_arg; j++)
            if (j != i && !may_share(&k->buf[i], &k->buf[j])) list[n++] = scope[j];
        g->noalias_md[i] = n ? LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, list, n)) : NULL;
    }
}

void alias_mark(const Gen *g, int32_t buf, LLVMValueRef access) {
    LLVMSetAlignment(access, (unsigned)dtype_bytes[g->k->buf[buf].dtype]);
    if (buf >= g->k->n_arg) return;
    LLVMSetMetadata(access, g->m->md_scope, g->scope_md[buf]);
    if (g->noalias_md[buf]) LLVMSetMetadata(access, g->m->md_noalias, g->noalias_md[buf]);
}
