/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The administrator's policy against HALYARD_BACKEND against HALYARD_DEVICE: every policy of up to two rules with every
 * value of the two variables. What must come of it is worked out here by sets of bits, in a few lines that know nothing
 * of how the library does it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/fake_instance.h"
#include "unit/sandbox.h"

/* What is installed, in search order; devices of both tables are bits, lowest first. */
enum { ALPHA = 1, BETA = 2, GAMMA = 4, BACKENDS = 3, ALL_BACKENDS = 7 };
enum { ALPHA_0 = 1, ALPHA_1 = 2, BETA_0 = 4, GAMMA_0 = 8, DEVICES = 4, ALL_DEVICES = 15 };
enum { NORTH = ALPHA_0 | ALPHA_1 | GAMMA_0, SOUTH = BETA_0 };

static const char *const backend_names[BACKENDS] = {"alpha", "beta", "gamma"};
static const struct {
    const char *name;
    int backend;
    int rank; /* without any preference: beta's score is the best, and gamma is a processor */
} devices[DEVICES] = {{"alpha:0", 0, 2}, {"alpha:1", 0, 1}, {"beta:0", 1, 0}, {"gamma:0", 2, 3}};

/* A rule: its text, the devices it is about, and the backends that it decides on by their name (of a rule on backends)
 * or might let a device of through (of the others). */
struct rule {
    const char *text;
    bool denies;
    bool is_on_backends;
    int devices, backends;
};

static const struct rule rules[] = {
    {"allow backend alpha", false, true, ALPHA_0 | ALPHA_1, ALPHA},
    {"deny backend alpha", true, true, ALPHA_0 | ALPHA_1, ALPHA},
    {"allow backend *a", false, true, ALL_DEVICES, ALL_BACKENDS},
    {"deny backend *", true, true, ALL_DEVICES, ALL_BACKENDS},
    {"deny backend B*", true, true, BETA_0, BETA},
    {"allow backend nosuch", false, true, 0, 0},
    {"deny backend nosuch", true, true, 0, 0},
    {"allow vendor north", false, false, NORTH, ALL_BACKENDS},
    {"deny vendor north", true, false, NORTH, ALL_BACKENDS},
    {"allow vendor SOUTH", false, false, SOUTH, ALL_BACKENDS},
    {"deny vendor south", true, false, SOUTH, ALL_BACKENDS},
    {"allow device alpha:1", false, false, ALPHA_1, ALPHA},
    {"deny device alpha:1", true, false, ALPHA_1, ALPHA},
    {"allow device kind=cpu", false, false, GAMMA_0, ALL_BACKENDS},
    {"deny device \"vendor=north, index=0\"", true, false, ALPHA_0 | GAMMA_0, ALL_BACKENDS},
    {"deny device auto", true, false, ALL_DEVICES, ALL_BACKENDS},
};
enum { RULES = sizeof rules / sizeof *rules, POLICIES = 1 + RULES + RULES * RULES };

/* HALYARD_BACKEND: which backends take part, and those named to be used, in order of preference; -1 ends them, 9 is a
 * backend that does not exist. */
static const struct {
    const char *text; /* NULL: not set */
    int takes;
    int named[4];
} backend_choices[] = {
    {NULL, ALL_BACKENDS, {-1}},
    {"alpha", ALPHA, {0, -1}},
    {"gamma,alpha", ALPHA | GAMMA, {2, 0, -1}},
    {"alpha,beta,gamma", ALL_BACKENDS, {0, 1, 2, -1}},
    {"^alpha", BETA | GAMMA, {-1}},
    {"^beta,gamma", ALPHA, {-1}},
    {"^alpha,beta,gamma", 0, {-1}},
    {"^nosuch", ALL_BACKENDS, {-1}},
    {"beta,nosuch", BETA, {1, 9, -1}},
};
enum { BACKEND_CHOICES = sizeof backend_choices / sizeof *backend_choices };

/* HALYARD_DEVICE: which devices it matches, and the backend it names: -1 none, 9 one that does not exist. */
static const struct {
    const char *text;
    int devices;
    int names;
} device_choices[] = {
    {NULL, ALL_DEVICES, -1},     {"alpha", ALPHA_0 | ALPHA_1, 0},          {"alpha:1", ALPHA_1, 0}, {"beta:7", 0, 1},
    {"vendor=north", NORTH, -1}, {"kind!=cpu", ALL_DEVICES - GAMMA_0, -1}, {"memory>=1TiB", 0, -1}, {"nosuch:0", 0, 9},
};
enum { DEVICE_CHOICES = sizeof device_choices / sizeof *device_choices };

/* ---- the second opinion ---- */

struct expectation {
    haly_status create;
    haly_backend_state states[BACKENDS]; /* after enumeration */
    bool is_opened[BACKENDS];
    unsigned backend_lines[BACKENDS]; /* of the rule that denies it, 0: none */
    unsigned device_lines[DEVICES];   /* the same */
    haly_status count;                /* of haly_device_count() */
    char list[64];                    /* of devices, best first: "beta:0 alpha:1 " */
    int best[DEVICES], best_count;
    haly_status find; /* for HALYARD_DEVICE */
    int found;
};

/* Line of the rule that decides on a backend's name; 0 when it may be opened. */
static unsigned line_denying_backend(const struct rule *const *policy, int backend)
{
    for (unsigned line = 1; policy[line - 1] != NULL; line++) {
        const struct rule *rule = policy[line - 1];
        if ((rule->backends >> backend & 1) != 0 && (rule->is_on_backends || !rule->denies))
            return rule->denies ? line : 0;
    }
    return 0;
}

static unsigned line_denying_device(const struct rule *const *policy, int device)
{
    for (unsigned line = 1; policy[line - 1] != NULL; line++)
        if ((policy[line - 1]->devices >> device & 1) != 0)
            return policy[line - 1]->denies ? line : 0;
    return 0;
}

static bool is_named(int choice, int backend)
{
    for (const int *name = backend_choices[choice].named; *name >= 0; name++)
        if (*name == backend)
            return true;
    return false;
}

/* Lower is better: what was named first, then by rank. */
static int place_of(int choice, int device)
{
    int preference = 0;
    for (const int *name = backend_choices[choice].named; *name >= 0 && *name != devices[device].backend; name++)
        preference++;
    return preference * DEVICES + devices[device].rank;
}

static void expect_devices(struct expectation *expected, int choice)
{
    int usable[DEVICES] = {0}, of_backend[BACKENDS] = {0};
    for (int i = 0; i < DEVICES; i++) {
        usable[i] = expected->states[devices[i].backend] == HALY_BACKEND_READY && expected->device_lines[i] == 0;
        of_backend[devices[i].backend] += usable[i];
    }
    for (int place = 0; place < BACKENDS * DEVICES; place++)
        for (int i = 0; i < DEVICES; i++)
            if (usable[i] && place_of(choice, i) == place) {
                expected->best[expected->best_count++] = i;
                text_append(expected->list, sizeof expected->list, "%s ", devices[i].name);
            }
    for (int i = 0; i < BACKENDS; i++) {
        if (expected->states[i] != HALY_BACKEND_READY || of_backend[i] != 0)
            continue;
        expected->states[i] = HALY_BACKEND_DENIED; /* each of its devices was */
        if (is_named(choice, i))
            expected->count = HALY_ERR_POLICY;
    }
}

static void expect_find(struct expectation *expected, int device_choice)
{
    const int named = device_choices[device_choice].names;
    expected->find = expected->count;
    expected->found = -1;
    if (expected->count != HALY_OK)
        return;
    for (int i = 0; i < expected->best_count && expected->found < 0; i++)
        if ((device_choices[device_choice].devices >> expected->best[i] & 1) != 0)
            expected->found = expected->best[i];
    if (expected->found >= 0)
        return;
    if (named == 9)
        expected->find = HALY_ERR_NOT_FOUND;
    else if (named >= 0 && expected->states[named] == HALY_BACKEND_DENIED)
        expected->find = HALY_ERR_POLICY;
    else if ((named >= 0 && expected->states[named] == HALY_BACKEND_FILTERED) || expected->best_count == 0)
        expected->find = HALY_ERR_UNAVAILABLE;
    else
        expected->find = HALY_ERR_NOT_FOUND;
}

static struct expectation expect(const struct rule *const *policy, int choice, int device_choice)
{
    struct expectation expected = {.create = HALY_OK};
    for (int i = 0; i < DEVICES; i++)
        expected.device_lines[i] = line_denying_device(policy, i);
    for (int i = 0; i < BACKENDS; i++) {
        expected.backend_lines[i] = line_denying_backend(policy, i);
        expected.states[i] = (backend_choices[choice].takes >> i & 1) == 0 ? HALY_BACKEND_FILTERED
                             : expected.backend_lines[i] != 0              ? HALY_BACKEND_DENIED
                                                                           : HALY_BACKEND_READY;
        expected.is_opened[i] = expected.states[i] == HALY_BACKEND_READY;
    }
    for (const int *name = backend_choices[choice].named; *name >= 0 && expected.create == HALY_OK; name++)
        expected.create = *name == 9                                      ? HALY_ERR_NOT_FOUND
                          : expected.states[*name] == HALY_BACKEND_DENIED ? HALY_ERR_POLICY
                                                                          : HALY_OK;
    if (expected.create == HALY_OK) {
        expect_devices(&expected, choice);
        expect_find(&expected, device_choice);
    }
    return expected;
}

/* ---- what the library says ---- */

static void set_or_unset(const char *variable, const char *value)
{
    assert_int_equal(value != NULL ? setenv(variable, value, 1) : unsetenv(variable), 0);
}

/* A line that denies must be told. */
static void check_line(const char *text, unsigned line)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "policy.conf, line %u", line);
    assert_non_null(strstr(text, wanted));
}

static void check_backends(haly_instance *instance, const struct expectation *expected)
{
    for (int i = 0; i < BACKENDS; i++) {
        const haly_backend_info info = fake_backend_info(instance, (uint32_t)i);
        assert_string_equal(info.name, backend_names[i]);
        assert_int_equal(info.state, expected->states[i]);
        assert_int_equal(info.version[0] != '\0', expected->is_opened[i]);
        if (info.state == HALY_BACKEND_DENIED && !expected->is_opened[i])
            check_line(info.reason, expected->backend_lines[i]);
    }
}

/* Each device that was denied is told with its line. */
static void check_left_out(haly_instance *instance, const struct expectation *expected)
{
    char text[4096], wanted[32];
    assert_int_equal(haly_device_explain(instance, text, sizeof text, NULL), HALY_OK);
    for (int i = 0; i < DEVICES; i++) {
        snprintf(wanted, sizeof wanted, "device %s: denied by ", devices[i].name);
        char *at = strstr(text, wanted);
        assert_int_equal(at != NULL, expected->is_opened[devices[i].backend] && expected->device_lines[i] != 0);
        if (at != NULL) {
            at[strcspn(at, "\n")] = '\0';
            check_line(at, expected->device_lines[i]);
            at[strlen(at)] = '\n';
        }
    }
}

static void name_of(haly_device *device, char *out, size_t size)
{
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    assert_int_equal(haly_device_spec_get(device, &spec), HALY_OK);
    snprintf(out, size, "%s:%u", spec.backend, spec.index);
}

static void check_devices(haly_instance *instance, const struct expectation *expected)
{
    char list[64] = "", name[48];
    uint32_t count = 0;
    haly_device *device = NULL;
    assert_int_equal(haly_device_count(instance, &count), expected->count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(haly_device_get(instance, i, &device), HALY_OK);
        name_of(device, name, sizeof name);
        text_append(list, sizeof list, "%s ", name);
    }
    assert_string_equal(list, expected->count == HALY_OK ? expected->list : "");
    device = NULL;
    assert_int_equal(haly_device_find(instance, NULL, &device), expected->find);
    if (expected->find != HALY_OK) {
        assert_null(device);
        return;
    }
    name_of(device, name, sizeof name);
    assert_string_equal(name, devices[expected->found].name);
}

static void check_choice(void **state, const struct rule *const *policy, const char *text, int choice,
                         int device_choice)
{
    haly_instance *instance = NULL;
    const struct expectation expected = expect(policy, choice, device_choice);
    const struct fake_setup setup = {.path = sandbox_path(state, "all"), .policy = text[0] != '\0' ? text : NULL};
    set_or_unset("HALYARD_BACKEND", backend_choices[choice].text);
    set_or_unset("HALYARD_DEVICE", device_choices[device_choice].text);
    assert_int_equal(fake_instance_create(state, &setup, &instance), expected.create);
    if (expected.create != HALY_OK) {
        assert_null(instance);
        return;
    }
    check_devices(instance, &expected);
    check_backends(instance, &expected);
    if (expected.count == HALY_OK)
        check_left_out(instance, &expected);
    haly_instance_release(instance);
}

/* The index-th policy: none, then of one rule, then of two; writes its text. */
static void take_policy(unsigned index, const struct rule **out_policy, char *out_text, size_t size)
{
    unsigned count = 0;
    if (index > RULES)
        out_policy[count++] = &rules[(index - RULES - 1) / RULES];
    if (index > 0)
        out_policy[count++] = &rules[(index - 1) % RULES];
    out_policy[count] = NULL;
    out_text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        text_append(out_text, size, "%s\n", out_policy[i]->text);
}

static void check_policies(void **state, unsigned from, unsigned to)
{
    const struct rule *policy[3];
    char text[256];
    unsigned checked = 0;
    for (int i = 0; i < BACKENDS; i++)
        fake_install(state, backend_names[i], backend_names[i], "all");
    for (unsigned index = from; index < to; index++) {
        take_policy(index, policy, text, sizeof text);
        for (int choice = 0; choice < BACKEND_CHOICES; choice++)
            for (int device_choice = 0; device_choice < DEVICE_CHOICES; device_choice++, checked++)
                check_choice(state, policy, text, choice, device_choice);
    }
    set_or_unset("HALYARD_BACKEND", NULL);
    set_or_unset("HALYARD_DEVICE", NULL);
    print_message("table: %u policies, each with %u choices\n", to - from, checked / (to - from));
}

static void policies_of_one_rule_bound_every_choice(void **state)
{
    check_policies(state, 0, 1 + RULES);
}

static void of_two_rules_the_first_that_matches_decides(void **state)
{
    check_policies(state, 1 + RULES, POLICIES);
}

/* What the program sets wins over the environment, and the policy over both. */
static void the_program_chooses_before_the_environment_and_inside_the_policy(void **state)
{
    haly_instance *instance = NULL;
    haly_device *device = NULL;
    char name[48];
    for (int i = 0; i < BACKENDS; i++)
        fake_install(state, backend_names[i], backend_names[i], "all");
    struct fake_setup setup = {
        .path = sandbox_path(state, "all"), .backend = "alpha", .device = "alpha:0", .policy = "deny backend beta\n"};
    set_or_unset("HALYARD_BACKEND", "beta");
    set_or_unset("HALYARD_DEVICE", "gamma");
    set_or_unset("HALYARD_BACKEND_PATH", "not even absolute");
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_OK);
    assert_int_equal(haly_device_find(instance, NULL, &device), HALY_OK);
    name_of(device, name, sizeof name);
    assert_string_equal(name, "alpha:0");
    haly_instance_release(instance);
    setup.backend = "beta";
    assert_int_equal(fake_instance_create(state, &setup, &instance), HALY_ERR_POLICY);
    set_or_unset("HALYARD_BACKEND", NULL);
    set_or_unset("HALYARD_DEVICE", NULL);
    set_or_unset("HALYARD_BACKEND_PATH", NULL);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, sandbox_setup, sandbox_teardown)
    const struct CMUnitTest tests[] = {
        TEST(policies_of_one_rule_bound_every_choice),
        TEST(of_two_rules_the_first_that_matches_decides),
        TEST(the_program_chooses_before_the_environment_and_inside_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
