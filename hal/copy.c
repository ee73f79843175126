/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, fills and host calls: checked, then submitted. */
#include <string.h>

#include "check.h"
#include "memory.h"
#include "stream.h"

static bool overlaps(const void *a, uint64_t a_size, const void *b, uint64_t b_size)
{
    const uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    return x < y ? y - x < a_size : x - y < b_size;
}

/* Device memory of another context is reached natively where both have native addresses on one device; else the copy
 * goes through host memory. */
static uint32_t class_for(const haly_stream *stream, const struct memory_view *view)
{
    const haly_context *context = stream->object.context;
    if (view->memory_class == HALY_MEMORY_PINNED && view->context != NULL && view->context->backend != context->backend)
        return HALY_MEMORY_UNKNOWN; /* pinned for another vendor's driver: ordinary host memory here */
    if (view->context == NULL || view->context == context || view->memory_class != HALY_MEMORY_DEVICE)
        return (uint32_t)view->memory_class;
    const bool is_reachable =
        view->context->device == context->device && view->context->native_addresses && context->native_addresses;
    return is_reachable ? (uint32_t)HALY_MEMORY_DEVICE : MEMORY_ELSEWHERE;
}

static haly_status resolve_side(haly_stream *stream, const void *address, uint64_t size, const char *what,
                                uint32_t *out_class)
{
    struct memory_view view;
    if (address == NULL)
        return FAIL(HALY_ERR_INVALID, "%s is NULL", what);
    TRY(memory_resolve(stream->object.context, address, size, what, &view));
    if (UNLIKELY(view.memory_class == HALY_MEMORY_DEVICE && view.context != stream->object.context))
        TRY(memory_check_owner(&view, address));
    *out_class = class_for(stream, &view);
    return HALY_OK;
}

haly_status haly_copy(haly_stream *stream, void *dst, const void *src, uint64_t size)
{
    ENTRY_STREAM(stream);
    haly_command_copy copy = {{sizeof copy, HALY_COMMAND_COPY, 0}, dst, src, size, 0, 0};
    if (size == 0)
        return HAND_ON(stream_submit_nothing(stream, HALY_COMMAND_COPY, NULL));
    TRY(resolve_side(stream, dst, size, "dst", &copy.dst_class));
    TRY(resolve_side(stream, src, size, "src", &copy.src_class));
    if (overlaps(dst, size, src, size))
        return FAIL(HALY_ERR_INVALID, "dst %p and src %p overlap within %llu bytes", dst, src,
                    (unsigned long long)size);
    TRY(stream_submit(stream, &copy, sizeof copy, 1));
    return HALY_OK;
}

/* Bytes from the first to the last of a rectangle; HALY_ERR_INVALID when they do not fit 64 bits. */
static haly_status rectangle_bytes(uint64_t pitch, uint64_t width, uint64_t height, const char *what, uint64_t *out)
{
    uint64_t bytes;
    if (pitch < width)
        return FAIL(HALY_ERR_INVALID, "%s_pitch is %llu, expected at least width %llu", what, (unsigned long long)pitch,
                    (unsigned long long)width);
    if (__builtin_mul_overflow(pitch, height - 1, &bytes) || __builtin_add_overflow(bytes, width, &bytes))
        return FAIL(HALY_ERR_INVALID, "%llu rows of %s_pitch %llu overflow 64 bits", (unsigned long long)height, what,
                    (unsigned long long)pitch);
    *out = bytes;
    return HALY_OK;
}

/* Whether two rectangles share a byte. Within one matrix, that is rows of one pitch, columns side by side do not. */
static bool rectangles_overlap(const haly_copy_2d_desc *rect, uint64_t dst_bytes, uint64_t src_bytes)
{
    if (!overlaps(rect->dst, dst_bytes, rect->src, src_bytes))
        return false;
    if (rect->dst_pitch != rect->src_pitch || rect->width == rect->dst_pitch)
        return true;
    const uintptr_t dst = (uintptr_t)rect->dst, src = (uintptr_t)rect->src;
    const uint64_t pitch = rect->dst_pitch,
                   column = dst > src ? (dst - src) % pitch : (pitch - (src - dst) % pitch) % pitch;
    return column < rect->width || pitch - column < rect->width;
}

haly_status haly_copy_2d(haly_stream *stream, const haly_copy_2d_desc *desc)
{
    haly_copy_2d_desc rect;
    uint64_t dst_bytes = 0, src_bytes = 0;
    ENTRY_STREAM(stream);
    REQUIRE(desc);
    TRY(CHECK_INPUT(desc, haly_copy_2d_desc, height, &rect));
    TRY(check_unknown(0, 0, rect.reserved, "haly_copy_2d_desc"));
    if (rect.width == 0 || rect.height == 0)
        return HAND_ON(stream_submit_nothing(stream, HALY_COMMAND_COPY_2D, NULL));
    haly_command_copy_2d copy = {{sizeof copy, HALY_COMMAND_COPY_2D, 0},
                                 rect.dst,
                                 rect.src,
                                 rect.dst_pitch,
                                 rect.src_pitch,
                                 rect.width,
                                 rect.height,
                                 0,
                                 0};
    TRY(rectangle_bytes(rect.dst_pitch, rect.width, rect.height, "dst", &dst_bytes));
    TRY(rectangle_bytes(rect.src_pitch, rect.width, rect.height, "src", &src_bytes));
    TRY(resolve_side(stream, rect.dst, dst_bytes, "dst", &copy.dst_class));
    TRY(resolve_side(stream, rect.src, src_bytes, "src", &copy.src_class));
    if (rectangles_overlap(&rect, dst_bytes, src_bytes))
        return FAIL(HALY_ERR_INVALID, "the rectangles at dst %p and src %p overlap", rect.dst, rect.src);
    TRY(stream_submit(stream, &copy, sizeof copy, 1));
    return HALY_OK;
}

haly_status haly_fill(haly_stream *stream, void *dst, const void *pattern, uint32_t pattern_size, uint64_t size)
{
    uint32_t dst_class = 0;
    ENTRY_STREAM(stream);
    if (pattern_size == 0 || pattern_size > 16 || (pattern_size & (pattern_size - 1)) != 0)
        return FAIL(HALY_ERR_INVALID, "pattern_size is %u, expected 1, 2, 4, 8 or 16", pattern_size);
    REQUIRE(pattern);
    if (size % pattern_size != 0 || (uintptr_t)dst % pattern_size != 0)
        return FAIL(HALY_ERR_INVALID, "size %llu and dst %p must be multiples of pattern_size %u",
                    (unsigned long long)size, dst, pattern_size);
    if (size == 0)
        return HAND_ON(stream_submit_nothing(stream, HALY_COMMAND_FILL, NULL));
    TRY(resolve_side(stream, dst, size, "dst", &dst_class));
    if (dst_class == MEMORY_ELSEWHERE)
        return FAIL(HALY_ERR_INVALID, "dst %p is device memory of another context; fill it on a stream of that one",
                    dst);
    if (dst_class == HALY_MEMORY_UNKNOWN || dst_class == HALY_MEMORY_REGISTERED)
        return FAIL(HALY_ERR_INVALID, "dst %p is ordinary host memory; fills take device or pinned memory", dst);
    haly_command_fill fill = {{sizeof fill, HALY_COMMAND_FILL, 0}, dst, size, pattern_size, 0, {0}};
    memcpy(fill.pattern, pattern, pattern_size);
    TRY(stream_submit(stream, &fill, sizeof fill, 1));
    return HALY_OK;
}

haly_status haly_host_call(haly_stream *stream, haly_host_fn fn, void *user)
{
    ENTRY_STREAM(stream);
    if (fn == NULL)
        return FAIL(HALY_ERR_INVALID, "fn is NULL");
    haly_command_host_call call = {{sizeof call, HALY_COMMAND_HOST_CALL, 0}, fn, user};
    TRY(stream_submit(stream, &call, sizeof call, 1));
    return HALY_OK;
}
