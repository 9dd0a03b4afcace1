// See CBuild.h. MARTLET_REVISION comes from Package.swift, which has it from the environment.
#include "CBuild.h"

const char *martlet_revision(void) { return MARTLET_REVISION; }
