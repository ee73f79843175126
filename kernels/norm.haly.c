/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RMS normalisation of rows, a group a row, alone and fused with the residual addition in front of it. The fused form
 * normalises the sum as stored (rounded to the storage type), so it gives the bits of the two operators one after the
 * other.
 */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

#define KERNEL_BODY "norm_body.h"
#include "for_each_real.h"
