/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file kernel_arguments.h
 * Part of kernel.h: preprocessor lists. HALY_MAP_COMMA(F, c, (kind, type, name), ...) gives F(c, kind, type, name),
 * F(...); HALY_MAP gives them without commas. Every target makes its parameter list from the same tuples with these.
 */
#ifndef HALYARD_KERNEL_ARGUMENTS_H
#define HALYARD_KERNEL_ARGUMENTS_H

#define HALY_CAT_(a, b) a##b
#define HALY_CAT(a, b) HALY_CAT_(a, b)
#define HALY_TEXT_(a) #a
#define HALY_TEXT(a) HALY_TEXT_(a)
#define HALY_UNWRAP(...) __VA_ARGS__
#define HALY_CALL_(F, ...) F(__VA_ARGS__)

/* clang-format off */
#define HALY_COUNT_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, count, ...) count
#define HALY_COUNT(...) HALY_COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

#define HALY_MAP_COMMA_1(F, c, a) HALY_CALL_(F, c, HALY_UNWRAP a)
#define HALY_MAP_COMMA_2(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_1(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_3(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_2(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_4(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_3(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_5(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_4(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_6(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_5(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_7(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_6(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_8(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_7(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_9(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_8(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_10(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_9(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_11(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_10(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_12(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_11(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_13(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_12(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_14(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_13(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_15(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_14(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA_16(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a), HALY_MAP_COMMA_15(F, c, __VA_ARGS__)
#define HALY_MAP_COMMA(F, c, ...) HALY_CAT(HALY_MAP_COMMA_, HALY_COUNT(__VA_ARGS__))(F, c, __VA_ARGS__)

#define HALY_MAP_1(F, c, a) HALY_CALL_(F, c, HALY_UNWRAP a)
#define HALY_MAP_2(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_1(F, c, __VA_ARGS__)
#define HALY_MAP_3(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_2(F, c, __VA_ARGS__)
#define HALY_MAP_4(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_3(F, c, __VA_ARGS__)
#define HALY_MAP_5(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_4(F, c, __VA_ARGS__)
#define HALY_MAP_6(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_5(F, c, __VA_ARGS__)
#define HALY_MAP_7(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_6(F, c, __VA_ARGS__)
#define HALY_MAP_8(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_7(F, c, __VA_ARGS__)
#define HALY_MAP_9(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_8(F, c, __VA_ARGS__)
#define HALY_MAP_10(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_9(F, c, __VA_ARGS__)
#define HALY_MAP_11(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_10(F, c, __VA_ARGS__)
#define HALY_MAP_12(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_11(F, c, __VA_ARGS__)
#define HALY_MAP_13(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_12(F, c, __VA_ARGS__)
#define HALY_MAP_14(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_13(F, c, __VA_ARGS__)
#define HALY_MAP_15(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_14(F, c, __VA_ARGS__)
#define HALY_MAP_16(F, c, a, ...) HALY_CALL_(F, c, HALY_UNWRAP a) HALY_MAP_15(F, c, __VA_ARGS__)
#define HALY_MAP(F, c, ...) HALY_CAT(HALY_MAP_, HALY_COUNT(__VA_ARGS__))(F, c, __VA_ARGS__)

/* clang-format on */

#endif
