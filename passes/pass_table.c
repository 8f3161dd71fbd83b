#include "pass.h"

#define PASS(id, ...) {.name = #id, .run = pass_##id, __VA_ARGS__},
const Pass pass_table[] = {
#include "passes.def"
};
#undef PASS

const int n_passes = ARRAY_LEN(pass_table);

bool pipeline_run(Unit *u, const PassOptions *o) { return pipeline_run_table(u, o, pass_table, n_passes); }
