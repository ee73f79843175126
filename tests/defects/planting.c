/* SPDX-License-Identifier: Apache-2.0 */
/* Which defect is there: NAME, or NAME:ARGUMENT, in HALYARD_PLANTED_DEFECT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planting.h"

enum planted_defect planted_defect;
const char *planted_argument = "";

static const char *const names[] = {
    "",
#define DEFECT(name, breaks, noticed_by, settings) #name,
#define UNPLANTED(file, why)
#include "defects.def"
#undef DEFECT
#undef UNPLANTED
};

/* A name that is not known must not pass for a build without defects. */
static __attribute__((constructor)) void plant(void)
{
    const char *wanted = getenv("HALYARD_PLANTED_DEFECT");
    if (wanted == NULL || wanted[0] == '\0')
        return;
    const size_t length = strcspn(wanted, ":");
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncmp(names[i], wanted, length) == 0)
            planted_defect = (enum planted_defect)i;
    if (planted_defect == PLANTED_nothing) {
        fprintf(stderr, "HALYARD_PLANTED_DEFECT is \"%s\", which tests/defects/defects.def does not list\n", wanted);
        abort();
    }
    planted_argument = wanted[length] == ':' ? wanted + length + 1 : "";
}
