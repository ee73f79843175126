/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the header of Ascend's compiler where only types are checked: the words that the dialect uses of it, as
   its documentation describes them. Global memory is an address space of its own. */
#ifndef HALYARD_TESTS_KERNEL_OPERATOR_H
#define HALYARD_TESTS_KERNEL_OPERATOR_H

#include <stdint.h>

#define __gm__ __attribute__((address_space(1)))
#define __aicore__
#define __global__

namespace AscendC
{
int64_t GetBlockIdx();
}

#endif
