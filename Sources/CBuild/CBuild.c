#include "CBuild.h"

__attribute__((weak)) const char *const starling_build_commit = "";
