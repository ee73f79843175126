/* SPDX-License-Identifier: Apache-2.0 */
/* Moves elements between strided layouts (identity, transpose, slices, broadcast), by element size: bits are kept. */
#define HALY_MAX_ITEMS 256
#include <halyard/kernel.h>
#include "access.h"

#define COPY_TYPE haly_u8
#define COPY_NAME copy_1
#include "copy_body.h"
#define COPY_TYPE haly_u16
#define COPY_NAME copy_2
#include "copy_body.h"
#define COPY_TYPE haly_u32
#define COPY_NAME copy_4
#include "copy_body.h"
#define COPY_TYPE haly_u64
#define COPY_NAME copy_8
#include "copy_body.h"
