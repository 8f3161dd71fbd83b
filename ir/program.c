#include "program.h"

const char *const region_name[REGION_COUNT] = {"param", "state", "fixed", "batch", "image", "label", "scalar"};
