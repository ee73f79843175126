/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: what they tell of themselves, and the whole grammar of selectors. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "cts.h"

static void expect_found(struct cts *t, const char *selector)
{
    haly_device *device = NULL;
    const haly_status status = haly_device_find(t->instance, selector, &device);
    CTS_CHECK(status == HALY_OK, "\"%s\": %s: %s", selector, haly_status_name(status),
              status == HALY_OK ? "" : cts_last_error(t).message);
    CTS_TRUE(device != NULL);
}

static void expect_not_found(struct cts *t, const char *selector)
{
    haly_device *device = NULL;
    const haly_status status = haly_device_find(t->instance, selector, &device);
    t->failures_expected++;
    CTS_CHECK(status == HALY_ERR_NOT_FOUND, "\"%s\": %s", selector, haly_status_name(status));
    CTS_TRUE(device == NULL);
}

static void expect_wrong(struct cts *t, const char *selector)
{
    haly_device *device = NULL;
    const haly_status status = haly_device_find(t->instance, selector, &device);
    t->failures_expected++;
    CTS_CHECK(status == HALY_ERR_INVALID, "\"%s\": %s", selector, haly_status_name(status));
    CTS_TRUE(device == NULL);
}

CTS_CASE_HOST(selection, without_a_selector_the_best_device_is_found, "SEL-001 SEL-002 DEV-001")
{
    static const char *const selectors[] = {NULL, "", "auto"};
    for (unsigned i = 0; i < 3; i++) {
        haly_device *device = NULL;
        CTS_OK(haly_device_find(t->instance, selectors[i], &device));
        CTS_TRUE(device == t->device);
    }
}

CTS_CASE_HOST(selection, a_backends_name_and_index_select, "SEL-001 SEL-002")
{
    char selector[64];
    haly_device *device = NULL;
    expect_found(t, t->spec.backend);
    (void)snprintf(selector, sizeof selector, "%s:%u", t->spec.backend, t->spec.index);
    CTS_OK(haly_device_find(t->instance, selector, &device));
    CTS_TRUE(device == t->device);
}

CTS_CASE_HOST(selection, an_index_that_does_not_exist_is_not_found, "SEL-002")
{
    char selector[64];
    (void)snprintf(selector, sizeof selector, "%s:4095", t->spec.backend);
    expect_not_found(t, selector);
    CTS_MESSAGE(t->spec.backend);
}

CTS_CASE_HOST(selection, conditions_on_texts_ignore_case_and_take_wildcards, "SEL-001")
{
    char selector[300];
    (void)snprintf(selector, sizeof selector, "backend=%s", t->spec.backend);
    expect_found(t, selector);
    for (char *at = selector + 8; *at != '\0'; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    expect_found(t, selector);
    (void)snprintf(selector, sizeof selector, "backend=%.1s*", t->spec.backend);
    expect_found(t, selector);
    expect_found(t, "name=*");
    expect_found(t, "architecture=*,vendor=*");
    expect_not_found(t, "backend=*nowhere*");
    expect_not_found(t, "backend!=*");
}

CTS_CASE_HOST(selection, conditions_on_numbers_compare, "SEL-001")
{
    char selector[200];
    expect_found(t, "memory>=0");
    expect_not_found(t, "memory<0");
    (t->spec.memory_bytes >= 1U << 20 ? expect_found : expect_not_found)(t, "memory>=1MiB");
    (t->spec.memory_bytes > 1024 ? expect_found : expect_not_found)(t, "memory>1024B");
    (t->spec.memory_bytes < 1024 ? expect_found : expect_not_found)(t, "memory<1KiB");
    expect_not_found(t, "memory>=4000000TiB");
    (void)snprintf(selector, sizeof selector, "memory=%lluB,index=%u,compute_units>=0",
                   (unsigned long long)t->spec.memory_bytes, t->spec.index);
    expect_found(t, selector);
    (void)snprintf(selector, sizeof selector, "index!=%u,backend=%s,index<=%u", t->spec.index, t->spec.backend,
                   t->spec.index);
    if (t->spec.index == 0)
        expect_not_found(t, selector);
}

CTS_CASE_HOST(selection, all_conditions_must_hold, "SEL-001 SEL-002")
{
    char selector[200];
    (void)snprintf(selector, sizeof selector, "backend=%s,memory>=0B", t->spec.backend);
    expect_found(t, selector);
    (void)snprintf(selector, sizeof selector, "backend=%s,memory>=0B,vendor=nobody-makes-this", t->spec.backend);
    expect_not_found(t, selector);
    CTS_MESSAGE("vendor"); /* the reason why the device was left out */
}

CTS_CASE_HOST(selection, the_kind_of_device_selects, "SEL-001")
{
    static const char *const kinds[] = {"cpu", "gpu", "npu", "other"};
    char selector[64];
    CTS_TRUE((unsigned)t->spec.kind < 4);
    (void)snprintf(selector, sizeof selector, "kind=%s,backend=%s", kinds[t->spec.kind], t->spec.backend);
    expect_found(t, selector);
    (void)snprintf(selector, sizeof selector, "kind!=%s,backend=%s,index=%u", kinds[t->spec.kind], t->spec.backend,
                   t->spec.index);
    expect_not_found(t, selector);
}

CTS_CASE_HOST(selection, a_condition_is_a_field_an_operator_and_a_value, "SEL-001")
{
    expect_wrong(t, "=4");
    expect_wrong(t, "memory=");
    expect_wrong(t, "memory>=,index=0");
    expect_wrong(t, "index=0,");
    expect_wrong(t, ",index=0");
    expect_wrong(t, "index=0;memory>0");
}

CTS_CASE_HOST(selection, an_unknown_field_is_invalid_and_named, "SEL-001 SEL-002")
{
    expect_wrong(t, "colour=red");
    CTS_MESSAGE("colour");
    expect_wrong(t, "memory>=1,flavour=x");
    CTS_MESSAGE("flavour");
}

CTS_CASE_HOST(selection, texts_have_no_order, "SEL-001")
{
    expect_wrong(t, "backend>=a");
    expect_wrong(t, "name<z");
    expect_wrong(t, "vendor>x");
    expect_wrong(t, "kind<=gpu");
}

CTS_CASE_HOST(selection, numbers_and_units_are_checked, "SEL-001")
{
    expect_wrong(t, "memory>=many");
    expect_wrong(t, "memory>=12Zi");
    expect_wrong(t, "memory>=-1");
    expect_wrong(t, "memory>=99999999999999999999999");
    expect_wrong(t, "memory>=99999999999TiB");
    expect_wrong(t, "index=0x");
    expect_wrong(t, "index=1.5");
}

CTS_CASE_HOST(selection, a_wrong_index_is_a_wrong_selector, "SEL-001")
{
    char selector[64];
    static const char *const tails[] = {":", ":x", ":-1", ":1:2", ":99999999999999999999"};
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(selector, sizeof selector, "%s%s", t->spec.backend, tails[i]);
        expect_wrong(t, selector);
    }
}

CTS_CASE_HOST(selection, the_environments_selector_is_used_when_none_is_given, "SEL-002 CFG-001")
{
    char selector[64];
    haly_device *device = NULL;
    (void)snprintf(selector, sizeof selector, "%s:4095", t->spec.backend);
    haly_instance *instance = cts_instance(t, &(haly_param){"device", selector}, 1);
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_device_find(instance, NULL, &device));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_context_open(instance, NULL, &(haly_context *){NULL}));
    CTS_OK(haly_device_find(instance, t->spec.backend, &device)); /* a selector of the call's own wins */
}

CTS_CASE_HOST(selection, devices_are_counted_ordered_and_stay, "DEV-001")
{
    uint32_t count = 0, again = 0;
    uint32_t last_score = UINT32_MAX;
    CTS_OK(haly_device_count(t->instance, &count));
    CTS_TRUE(count >= 1);
    for (uint32_t i = 0; i < count; i++) {
        haly_device *device = NULL, *same = NULL;
        haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
        CTS_OK(haly_device_get(t->instance, i, &device));
        CTS_OK(haly_device_get(t->instance, i, &same));
        CTS_TRUE(device == same);
        CTS_OK(haly_device_spec_get(device, &spec));
        CTS_TRUE(spec.score <= last_score);
        last_score = spec.score;
    }
    CTS_OK(haly_device_count(t->instance, &again));
    CTS_EQUAL(count, again);
    CTS_INVALID(haly_device_get(t->instance, count, &t->device));
}

CTS_CASE_HOST(selection, a_spec_is_complete_and_does_not_change, "DEV-001")
{
    haly_device_spec again = {HALY_DEVICE_SPEC_INIT};
    const haly_device_spec *spec = &t->spec;
    CTS_OK(haly_device_spec_get(t->device, &again));
    CTS_EQUAL(0, memcmp(spec, &again, sizeof again));
    CTS_TRUE(spec->backend[0] != '\0' && spec->name[0] != '\0');
    CTS_EQUAL(0, spec->reserved);
    if (spec->capabilities == 0)
        cts_unsupported(t, "the device declares no capability, so its limits are not asked for");
    CTS_TRUE(spec->vendor[0] != '\0' && spec->architecture[0] != '\0');
    for (const char *at = spec->vendor; *at != '\0'; at++)
        CTS_CHECK(*at < 'A' || *at > 'Z', "the vendor's name, %s, is not all lower case", spec->vendor);
    CTS_TRUE(spec->memory_bytes > 0 && spec->max_allocation_bytes > 0);
    CTS_TRUE(spec->allocation_alignment >= 16 && (spec->allocation_alignment & (spec->allocation_alignment - 1)) == 0);
    if (cts_has(t, HALY_CAP_KERNELS)) {
        CTS_TRUE(spec->max_group_items >= 1 && spec->max_argument_bytes >= 256);
        for (unsigned i = 0; i < 3; i++)
            CTS_TRUE(spec->max_group[i] >= 1 && spec->max_grid[i] >= 1);
    }
    if (cts_has(t, HALY_CAP_PLANS) || cts_has(t, HALY_CAP_OPERATOR_KERNELS))
        CTS_TRUE((spec->storage_dtypes & 1U << HALY_F32) != 0);
    CTS_EQUAL(0, (spec->compute_dtypes | spec->matmul_dtypes) & ~spec->storage_dtypes);
}

CTS_CASE_HOST(selection, a_sample_says_which_numbers_it_knows, "DEV-001")
{
    for (unsigned round = 0; round < 3; round++) {
        haly_device_sample sample = {HALY_DEVICE_SAMPLE_INIT};
        const uint64_t before = cts_now_ns();
        CTS_OK(haly_device_sample_get(t->device, &sample));
        CTS_CHECK(sample.time_ns >= before && sample.time_ns <= cts_now_ns(), "the time of sample %u is %llu", round,
                  (unsigned long long)sample.time_ns);
        CTS_EQUAL(0, sample.valid & ~31U);
        if ((sample.valid & HALY_SAMPLE_MEMORY) != 0)
            CTS_TRUE(sample.memory_free_bytes + sample.memory_used_bytes > 0);
        else
            CTS_EQUAL(0, sample.memory_free_bytes | sample.memory_used_bytes);
        CTS_TRUE(t->spec.memory_bytes == 0 || sample.memory_free_bytes <= t->spec.memory_bytes);
        if ((sample.valid & HALY_SAMPLE_UTILISATION) != 0)
            CTS_TRUE(sample.utilisation_percent <= 100);
        cts_sleep_ms(20); /* counters of a device have their own pace */
    }
}

CTS_CASE_HOST(selection, a_backend_may_be_named_by_its_file, "INST-001 INST-002")
{
    uint32_t count = 0;
    const char *path = NULL;
    CTS_OK(haly_backend_count(t->instance, &count));
    for (uint32_t i = 0; i < count; i++) {
        haly_backend_info info = {HALY_BACKEND_INFO_INIT};
        CTS_OK(haly_backend_info_get(t->instance, i, &info));
        if (strcmp(info.name, t->spec.backend) == 0)
            path = info.path;
    }
    CTS_TRUE(path != NULL);
    if (path[0] != '/')
        cts_unsupported(t, "the backend is %s: it has no file", path);
    const haly_param params[2] = {{"backend_path", path}, {"backend", t->spec.backend}};
    haly_instance *instance = cts_instance(t, params, 2);
    haly_device *device = NULL;
    CTS_OK(haly_device_find(instance, t->spec.backend, &device));
}

CTS_CASE_HOST(selection, explain_tells_of_every_backend_and_device, "DEV-002")
{
    uint64_t needed = 0;
    CTS_OK(haly_device_explain(t->instance, NULL, 0, &needed));
    CTS_TRUE(needed > 1 && needed < 1U << 20);
    char *text = cts_host(t, needed + 16);
    memset(text, 0x7F, needed + 16);
    CTS_OK(haly_device_explain(t->instance, text, needed, NULL));
    CTS_EQUAL(needed, strlen(text) + 1);
    CTS_EQUAL(0x7F, text[needed]);
    CTS_TRUE(strstr(text, t->spec.backend) != NULL);
    CTS_INVALID(haly_device_explain(t->instance, NULL, 10, &needed));
}

CTS_CASE_HOST(selection, explain_cuts_its_text_at_the_size_given, "DEV-002 ABI-002")
{
    char text[64];
    uint64_t needed = 0;
    memset(text, 0x7F, sizeof text);
    CTS_OK(haly_device_explain(t->instance, text, 10, &needed));
    CTS_EQUAL(9, strlen(text));
    CTS_EQUAL(0x7F, text[10]);
    CTS_TRUE(needed > 10);
    CTS_OK(haly_device_explain(t->instance, text, 1, NULL));
    CTS_EQUAL('\0', text[0]);
}
