/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file module.h
 * Modules of kernels, and launching them.
 *
 * A kernel's arguments are a table made when it was compiled: offset and size of each in a packed block, and whether it
 * is a device address. Every launch is checked against it.                                                [KRN-001]
 */
#ifndef HALYARD_MODULE_H
#define HALYARD_MODULE_H

#include <halyard/stream.h>

HALY_BEGIN_DECLS

typedef enum haly_module_format {
    HALY_MODULE_AUTO = 0,          /**< told from the bytes: ELF, SPIR-V or source */
    HALY_MODULE_HOST_OBJECT = 1,   /**< ELF shared object for this machine, made with halyard/kernel.h */
    HALY_MODULE_OPERATORS = 2,     /**< the operator kernels that the backend brings; no data */
    HALY_MODULE_BUNDLE = 3,        /**< one table of kernels and images for several targets: the best one is loaded */
    HALY_MODULE_SOURCE = 4,        /**< the kernel dialect as one text that includes no file but the system's */
    HALY_MODULE_OPENCL_C = 5,      /**< text */
    HALY_MODULE_SPIRV = 6,         /**< kernels for OpenCL */
    HALY_MODULE_PTX = 7,           /**< text */
    HALY_MODULE_CUBIN = 8,         /**< ELF object for one CUDA architecture */
    HALY_MODULE_ASCEND_OBJECT = 9, /**< ELF object for one AI core architecture */
    HALY_MODULE_FORMAT_MAX_ENUM = 0x7fffffff
} haly_module_format;

/** The formats that have data, once: HALY_MODULE_FORMATS(ROW) gives ROW(constant, name, ELF machine or 0) for each. */
#define HALY_MODULE_FORMATS(ROW)                                                                                       \
    ROW(HALY_MODULE_HOST_OBJECT, "host object", 0)                                                                     \
    ROW(HALY_MODULE_BUNDLE, "bundle", 0)                                                                               \
    ROW(HALY_MODULE_SOURCE, "source", 0)                                                                               \
    ROW(HALY_MODULE_OPENCL_C, "OpenCL C", 0)                                                                           \
    ROW(HALY_MODULE_SPIRV, "SPIR-V", 0)                                                                                \
    ROW(HALY_MODULE_PTX, "PTX", 0)                                                                                     \
    ROW(HALY_MODULE_CUBIN, "cubin", 190)                                                                               \
    ROW(HALY_MODULE_ASCEND_OBJECT, "Ascend object", 0)

/** One argument of a kernel. */
typedef struct haly_argument_info {
    uint32_t offset;     /**< in the packed block */
    uint32_t size;       /**< bytes */
    uint32_t is_address; /**< 1: a device address, 8 bytes */
    uint32_t is_const;   /**< 1: an address that is only read through */
} haly_argument_info;

typedef struct haly_kernel_info {
    uint32_t struct_size; /**< HALY_KERNEL_INFO_INIT */
    uint32_t argument_count;
    const haly_argument_info *arguments; /**< valid as long as the kernel */
    uint32_t argument_size;              /**< sizeof(haly_argument_info) of the library */
    uint32_t argument_bytes;             /**< of the packed block */
    uint32_t group[3];                   /**< group size it was compiled for; 0 = any */
    uint32_t max_group_items;            /**< items a group of this kernel may have on this device */
    uint32_t local_memory_bytes;         /**< per group, compiled in */
    uint32_t flags;                      /**< HALY_KERNEL_…, enum haly_kernel_flags of halyard/kernel_host.h */
    const char *name;
} haly_kernel_info;
#define HALY_KERNEL_INFO_INIT HALY_INIT(haly_kernel_info, name)

typedef struct haly_module_desc {
    uint32_t struct_size; /**< HALY_MODULE_DESC_INIT */
    haly_module_format format;
    const void *data; /**< the image, read before the call returns; or NULL with `path` */
    uint64_t size;    /**< of data */
    const char *path; /**< of a file, when data is NULL */
    const char *name; /**< NULL or up to 63 bytes */
    const haly_ext *ext;
    /** The kernels of an image that does not describe them itself (OpenCL C, SPIR-V, PTX, cubin, Ascend object): name,
     *  arguments, argument_bytes, group, flags; a 0 elsewhere is "not known". Copied before the call returns. NULL for
     *  bundles and host objects, which have tables of their own; with source it may be NULL. [KRN-006] */
    const haly_kernel_info *kernels;
    uint32_t kernel_count;
    uint32_t kernel_size; /**< sizeof(haly_kernel_info), or 0 for that */
} haly_module_desc;
#define HALY_MODULE_DESC_INIT HALY_INIT(haly_module_desc, kernel_size)

typedef struct haly_launch_desc {
    uint32_t struct_size;         /**< HALY_LAUNCH_DESC_INIT */
    uint32_t dynamic_local_bytes; /**< 0 unless the kernel declares dynamic local memory */
    uint64_t grid[3];             /**< groups per dimension; a 0 in y or z counts as 1 */
    uint32_t group[3];            /**< items per dimension; all 0: the compiled size; a 0 in y or z counts as 1 */
    uint32_t argument_bytes;      /**< of `arguments`: must equal the kernel's */
    const void *arguments;        /**< the packed block, read before the call returns */
    const haly_ext *ext;          /**< options; copied before the call returns, what they point at is not */
} haly_launch_desc;
#define HALY_LAUNCH_DESC_INIT HALY_INIT(haly_launch_desc, ext)

/** One argument for haly_launch_1d(): where its value stands, and its size. Arrays of it come with `arg_size`. */
typedef struct haly_arg {
    const void *value;
    uint64_t size;
} haly_arg;

/**
 * Loads a module. Of a bundle the image that suits the device best is loaded, the next best where that fails, and so
 * on; haly_module_explain() says why the others were not. Images that need a compiler are compiled, which may take
 * seconds; the result is kept in HALYARD_CACHE_DIR. [KRN-002]
 * @return HALY_OK; HALY_ERR_CORRUPT (names file, section, kernel or argument; nothing of the image was run);
 *         HALY_ERR_UNSUPPORTED (format, or made for another machine: says which); HALY_ERR_UNAVAILABLE (no compiler);
 *         HALY_ERR_INVALID (also source that does not compile: native_text is what the compiler said);
 *         HALY_ERR_NOT_FOUND, HALY_ERR_IO (file); HALY_ERR_HOST_OOM. Any thread. Since 1.0.
 */
HALY_API haly_status haly_module_load(haly_context *context, const haly_module_desc *desc, haly_module **out_module);

/** The same from a file, format told from its first bytes. Since 1.0. */
HALY_API haly_status haly_module_load_file(haly_context *context, const char *path, haly_module **out_module);

/**
 * What haly_module_load() would do with each image of a module, one line per image, the one it would load first; "" of
 * a device whose backend brings the kernels. Compiles and loads nothing.                                     [KRN-007]
 * Writes up to `size` bytes, the closing 0 included; text may be NULL when size is 0. out_needed (may be NULL) receives
 * the bytes that the whole text takes. @return HALY_OK, also when no image suits; as haly_module_load() where the
 * module cannot be read. Any thread. Since 1.0.
 */
HALY_API haly_status haly_module_explain(haly_context *context, const haly_module_desc *desc, char *text, uint64_t size,
                                         uint64_t *out_needed);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_module_retain(haly_module *module);

/** Gives a reference back. Its kernels keep it alive. NULL is fine. Since 1.0. */
HALY_API void haly_module_release(haly_module *module);

/** Gets a kernel by name; one reference. @return HALY_OK; HALY_ERR_NOT_FOUND; HALY_ERR_CORRUPT (its argument table
 *  contradicts itself). Any thread. [KRN-003] Since 1.0. */
HALY_API haly_status haly_kernel_get(haly_module *module, const char *name, haly_kernel **out_kernel);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_kernel_retain(haly_kernel *kernel);

/** Gives a reference back; launches already queued are kept. NULL is fine. Since 1.0. */
HALY_API void haly_kernel_release(haly_kernel *kernel);

/** Since 1.0. */
HALY_API haly_status haly_kernel_info_get(haly_kernel *kernel, haly_kernel_info *out_info);

/**
 * Launches a kernel in stream order.                                                                      [KRN-004]
 * Checked before anything is queued: argument bytes; that each address argument is NULL, device memory of this context
 * or pinned memory (in an ordinary context with native addresses also memory unknown to Halyard); group and grid
 * against the device's limits. A grid with a 0 in x queues nothing. @return HALY_OK; HALY_ERR_INVALID (names the
 * argument or limit); HALY_ERR_UNSUPPORTED. Since 1.0.
 */
HALY_API haly_status haly_launch(haly_stream *stream, haly_kernel *kernel, const haly_launch_desc *desc);

/** Launches over `items` items in groups of `group` (0: the compiled size, or 256), rounding the grid up; arguments by
 *  value and size, each checked against the kernel's table. `arg_size` is sizeof(haly_arg); HALY_ARGS() gives the last
 *  three. @return HALY_OK; HALY_ERR_INVALID and what else haly_launch() returns. [KRN-005] Since 1.0. */
HALY_API haly_status haly_launch_1d(haly_stream *stream, haly_kernel *kernel, uint64_t items, uint32_t group,
                                    const haly_arg *args, uint32_t arg_count, uint32_t arg_size);

/* HALY_ARGS(x, y, a) for haly_launch_1d: takes variables (things with an address), 1 to 16. C only. */
#define HALY_ARG_(v)                                                                                                   \
    {                                                                                                                  \
        &(v), sizeof(v)                                                                                                \
    }
#define HALY_ARGS_1_(a) HALY_ARG_(a)
#define HALY_ARGS_2_(a, ...) HALY_ARG_(a), HALY_ARGS_1_(__VA_ARGS__)
#define HALY_ARGS_3_(a, ...) HALY_ARG_(a), HALY_ARGS_2_(__VA_ARGS__)
#define HALY_ARGS_4_(a, ...) HALY_ARG_(a), HALY_ARGS_3_(__VA_ARGS__)
#define HALY_ARGS_5_(a, ...) HALY_ARG_(a), HALY_ARGS_4_(__VA_ARGS__)
#define HALY_ARGS_6_(a, ...) HALY_ARG_(a), HALY_ARGS_5_(__VA_ARGS__)
#define HALY_ARGS_7_(a, ...) HALY_ARG_(a), HALY_ARGS_6_(__VA_ARGS__)
#define HALY_ARGS_8_(a, ...) HALY_ARG_(a), HALY_ARGS_7_(__VA_ARGS__)
#define HALY_ARGS_9_(a, ...) HALY_ARG_(a), HALY_ARGS_8_(__VA_ARGS__)
#define HALY_ARGS_10_(a, ...) HALY_ARG_(a), HALY_ARGS_9_(__VA_ARGS__)
#define HALY_ARGS_11_(a, ...) HALY_ARG_(a), HALY_ARGS_10_(__VA_ARGS__)
#define HALY_ARGS_12_(a, ...) HALY_ARG_(a), HALY_ARGS_11_(__VA_ARGS__)
#define HALY_ARGS_13_(a, ...) HALY_ARG_(a), HALY_ARGS_12_(__VA_ARGS__)
#define HALY_ARGS_14_(a, ...) HALY_ARG_(a), HALY_ARGS_13_(__VA_ARGS__)
#define HALY_ARGS_15_(a, ...) HALY_ARG_(a), HALY_ARGS_14_(__VA_ARGS__)
#define HALY_ARGS_16_(a, ...) HALY_ARG_(a), HALY_ARGS_15_(__VA_ARGS__)
#define HALY_ARGS_N_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, n, ...) n
#define HALY_ARGS_CAT__(n) HALY_ARGS_##n##_
#define HALY_ARGS_CAT_(n) HALY_ARGS_CAT__(n)
#define HALY_ARGS_COUNT_(...) HALY_ARGS_N_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define HALY_ARGS(...)                                                                                                 \
    (const haly_arg[]){HALY_ARGS_CAT_(HALY_ARGS_COUNT_(__VA_ARGS__))(__VA_ARGS__)}, HALY_ARGS_COUNT_(__VA_ARGS__),     \
        (uint32_t)sizeof(haly_arg)

HALY_END_DECLS

#endif
