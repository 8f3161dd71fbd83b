/* The command `test`: does this program, here, compute what its author's did? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fields.h"
#include "golden.h"
#include "params.h"
#include "slopes.h"

#define GOLDEN_SUFFIX ".golden.safetensors"

static const double usual_tolerance = 1e-4;

/* The file that is meant: --golden, else that of the section, else PROGRAM.golden.safetensors; to be freed. One that
 * the command line does not name is looked for beside the program, too. */
static char *golden_path(const Context *c, const Options *o, const json_t *section, RtError *err) {
    const char *said = json_string_value(json_object_get(section, "golden"));
    if (o->golden) return rt_copy_text(o->golden, err);
    char *here = said ? rt_copy_text(said, err) : params_path(c, ".", GOLDEN_SUFFIX, err);
    bool found = !here || here[0] == '/' || !c->folder || o->update || access(here, F_OK) == 0;
    char *beside = found ? NULL : rt_join_path(c->folder, here, err);
    if (!beside || access(beside, F_OK) != 0) {
        free(beside);
        return here;
    }
    free(here);
    return beside;
}

static bool update(const Context *c, const Options *o, const char *path, RtError *err) {
    if (!golden_write(c, o, path, err)) return false;
    printf("wrote %s: %d pictures\n", path, o->n_operand ? o->n_operand : GOLDEN_USUAL);
    return true;
}

static bool check_golden(const Context *c, const Options *o, const char *path, double tolerance, json_t *json,
                         RtError *err) {
    if (access(path, F_OK) != 0)
        return !rt_fail(err, RT_NO_INPUT, "%s: there are no golden values yet; `%s test --update` writes them", path,
                        c->program);
    return golden_check(c, o, path, tolerance, json, err);
}

static void print_json(json_t *json) {
    char *text = json_dumps(json, JSON_INDENT(2));
    printf("%s\n", text ? text : "");
    free(text);
}

/* All that is asked for is tested, also behind what is not kept, and that is the error in the end. Golden values may
 * only be missing where gradients are tested and nobody named the file. */
static bool check(const Context *c, const Options *o, const char *path, const json_t *section, RtError *err) {
    RtError first = {.code = RT_OK};
    const char *gradients = json_string_value(json_object_get(section, "gradients"));
    double tolerance = field_number_or(section, "tolerance", usual_tolerance, "test", err);
    bool slopes = gradients && strcmp(gradients, "all") == 0, named = o->golden || json_object_get(section, "golden");
    if (err->code) return false;
    json_t *json = o->json ? json_object() : NULL;
    bool good = !slopes || slopes_check(c, o, json, &first) || first.code == RT_UNKEPT;
    if (good && (!slopes || named || access(path, F_OK) == 0))
        good = check_golden(c, o, path, tolerance, json, first.code ? err : &first);
    if (json && (good || first.code == RT_UNKEPT)) print_json(json);
    json_decref(json);
    return (!err->code && !first.code) || !rt_fail(err, first.code, "%s", first.text);
}

int test_command(const Context *c, const Options *o, RtError *err) {
    const json_t *section = model_section(c->model, "test");
    if (o->n_operand && !o->update)
        return rt_fail(err, RT_USAGE, "pictures are for --update: a test takes those of the golden values");
    char *path = golden_path(c, o, section, err);
    if (path) o->update ? update(c, o, path, err) : check(c, o, path, section, err);
    free(path);
    return err->code;
}
