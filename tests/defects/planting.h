/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the marks of kernels/planted.h are in a build with planted defects, which includes this header in front of every
 * source: HALYARD_PLANTED_DEFECT names the one defect of defects.def that is there.
 */
#ifndef PLANTING_H
#define PLANTING_H

enum planted_defect {
    PLANTED_nothing,
#define DEFECT(name, breaks, noticed_by, settings) PLANTED_##name,
#define UNPLANTED(file, why)
#include "defects.def"
#undef DEFECT
#undef UNPLANTED
};

/* Read from the environment when the object that it is linked into is loaded. */
extern __attribute__((visibility("hidden"))) enum planted_defect planted_defect;
extern __attribute__((visibility("hidden"))) const char *planted_argument;

/* Does the statement in place of nothing. It may leave the function or loop that it stands in. */
#define PLANTED(defect, ...)                                                                                           \
    if (planted_defect == PLANTED_##defect) {                                                                          \
        __VA_ARGS__;                                                                                                   \
    } else                                                                                                             \
        ((void)0)

#define PLANTED_OR(defect, right, wrong) (planted_defect == PLANTED_##defect ? (wrong) : (right))

#endif
