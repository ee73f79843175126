/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax of rows, a group a row: largest, sum of exponentials, result. The exponentials are computed twice rather than
 * kept, since y may be x and may be a type too narrow to keep them in.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

#define KERNEL_BODY "softmax_body.h"
#include "for_each_real.h"
