/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of kernel_math.h and kernel_storage.h against the C library in double precision, to the bounds they
 * promise. */
#include "kernels_test.h"

#include <math.h>
#include <string.h>

#define STEP 4099U /* floats from one sample to the next: about a million of all there are */

struct function {
    const char *name;
    float (*tested)(float);
    double (*exact)(double);
    float low, high;
    double ulps, absolute;
};

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact_rsqrt(double x)
{
    return 1 / sqrt(x);
}

static const struct function functions[] = {
    {"exp", haly_expf, exp, -INFINITY, INFINITY, 1.1, 0},
    {"log", haly_logf, log, 0, INFINITY, 0.9, 0},
    {"log of negative numbers", haly_logf, log, -INFINITY, -1e-45f, 0, 0},
    {"tanh", haly_tanhf, tanh, -INFINITY, INFINITY, 1.4, 0},
    {"erf", haly_erff, erf, -INFINITY, INFINITY, 1.4, 0},
    {"sigmoid", haly_sigmoidf, exact_sigmoid, -87, INFINITY, 2.6, 0},
    {"sigmoid far out", haly_sigmoidf, exact_sigmoid, -INFINITY, -87, 0, 1.2e-38},
    {"sin", haly_sinf, sin, -1048576, 1048576, 2.2, 0},
    {"cos", haly_cosf, cos, -1048576, 1048576, 2.2, 0},
    {"sqrt", haly_sqrtf, sqrt, 0, INFINITY, 0.5, 0},
    {"rsqrt", haly_rsqrtf, exact_rsqrt, 1e-38f, INFINITY, 1.5, 0},
};

static void check(const struct function *function, float x)
{
    const double want = function->exact((double)x), got = (double)function->tested(x);
    const double rounded = dtype_round(HALY_KERNEL_F32, want);
    const int is_special = isnan(want) ? isnan(got) : isinf(rounded) && got == rounded;
    if (!is_special && !(fabs(got - want) <= function->ulps * dtype_ulp(HALY_KERNEL_F32, want) + function->absolute))
        fail_msg("%s(%.9g) is %.9g, expected %.17g", function->name, (double)x, got, want);
}

static void functions_keep_their_bounds(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        uint64_t tried = 0;
        for (uint64_t bits = 0; bits < 0x100000000ULL; bits += STEP) {
            const float x = haly_f32_from_bits((uint32_t)bits);
            if (x >= functions[f].low && x <= functions[f].high) {
                check(&functions[f], x);
                tried++;
            }
        }
        assert_true(tried > 10000);
    }
}

static void functions_pass_on_nan(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        assert_true(isnan(functions[f].tested(NAN)));
    assert_true(isnan(haly_sinf(2e6f)) && isnan(haly_cosf(-INFINITY)));
    assert_true(isnan(haly_max_nanf(NAN, 1)) && isnan(haly_max_nanf(1, NAN)) && haly_max_nanf(1, 2) == 2);
    assert_true(isnan(haly_min_nanf(NAN, 1)) && isnan(haly_min_nanf(1, NAN)) && haly_min_nanf(1, 2) == 1);
    assert_true(haly_logf(0) == -INFINITY && haly_expf(-INFINITY) == 0 && haly_expf(INFINITY) == INFINITY);
}

static void turns_wrap_without_loss(void **state)
{
    (void)state;
    struct rng rng = {7};
    for (int i = 0; i < 200000; i++) {
        const uint64_t phase = rng_next(&rng) >> rng_below(&rng, 40);
        const double angle = (double)(int64_t)phase * 0x1p-64 * 2 * acos(-1.0);
        assert_true(fabs((double)haly_sin_turns(phase) - sin(angle)) <= 1.3e-7);
        assert_true(fabs((double)haly_cos_turns(phase) - cos(angle)) <= 1.3e-7);
    }
    assert_true(haly_mul_high_u64(~0ULL, ~0ULL) == ~0ULL - 1 && haly_mul_high_u64(1ULL << 63, 6) == 3);
}

/* Every half, and floats at random and around every boundary between two halves. */
static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    struct rng rng = {8};
    for (int type = 1; type < 3; type++) {
        struct array one = array_new(real_dtypes[type], 1);
        for (uint32_t bits = 0; bits < 65536; bits++) {
            const uint16_t half = (uint16_t)bits;
            memcpy(one.data, &half, sizeof half);
            const double value = array_get(&one, 0);
            const float got = type == 1 ? haly_f16_to_f32((haly_f16){half}) : haly_bf16_to_f32((haly_bf16){half});
            assert_true(isnan(value) ? isnan(got) : (double)got == value && !signbit(got) == !signbit(value));
            for (int j = -1; j <= 2; j++) {
                const float near = haly_f32_from_bits(haly_f32_bits(got) + (uint32_t)(j == 2 ? 0 : j) +
                                                      (rng_below(&rng, 2) ? (type == 1 ? 0x1000U : 0x8000U) : 0U));
                const uint16_t back = type == 1 ? haly_f32_to_f16(near).bits : haly_f32_to_bf16(near).bits;
                uint16_t want;
                array_set(&one, 0, (double)near);
                memcpy(&want, one.data, sizeof want);
                if (isnan(near))
                    assert_true((back & 0x7fff) > (type == 1 ? 0x7c00 : 0x7f80));
                else
                    assert_int_equal(back, want);
            }
        }
        array_free(&one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_keep_their_bounds),
        cmocka_unit_test(functions_pass_on_nan),
        cmocka_unit_test(turns_wrap_without_loss),
        cmocka_unit_test(halves_round_to_nearest_even),
    };
    return cmocka_run_group_tests_name("kernel_math", tests, NULL, NULL);
}
