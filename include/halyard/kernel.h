/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel.h
 * The kernel dialect: one C source for every target. Include only this header; it needs stdint.h and stddef.h alone.
 *
 *     #include <halyard/kernel.h>
 *     HALY_KERNEL(scale_bias, (IN, float, x), (OUT, float, y), (VAL, float, a), (VAL, float, b), (VAL, haly_u64, n))
 *     {
 *         HALY_ITEMS(t) {
 *             const haly_u64 i = HALY_GLOBAL_INDEX(t);
 *             if (i < n)
 *                 y[i] = a * x[i] + b;
 *         }
 *     }
 *
 * The model. A launch is a grid of groups, a group is up to HALY_MAX_ITEMS items. The body is the code of ONE GROUP:
 * what stands outside regions is done once for the group, what stands in a region is done by every item. Where items
 * are hardware threads a region runs once in each of them; elsewhere a region is a loop over the items, which
 * vectorises.
 *
 * Declaring
 *   HALY_KERNEL(name, arguments...)                             any group size; 1 to 16 arguments
 *   HALY_KERNEL_SIZED(name, HALY_GROUP_SIZE(x,y,z), arguments...)   compiled for that group size (a launch must agree)
 *   argument: (IN, type, name) an address only read through; (OUT, ...) and (INOUT, ...) addresses; (VAL, ...) a value
 *   HALY_FN type name(...)                                      a function of one item
 *   HALY_GROUP_FN type name(HALY_GROUP_PARAM, ...)              a function of the whole group, with regions; call it
 *                                                               with HALY_GROUP_ARG first (HALY_GROUP_INLINE: inlined)
 * In the body, outside regions
 *   HALY_LOCAL(type, name, count)     memory that the group shares; first thing in the body; not initialised
 *   HALY_PRIVATE(type, name)          one value per item that lives across regions: HALY_P(name, t), HALY_P2, HALY_P3
 *   HALY_PRIVATE_ARRAY(type, name, n) n values per item: HALY_PA(name, i, t)
 *   HALY_GROUP(d) HALY_GROUPS(d) HALY_SIZE(d) HALY_ITEM_COUNT   group index, groups, items per dimension, items
 * Regions
 *   HALY_ITEMS(t) { }                 every item; t counts the items of the group from 0
 *   HALY_ITEMS2(x, y) { }  HALY_ITEMS3(x, y, z) { }             the same with the item's coordinates
 *   HALY_ITEMS_BELOW(t, limit) { }    only the items t < limit
 *   The end of a region is a barrier: what an item wrote, every item of the group reads afterwards. HALY_ITEMS_NB,
 *   HALY_ITEMS2_NB, HALY_ITEMS3_NB and HALY_ITEMS_BELOW_NB leave it out, for when the next region of an item reads only
 *   what that item wrote. HALY_BARRIER; is a barrier alone. HALY_GLOBAL_INDEX(t) is HALY_GROUP(0) * HALY_ITEM_COUNT +
 * t, for one-dimensional groups. Group primitives (kernel_group.h), outside regions; the same bits on every target
 *   HALY_GROUP_REDUCE_ADD/MAX/MIN(type, scratch, count, result)  HALY_GROUP_BROADCAST  HALY_GROUP_SCAN_ADD
 * Types and functions: haly_u8..haly_i64, float; haly_f16, haly_bf16 (storage only, kernel_storage.h); kernel_math.h;
 *   haly_atomic_{add,min,max,and,or,xor,exchange,compare_exchange}_{u32,i32}; haly_f32x4 (16-byte loads and stores).
 *
 * Rules. What breaks one may work on one target and fail on another.
 *   R1  Control flow outside regions is uniform: it depends on arguments, HALY_GROUP and results of group primitives
 *       only, never on HALY_P values or on memory that the same launch writes.
 *   R2  No `return` anywhere in a kernel body: inside a region it would leave the barrier behind. `break` and
 *       `continue` in a region, outside loops of its own, end that item only. Regions do not nest and hold no goto.
 *   R3  In one region two items never touch the same element unless both only read it or use atomics. Loops over items
 *       are vectorised on that promise.
 *   R4  Arguments have fixed sizes: haly_ integers, float, addresses, structs of those (by VAL; addresses in them as
 *       haly_u64). No bool, size_t, long, double, half types by value, or 3-element vectors. The packed block is laid
 *       out as a C struct with the arguments as fields in order, at most 4096 bytes.
 *   R5  Addresses may alias only element for element: an item may write the element that it alone reads (in-place use).
 *   R6  Two groups never write the same 64-byte line, because some targets write back whole lines from caches that do
 *       not see each other. A kernel that cannot promise it declares HALY_GROUP_SIZE_SHARED_LINES instead of
 *       HALY_GROUP_SIZE, and such a target then runs its groups on one core.
 *   R7  Pointers keep their address space in their type: HALY_GLOBAL, HALY_LOCAL_MEMORY; none for private.
 *   R8  HALY_LOCAL and HALY_PRIVATE together stay below 48 KiB and 64 values per item.
 *   R9  Floating point is IEEE binary32, round to nearest, subnormals kept, no contraction except through haly_mad().
 *
 * Compiling for a host: a shared object, with flags of which the last two lose nothing here and let sqrt and selects
 * vectorise (CMake's halyard_add_kernels() does the same); gcc for s390x also needs -fexcess-precision=fast:
 *     cc -shared -fPIC -fvisibility=hidden -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math mine.c -o mine.halo
 * As OpenCL C the driver compiles it (kernel_opencl.h), as CUDA C NVRTC or nvcc with --fmad=false (kernel_cuda.h).
 * As Ascend C its compiler does (kernel_ascend.h).
 * -DHALY_KERNEL_SUFFIX=_avx2 is added to every exported symbol, so one library can hold several builds. Each kernel
 * exports `haly_kernel_meta_<name>`, a struct haly_kernel_meta (kernel_host.h).
 */
#ifndef HALYARD_KERNEL_H
#define HALYARD_KERNEL_H

#include <halyard/kernel_target.h>
#include <halyard/kernel_arguments.h>
#if defined(HALY_TARGET_SIMT)
#include <halyard/kernel_simt.h>
#elif defined(HALY_TARGET_ASCEND)
#include <halyard/kernel_loop.h>
#else
#include <halyard/kernel_host.h>
#endif
#include <halyard/kernel_storage.h>
#include <halyard/kernel_math.h>
#include <halyard/kernel_group.h>

#endif
