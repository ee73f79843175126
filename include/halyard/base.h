/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base.h
 * Version, linkage, the rules every struct of the ABI follows, and the extension chain.
 *
 * Rules that hold for the whole library:
 *  - Input structs begin with `struct_size`, set by their `HALY_…_INIT` macro:
 *        C:   haly_context_desc d = {HALY_CONTEXT_DESC_INIT, .flags = HALY_CONTEXT_MOVABLE};
 *        C++: haly_context_desc d = HALY_ZERO; d.struct_size = HALY_CONTEXT_DESC_INIT; d.flags = HALY_CONTEXT_MOVABLE;
 *    Zero or NULL in every other field is the documented default. A struct smaller than its 1.0 size is INVALID; a
 *    larger one is accepted when what this library does not know is all zero, and UNSUPPORTED otherwise.  [ABI-001]
 *  - Flag bits that this library does not know, and reserved fields that are not 0, are UNSUPPORTED.      [ABI-008]
 *  - Output structs begin with `struct_size` too; nothing is ever written past it.                        [ABI-002]
 *  - Arrays of structs come with the size of one element.                                                 [ABI-003]
 *  - Enums are 32 bits wide and only grow at the end.                                                     [ABI-004]
 *  - A function that fails leaves its outputs as they were, unless it says otherwise.                     [ABI-005]
 *  - A handle whose last reference was given back must not be used again, as memory that was freed. A call that gets
 *    one often says so, but nothing can promise that.
 *  - Durations and deadlines are nanoseconds from now; 0 never blocks, HALY_FOREVER has no limit.         [ABI-006]
 *  - No function is a point of cancellation: a thread that is cancelled ends behind its call, waits included. One whose
 *    cancellation is asynchronous must not call the library.                                              [ABI-009]
 */
#ifndef HALYARD_BASE_H
#define HALYARD_BASE_H

#include <stddef.h>
#include <stdint.h>

/** Version of the headers. The library's own is haly_version(). */
#define HALY_VERSION_MAJOR 1
#define HALY_VERSION_MINOR 0
#define HALY_VERSION_PATCH 0

#if defined(__GNUC__)
#define HALY_API __attribute__((visibility("default")))
#define HALY_PRINTF_LIKE(format_index, first) __attribute__((format(printf, format_index, first)))
#define HALY_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HALY_API
#define HALY_PRINTF_LIKE(format_index, first)
#define HALY_MUST_CHECK
#endif

#ifdef __cplusplus
#define HALY_BEGIN_DECLS extern "C" {
#define HALY_END_DECLS }
#else
#define HALY_BEGIN_DECLS
#define HALY_END_DECLS
#endif

/** Bytes of `type` up to and including `member`: how every struct_size is measured. */
#define HALY_SIZE_THROUGH(type, member) ((uint32_t)(offsetof(type, member) + sizeof(((type *)0)->member)))

/* `.struct_size =` keeps -Wmissing-field-initializers quiet in C. C++11 has no designated initialisers, so there the
 * macro is the value alone, which `{HALY_…_INIT}` takes as well where that warning is off. */
#ifdef __cplusplus
#define HALY_INIT(type, last_member) HALY_SIZE_THROUGH(type, last_member)
#define HALY_ZERO                                                                                                      \
    {                                                                                                                  \
    }
#else
#define HALY_INIT(type, last_member) .struct_size = HALY_SIZE_THROUGH(type, last_member)
#define HALY_ZERO                                                                                                      \
    {                                                                                                                  \
        0                                                                                                              \
    }
#endif

/** A deadline that never passes. */
#define HALY_FOREVER UINT64_MAX

/** Dimensions a tensor can have at most. */
#define HALY_MAX_RANK 8

/** Links an extension chain can have at most. */
#define HALY_EXT_MAX 64

HALY_BEGIN_DECLS

/**
 * One link of an extension chain: how vendor-only options travel (context open, stream creation, module load, launch).
 * `type` is defined by the backend's own documentation. A link that the backend does not know is UNSUPPORTED, unless
 * `optional` is 1. A chain of more than HALY_EXT_MAX links, or a link smaller than this header, is INVALID. [ABI-007]
 */
typedef struct haly_ext {
    uint32_t type;               /**< what follows this header */
    uint32_t size;               /**< bytes of the whole struct, this header included */
    uint32_t optional;           /**< 1: may be ignored by a backend that does not know it */
    uint32_t reserved;           /**< 0 */
    const struct haly_ext *next; /**< or NULL */
} haly_ext;

/** Version of the loaded library as major * 1,000,000 + minor * 1,000 + patch. Any thread, never fails. Since 1.0. */
HALY_API uint32_t haly_version(void);

/** The same as text, "1.0.0". Static storage. Since 1.0. */
HALY_API const char *haly_version_text(void);

typedef struct haly_instance haly_instance;
typedef struct haly_device haly_device;
typedef struct haly_context haly_context;
typedef struct haly_stream haly_stream;
typedef struct haly_event haly_event;
typedef struct haly_module haly_module;
typedef struct haly_kernel haly_kernel;
typedef struct haly_plan haly_plan;
typedef struct haly_graph haly_graph;
typedef struct haly_comm haly_comm;

HALY_END_DECLS

#endif
