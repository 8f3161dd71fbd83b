/* Every row of frontend/foreign.def is reached: a net in which its spelling stands where somebody would write it gives
 * a message about it, with the row's note or an edit to what it is here. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../frontend/foreign.h"
#include "../../frontend/frontend.h"

static char path[64];

#define START "cnnc 1\n"
#define INPUT "input image { size = 8x8 }\n"
#define NET "net n(image) { output y = image -> flatten -> fc(2) }\n"
#define TRAIN(keys) START INPUT NET "train {\n    loss = cross_entropy(y)\n    lr = 0.1\n    stop = 3 epochs\n    " keys "\n}\n"
#define BODY(text) START INPUT "net n(image) {\n    " text "\n    output y = image -> flatten -> fc(2)\n}\n"

/* Nets by kind and place; the first row that fits holds. %s is the spelling, %2$s a layer that has the parameter. */
static const struct { ForeignKind kind; const char *where, *net; } wrong_net[] = {
    {FOREIGN_NAME, NULL, START "const a = %s\n" INPUT NET},
    {FOREIGN_CALL, NULL, BODY("x = image -> %s(4, 3)")},
    {FOREIGN_PARAM, "*", BODY("x = image -> %2$s(%1$s=3)")},
    {FOREIGN_PARAM, "input", START "input image {\n    %s = 3\n}\n" NET},
    {FOREIGN_PARAM, "train", TRAIN("%s = 3")},
    {FOREIGN_PARAM, "data", START INPUT NET "data {\n    %s = 3\n}\n"},
    {FOREIGN_PARAM, "eval", START INPUT NET "eval {\n    %s = 3\n}\n"},
    {FOREIGN_PARAM, "sgd", TRAIN("optimizer = sgd(%s=1)")},
    {FOREIGN_PARAM, "adam", TRAIN("optimizer = adam(%s=1)")},
    {FOREIGN_PARAM, "adamw", TRAIN("optimizer = adamw(%s=1)")},
    {FOREIGN_PARAM, "rmsprop", TRAIN("optimizer = rmsprop(%s=0.5)")},
    {FOREIGN_PARAM, "lars", TRAIN("optimizer = lars(%s=0.5)")},
    {FOREIGN_PARAM, "group", TRAIN("group \"*.bias\" { %s = 1 }")},
    {FOREIGN_PARAM, "random_crop", START INPUT NET "augment {\n    random_crop(8x8, %s=1)\n}\n"},
    {FOREIGN_PARAM, "test", START INPUT NET "test {\n    %s = 1\n}\n"},
    {FOREIGN_PARAM, "folder", START INPUT NET "data {\n    train = folder(%s=\"a\")\n}\n"},
    {FOREIGN_PARAM, "synthetic", START INPUT NET "data {\n    train = synthetic(%s=3)\n}\n"},
    {FOREIGN_PARAM, "random_resized_crop", START INPUT NET "augment {\n    random_resized_crop(%s=1)\n}\n"},
    {FOREIGN_PARAM, "random_erase", START INPUT NET "augment {\n    random_erase(%s=1)\n}\n"},
    {FOREIGN_PARAM, "rotate", START INPUT NET "augment {\n    rotate(%s=1)\n}\n"},
    {FOREIGN_PARAM, "colour_jitter", START INPUT NET "augment {\n    colour_jitter(%s=1)\n}\n"},
    {FOREIGN_PARAM, "rand_augment", START INPUT NET "augment {\n    rand_augment(%s=1)\n}\n"},
    {FOREIGN_PARAM, "cross_entropy", START INPUT NET "train {\n    loss = cross_entropy(y, %s=1)\n    lr = 1\n    stop = 1 epochs\n}\n"},
    {FOREIGN_PARAM, NULL, START INPUT NET "train {\n    loss = cross_entropy(y)\n    lr = %2$s(0.1, %1$s=1)\n    stop = 3 epochs\n}\n"},
    {FOREIGN_WORD, "pad", BODY("x = image -> conv(4, 3, pad=\"%s\")")},
    {FOREIGN_WORD, "colour", START "input image {\n    size = 8x8\n    colour = %s\n}\n" NET},
    {FOREIGN_WORD, "source", START INPUT NET "data {\n    train = %s(\"a\")\n}\n"},
    {FOREIGN_WORD, "sampling", START INPUT NET "data {\n    sampling = %s\n}\n"},
    {FOREIGN_WORD, "augment", START INPUT NET "augment {\n    %s()\n}\n"},
    {FOREIGN_WORD, "optimizer", TRAIN("optimizer = %s()")},
    {FOREIGN_WORD, "lr", START INPUT NET "train {\n    loss = cross_entropy(y)\n    lr = %s(0.1)\n    stop = 3 epochs\n}\n"},
    {FOREIGN_WORD, "loss", START INPUT NET "train {\n    loss = %s(y)\n    lr = 1\n    stop = 3 epochs\n}\n"},
    {FOREIGN_WORD, "metrics", START INPUT NET "eval {\n    metrics = [%s]\n}\n"},
    {FOREIGN_WORD, "weights", START INPUT NET "deploy {\n    weights = %s\n}\n"},
    {FOREIGN_WORD, "resize", START "input image {\n    size = 8x8\n    resize = %s(8)\n}\n" NET},
    {FOREIGN_WORD, "crop", START "input image {\n    size = 8x8\n    crop = %s(8x8)\n}\n" NET},
    {FOREIGN_WORD, "orientation", START "input image {\n    size = 8x8\n    orientation = %s\n}\n" NET},
    {FOREIGN_WORD, "filter", START "input image {\n    size = 8x8\n    resize = exact(8x8, filter=%s)\n}\n" NET},
    {FOREIGN_WORD, "gradients", START INPUT NET "test {\n    gradients = %s\n}\n"},
    {FOREIGN_WORD, "on", START INPUT NET "train {\n    loss = cross_entropy(y)\n    lr = plateau(1, on=%s)\n    stop = 3 epochs\n}\n"},
    {FOREIGN_WORD, "best", TRAIN("checkpoint = every(1 epochs, best=%s)")},
    {FOREIGN_WORD, "checkpoint", TRAIN("checkpoint = %s")},
    {FOREIGN_WORD, "annotation", BODY("x = image -> conv(4, 3)@%s()")},
    {FOREIGN_WORD, "require", START INPUT NET "require {\n    %s <= 1M\n}\n"},
    {FOREIGN_WORD, "only", BODY("output z = image -> flatten only %s")},
    {FOREIGN_FIELD, NULL, BODY("c = image.%s")},
    {FOREIGN_PREFIX, NULL, BODY("x = image -> %s.relu")},
    {FOREIGN_UNIT, NULL, START "const a = 3 %s\n" INPUT NET},
    {FOREIGN_SIGN, NULL, START "const a = len([1]) %s len([2])\n" INPUT NET},
    {FOREIGN_LEAD, "inside", BODY("if true %s { }")},
    {FOREIGN_LEAD, "top", START "%s thing {\n}\n" INPUT NET},
    {FOREIGN_LEAD, "body", BODY("%s x = 3")},
};

static const char *net_of(const Foreign *f) {
    if (!strcmp(f->where, "alone")) return BODY("%s");
    if (!strcmp(f->written, "lambda")) return BODY("x = %s y");
    if (!strcmp(f->written, "is")) return BODY("if true %s false { }");
    for (int i = 0; i < ARRAY_LEN(wrong_net); i++)
        if (wrong_net[i].kind == f->kind && (!wrong_net[i].where || !strcmp(wrong_net[i].where, f->where))) return wrong_net[i].net;
    return NULL;
}

/* A layer with the parameter that the row names, or conv. */
static const char *layer_with(Arena *a, const Foreign *f) {
    const char *name[128];
    int n = layer_names(name, ARRAY_LEN(name));
    size_t length = f->here ? strspn(f->here, "abcdefghijklmnopqrstuvwxyz_") : 0;
    if (strcmp(f->where, "*") != 0) return f->where;
    for (int i = 0; i < n && length > 0; i++) {
        const char *signature = layer_find(name_of(name[i]))->signature, *param = arena_strndup(a, f->here, length);
        bool other = strstr(signature, arena_printf(a, " %s:", f->written)) || strstr(signature, arena_printf(a, " %s?:", f->written));
        if (!other && (strstr(signature, arena_printf(a, " %s:", param)) || strstr(signature, arena_printf(a, " %s?:", param))))
            return name[i];
    }
    return "conv";
}

/* Is there an error that quotes the spelling, and with it the note or an edit? */
static bool is_told(const Diags *d, const Foreign *f) {
    for (int32_t i = 0; i < d->n_message; i++) {
        const Message *error = &d->message[i];
        if (error->severity != SEV_ERROR || !strstr(error->text, f->written)) continue;
        for (int32_t k = i + 1; k < d->n_message; k++) {
            const Message *m = &d->message[k];
            if (m->group != i) continue;
            if (f->note && m->severity == SEV_HELP && !strcmp(m->text, f->note)) return true;
            if (!f->note && m->severity == SEV_EDIT) return true;
        }
    }
    return false;
}

static void compile(Arena *a, const char *text, Diags **d) {
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) exit(70);
    Unit u = {.arena = a, .diags = *d = diag_new(a)};
    frontend_build(&u, path, NULL);
}

static void test_rows(void) {
    for (int i = 0; i < n_foreign; i++) {
        const Foreign *f = &foreign_table[i];
        Arena *a = arena_new();
        Diags *d;
        const char *net = net_of(f);
        CU_ASSERT_PTR_NOT_NULL_FATAL(net);
        Str text = STR(a);
        const char *layer = layer_with(a, f);
        for (const char *c = net; *c; c++) {   /* the two arguments, in either order */
            bool first = !strncmp(c, "%s", 2) || !strncmp(c, "%1$s", 4), second = !strncmp(c, "%2$s", 4);
            if (first) str_add(&text, f->written);
            else if (second) str_add(&text, layer);
            else str_addn(&text, c, 1);
            if (first || second) c += c[1] == 's' ? 1 : 3;
        }
        compile(a, str_text(&text), &d);
        if (!is_told(d, f)) {
            printf("%s, %s, is not told about in\n%s", f->where, f->written, str_text(&text));
            diag_print(d);
        }
        CU_ASSERT(is_told(d, f));
        arena_free(a);
    }
}

/* A row that another one before it hides would never be used. */
static void test_no_row_hides_another(void) {
    for (int i = 0; i < n_foreign; i++)
        for (int k = 0; k < i; k++) {
            const Foreign *f = &foreign_table[i], *g = &foreign_table[k];
            bool same = f->kind == g->kind && !strcmp(f->where, g->where) && foreign_same(f->written, g->written);
            if (same && f->here && g->here && strcmp(f->here, g->here) != 0 && strcmp(f->where, "*") == 0) continue;
            if (same) printf("%s and %s of %s are one spelling\n", f->written, g->written, f->where);
            CU_ASSERT(!same);
        }
}

int main(void) {
    CU_TestInfo tests[] = {{"rows", test_rows}, {"no row hides another", test_no_row_hides_another}, CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"foreign", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    snprintf(path, sizeof path, "/tmp/test_foreign_%ld.net", (long)getpid());
    if (CU_initialize_registry() || CU_register_suites(suites)) return 70;
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    unlink(path);
    return failures > 0;
}
