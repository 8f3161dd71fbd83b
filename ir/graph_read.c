#include "graph.h"

#include "scan.h"

#include <string.h>

typedef struct Reader {
    Graph *g;
    const char *at;
    int32_t line;
    const char *wanted;   /* what was not found, for the message; NULL while all is well */
} Reader;

static bool want(Reader *r, bool found, const char *what) {
    if (!found && !r->wanted) r->wanted = what;
    return found;
}

static bool end_line(Reader *r) {
    if (!want(r, scan_text(&r->at, "\n"), "the end of the line")) return false;
    r->line++;
    return true;
}

static bool read_name(Reader *r, Name *name) {
    return want(r, scan_json(r->g->arena, &r->at, name), "a name in quotes");
}

/* Any number that could be a node's: the verifier knows which nodes there are. */
static bool read_ref(Reader *r, Ref *ref) {
    int32_t number = 0;
    bool found = scan_text(&r->at, "%") && scan_i32(&r->at, &number) && number > 0;
    *ref = (Ref)number;
    return want(r, found, "a node such as %1");
}

static bool read_op(Reader *r, Op *op) {
    const char *word[OP_COUNT] = {NULL};
    int which = OP_none;
    for (int i = OP_none + 1; i < OP_COUNT; i++) word[i] = op_info[i].name;
    bool found = scan_one_of(&r->at, word, OP_COUNT, &which);
    *op = (Op)which;
    return want(r, found, "an operator");
}

static bool read_operands(Reader *r, Node *n) {
    int32_t cap = 0;
    Ref ref;
    if (!scan_text(&r->at, "(")) return true;
    do {
        if (!read_ref(r, &ref)) return false;
        PUSH(r->g->arena, n->in, n->n_in, cap, ref);
    } while (scan_text(&r->at, ", "));
    return want(r, scan_text(&r->at, ")"), "`, ` or `)`");
}

static bool read_attr(Reader *r, Node *n) {
    AttrKind kind = op_info[n->op].attr;
    return kind == ATTR_NONE ||
           want(r, scan_text(&r->at, " ") && attr_read(&r->at, kind, &n->attr), "the operator's attributes");
}

/* ` "name" group=3 frozen nofuse : f32[N,10]`, all but the type optional. */
static bool read_rest(Reader *r, Node *n) {
    if (strncmp(r->at, " \"", 2) == 0) {
        r->at++;
        if (!read_name(r, &n->name)) return false;
    }
    if (scan_text(&r->at, " group=") && !want(r, scan_i32(&r->at, &n->group) && n->group != 0, "a group's number"))
        return false;
    n->frozen = scan_text(&r->at, " frozen");
    n->nofuse = scan_text(&r->at, " nofuse");
    return want(r, scan_text(&r->at, " : ") && type_read(&r->at, &n->type), "` : ` and a type");
}

static bool read_node(Reader *r) {
    Graph *g = r->g;
    Node n = {.op = OP_none};
    Ref number;
    if (!read_ref(r, &number) || !want(r, number == (Ref)g->n_node, "the next node's number")) return false;
    if (!want(r, scan_text(&r->at, " = "), "` = `")) return false;
    if (!read_op(r, &n.op) || !read_operands(r, &n) || !read_attr(r, &n) || !read_rest(r, &n)) return false;
    PUSH(g->arena, g->node, g->n_node, g->cap_node, n);
    return end_line(r);
}

static bool read_output(Reader *r) {
    Graph *g = r->g;
    Output o = {.only = ONLY_BOTH};
    int only = ONLY_BOTH;
    if (!read_name(r, &o.name) || !want(r, scan_text(&r->at, " "), "a space") || !read_ref(r, &o.ref)) return false;
    if (scan_text(&r->at, " only=")) {
        bool found = scan_one_of(&r->at, output_only_name, ONLY_COUNT, &only) && only != ONLY_BOTH;
        if (!want(r, found, "`train` or `deploy`")) return false;
    }
    o.only = (OutputOnly)only;
    PUSH(g->arena, g->output, g->n_output, g->cap_output, o);
    return end_line(r);
}

static bool read_header(Reader *r) {
    if (!want(r, scan_text(&r->at, "graph "), "`graph`")) return false;
    if (*r->at == '"') {
        if (!read_name(r, &r->g->name)) return false;
    } else {
        size_t n = 0;
        while (r->at[n] && r->at[n] != '\n' && strncmp(r->at + n, " {", 2) != 0) n++;
        r->g->name = name_of_n(r->at, n);
        r->at += n;
    }
    return want(r, scan_text(&r->at, " {"), "` {`") && end_line(r);
}

static bool read_graph(Reader *r) {
    if (!read_header(r)) return false;
    while (strncmp(r->at, "  %", 3) == 0) {
        r->at += 2;
        if (!read_node(r)) return false;
    }
    while (scan_text(&r->at, "  output "))
        if (!read_output(r)) return false;
    if (!want(r, scan_text(&r->at, "}"), "a node, an output or `}`")) return false;
    scan_text(&r->at, "\n");
    return want(r, *r->at == 0, "the end of the text");
}

Graph *graph_read(Arena *a, const char *text, const char **error) {
    Reader r = {.g = graph_new(a, name_of("")), .at = text, .line = 1};
    if (!read_graph(&r)) {
        int shown = (int)min_i64((int64_t)strcspn(r.at, "\n"), 20);
        *error = arena_printf(a, "line %d: expected %s at `%.*s`", r.line, r.wanted, shown, r.at);
        return NULL;
    }
    *error = graph_verify(a, r.g);
    return *error ? NULL : r.g;
}
