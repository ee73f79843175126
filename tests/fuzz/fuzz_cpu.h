/* SPDX-License-Identifier: Apache-2.0 */
/* The core as the cpu backend sees it, for targets that take single files of the backend: it keeps the last failure. */
#ifndef TESTS_FUZZ_CPU_H
#define TESTS_FUZZ_CPU_H

#include "cpu_core.h"

struct fuzz_failure {
    haly_status status;
    char message[512];
};
extern struct fuzz_failure fuzz_failure;

#endif
