/* Elaboration: running the compile-time program that a .net file is. Expressions become values, statements assign and
 * call, calls of layers append to the graph. Everything terminates: loops run over lists, blocks do not recurse, and
 * steps, depth and layers are limited.
 *
 * Files: eval.c (expressions), eval_op.c (operators), eval_call.c (calls, pipelines, annotations), bind.c (arguments
 * to parameters), types.c (what a parameter accepts), builtins.c, layers.c, elab.c (statements, blocks, the net). */
#ifndef CNNC_FRONTEND_EVAL_H
#define CNNC_FRONTEND_EVAL_H

#include "ast.h"
#include "table.h"

enum {
    MAX_STEPS = 4000000,        /* expressions and statements evaluated in one compilation: about a second */
    MAX_DEPTH = 4000,           /* expressions and blocks inside each other while evaluating */
    MAX_REPEATS = 1000,         /* of errors that are known: then nothing new is to be expected */
    MAX_LAYERS = 100000,
    MAX_LIST = 1000000,
    MAX_PARAMS = 24             /* of one layer, call or section; blocks may have more */
};

#define MAX_PARAMETERS ((int64_t)1 << 32)   /* of one net: 16 GiB */

typedef struct Elab Elab;
typedef struct Function Function;
typedef struct Bound Bound;
struct ParamType;

/* ---- parameters ---- */

typedef struct ParamSpec {
    Name name;
    const struct ParamType *type;
    const char *choice;          /* type(choice): the words or group it accepts */
    bool optional;               /* has a default, or (name? :) may be absent */
    Value value;                 /* default; V_NONE: absent */
    bool rest;                   /* name... : takes all further positional arguments, as a list */
} ParamSpec;

typedef struct Signature {
    ParamSpec *param;
    int n;
} Signature;

/* Parses "x: tensor, out: count, stride: pair = 1, pads...: pad, label?: text" once and remembers it. */
const Signature *signature_of(Elab *e, const char *text);

/* What a parameter accepts: converts *v in place to its canonical form, or reports "`label` ..." at the span and
 * returns false. */
typedef bool Convert(Elab *e, Value *v, Span at, const char *label);
/* The same from the expression itself, for settings: words and calls are names there, not values. `choice` as in
 * ParamSpec. */
typedef bool ConvertExpr(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice);
typedef struct ParamType {
    const char *name;
    const char *wants;           /* "a whole number of at least 1": for messages */
    Convert *convert;            /* NULL: only in settings */
    ConvertExpr *from_expr;      /* NULL: evaluate, then convert */
    bool by_name;                /* never by position: fc(16, 10) is more likely a slip than a bias of 10 */
} ParamType;
const ParamType *type_find(const char *name, size_t n);
/* Evaluates x as the parameter wants it; false if it was reported. */
bool param_eval(Elab *e, const ParamSpec *p, const AstExpr *x, Value *v);
/* Reports a word or path without quotes that names nothing, where the setting wants a string, `what`; else false. */
bool report_bare_text(Elab *e, const AstExpr *x, const char *label, const char *what);
/* After an error about v: what to do if it is a block of numbers that waits for a tensor. */
void help_waiting(Elab *e, const Value *v);
/* `label` wants this, but got that; false. */
bool report_wants(Elab *e, Span at, const char *label, const char *wants, const Value *got);

/* ---- functions ---- */

typedef enum FunctionKind { FN_LAYER, FN_BUILTIN, FN_BLOCK } FunctionKind;

typedef Value RunFunction(Elab *e, const Bound *b);

struct Function {
    FunctionKind kind;
    const char *name;
    const char *signature;       /* text; NULL for a block */
    RunFunction *run;
    const Item *block;           /* FN_BLOCK */
};

typedef struct Actual {          /* an argument */
    Name name;                   /* NULL: positional */
    Value value;
    const AstExpr *expr;         /* settings: instead of a value, because the parameter says how to read it */
    Span span;                   /* of the name if it has one */
    Span at;                     /* of the value */
    const AstExpr *text;         /* how the value was written; NULL: spread from a list */
} Actual;

typedef struct Notes {           /* what annotations said */
    const char *label;           /* @name("...") */
    Span label_span;
    bool freeze;                 /* @freeze() */
    bool nofuse;                 /* @nofuse() */
} Notes;

typedef struct Call {            /* a call with its arguments evaluated; those that failed are V_ERROR */
    const Function *fn;
    const AstExpr *source;       /* the X_CALL, NULL for a section or a function without brackets */
    Span span;
    Actual *actual;
    int32_t n, cap;
    bool lost;                   /* a list to spread failed: how many arguments there are is not known */
    Notes notes;
} Call;

typedef struct Pipe {            /* a chain of calls, each waiting for the result of the one before */
    const struct Pipe *before;   /* NULL: this is the first */
    Call call;
} Pipe;

struct Bound {                   /* arguments matched to a signature */
    const Signature *signature;
    Value value[MAX_PARAMS];
    Span span[MAX_PARAMS];       /* of the argument; of the call for defaults */
    const AstExpr *text[MAX_PARAMS];   /* of the argument; NULL: a default, or one of several */
    const AstExpr *call;         /* as Call.source */
    const Actual *refused;       /* an argument that its parameter does not take */
    bool given[MAX_PARAMS];
    Span at;                     /* of the call */
    Name name;                   /* of the layer, with its blocks: "layer1.0.conv1" */
};

/* False if an argument failed, now (reported) or before. */
bool bind_call(Elab *e, const Call *c, Bound *b);
const Value *bound(const Bound *b, const char *param);
Span bound_span(const Bound *b, const char *param);
bool bound_given(const Bound *b, const char *param);
int64_t bound_int(const Bound *b, const char *param);
double bound_real(const Bound *b, const char *param);

/* All functions of that family by name; NULL if there is none. */
const Function *builtin_find(Name name);
const Function *layer_find(Name name);
int builtin_names(const char **out, int cap);   /* for suggestions; returns how many */
int layer_names(const char **out, int cap);

/* ---- state ---- */

struct Scope;

typedef struct Variable {
    Value value;
    Span span;                   /* of its first assignment; of the parameter */
    Span set;                    /* of the last one */
    const AstExpr *from;         /* what was assigned; NULL: an item of a list */
    struct Scope *where;         /* in which `from` was evaluated */
} Variable;

typedef struct Loop {            /* a `for` that is running */
    const NameList *names;
    const struct Loop *outer;
} Loop;

typedef struct Scope {           /* one use of a block, or the net */
    Table variables;
    Table ordinals;              /* layer kind -> how many of them had no name of their own */
    Name prefix;                 /* "layer1.0.", or "" */
    bool frozen, nofuse;         /* annotated, or in a block that is */
    const Item *item;            /* the block or net */
    struct Scope *caller;        /* NULL for the net */
    Span call;                   /* of this use */
    const AstExpr *source;       /* Call.source of it */
    int32_t use;                 /* which of the block's, from 1 */
    const Loop *loop;            /* the innermost */
    int32_t block;               /* this use in Graph.block */
    const AstStmt *stmt;         /* that is running */
    bool returned;
    Value result;
} Scope;

typedef struct Site {            /* where a layer or a use of a block was written */
    Span at;
    const char *kind;            /* "conv" */
    Scope *scope;
    const Bound *bound;          /* a layer's arguments; NULL of a sum and of a block */
    const AstStmt *stmt;         /* of the scope, in which it stands */
} Site;

typedef struct UseNote {         /* a note that says how many uses a block has, once that is known */
    int32_t message;
    const Scope *scope;
    const char *loops;           /* " (s = 0)" */
} UseNote;

typedef struct Global {
    const Item *item;            /* const, option or block */
    Value value;
    Function fn;                 /* of a block */
    int32_t uses;                /* of a block: so far */
} Global;

struct Elab {
    Arena *arena;
    Diags *diags;
    Graph *graph;
    Scope *scope;                /* NULL outside blocks and net */
    Table globals;               /* name -> Global */
    Name *global_name;           /* in order of definition */
    int32_t n_global, cap_global;
    Table layers;                /* full name -> Site */
    UseNote *use_note;
    int32_t n_use_note, cap_use_note;
    Table signatures;            /* text -> Signature */
    int64_t steps;
    Span here;                   /* of the expression that was begun last */
    int64_t n_parameters;
    int depth, n_layers, n_dropout;
    bool lost;                   /* layers are missing because they failed: not all parameters are known */
    bool stopped;                /* a limit was exceeded, or too many errors: evaluate nothing more */
};

extern const Value v_error, v_none, v_lost;   /* v_lost: a lost tensor */

/* ---- evaluation ---- */

Value eval(Elab *e, const AstExpr *x);
/* Charges n steps; false (reported once) when a limit is reached. */
bool spend(Elab *e, int64_t n);
/* Stops everything with a limit's message. */
void exceed(Elab *e, Span at, const char *code, const char *what, int64_t most);
Value eval_operator(Elab *e, const AstExpr *x);
Value eval_call(Elab *e, const AstExpr *x);   /* with annotations or without */
Value eval_arrow(Elab *e, const AstExpr *x);
/* A compile-time condition. */
typedef enum Truth { IS_FALSE, IS_TRUE, IS_UNKNOWN } Truth;   /* unknown: it was none, which was reported */
Truth eval_condition(Elab *e, const AstExpr *x);

Value call_run(Elab *e, const Call *c);
/* Inlines a block; defined in elab.c. */
Value block_run(Elab *e, const Call *c);
/* A tensor, also a lost one, or a list that begins with one. */
bool value_is_tensorish(const Value *v);

/* Says of the nodes from `first` on that they are a layer of this kind, in the block that is being run. */
void layer_mark(Elab *e, int32_t first, const char *kind);
/* x, which is the sum of two tensors; either may be lost. */
Value layer_add(Elab *e, const AstExpr *x, Value a, Value b);
/* Registers the name of a new layer of this kind here; b: its arguments, or NULL. NULL if it was reported. */
Name layer_name(Elab *e, const char *kind, const Notes *notes, Span at, const Bound *b);
/* The name a b c; a and c count up to MAX_IDENT bytes. There are hundred thousands of such names, so nothing is
 * allocated for one that is known already. */
Name name_join(const char *a, const char *b, const char *c);
const Type *tensor_type(const Elab *e, const Value *v);

/* Variables and globals. */
Variable *variable_find(const Elab *e, Name name);
/* from: the expression of v in this scope, or NULL. */
void variable_set(Elab *e, Name name, Span at, Value v, const AstExpr *from);
/* What the name stands for here; false if nothing. */
bool name_value(Elab *e, Name name, Value *v);
/* Reports that the name x is not defined. */
void report_unknown_name(Elab *e, const AstExpr *x);
/* Names of layers, functions, constants, options, blocks and variables; returns how many, at most cap. */
int known_names(const Elab *e, const char **out, int cap);

#endif
