/* Loops as text. Equal kernels print equal text (programs use that to share kernels), so nothing here may depend on
 * variable numbers, addresses or the shape of sequences; the kernel's own name is on the first line only. */
#include "loop.h"

#include <math.h>
#include <string.h>

/* How tightly an INT expression holds together; operands that hold less than their place asks for get parentheses. */
enum { HOLD_SUM, HOLD_PRODUCT, HOLD_ALL };

static int hold_of(const Expr *e) {
    if (e->type != ET_INT) return HOLD_ALL;
    if (e->kind == EX_add || e->kind == EX_sub) return HOLD_SUM;
    if (e->kind == EX_mul || (e->kind == EX_int && e->i < 0)) return HOLD_PRODUCT;
    return HOLD_ALL;
}

/* With a full stop or an exponent, or as inf or nan: a reader sees that it is a float. */
static void print_float(Str *s, double f) {
    if (isnan(f)) {
        str_add(s, "nan");
        return;
    }
    size_t from = s->n;
    str_add_float(s, (float)f);
    if (!strpbrk(s->p + from, ".en")) str_add(s, ".0");
}

static void print_expr(Str *s, const Kernel *k, const Expr *e, int hold);

static void print_infix(Str *s, const Kernel *k, const Expr *e) {
    static const char *const sign[EX_COUNT] = {[EX_add] = " + ", [EX_sub] = " - ", [EX_mul] = "*"};
    int hold = hold_of(e);
    print_expr(s, k, e->a[0], hold);
    str_add(s, sign[e->kind]);
    print_expr(s, k, e->a[1], hold + 1);
}

static void print_call(Str *s, const Kernel *k, const Expr *e) {
    str_addf(s, "%s(", expr_info[e->kind].name);
    if (e->kind == EX_random) str_addf(s, "%lld, ", (long long)e->i);
    for (int32_t i = 0; i < expr_info[e->kind].n; i++) {
        if (i) str_add(s, ", ");
        print_expr(s, k, e->a[i], HOLD_SUM);
    }
    str_add(s, ")");
}

static void print_access(Str *s, const Kernel *k, int32_t buf, const Expr *index) {
    str_addf(s, "%s[", k->buf[buf].name);
    print_expr(s, k, index, HOLD_SUM);
    str_add(s, "]");
}

static void print_bare(Str *s, const Kernel *k, const Expr *e) {
    switch (e->kind) {
    case EX_int:
        if (e->type == ET_BOOL)
            str_add(s, e->i ? "true" : "false");
        else
            str_addf(s, "%lld", (long long)e->i);
        return;
    case EX_float: print_float(s, e->f); return;
    case EX_var: str_add(s, k->var[e->i]); return;
    case EX_batch: str_add(s, "N"); return;
    case EX_load: print_access(s, k, e->buf, e->a[0]); return;
    default: break;
    }
    if (e->type == ET_INT && (e->kind == EX_add || e->kind == EX_sub || e->kind == EX_mul))
        print_infix(s, k, e);
    else
        print_call(s, k, e);
}

static void print_expr(Str *s, const Kernel *k, const Expr *e, int hold) {
    bool parentheses = hold_of(e) < hold;
    if (parentheses) str_add(s, "(");
    print_bare(s, k, e);
    if (parentheses) str_add(s, ")");
}

static void indent(Str *s, int depth) {
    for (int i = 0; i < depth; i++) str_add(s, "  ");
}

static void print_stmt(Str *s, const Kernel *k, const Stmt *st, int depth);

static void print_body(Str *s, const Kernel *k, const Stmt *body, int depth) {
    str_add(s, " {\n");
    print_stmt(s, k, body, depth + 1);
    indent(s, depth);
    str_add(s, "}\n");
}

static void print_for(Str *s, const Kernel *k, const Stmt *st, int depth) {
    str_addf(s, "for %s in ", k->var[st->u.loop.var]);
    print_expr(s, k, st->u.loop.lo, HOLD_SUM);
    str_add(s, "..");
    print_expr(s, k, st->u.loop.hi, HOLD_SUM);
    str_addf(s, " %s", loop_mode_name[st->u.loop.mode]);
    if (st->u.loop.role != ROLE_NONE) str_addf(s, " %s", loop_role_name[st->u.loop.role]);
    print_body(s, k, st->u.loop.body, depth);
}

static void print_stmt(Str *s, const Kernel *k, const Stmt *st, int depth) {
    if (st->kind == ST_SEQ) {
        for (int32_t i = 0; i < st->u.seq.n; i++) print_stmt(s, k, st->u.seq.item[i], depth);
        return;
    }
    indent(s, depth);
    if (st->kind == ST_FOR) {
        print_for(s, k, st, depth);
    } else if (st->kind == ST_STORE) {
        print_access(s, k, st->u.store.buf, st->u.store.index);
        str_add(s, " = ");
        print_expr(s, k, st->u.store.value, HOLD_SUM);
        str_add(s, "\n");
    } else if (st->kind == ST_PREFETCH) {
        str_add(s, "prefetch ");
        print_access(s, k, st->u.prefetch.buf, st->u.prefetch.index);
        str_add(s, "\n");
    } else {
        str_add(s, "if ");
        print_expr(s, k, st->u.guard.cond, HOLD_SUM);
        print_body(s, k, st->u.guard.body, depth);
    }
}

static void print_buf(Str *s, const Buf *b) {
    str_addf(s, "  %s %s %s %lld", buf_class_name[b->cls], b->name, dtype_name[b->dtype], (long long)b->elements);
    if (b->batched) str_add(s, " batched");
    if (b->written) str_add(s, " written");
    str_add(s, "\n");
}

void loop_print(Str *s, const Kernel *k) {
    str_addf(s, "kernel %s {\n", k->name);
    for (int32_t i = 0; i < k->n_buf; i++) print_buf(s, &k->buf[i]);
    print_stmt(s, k, k->body, 1);
    str_add(s, "}\n");
}
