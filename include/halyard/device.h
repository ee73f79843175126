/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device.h
 * Devices: an immutable spec and a live sample of each, and how one is selected.
 *
 * A selector is what HALYARD_DEVICE and haly_device_find() take:                                          [SEL-001]
 *
 *     selector   = "auto" | backend [":" index] | condition {"," condition}
 *     condition  = field op value
 *     field      = backend | vendor | name | kind | architecture | index | memory | compute_units | package | die
 *     op         = "=" | "!=" | ">=" | "<=" | ">" | "<"
 *     value      = text | number | size
 *     size       = "0" | number with B, KiB, MiB, GiB or TiB right behind it
 *
 * Texts take = and != only, ASCII case does not count in them, and `*` matches any run; memory takes a size, index,
 * compute_units, package and die a number. All conditions must hold. A value has at most 127 bytes, a selector 16
 * conditions. Among the devices left the best score wins, cpu last; a device that scores 0 is taken only when
 * HALYARD_BACKEND or the selector names its backend.
 */
#ifndef HALYARD_DEVICE_H
#define HALYARD_DEVICE_H

#include <halyard/instance.h>

HALY_BEGIN_DECLS

typedef enum haly_device_kind {
    HALY_DEVICE_CPU = 0,
    HALY_DEVICE_GPU = 1,
    HALY_DEVICE_NPU = 2,
    HALY_DEVICE_OTHER = 3,
    HALY_DEVICE_KIND_MAX_ENUM = 0x7fffffff
} haly_device_kind;

/** Bits of haly_device_spec.capabilities. A declared capability is a promise that the conformance suite checks. */
enum {
    HALY_CAP_NATIVE_ADDRESSES = 1 << 0, /**< an ordinary context's addresses are the vendor's own */
    HALY_CAP_PLACEMENT = 1 << 1,        /**< memory can be placed at an address of the core's choice */
    HALY_CAP_PAGEABLE_COPY = 1 << 2,    /**< copies from and to pageable host memory need no staging */
    HALY_CAP_HOST_CALL = 1 << 3,        /**< host calls run in the vendor's queue */
    HALY_CAP_KERNELS = 1 << 4,          /**< loads modules and launches kernels */
    HALY_CAP_OPERATOR_KERNELS = 1 << 5, /**< brings the operator kernels, so every operator can be lowered */
    HALY_CAP_PLANS = 1 << 6,            /**< has operators of its own */
    HALY_CAP_TIMING = 1 << 7,           /**< timed events */
    HALY_CAP_WRAP_STREAM = 1 << 8,      /**< wraps a caller's native stream */
    HALY_CAP_DETERMINISTIC = 1 << 9,    /**< same inputs, same bits, whatever the load or thread count */
    HALY_CAP_HOST_REGISTER = 1 << 10,   /**< host memory of the caller's can be registered */
    HALY_CAP_MAX_ENUM = 0x7fffffff
};

/** What a device is; fixed while the instance lives. Unknown numbers are 0, unknown texts "". */
typedef struct haly_device_spec {
    uint32_t struct_size; /**< HALY_DEVICE_SPEC_INIT */
    haly_device_kind kind;
    char backend[32];
    char name[128];
    char vendor[32];       /**< lower case: "nvidia", "huawei", "amd", "intel", "arm" … */
    char architecture[64]; /**< what kernels are compiled for: "x86_64-avx512", "sm_90", "dav-2201" */
    char driver[64];       /**< driver or runtime version */
    char pci[16];          /**< "0000:3b:00.0", or "" */
    uint8_t uuid[16];      /**< all zero when unknown */
    uint32_t index;        /**< within its backend, as in "cuda:1" */
    uint32_t package_id;   /**< devices of one package (two dies of an Ascend 910C) share it */
    uint32_t die_index;    /**< within the package */
    int32_t numa_node;     /**< -1 when unknown */
    uint64_t capabilities; /**< HALY_CAP_… */
    uint64_t memory_bytes;
    uint64_t max_allocation_bytes;
    uint32_t allocation_alignment; /**< every haly_malloc() address is a multiple; a power of two */
    uint32_t max_group_items;      /**< items of one kernel group */
    uint32_t max_group[3];         /**< per dimension */
    uint32_t local_memory_bytes;   /**< per group */
    uint64_t max_grid[3];          /**< groups per dimension */
    uint32_t max_argument_bytes;   /**< of a launch */
    uint32_t max_streams;          /**< 0: no known limit */
    uint32_t compute_units;        /**< cores, multiprocessors or AI cores in use */
    uint32_t clock_mhz;
    uint64_t cache_bytes;    /**< last level */
    uint64_t storage_dtypes; /**< bit 1 << haly_dtype: tensors may hold it */
    uint64_t compute_dtypes; /**< bit 1 << haly_dtype: element-wise arithmetic at the type's own rate */
    uint64_t matmul_dtypes;  /**< bit 1 << haly_dtype: matrix products of this operand type */
    uint32_t score; /**< preference, higher is better; cpu comes behind the others; 0: only when its backend is named */
    uint32_t reserved;
} haly_device_spec;
#define HALY_DEVICE_SPEC_INIT HALY_INIT(haly_device_spec, reserved)

/** What a device is doing now. Unknown numbers are 0 and their bit in `valid` is clear. */
typedef struct haly_device_sample {
    uint32_t struct_size; /**< HALY_DEVICE_SAMPLE_INIT */
    uint32_t valid;       /**< bits below */
    uint64_t memory_free_bytes;
    uint64_t memory_used_bytes;
    uint32_t utilisation_percent;
    uint32_t temperature_celsius;
    uint32_t power_milliwatts;
    uint32_t clock_mhz;
    uint64_t time_ns; /**< CLOCK_MONOTONIC at the sample */
} haly_device_sample;
#define HALY_DEVICE_SAMPLE_INIT HALY_INIT(haly_device_sample, time_ns)
enum {
    HALY_SAMPLE_MEMORY = 1 << 0,
    HALY_SAMPLE_UTILISATION = 1 << 1,
    HALY_SAMPLE_TEMPERATURE = 1 << 2,
    HALY_SAMPLE_POWER = 1 << 3,
    HALY_SAMPLE_CLOCK = 1 << 4,
    HALY_SAMPLE_MAX_ENUM = 0x7fffffff
};

/**
 * Number of devices that the configuration leaves usable, best first. The first call enumerates, which may
 * initialise the vendors' libraries of the selected backends.                                             [DEV-001]
 * @return HALY_OK; a backend that was named and fails now gives its own error. Any thread. Since 1.0.
 */
HALY_API haly_status haly_device_count(haly_instance *instance, uint32_t *out_count);

/** The index-th of them. Devices belong to the instance and live as long as it; they are not released.
 *  @return HALY_OK; HALY_ERR_INVALID (index). Since 1.0. */
HALY_API haly_status haly_device_get(haly_instance *instance, uint32_t index, haly_device **out_device);

/**
 * The best device that a selector (grammar above) allows; NULL or "" is what HALYARD_DEVICE says, or "auto".
 * @return HALY_OK; HALY_ERR_INVALID (grammar: names the place and what was expected); HALY_ERR_NOT_FOUND (nothing
 *         matches: lists why each device was left out); HALY_ERR_UNAVAILABLE (no backend can be used: lists why); where
 *         the selector names one backend, the reason why that one cannot be used, as an error of its own. [SEL-002]
 *         Since 1.0.
 */
HALY_API haly_status haly_device_find(haly_instance *instance, const char *selector, haly_device **out_device);

/**
 * Says in words, a line each, what became of every backend, which devices there are, and which were left out and why.
 * Writes at most `size` bytes, the NUL included, cut at a whole byte; out_needed (or NULL) is what the whole text
 * needs. Enumerates, as haly_device_count() does. @return HALY_OK; HALY_ERR_INVALID (text NULL with a size). [DEV-002]
 * Since 1.0.
 */
HALY_API haly_status haly_device_explain(haly_instance *instance, char *text, uint64_t size, uint64_t *out_needed);

/** The name of one HALY_CAP_… bit, "native_addresses"; NULL for what is no single bit or not known to this library.
 *  Static storage, any thread. Since 1.0. */
HALY_API const char *haly_capability_name(uint64_t capability);

/** Copies the spec up to out_spec->struct_size. Never blocks. Since 1.0. */
HALY_API haly_status haly_device_spec_get(haly_device *device, haly_device_spec *out_spec);

/** Takes a live sample. May call the vendor's library; does not wait for queued work. Since 1.0. */
HALY_API haly_status haly_device_sample_get(haly_device *device, haly_device_sample *out_sample);

HALY_END_DECLS

#endif
